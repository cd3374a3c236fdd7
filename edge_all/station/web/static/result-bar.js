// @ts-check
// Counts, fraction, verdict and signature of a slide, as they stand.
import { percent } from "./saying.js";

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * @param {any} slide as the station says
 * @param {number} toLookAt cells, as this page knows it already
 */
export function showResult(slide, toLookAt) {
  const counts = slide.counts;
  at("verdict").textContent = counts.verdict;
  at("verdict").className = `verdict ${counts.verdict.replace(" ", "-")}`;
  const parts = [`${counts.all_cells} ALL of ${counts.judged_cells} cells`];
  if (counts.all_fraction !== null) {
    const [low, high] = counts.all_fraction_interval;
    parts.push(`${percent(counts.all_fraction)} (95 % interval ${(100 * low).toFixed(1)} to ${percent(high)})`);
    Object.assign(at("interval").style, { left: `${100 * low}%`, width: `${100 * (high - low)}%` });
    at("point").style.left = `${100 * counts.all_fraction}%`;
  }
  if (counts.indeterminate_cells) parts.push(`${counts.indeterminate_cells} indeterminate`);
  at("figures").textContent = parts.join(" · ");
  at("reason").textContent = counts.verdict_reason;
  at("reason").title = [counts.verdict_reason, ...counts.warnings].join("\n");
  at("review-state").textContent = stateWords(slide, toLookAt);
  at("sign").hidden = slide.state.locked;
  at("amend").hidden = !slide.state.locked;
  for (const count of document.querySelectorAll("[data-count]")) {
    const number = counts.kinds[/** @type {HTMLElement} */ (count).dataset.count ?? ""];
    count.textContent = number ? String(number) : "";
  }
}

/** @param {any} slide @param {number} toLookAt */
function stateWords(slide, toLookAt) {
  const state = slide.state;
  if (state.locked) {
    const since = state.fields_since ? `; ${state.fields_since} fields since are not covered` : "";
    return `Signed by ${state.signed_by}, ${state.signed_at.slice(0, 16).replace("T", " ")} UTC (${state.meaning})${since}`;
  }
  const words = [];
  if (state.stage === "amended") words.push(`Amended: ${state.amended_because}.`);
  if (slide.waiting) words.push(`${slide.waiting} images wait.`);
  words.push(toLookAt ? `${toLookAt} cells are still to be looked at.` : "All that must be looked at has been.");
  return words.join(" ");
}
