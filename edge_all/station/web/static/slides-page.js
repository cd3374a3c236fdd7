// @ts-check
// The list of slides: rendered by the station, put in place anew whenever something happens.
import { listen } from "./live-events.js";
import { ask } from "./station-api.js";
import { say, warn } from "./saying.js";
import { word } from "./words.js";

/** Takes the list anew, unless somebody is typing in it. @param {Set<string>} changed codes of slides */
async function refresh(changed) {
  const answer = await fetch(window.location.href).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  const live = document.getElementById("live");
  if (!fresh || !live) return;
  for (const code of changed) fresh.querySelector(`[data-slide="${CSS.escape(code)}"]`)?.classList.add("fresh");
  const focused = document.activeElement;
  const form = live.querySelector(".filter");
  const link = focused instanceof HTMLAnchorElement && live.contains(focused) ? focused.getAttribute("href") : null;
  const box = form?.contains(focused ?? null) ? form : null;
  if (box) fresh.querySelector(".filter")?.replaceWith(box); // what is being typed stays
  live.replaceWith(fresh);
  if (box && focused instanceof HTMLElement) focused.focus();
  if (link) /** @type {HTMLElement | null} */ (fresh.querySelector(`a[href="${CSS.escape(link)}"]`))?.focus();
}

/** @type {Set<string>} */
let changed = new Set();
let busy = false;

/** @param {Iterable<string>} codes */
async function refreshSoon(codes) {
  for (const code of codes) changed.add(code);
  if (busy) return;
  busy = true;
  while (changed.size) {
    const now = changed;
    changed = new Set();
    await refresh(now);
  }
  busy = false;
}

listen(
  document.getElementById("live")?.dataset.seq ?? "",
  (events) => void refreshSoon(events.map((event) => event.slide ?? "")),
  (connected) => warn(connected ? "" : word("The station does not answer. This list is as it was.")),
);

document.addEventListener("click", async (event) => {
  if (event.target instanceof HTMLElement && event.target.id === "help-button") showKeys();
  if (event.target instanceof HTMLElement && event.target.id === "retry") {
    await ask("/api/v1/queue/retry", { method: "POST", body: {} });
    say(word("They wait for their turn again."));
    void refreshSoon([""]);
  }
});

document.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) event.target.form?.requestSubmit();
});

function showKeys() {
  /** @type {HTMLDialogElement | null} */ (document.querySelector("#help-dialog"))?.showModal();
}

// By keyboard: the first slide has the focus, arrows go from slide to slide, / goes to the search, ? shows the keys.
function slideLinks() {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".list tbody th a")]);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (typing || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const links = slideLinks();
  const place = links.findIndex((link) => link === document.activeElement);
  if (event.key === "ArrowDown") links[Math.min(links.length - 1, place + 1)]?.focus();
  else if (event.key === "ArrowUp") links[Math.max(0, place - 1)]?.focus();
  else if (event.key === "?") showKeys();
  else if (event.key === "/") /** @type {HTMLElement | null} */ (document.querySelector(".filter [type=search]"))?.focus();
  else return;
  event.preventDefault();
});

if (document.activeElement === document.body) slideLinks()[0]?.focus({ preventScroll: true }); // what is not signed stands first
