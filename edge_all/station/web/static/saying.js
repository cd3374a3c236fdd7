// @ts-check
// What the page tells its reader.

let timer = 0;

/** A line that goes away by itself. @param {string} words */
export function say(words) {
  const told = /** @type {HTMLElement} */ (document.getElementById("told"));
  told.textContent = words;
  told.classList.add("shown");
  window.clearTimeout(timer);
  timer = window.setTimeout(() => told.classList.remove("shown"), 4000);
}

/** A line that stays as long as what it says; empty: none. @param {string} words */
export function warn(words) {
  const trouble = /** @type {HTMLElement} */ (document.getElementById("trouble"));
  trouble.textContent = words;
  trouble.hidden = !words;
}
