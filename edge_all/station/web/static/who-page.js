// @ts-check
import { ask } from "./station-api.js";

const form = /** @type {HTMLFormElement} */ (document.getElementById("enter"));
const refused = /** @type {HTMLElement} */ (document.getElementById("refused"));

// Sent before this script is there, the browser would write what was typed into the address.
for (const button of form.querySelectorAll("button")) button.disabled = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = new FormData(form);
  try {
    await ask("/api/v1/session", {
      method: "POST",
      body: { name: said.get("name"), password: said.get("password") ?? "" },
    });
    window.location.assign(form.dataset.then ?? "/");
  } catch (error) {
    refused.textContent = error instanceof Error ? error.message : String(error);
    refused.hidden = false;
  }
});
