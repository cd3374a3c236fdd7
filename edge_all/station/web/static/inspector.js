// @ts-check
// The cell in question, larger, with all that is known of it.
import { cellWords } from "./cell-gallery.js";
import { probabilityWords } from "./saying.js";

/** @typedef {import("./slide-state.js").Cell} Cell */

/**
 * @param {HTMLElement} aside
 * @param {import("./slide-state.js").SlideState} state
 * @param {string[]} targets on which a key works
 * @param {string | null} current
 */
export function inspect(aside, state, targets, current) {
  const cell = current ? state.cells.get(current) : undefined;
  if (targets.length > 1) {
    aside.dataset.shown = "";
    aside.replaceChildren(heading(`${targets.length} cells are chosen`), paragraph("A key or a button above works on all of them. Esc chooses none."));
    return;
  }
  if (!cell) {
    aside.dataset.shown = "";
    aside.replaceChildren(heading("No cell in question"), paragraph("Point at a cell, or move to one with Tab and the arrow keys. ? shows the keys."));
    return;
  }
  const shown = JSON.stringify([cell, state.locked]);
  if (aside.dataset.shown === shown) return;
  aside.dataset.shown = shown;
  const image = document.createElement("img");
  image.src = state.picture(cell);
  image.alt = cellWords(cell);
  const facts = document.createElement("dl");
  for (const [name, value] of factsOf(cell)) {
    facts.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }));
  }
  const comments = cell.comments.map((one) => {
    const quote = document.createElement("blockquote");
    quote.append(one.text, " ", Object.assign(document.createElement("small"), { textContent: one.actor }));
    return quote;
  });
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  buttons.append(button("Show in field", "open", "Enter"), button("Comment …", "comment", "F2"));
  if (!cell.drawn) buttons.append(button("Compare", "compare", "Confirmed cells of signed slides that are most like this one"));
  if (!state.locked) buttons.append(button("Outline …", "outline", "Put a circle in the place of its outline"), button("Split …", "split", "It is several cells"));
  aside.replaceChildren(image, heading(cell.kind ?? cell.counts_as), facts, ...comments, buttons);
}

/**
 * Confirmed cells beside the one in question.
 * @param {HTMLElement} aside
 * @param {{slide: string, cell: string, counts_as: string, kind: string | null, by: string, likeness: number}[]} references
 */
export function compare(aside, references) {
  aside.querySelector(".references")?.remove();
  const box = document.createElement("div");
  box.className = "references";
  box.append(heading("Confirmed cells like it"));
  if (!references.length) box.append(paragraph("There are none yet: they come from signed slides, while edge-all station runs."));
  for (const one of references) {
    const figure = document.createElement("figure");
    const image = document.createElement("img");
    image.src = `/api/v1/slides/${one.slide}/cells/${one.cell}/picture`;
    image.alt = `${one.kind ?? one.counts_as}, slide ${one.slide}`;
    const caption = document.createElement("figcaption");
    caption.append(Object.assign(document.createElement("b"), { textContent: one.kind ?? one.counts_as }), ` ${one.likeness.toFixed(2)}`);
    figure.title = `${one.slide}, by ${one.by}; likeness ${one.likeness.toFixed(3)}`;
    figure.append(image, caption);
    box.append(figure);
  }
  aside.querySelector("dl")?.before(box);
}

/** @param {Cell} cell @returns {[string, string][]} */
function factsOf(cell) {
  /** @type {[string, string][]} */
  const facts = [["Cell", `${cell.id} in field ${cell.field}`]];
  if (cell.drawn) facts.push(["Added", "by hand"]);
  if (cell.software_label) facts.push(["Software", cell.software_label]);
  if (cell.rejected_because) facts.push(["Rejected", cell.rejected_because]);
  if (cell.probability !== null) facts.push(["P(ALL)", probabilityWords(cell.probability)]);
  if (cell.unlike) facts.push(["Unlike", "what the model has learned"]);
  if (cell.decided_by) facts.push(["Decided by", cell.decided_by]);
  facts.push(["Counts as", cell.excluded ? "excluded" : cell.counts_as]);
  facts.push(["Seen", cell.seen ? "yes" : cell.must_be_seen ? "no, and must be" : "no"]);
  facts.push(["Size", `${cell.area} pixels`]);
  return facts;
}

/** @param {string} words */
function heading(words) {
  return Object.assign(document.createElement("h2"), { textContent: words });
}

/** @param {string} words */
function paragraph(words) {
  return Object.assign(document.createElement("p"), { className: "soft", textContent: words });
}

/** @param {string} words @param {string} verb @param {string} key */
function button(words, verb, key) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: words, title: key });
  made.dataset.verb = verb;
  return made;
}
