// @ts-check
// How the station is set, and who has an account: for administrators.
import { say } from "./saying.js";
import { ask } from "./station-api.js";
import { counted, word } from "./words.js";

/** @template {HTMLElement} T @param {string} id @param {new (...args: any[]) => T} kind @returns {T} */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} #${id}`);
  return found;
}

/** @param {() => Promise<void>} work what goes wrong is said */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

const rows = /** @type {HTMLTableSectionElement} */ (document.querySelector("#kinds tbody"));

/** A kind as it stands in its row. A name that was not touched stays what it is, whatever the page calls it. @param {HTMLElement} row */
function kindOf(row) {
  const name = /** @type {HTMLInputElement} */ (row.querySelector(".name"));
  return {
    name: name.value === name.defaultValue && row.dataset.name ? row.dataset.name : name.value.trim(),
    counts_as: /** @type {HTMLSelectElement} */ (row.querySelector(".counts")).value,
    key: /** @type {HTMLInputElement} */ (row.querySelector(".key")).value,
  };
}

element("settings", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    const days = element("forget-after", HTMLInputElement).value;
    await ask("/api/v1/settings", {
      method: "PUT",
      body: {
        kinds: [...rows.rows].map(kindOf),
        second_reader: element("second-reader", HTMLInputElement).checked,
        forget_names_after_days: days ? Number(days) : null,
      },
    });
    say(word("The station is set so from now on."));
  });
});

rows.addEventListener("click", (event) => {
  if (event.target instanceof HTMLButtonElement && rows.rows.length > 1) event.target.closest("tr")?.remove();
});

element("another", HTMLButtonElement).addEventListener("click", () => {
  const row = /** @type {HTMLTableRowElement} */ (rows.rows[rows.rows.length - 1].cloneNode(true));
  delete row.dataset.name;
  for (const input of row.querySelectorAll("input")) input.value = "";
  rows.append(row);
  row.querySelector("input")?.focus();
});

element("forget", HTMLButtonElement).addEventListener("click", () =>
  attempt(async () => {
    const { slides } = await ask("/api/v1/forget", { method: "POST" });
    say(counted("{n} name was forgotten.", "{n} names were forgotten.", slides.length));
  }),
);

document.getElementById("account")?.addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(async () => {
    const name = element("account-name", HTMLInputElement).value.trim();
    await ask(`/api/v1/accounts/${encodeURIComponent(name)}`, {
      method: "PUT",
      body: { password: element("account-password", HTMLInputElement).value, role: element("account-role", HTMLSelectElement).value },
    });
    window.location.reload();
  });
});

for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".remove-account"))) {
  button.addEventListener("click", () =>
    attempt(async () => {
      await ask(`/api/v1/accounts/${encodeURIComponent(button.dataset.name ?? "")}`, { method: "DELETE" });
      window.location.reload();
    }),
  );
}

// Sent before this script is there, the browser would write what was typed into the address.
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button[type=submit]"))) button.disabled = false;
