// @ts-check
// The cell in question, larger, with all that is known of it.
import { cellWords } from "./cell-gallery.js";
import { ask } from "./station-api.js";
import { counted, figure, probabilityWords, word } from "./words.js";

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
    aside.dataset.shown = aside.dataset.cell = "";
    aside.replaceChildren(heading(counted("{n} cell is chosen", "{n} cells are chosen", targets.length)), paragraph(word("A key or a button above works on all of them. Esc chooses none.")));
    return;
  }
  if (!cell) {
    aside.dataset.shown = aside.dataset.cell = "";
    aside.replaceChildren(heading(word("No cell in question")), paragraph(word("Point at a cell, or move to one with Tab and the arrow keys. ? shows the keys.")));
    return;
  }
  const field = state.slide?.fields.find((/** @type {any} */ one) => one.place === cell.field);
  const shown = JSON.stringify([cell, state.locked, field?.repeats]);
  if (aside.dataset.shown === shown) return;
  aside.dataset.shown = shown;
  // What was asked for beside this very cell stays when something about it changes, if only that it was seen.
  const same = aside.dataset.cell === cell.id;
  const [map, references] = [".map-words", ".references"].map((name) => (same ? aside.querySelector(name) : null));
  const address = map ? aside.querySelector("img")?.getAttribute("src") : null;
  aside.dataset.cell = cell.id;
  const image = document.createElement("img");
  image.src = address ?? state.picture(cell);
  image.alt = cellWords(cell);
  const facts = document.createElement("dl");
  for (const [name, value] of factsOf(cell, field)) {
    facts.append(Object.assign(document.createElement("dt"), { textContent: name }), Object.assign(document.createElement("dd"), { textContent: value }));
  }
  const comments = cell.comments.map((one) => {
    const quote = document.createElement("blockquote");
    quote.append(one.text, " ", Object.assign(document.createElement("small"), { textContent: one.actor }));
    return quote;
  });
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  buttons.append(button(word("Show in field"), "open", word("Enter")), button(word("Comment …"), "comment", "F2"));
  if (!cell.drawn) buttons.append(button(word("Compare"), "compare", word("Confirmed cells of signed slides that are most like this one")));
  if (cell.probability !== null) buttons.append(button(word("Activation"), "activation", word("What of the cell the network went by (#)")));
  if (!state.locked) buttons.append(button(word("Outline …"), "outline", word("Put a circle in the place of its outline")), button(word("Split …"), "split", word("It is several cells")));
  const asked = (/** @type {Element | null} */ one) => (one ? [one] : []);
  aside.replaceChildren(image, ...asked(map), heading(word(cell.kind ?? cell.counts_as)), ...asked(references), facts, ...comments, buttons);
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
  box.append(heading(word("Confirmed cells like it")));
  if (!references.length) box.append(paragraph(word("There are none yet: they come from signed slides, while edge-all station runs.")));
  for (const one of references) {
    const shown = document.createElement("figure");
    const image = document.createElement("img");
    image.src = `/api/v1/slides/${one.slide}/cells/${one.cell}/picture`;
    image.alt = word("{kind}, slide {slide}", { kind: word(one.kind ?? one.counts_as), slide: one.slide });
    const caption = document.createElement("figcaption");
    caption.append(Object.assign(document.createElement("b"), { textContent: word(one.kind ?? one.counts_as) }), ` ${figure(one.likeness.toFixed(2))}`);
    shown.title = word("{slide}, by {name}; likeness {likeness}", { slide: one.slide, name: one.by, likeness: figure(one.likeness.toFixed(3)) });
    shown.append(image, caption);
    box.append(shown);
  }
  aside.querySelector("dl")?.before(box);
}

/**
 * What of the cell the network went by, in the place of its picture; asked for again, the picture.
 * @param {HTMLElement} aside @param {import("./slide-state.js").SlideState} state @param {string} id
 * @returns {Promise<void>} refused with the reason where there is none
 */
export async function showActivation(aside, state, id) {
  const address = `${state.base}/cells/${id}/activation`;
  if (aside.querySelector(".map-words")) {
    aside.dataset.shown = aside.dataset.cell = "";
    inspect(aside, state, [id], id);
    return;
  }
  const map = new Image();
  map.src = address;
  try {
    await map.decode();
  } catch {
    await ask(address); // says why
  }
  const image = aside.querySelector("img");
  if (!image || aside.dataset.cell !== id) return;
  image.src = address;
  image.alt = word("What of the cell the network went by");
  image.after(Object.assign(paragraph(word("The more orange a place, the more of what the network saw there speaks for ALL. It says what it went by, not what is there, and is no second opinion.")), { className: "soft map-words" }));
}

/** @param {Cell} cell @param {any} field that it lies in @returns {[string, string][]} */
function factsOf(cell, field) {
  /** @type {[string, string][]} */
  const facts = [[word("Cell"), word("{cell} in field {field}", { cell: cell.id, field: cell.field })]];
  if (cell.drawn) facts.push([word("Added"), word("by hand")]);
  else facts.push([word("In a run's report"), `${field?.file ?? ""} #${cell.number}`.trim()]);
  if (cell.software_label) facts.push([word("Software"), word(cell.software_label)]);
  if (cell.rejected_because) facts.push([word("Rejected"), cell.rejected_because]);
  if (cell.probability !== null) facts.push([word("P(ALL)"), probabilityWords(cell.probability)]);
  if (cell.unlike) facts.push([word("Appearance"), word("unlike what the model has learned")]);
  if (cell.rather_unlike) facts.push([word("Appearance"), word("rather unlike what the model has learned")]);
  if (cell.outline_unsure) facts.push([word("Outline"), word("unsure: size and picture may not be its own")]);
  if (cell.decided_by) facts.push([word("Decided by"), cell.decided_by]);
  facts.push([word("Counts as"), cell.excluded ? word("excluded") : word(cell.counts_as)]);
  if (field?.repeats) facts.push([word("Counted"), word("in field {field}, which shows the same picture", { field: field.repeats })]);
  facts.push([word("Seen"), cell.seen ? word("yes") : cell.must_be_seen ? word("no, and must be") : word("no")]);
  facts.push([word("Size"), word("{n} pixels", { n: cell.area })]);
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
