// @ts-check
// A slide: what the reader does with keys, mouse and buttons, and what becomes of it.
import { CellGallery } from "./cell-gallery.js";
import { FieldView } from "./field-view.js";
import { compare, inspect, showActivation } from "./inspector.js";
import { listen } from "./live-events.js";
import { showResult } from "./result-bar.js";
import { say, warn } from "./saying.js";
import { SlideState } from "./slide-state.js";
import { ask, forgetEarly, Problem } from "./station-api.js";
import { counted, figure, minute, word } from "./words.js";

/** @template {HTMLElement} T @param {string} id @param {new (...args: any[]) => T} kind @returns {T} */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} #${id}`);
  return found;
}

const counts = element("counts", HTMLElement);
const gallery = element("gallery", CellGallery);
const field = element("field", FieldView);
const aside = element("inspector", HTMLElement);
const kindButtons = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("button.kind")]);
const kinds = kindButtons.map((button) => ({
  name: button.dataset.kind ?? "",
  counts_as: button.dataset.counts ?? "",
  key: button.dataset.key ?? "",
}));
const state = new SlideState(counts.dataset.code ?? "", counts.dataset.reader ?? "", kinds);
gallery.follow(state);
field.follow(state);

// What is shown.

function view() {
  return field.hidden ? gallery : field;
}

function showInspector() {
  inspect(aside, state, view().targets(), view().current);
}

state.addEventListener("slide", () => {
  if (!state.slide) return;
  const toLookAt = [...state.cells.values()].filter((cell) => cell.must_be_seen && !cell.seen).length;
  showResult(state.slide, toLookAt);
  counts.dataset.fields = String(state.slide.fields.length);
  const waiting = state.queue.waiting.length > 0;
  element("undo", HTMLButtonElement).disabled = !(state.slide.can_undo || waiting) || state.locked;
  element("redo", HTMLButtonElement).disabled = !state.slide.can_redo || state.locked;
  for (const button of [...kindButtons, element("exclude", HTMLButtonElement), element("see", HTMLButtonElement)]) button.disabled = state.locked;
  element("readers", HTMLButtonElement).hidden = !(state.locked && counts.dataset.readers === "2");
  showInspector();
});
gallery.addEventListener("current", showInspector);
field.addEventListener("current", showInspector);

/** @param {boolean} asField @param {string | null} [id] */
function show(asField, id = null) {
  if (asField) {
    field.hidden = false;
    gallery.hidden = true;
    void field.showCell(id ?? gallery.current ?? null);
    field.focus();
  } else {
    gallery.hidden = false;
    field.hidden = true;
    gallery.focusOn(id ?? field.current ?? gallery.focused ?? gallery.shown[0]);
  }
  element("order-label", HTMLElement).hidden = asField;
  element("loop", HTMLButtonElement).hidden = asField;
  element("show-cells", HTMLButtonElement).setAttribute("aria-pressed", String(!asField));
  element("show-field", HTMLButtonElement).setAttribute("aria-pressed", String(asField));
  showInspector();
}
gallery.addEventListener("open", (event) => show(true, /** @type {CustomEvent} */ (event).detail));
element("show-cells", HTMLButtonElement).addEventListener("click", () => show(false));
element("show-field", HTMLButtonElement).addEventListener("click", () => show(true));

// What is decided.

/** @param {(ids: string[]) => void} gesture */
function onTargets(gesture) {
  if (state.locked) return say(word("The slide is signed. Amend it to change something."));
  const ids = view().targets();
  if (!ids.length) return say(word("No cell is chosen."));
  const many = ids.length > 1;
  const by = gallery.byPointer;
  const next = gallery.hidden || by || many ? null : gallery.neighbour(1);
  gesture(ids);
  gallery.choose([]);
  if (next && gallery.focused === ids[0]) gallery.focusOn(next);
  return undefined;
}

/** @param {string} name */
const reclassify = (name) => onTargets((ids) => state.reclassify(ids, name));
const exclude = () => onTargets((ids) => state.exclude(ids));
const see = () => onTargets((ids) => state.look(ids));

function undo() {
  void state.step("undo");
}
function redo() {
  void state.step("redo");
}

/** To the list, where the next slide waits; what was decided is sent first. */
async function leave() {
  void state.tellLooked();
  await state.queue.settled();
  if (!state.queue.waiting.length) window.location.assign("/");
}

/** @param {string} id @returns {Promise<string>} what the dialog was closed with */
function asked(id) {
  const dialog = element(id, HTMLDialogElement);
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

async function comment() {
  const [id] = view().targets();
  if (!id || state.locked) return;
  const text = element("comment-text", HTMLTextAreaElement);
  text.value = "";
  if ((await asked("comment-dialog")) === "comment" && text.value.trim()) state.comment(id, text.value);
}

async function sign() {
  void state.tellLooked();
  await state.queue.settled();
  if (state.queue.waiting.length) return say(word("Decisions are still on their way. Sign when the station has them."));
  const unseen = [...state.cells.values()].filter((cell) => cell.must_be_seen && !cell.seen);
  if (unseen.length) {
    const first = gallery.shown.find((id) => unseen.some((cell) => cell.id === id)) ?? null;
    gallery.pointOut(first);
    show(false, first);
    return say(counted("{n} cell that must be looked at has not been; here it is.", "{n} cells that must be looked at have not been; here is the first.", unseen.length));
  }
  const result = state.slide.counts;
  element("sign-summary", HTMLElement).textContent =
    `${word("Verdict: {verdict}.", { verdict: word(result.verdict) })} ${result.verdict_reason}`;
  if ((await asked("sign-dialog")) !== "sign") return undefined;
  // A cell that was looked at just before may have been told while the dialog stood: that is no news to who signs.
  void state.tellLooked();
  await state.queue.settled();
  await state.queue.add(`${state.base}/sign`, {
    meaning: element("meaning", HTMLSelectElement).value,
    reason: element("sign-reason", HTMLInputElement).value,
    last_seq: state.slide.last_seq,
  });
  return undefined;
}

async function amend() {
  const reason = element("amend-reason", HTMLInputElement);
  reason.value = "";
  if ((await asked("amend-dialog")) === "amend") await state.queue.add(`${state.base}/amend`, { reason: reason.value });
}

/** Whether something can be drawn now; the field is shown for it. @param {string | null} [id] */
async function readyToDraw(id = null) {
  if (state.locked) say(word("The slide is signed. Amend it to change something."));
  else if (field.hidden) show(true, id);
  return !state.locked && !field.busy;
}

async function addMissed() {
  if (!(await readyToDraw())) return;
  const circle = await field.askCircle(word("The cell that was missed"));
  const chosen = element("kind-choice", HTMLSelectElement);
  if (circle && (await asked("kind-dialog")) === "add") await state.draw(field.place, circle, chosen.value);
  field.focus();
}

async function redraw() {
  const id = view().current;
  if (!id || !(await readyToDraw(id))) return;
  const cell = state.cells.get(id);
  const start = cell ? circleOf(cell) : null;
  const circle = await field.askCircle(word("Its outline"), start);
  if (circle) await state.outline(id, circle);
}

async function split() {
  const id = view().current;
  if (!id || !(await readyToDraw(id))) return;
  /** @type {[number, number, number][]} */
  const circles = [];
  for (;;) {
    const circle = await field.askCircle(circles.length < 2 ? word("Part {n}", { n: circles.length + 1 }) : word("Part {n}, or Esc when there are no more", { n: circles.length + 1 }), null, circles);
    if (!circle) break;
    circles.push(circle);
  }
  if (circles.length > 1) await state.split(id, circles);
}

async function compareCurrent() {
  const id = view().current;
  if (!id) return;
  const found = await ask(`${state.base}/cells/${id}/references`);
  if (view().current === id) compare(aside, found.references);
}

async function activation() {
  const id = view().current;
  if (id && state.cells.get(id)?.probability !== null) await showActivation(aside, state, id);
}

/** The pictures of a field before it was taken again. */
async function showEarlier() {
  const base = `${state.base}/fields/${field.place}/earlier`;
  const { earlier } = await ask(base);
  element("earlier-title", HTMLElement).textContent = word("Earlier pictures of field {field}", { field: field.place });
  element("earlier-list", HTMLElement).replaceChildren(
    ...earlier.map((/** @type {any} */ one) => {
      const row = document.createElement("li");
      row.append(word("Taken {time} UTC, {status}", { time: minute(one.found_at), status: one.status === "ok" ? word("judged") : word(one.status) }), ", ", counted("{n} cell", "{n} cells", one.cells));
      if (one.has_picture) row.append(Object.assign(document.createElement("img"), { src: `${base}/${one.field_id}/picture`, alt: word("The field as it was") }));
      else row.append(". ", word("Its picture was not kept."));
      return row;
    }),
  );
  await asked("earlier-dialog");
}

/** What two readers call different things; known when both have signed. */
async function showReaders() {
  const { agreement, disagreements } = await ask(`${state.base}/readers`);
  element("readers-text", HTMLElement).textContent =
    word("{same} of {compared} cells are called the same", agreement) + (agreement.kappa === null ? `, ${word("too few for kappa")}.` : `, kappa ${figure(agreement.kappa.toFixed(2))}.`);
  element("readers-list", HTMLElement).replaceChildren(
    ...disagreements.map((/** @type {any} */ one) => {
      const cell = one.first ?? one.second;
      const image = Object.assign(document.createElement("img"), { src: state.picture(cell), alt: word("Cell {cell}", { cell: cell.id }), width: 72, height: 72 });
      const row = document.createElement("li");
      const [first, second] = [one.first, one.second].map((read) => (read ? word(read.kind ?? read.counts_as) : word("not there")));
      row.append(image, ` ${word("field {field}: first {first}, second {second}", { field: cell.field, first, second })}`);
      return row;
    }),
  );
  await asked("readers-dialog");
}

/** @param {import("./slide-state.js").Cell} cell @returns {[number, number, number]} */
function circleOf(cell) {
  const [x, y, width, height] = cell.bbox;
  return cell.circle ?? [x + width / 2, y + height / 2, (width + height) / 4];
}

// What goes wrong.

state.queue.onProblem = async (problem, waiting) => {
  if (problem.status === 401) {
    await enterAgain();
    return waiting;
  }
  if (problem.conflicts.length) return (await decideConflict(problem)) ? anyway(waiting) : stop();
  say(problem.message);
  stop();
  return null;
};

/** @param {import("./station-api.js").Waiting} waiting */
function anyway(waiting) {
  return { path: waiting.path, body: { ...waiting.body, anyway: true } };
}

/** What this page showed too early is taken back. */
function stop() {
  state.queue.addEventListener("idle", () => void state.load(), { once: true });
  return null;
}

/** @param {Problem} problem */
async function decideConflict(problem) {
  element("conflict-text", HTMLElement).textContent = problem.message;
  element("conflict-list", HTMLElement).replaceChildren(
    ...problem.conflicts.slice(0, 12).map((one) => Object.assign(document.createElement("li"), { textContent: word("Cell {cell}: {what}, by {name}", { cell: one.cell, what: one.what, name: one.actor }) })),
  );
  return (await asked("conflict-dialog")) === "mine";
}

async function enterAgain() {
  const refused = element("enter-refused", HTMLElement);
  for (;;) {
    await asked("enter-dialog");
    const password = element("enter-password", HTMLInputElement);
    try {
      await ask("/api/v1/session", { method: "POST", body: { name: state.reader, password: password.value } });
      password.value = "";
      refused.hidden = true;
      return;
    } catch (error) {
      refused.textContent = error instanceof Error ? error.message : String(error);
      refused.hidden = false;
    }
  }
}

let away = false;

/** Whether the station answers, and how many decisions wait for it. */
function showTrouble() {
  const number = state.queue.waiting.length;
  if (number && (away || state.queue.unreachable)) warn(counted("The station does not answer. {n} decision waits here and is sent as soon as it does; do not close this page.", "The station does not answer. {n} decisions wait here and are sent as soon as it does; do not close this page.", number));
  else warn(away ? word("The station does not answer. What you decide now waits here and is sent as soon as it does.") : "");
}
state.queue.addEventListener("change", showTrouble);
state.queue.addEventListener("idle", () => {
  if (state.staleCells) {
    state.staleCells = false;
    void state.load();
  }
});
window.addEventListener("beforeunload", (event) => {
  void state.tellLooked();
  if (state.queue.waiting.length && state.queue.unreachable) event.preventDefault();
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.querySelector("summary")?.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
});

// Keys.

const commands = /** @type {Record<string, () => unknown>} */ ({
  ".": see,
  Delete: exclude,
  Backspace: exclude,
  F2: comment,
  "?": () => asked("help-dialog"),
  Insert: addMissed,
  "#": () => activation().catch(complain),
});

document.addEventListener("keydown", (event) => {
  const inside = event.target;
  if (document.querySelector("dialog[open]") || inside instanceof HTMLInputElement || inside instanceof HTMLTextAreaElement) return;
  const control = event.ctrlKey || event.metaKey;
  const letter = event.key.toLowerCase();
  const onControl = inside instanceof HTMLButtonElement || (inside instanceof HTMLElement && inside.tagName === "SUMMARY") || inside instanceof HTMLSelectElement || inside instanceof HTMLAnchorElement;
  if (control && letter === "z") (event.shiftKey ? redo : undo)();
  else if (control && letter === "y") redo();
  else if (control && event.key === "Enter") void (state.locked ? amend() : sign());
  else if (event.key === "Escape" && !field.hidden && !field.busy) show(false);
  else if (event.key === "Escape" && field.hidden && !gallery.chosen.size) void leave();
  else if (!onControl && !event.altKey && view().onKey(event)) {
    // done there
  } else if (control || event.altKey || inside instanceof HTMLSelectElement) return;
  else if (event.key in commands) void commands[event.key]();
  else {
    const kind = kinds.find((one) => one.key.toLowerCase() === letter);
    if (!kind) return;
    reclassify(kind.name);
  }
  event.preventDefault();
});

// In a dialog, Ctrl+Enter does what it is for, whatever in it one writes or chooses.
document.addEventListener("keydown", (event) => {
  const inside = event.target;
  const isField = inside instanceof HTMLInputElement || inside instanceof HTMLTextAreaElement || inside instanceof HTMLSelectElement;
  if (!isField || event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !inside.closest("dialog[open]")) return;
  event.preventDefault();
  inside.form?.requestSubmit(inside.form.querySelector("button.main"));
});

const kindDialog = element("kind-dialog", HTMLDialogElement);
kindDialog.addEventListener("keydown", (event) => {
  const kind = kinds.find((one) => one.key.toLowerCase() === event.key.toLowerCase());
  if (!kind || event.target instanceof HTMLSelectElement) return;
  element("kind-choice", HTMLSelectElement).value = kind.name;
  kindDialog.close("add");
});

for (const button of kindButtons) button.addEventListener("click", () => reclassify(button.dataset.kind ?? ""));
/** @type {[string, () => unknown][]} */
const buttons = [["undo", undo], ["redo", redo], ["sign", sign], ["amend", amend], ["exclude", exclude], ["see", see], ["help-button", () => asked("help-dialog")], ["readers", () => showReaders().catch(complain)]];
for (const [id, done] of buttons) element(id, HTMLButtonElement).addEventListener("click", () => void done());
aside.addEventListener("click", (event) => {
  const verb = event.target instanceof HTMLElement ? event.target.dataset.verb : undefined;
  if (verb === "open") show(true, view().current);
  if (verb === "comment") void comment();
  if (verb === "compare") compareCurrent().catch(complain);
  if (verb === "activation") activation().catch(complain);
  if (verb === "outline") void redraw();
  if (verb === "split") void split();
});
field.addEventListener("add", () => void addMissed());
field.addEventListener("earlier", () => showEarlier().catch(complain));
element("loop", HTMLButtonElement).addEventListener("click", () => {
  gallery.loops = !gallery.loops;
  element("loop", HTMLButtonElement).setAttribute("aria-pressed", String(gallery.loops));
});
element("order", HTMLSelectElement).addEventListener("change", (event) => {
  gallery.order = /** @type {HTMLSelectElement} */ (event.target).value;
  gallery.arrange();
});

// Keys work at once: the first cell has the focus.
function focusFirst() {
  if (!gallery.shown.length) return; // the answer to a gesture that waited comes before the cells
  state.removeEventListener("cells", focusFirst);
  if (document.activeElement === document.body) gallery.focusOn(gallery.focused ?? gallery.shown[0]);
}
state.addEventListener("cells", focusFirst);

/** @param {unknown} error */
function complain(error) {
  say(error instanceof Error ? error.message : String(error));
}
if (state.queue.waiting.length) forgetEarly();
state.queue.send().then(() => state.load()).catch(complain);

// What others do.

let reloading = false;
let reloadAgain = false;

/** Takes the slide anew; what happens meanwhile is taken once more, after that. */
async function reload() {
  reloadAgain = true;
  if (reloading) return;
  reloading = true;
  while (reloadAgain) {
    reloadAgain = false;
    await state.load().catch(complain);
  }
  reloading = false;
}

listen(
  counts.dataset.seq ?? "",
  (events) => {
    const foreign = events.filter((event) => event.slide === state.code && !(event.gesture && state.queue.own.has(event.gesture)));
    if (!foreign.length) return;
    const people = [...new Set(foreign.filter((event) => event.actor !== "edge-all" && event.kind !== "cells.seen").map((event) => event.actor))];
    if (people.length) say(word("{names} changed something on this slide.", { names: people.join(", ") }));
    void reload();
  },
  (connected) => {
    if (connected && away) state.queue.send().then(() => state.load()).catch(complain);
    away = !connected;
    showTrouble();
  },
);
