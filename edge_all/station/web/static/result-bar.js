// @ts-check
// Counts, fraction, verdict and signature of a slide, as they stand.
import { counted, figure, minute, percent, word } from "./words.js";

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {any} slide as the station says
 * @param {number} toLookAt cells, as this page knows it already
 */
export function showResult(slide, toLookAt) {
  const counts = slide.counts;
  at("verdict").textContent = word(counts.verdict);
  at("verdict").className = `verdict ${counts.verdict.replace(" ", "-")}`;
  const parts = [counted("{all} ALL of {n} cell", "{all} ALL of {n} cells", counts.judged_cells, { all: counts.all_cells })];
  if (counts.all_fraction !== null) {
    const [low, high] = counts.all_fraction_interval;
    parts.push(word("{share} (95 % interval {low} to {high})", { share: percent(counts.all_fraction), low: figure((100 * low).toFixed(1)), high: percent(high) }));
    Object.assign(at("interval").style, { left: `${100 * low}%`, width: `${100 * (high - low)}%` });
    at("point").style.left = `${100 * counts.all_fraction}%`;
  }
  if (counts.indeterminate_cells) parts.push(word("{n} indeterminate", { n: counts.indeterminate_cells }));
  const repeated = slide.fields.filter((/** @type {any} */ field) => field.repeats).length;
  if (repeated) parts.push(counted("without {n} repeated field", "without {n} repeated fields", repeated));
  at("figures").textContent = parts.join(" · ");
  at("counted").hidden = !repeated;
  at("reason").textContent = counts.verdict_reason;
  at("reason").title = counts.verdict_reason;
  for (const id of ["warnings", "sign-warnings"]) showLines(at(id), counts.warnings);
  at("review-state").textContent = stateWords(slide, toLookAt);
  at("sign").hidden = slide.state.locked;
  at("amend").hidden = !slide.state.locked;
  for (const count of document.querySelectorAll("[data-count]")) {
    const number = counts.kinds[/** @type {HTMLElement} */ (count).dataset.count ?? ""];
    count.textContent = number ? String(number) : "";
  }
}

/** @param {HTMLElement} list @param {string[]} lines */
function showLines(list, lines) {
  list.hidden = !lines.length;
  list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
}

/** @param {any} slide @param {number} toLookAt */
function stateWords(slide, toLookAt) {
  const state = slide.state;
  if (state.locked) {
    const signed = word("Signed by {name}, {time} UTC ({meaning})", { name: state.signed_by, time: minute(state.signed_at), meaning: word(state.meaning) });
    return state.fields_since ? `${signed}; ${counted("{n} field since is not covered", "{n} fields since are not covered", state.fields_since)}` : signed;
  }
  const words = [];
  if (state.stage === "amended") words.push(word("Amended: {reason}.", { reason: state.amended_because }));
  if (slide.waiting) words.push(counted("{n} image waits.", "{n} images wait.", slide.waiting));
  words.push(toLookAt ? counted("{n} cell is still to be looked at.", "{n} cells are still to be looked at.", toLookAt) : word("All that must be looked at has been."));
  const { same, compared } = slide.counts.agreement;
  if (compared) words.push(word("Software and reader agree on {same} of {compared} decided.", { same, compared }));
  if (slide.counts.settled) words.push(word("{n} undecided by the software are decided.", { n: slide.counts.settled }));
  if (slide.counts.seen_only) words.push(word("{n} seen, not decided.", { n: slide.counts.seen_only }));
  return words.join(" ");
}
