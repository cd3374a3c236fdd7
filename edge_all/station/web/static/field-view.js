// @ts-check
// A field at full resolution: a plain image, scaled and moved by transforms, its outlines on a canvas.
import { cellAt, paint } from "./field-painting.js";
import { say } from "./saying.js";
import { ask } from "./station-api.js";
import { ViewPort } from "./view-port.js";
import { counted, word } from "./words.js";

/** @typedef {import("./slide-state.js").Cell} Cell */
/** @typedef {[number, number, number]} Circle */

const STEP = 80;
const LOOK_MS = 350;
const CLICK_PX = 5;

export class FieldView extends HTMLElement {
  constructor() {
    super();
    /** @type {import("./slide-state.js").SlideState | null} */
    this.state = null;
    this.place = 0;
    /** @type {string | null} */
    this.current = null;
    /** @type {string | null} */
    this.hovered = null;
    this.shown = true;
    this.port = new ViewPort();
    /** @type {Record<string, number[]>} */
    this.outlines = {};
    /** @type {Circle[]} */
    this.drawing = [];
    /** @type {((circle: Circle | null) => void) | null} */
    this.drawn = null;
    /** @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    this.lookTimer = 0;
    this.painting = 0;
  }

  get busy() {
    return this.drawn !== null;
  }

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", word("Field at full resolution"));
    this.bar = document.createElement("div");
    this.bar.className = "field-bar";
    this.stage = document.createElement("div");
    this.stage.className = "stage";
    this.image = document.createElement("img");
    this.image.alt = "";
    this.image.draggable = false;
    this.canvas = document.createElement("canvas");
    this.stage.append(this.image, this.canvas);
    this.append(this.bar, this.stage);
    this.image.addEventListener("load", () => this.repaint());
    this.image.addEventListener("error", () => say(this.field?.status === "error" ? word("This image could not be read, so that there is nothing to show.") : word("The image of this field cannot be shown: it is gone, or has changed since it was judged.")));
    new ResizeObserver(() => this.resized()).observe(this.stage);
    this.stage.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.onDown(event));
    this.stage.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) this.stage.addEventListener(end, (event) => this.onUp(/** @type {PointerEvent} */ (event)));
    this.stage.addEventListener("dblclick", (event) => { this.port.zoom(2, event.offsetX, event.offsetY); this.repaint(); });
    this.stage.addEventListener("pointerleave", () => { this.hovered = null; });
    this.bar.addEventListener("click", (event) => this.onBar(event));
  }

  /** @param {import("./slide-state.js").SlideState} state */
  follow(state) {
    this.state = state;
    state.addEventListener("cells", () => {
      if (this.current && !state.cells.has(this.current)) this.current = null;
      if (!this.hidden) { this.describe(); this.repaint(); }
    });
  }

  targets() {
    const one = this.hovered ?? this.current;
    return one ? [one] : [];
  }

  get field() {
    return this.state?.slide?.fields.find((/** @type {any} */ field) => field.place === this.place);
  }

  /** @returns {Cell[]} */
  get cells() {
    return [...(this.state?.cells.values() ?? [])].filter((cell) => cell.field === this.place);
  }

  /** @param {string | null} id */
  async showCell(id) {
    const cell = id ? this.state?.cells.get(id) : null;
    await this.showField(cell?.field ?? (this.place || this.state?.slide?.fields[0]?.place || 0));
    if (cell) this.choose(cell.id, true);
  }

  /** @param {number} place */
  async showField(place) {
    const state = this.state;
    const field = state?.slide?.fields.find((/** @type {any} */ one) => one.place === place);
    if (!state || !field) return;
    const address = `${state.base}/fields/${place}/picture?finding=${field.finding}`;
    if (this.image?.getAttribute("src") !== address) {
      this.place = place;
      this.current = null;
      this.outlines = {};
      this.port.imageWidth = field.width || 1;
      this.port.imageHeight = field.height || 1;
      this.image?.setAttribute("src", address);
      this.resized();
      this.port.fit();
      this.outlines = (await ask(`${state.base}/fields/${place}/outlines`)).outlines;
    }
    this.describe();
    this.repaint();
  }

  /** The line above the field. */
  describe() {
    const field = this.field;
    if (!field || !this.bar) return;
    const fields = this.state?.slide.fields.length ?? 0;
    const title = document.createElement("b");
    title.textContent = word("Field {field} of {fields}", { field: this.place, fields });
    const facts = field.status === "error" ? [] : [counted("{n} object", "{n} objects", this.cells.length), word("{width} × {height} pixels", { width: field.width, height: field.height })];
    if (field.file) facts.unshift(field.file);
    const words = document.createElement("small");
    words.textContent = facts.join(", ");
    const quality = document.createElement("span");
    quality.className = field.status === "ok" ? "soft" : "alarm";
    quality.textContent = [field.status === "ok" ? "" : word("Not judged ({status}):", { status: word(field.status) }), field.repeats ? word("Shows the same picture as field {field}: its cells are in no figure of the result.", { field: field.repeats }) : "", ...field.problems, ...field.warnings].filter(Boolean).join(" ");
    quality.title = quality.textContent;
    const buttons = document.createElement("span");
    buttons.className = "buttons";
    /** @type {[string, string, string, boolean | null][]} */
    const verbs = [
      ["previous", "◀", word("Previous field (PgUp)"), null], ["next", "▶", word("Next field (PgDn)"), null],
      ["smaller", "−", word("Smaller (-)"), null], ["whole", word("Whole"), word("Whole field (0)"), null], ["own", "1:1", word("Own size (1)"), null], ["larger", "+", word("Larger (+)"), null],
      ["outlines", word("Outlines"), word("Outlines on or off (,)"), this.shown], ["add", word("Add a cell"), word("Add a cell that was missed (Ins)"), null]];
    if (field.retaken) verbs.unshift(["earlier", counted("{n} earlier …", "{n} earlier …", field.retaken), word("This field was taken again: look at the earlier pictures"), null]);
    for (const [verb, sign, name, pressed] of verbs) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: sign, title: name });
      button.setAttribute("aria-label", name);
      button.dataset.verb = verb;
      if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
      buttons.append(button);
    }
    const focused = this.bar.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.verb : null;
    this.bar.replaceChildren(title, words, quality, buttons);
    if (focused) /** @type {HTMLElement | null} */ (this.bar.querySelector(`[data-verb="${focused}"]`))?.focus();
  }

  /** @param {Event} event */
  onBar(event) {
    const verb = event.target instanceof HTMLElement ? event.target.dataset.verb : undefined;
    if (verb === "add" || verb === "earlier") this.dispatchEvent(new CustomEvent(verb));
    else if (verb) this.do(verb);
  }

  /** @param {string} verb */
  do(verb) {
    const fields = this.state?.slide?.fields.map((/** @type {any} */ field) => field.place) ?? [];
    const at = fields.indexOf(this.place);
    if (verb === "previous" && at > 0) void this.showField(fields[at - 1]);
    if (verb === "next" && at < fields.length - 1) void this.showField(fields[at + 1]);
    if (verb === "smaller") this.port.zoom(1 / 1.5);
    if (verb === "larger") this.port.zoom(1.5);
    if (verb === "whole") this.port.fit();
    if (verb === "own") this.port.zoom(1 / this.port.scale);
    if (verb === "outlines") { this.shown = !this.shown; this.describe(); }
    this.repaint();
  }

  resized() {
    if (!this.stage?.clientWidth) return;
    this.port.resize(this.stage.clientWidth, this.stage.clientHeight);
    this.repaint();
  }

  repaint() {
    this.painting ||= requestAnimationFrame(() => {
      this.painting = 0;
      const { canvas, image, port } = this;
      if (!canvas || !image) return;
      Object.assign(image.style, { width: `${port.imageWidth}px`, height: `${port.imageHeight}px`, transform: `translate(${port.left}px, ${port.top}px) scale(${port.scale})` });
      paint(canvas, port, this.cells, this.outlines, { shown: this.shown, current: this.hovered ?? this.current, drawing: this.drawing });
    });
  }

  /** @param {string | null} id @param {boolean} [centered] */
  choose(id, centered = false) {
    this.current = id;
    const cell = id ? this.state?.cells.get(id) : null;
    if (cell && centered) {
      if (this.port.scale < 1) this.port.zoom(1 / this.port.scale);
      this.port.center(cell.bbox[0] + cell.bbox[2] / 2, cell.bbox[1] + cell.bbox[3] / 2);
    }
    this.lookAt(id);
    this.repaint();
    this.dispatchEvent(new CustomEvent("current"));
  }

  /** @param {string | null} id */
  lookAt(id) {
    window.clearTimeout(this.lookTimer);
    if (id) this.lookTimer = window.setTimeout(() => { if (!document.hidden && !this.hidden) this.state?.look([id]); }, LOOK_MS);
  }

  // Mouse and touch.

  /** @param {WheelEvent} event */
  onWheel(event) {
    event.preventDefault();
    this.port.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.offsetX, event.offsetY);
    this.repaint();
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (event.button > 0) return;
    this.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, event);
    this.stage?.setPointerCapture(event.pointerId);
    this.travelled = this.pointers.size > 1 ? CLICK_PX : 0;
    if (this.busy && this.pointers.size === 1) {
      const [x, y] = this.port.toImage(event.offsetX, event.offsetY);
      this.drawing = [...this.drawing.slice(0, -1), [x, y, this.drawing.at(-1)?.[2] ?? 20]];
      this.repaint();
    }
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch" && !this.busy) this.hoverAt(event);
      return;
    }
    const [x, y] = [event.offsetX - before.offsetX, event.offsetY - before.offsetY];
    this.travelled = (this.travelled ?? 0) + Math.hypot(x, y);
    if (this.busy && this.pointers.size === 1) {
      const last = this.drawing.at(-1);
      const [atX, atY] = this.port.toImage(event.offsetX, event.offsetY);
      if (last && this.travelled > CLICK_PX) this.drawing = [...this.drawing.slice(0, -1), [last[0], last[1], Math.max(2, Math.hypot(atX - last[0], atY - last[1]))]];
    } else if (this.pointers.size === 1) this.port.move(x, y);
    else this.pinch(before, event);
    this.pointers.set(event.pointerId, event);
    this.repaint();
  }

  /** Two fingers. @param {PointerEvent} before @param {PointerEvent} after */
  pinch(before, after) {
    const other = [...this.pointers.values()].find((one) => one.pointerId !== after.pointerId);
    if (!other) return;
    const was = Math.hypot(before.offsetX - other.offsetX, before.offsetY - other.offsetY);
    const is = Math.hypot(after.offsetX - other.offsetX, after.offsetY - other.offsetY);
    this.port.move((after.offsetX - before.offsetX) / 2, (after.offsetY - before.offsetY) / 2);
    if (was > 0) this.port.zoom(is / was, (after.offsetX + other.offsetX) / 2, (after.offsetY + other.offsetY) / 2);
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    if (!this.pointers.delete(event.pointerId) || event.type === "pointercancel") return;
    if ((this.travelled ?? 0) >= CLICK_PX || this.busy) return;
    this.choose(cellAt(this.cells, ...this.port.toImage(event.offsetX, event.offsetY)));
  }

  /** @param {PointerEvent} event */
  hoverAt(event) {
    const id = cellAt(this.cells, ...this.port.toImage(event.offsetX, event.offsetY));
    if (id === this.hovered) return;
    this.hovered = id;
    this.lookAt(id);
    this.repaint();
    this.dispatchEvent(new CustomEvent("current"));
  }

  // Keys.

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was one of these */
  onKey(event) {
    if (event.ctrlKey || event.metaKey) return false;
    if (this.busy) return this.onDrawingKey(event);
    const verbs = /** @type {Record<string, string>} */ ({ "+": "larger", "=": "larger", "-": "smaller", 0: "whole", 1: "own", PageUp: "previous", PageDown: "next", ",": "outlines" });
    const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] });
    if (event.key in verbs) this.do(verbs[event.key]);
    else if (event.key in moves) { this.port.move(...moves[event.key]); this.repaint(); }
    else if (event.key === " ") this.chooseNext(event.shiftKey ? -1 : 1);
    else return false;
    return true;
  }

  /** @param {number} way */
  chooseNext(way) {
    const cells = this.cells;
    if (!cells.length) return;
    this.hovered = null;
    const at = cells.findIndex((cell) => cell.id === this.current);
    this.choose(cells[(at < 0 ? (way > 0 ? 0 : cells.length - 1) : at + way + cells.length) % cells.length].id, true);
  }

  /** @param {KeyboardEvent} event */
  onDrawingKey(event) {
    const last = this.drawing.at(-1);
    if (!last) return false;
    const step = (event.shiftKey ? 1 : 8) / this.port.scale;
    const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] });
    if (event.key in moves) this.drawing[this.drawing.length - 1] = [last[0] + moves[event.key][0], last[1] + moves[event.key][1], last[2]];
    else if (event.key === "+" || event.key === "-") this.drawing[this.drawing.length - 1] = [last[0], last[1], Math.max(2, last[2] * (event.key === "+" ? 1.1 : 1 / 1.1))];
    else if (event.key === "Enter") this.drawn?.(last);
    else if (event.key === "Escape") this.drawn?.(null);
    else return event.key.length === 1;
    this.repaint();
    return true;
  }

  /**
   * Has the reader draw a circle: by dragging, or with arrows, + and -; Enter takes it.
   * @param {string} words what it is for @param {Circle | null} [start] @param {Circle[]} [others] shown beside it
   * @returns {Promise<Circle | null>} null where they changed their mind
   */
  askCircle(words, start = null, others = []) {
    const radii = this.cells.map((cell) => Math.max(cell.bbox[2], cell.bbox[3]) / 2).sort((one, other) => one - other);
    const [x, y] = this.port.toImage(this.port.width / 2, this.port.height / 2);
    this.drawing = [...others, start ?? [x, y, radii[Math.floor(radii.length / 2)] ?? 30]];
    this.hovered = null;
    this.focus();
    this.classList.add("drawing");
    this.setAttribute("data-words", word("{what}: drag from its middle to its edge, or arrows and + −; Enter takes it, Esc does not.", { what: words }));
    this.repaint();
    return new Promise((resolve) => {
      this.drawn = (circle) => {
        this.drawn = null;
        this.drawing = [];
        this.classList.remove("drawing");
        this.repaint();
        resolve(circle);
      };
    });
  }
}

customElements.define("field-view", FieldView);
