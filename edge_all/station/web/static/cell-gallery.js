// @ts-check
// All cells of a slide as tiles, in groups by what they are called. 5,000 tiles stay fluent because the browser lays out
// only the groups in sight, and because the tiles are made a few hundred at a time.
import { Band, Loop } from "./drawn-choice.js";
import { counted, probabilityWords, word } from "./words.js";

/**
 * @typedef {import("./slide-state.js").Cell} Cell
 * @typedef {{section: HTMLElement, ids: string[]}} Group
 */

const AT_ONCE = 240;
const FEW = 100;
const LOOK_MS = 350;
const DRAG_PX = 6;
/** Names with numbers in them; made once, for thousands are compared at each arranging. */
const NAMES = new Intl.Collator("en", { numeric: true });

/** In which group a cell stands: [rank, title, what it counts as]. @param {Cell} cell @returns {[number, string, string]} */
export function groupOf(cell) {
  if (cell.excluded) return [8, word("Excluded"), "left out"];
  if (cell.kind) {
    const rank = { indeterminate: 1, ALL: 3, "non-ALL": 5 }[cell.counts_as] ?? 7;
    return [rank, word(cell.kind), cell.counts_as];
  }
  if (cell.counts_as === "left out") return [9, word("Not cells, by the software"), "left out"];
  if (cell.counts_as === "indeterminate") return [0, word("Indeterminate"), "indeterminate"];
  if (cell.rather_unlike) return [2, word("{label}, but rather unlike what the model has learned", { label: word(cell.counts_as) }), cell.counts_as];
  return [{ ALL: 3, "non-ALL": 5 }[cell.counts_as] ?? 7, word(cell.counts_as), cell.counts_as];
}

/** What a screen reader says of a cell. @param {Cell} cell */
export function cellWords(cell) {
  const words = [word("Field {field}", { field: cell.field }), word(cell.kind ?? cell.counts_as)];
  if (cell.probability !== null) words.push(word("probability of ALL {probability}", { probability: probabilityWords(cell.probability) }));
  if (cell.decided_by) words.push(word("decided by {name}", { name: cell.decided_by }));
  if (cell.excluded) words.push(word("excluded"));
  if (cell.unlike) words.push(word("unlike what the model has learned"));
  if (cell.rather_unlike) words.push(word("rather unlike what the model has learned"));
  if (cell.outline_unsure) words.push(word("outline unsure"));
  words.push(cell.seen ? word("seen") : cell.must_be_seen ? word("must be looked at") : word("not seen yet"));
  if (cell.comments.length) words.push(counted("{n} comment", "{n} comments", cell.comments.length));
  return words.join(", ");
}

/** @param {string} one @param {string} other keys of groups, which begin with their rank */
function byRank(one, other) {
  return NAMES.compare(one, other);
}

export class CellGallery extends HTMLElement {
  constructor() {
    super();
    /** @type {import("./slide-state.js").SlideState | null} */
    this.state = null;
    /** @type {Map<string, HTMLElement>} */
    this.tiles = new Map();
    /** Cells in the order in which they stand. @type {string[]} */
    this.shown = [];
    /** In the order in which they stand, by what `groupOf` says. @type {Map<string, Group>} */
    this.groups = new Map();
    /** @type {Set<string>} */
    this.chosen = new Set();
    this.order = "probability";
    /** Whether dragging draws a loop also without Alt, which some desktops keep for themselves. */
    this.loops = false;
    /** @type {string | null} */
    this.focused = null;
    /** @type {string | null} */
    this.hovered = null;
    this.byPointer = false;
    /** @type {string | null} */
    this.anchor = null;
    this.lookTimer = 0;
    /** @type {string | null} the cell at which the page has put the reader, who has not turned to it yet */
    this.pointedOut = null;
    this.drawing = 0;
  }

  connectedCallback() {
    this.setAttribute("role", "listbox");
    this.setAttribute("aria-multiselectable", "true");
    this.addEventListener("pointerover", (event) => this.onPointerOver(event));
    this.addEventListener("pointermove", () => (this.byPointer = true));
    this.addEventListener("pointerleave", () => this.hover(null));
    this.addEventListener("pointerdown", (event) => this.onPointerDown(event));
    this.addEventListener("click", (event) => this.onClick(event));
    this.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    this.addEventListener("focusin", (event) => this.onFocus(event));
  }

  /** @param {import("./slide-state.js").SlideState} state */
  follow(state) {
    this.state = state;
    state.addEventListener("cells", (event) => this.update(/** @type {CustomEvent} */ (event).detail));
  }

  /** On which cells a key works: those chosen, else the one pointed at, else the one with the focus. */
  targets() {
    if (this.chosen.size) return this.shown.filter((id) => this.chosen.has(id));
    const one = this.byPointer && this.hovered ? this.hovered : this.focused;
    return one && this.tiles.has(one) ? [one] : [];
  }

  get current() {
    return (this.byPointer && this.hovered) || this.focused;
  }

  /** @param {string[] | null} ids */
  update(ids) {
    const state = this.state;
    if (!state) return;
    const moved = ids === null || ids.some((id) => this.wouldMove(id));
    if (ids) for (const id of ids) this.paint(id);
    if (moved && !(ids && this.moveFew(ids))) this.arrange();
    else if (ids) for (const key of new Set(ids.map((id) => this.tiles.get(id)?.dataset.group ?? ""))) this.writeTitle(key);
    this.dispatchEvent(new CustomEvent("current"));
  }

  /** @param {string} id */
  wouldMove(id) {
    const cell = this.state?.cells.get(id);
    const tile = this.tiles.get(id);
    return !cell || !tile || tile.dataset.group !== groupOf(cell).join("|");
  }

  /**
   * Moves a few tiles to other groups, without touching the rest.
   * @param {string[]} ids @returns {boolean} whether that could be done
   */
  moveFew(ids) {
    const cells = ids.map((id) => this.state?.cells.get(id));
    const known = cells.every((cell) => cell && this.tiles.has(cell.id));
    if (ids.length > FEW || !known || this.shown.length !== this.state?.cells.size) return false;
    const next = this.contains(document.activeElement) && this.focused ? this.afterFocused() : null;
    const compare = this.comparison();
    for (const cell of /** @type {Cell[]} */ (cells)) {
      const tile = /** @type {HTMLElement} */ (this.tiles.get(cell.id));
      const [from, to] = [tile.dataset.group ?? "", groupOf(cell).join("|")];
      if (from === to) continue;
      const [old, group] = [this.groups.get(from), this.groups.get(to) ?? this.newGroup(to)];
      if (old) old.ids = old.ids.filter((id) => id !== cell.id);
      const before = group.ids.findIndex((id) => compare(cell, /** @type {Cell} */ (this.state?.cells.get(id))) < 0);
      const place = before < 0 ? group.ids.length : before;
      const follower = this.tiles.get(group.ids[place] ?? "") ?? null;
      group.ids.splice(place, 0, cell.id);
      group.section.lastElementChild?.insertBefore(tile, follower);
      tile.dataset.group = to;
      this.writeTitle(from);
      this.writeTitle(to);
    }
    this.shown = [...this.groups.values()].flatMap((group) => group.ids);
    if (next) this.focusOn(next);
    return true;
  }

  /** A group with nothing in it yet, at its place among the others. @param {string} key */
  newGroup(key) {
    const group = { section: this.section(key, [])[0], ids: /** @type {string[]} */ ([]) };
    const all = [...this.groups, /** @type {[string, Group]} */ ([key, group])].sort(([one], [other]) => byRank(one, other));
    const follower = all[all.findIndex(([one]) => one === key) + 1];
    this.insertBefore(group.section, follower?.[1].section ?? null);
    this.groups = new Map(all);
    return group;
  }

  /** Says in the heading of a group what is in it; a group with nothing in it goes. @param {string} key */
  writeTitle(key) {
    const group = this.groups.get(key);
    if (!group) return;
    if (!group.ids.length) {
      group.section.remove();
      this.groups.delete(key);
      return;
    }
    const title = key.split("|")[1];
    const unseen = group.ids.filter((id) => { const cell = this.state?.cells.get(id); return cell?.must_be_seen && !cell.seen; }).length;
    const number = counted("{n} cell", "{n} cells", group.ids.length);
    group.section.setAttribute("aria-label", `${title}, ${number}`);
    group.section.firstElementChild?.replaceChildren(title, Object.assign(document.createElement("small"), { textContent: `${number}${unseen ? `, ${word("{n} to look at", { n: unseen })}` : ""}` }));
  }

  /** Puts all tiles where they belong. */
  arrange() {
    const state = this.state;
    if (!state) return;
    const hadFocus = this.contains(document.activeElement);
    const next = hadFocus && this.focused ? this.afterFocused() : null;
    /** @type {Map<string, Cell[]>} */
    const groups = new Map();
    for (const cell of state.cells.values()) {
      const key = groupOf(cell).join("|");
      const group = groups.get(key);
      if (group) group.push(cell);
      else groups.set(key, [cell]);
    }
    const keys = [...groups.keys()].sort(byRank);
    const sections = keys.map((key) => this.section(key, /** @type {Cell[]} */ (groups.get(key)).sort(this.comparison())));
    this.groups = new Map(sections.map(([section, cells], at) => [keys[at], { section, ids: cells.map((cell) => cell.id) }]));
    this.shown = [...this.groups.values()].flatMap((group) => group.ids);
    for (const [id, tile] of this.tiles) if (!state.cells.has(id)) { tile.remove(); this.tiles.delete(id); this.chosen.delete(id); }
    const top = this.scrollTop;
    this.replaceChildren(...sections.map(([section]) => section));
    for (const key of keys) this.writeTitle(key);
    if (!this.shown.length) this.append(Object.assign(document.createElement("p"), { className: "empty", textContent: word("No cell was found on this slide yet.") }));
    this.fill(sections, ++this.drawing, 0, 0);
    this.scrollTo({ top });
    if (this.focused && !this.tiles.has(this.focused)) this.focused = null;
    if (hadFocus) this.focusOn(next && this.tiles.has(next) ? next : this.focused ?? this.shown[0]);
    else if (!this.focused && this.shown.length) this.makeTabStop(this.shown[0]);
  }

  /** Where the focus goes when the cell that has it moves to another group. */
  afterFocused() {
    const cell = this.focused ? this.state?.cells.get(this.focused) : null;
    const tile = this.focused ? this.tiles.get(this.focused) : null;
    if (!cell || !tile || tile.dataset.group === groupOf(cell).join("|")) return this.focused;
    const place = this.shown.indexOf(cell.id);
    const stays = (/** @type {string} */ id) => {
      const other = this.state?.cells.get(id);
      return other && this.tiles.get(id)?.dataset.group === groupOf(other).join("|");
    };
    return this.shown.slice(place + 1).find(stays) ?? this.shown.slice(0, place).reverse().find(stays) ?? this.focused;
  }

  comparison() {
    const likely = (/** @type {Cell} */ cell) => cell.probability ?? -1;
    const ties = (/** @type {Cell} */ one, /** @type {Cell} */ other) =>
      one.field - other.field || NAMES.compare(one.id, other.id);
    if (this.order === "size") return (/** @type {Cell} */ one, /** @type {Cell} */ other) => other.area - one.area || ties(one, other);
    if (this.order === "field") return ties;
    return (/** @type {Cell} */ one, /** @type {Cell} */ other) => likely(other) - likely(one) || ties(one, other);
  }

  /** @param {string} key @param {Cell[]} cells @returns {[HTMLElement, Cell[]]} */
  section(key, cells) {
    const section = document.createElement("div");
    section.className = "group";
    section.dataset.counts = key.split("|")[2];
    section.setAttribute("role", "group");
    const heading = document.createElement("h2");
    heading.setAttribute("role", "presentation");
    const tiles = document.createElement("div");
    tiles.className = "tiles";
    tiles.setAttribute("role", "presentation");
    section.append(heading, tiles);
    return [section, cells];
  }

  /**
   * Tiles that exist are put in place at once; new ones a few hundred at a time, so that the first are there soon.
   * @param {[HTMLElement, Cell[]][]} sections @param {number} drawing @param {number} from @param {number} start
   */
  fill(sections, drawing, from, start) {
    let made = 0;
    for (let number = from; number < sections.length; number += 1) {
      const [section, cells] = sections[number];
      const place = /** @type {HTMLElement} */ (section.lastElementChild);
      const batch = document.createDocumentFragment();
      for (let at = number === from ? start : 0; at < cells.length; at += 1) {
        if (!this.tiles.has(cells[at].id) && (made += 1) > AT_ONCE) {
          place.append(batch);
          requestAnimationFrame(() => { if (drawing === this.drawing) this.fill(sections, drawing, number, at); });
          return;
        }
        batch.append(this.tile(cells[at]));
      }
      place.append(batch);
    }
  }

  /** @param {Cell} cell */
  tile(cell) {
    let tile = this.tiles.get(cell.id);
    if (!tile) {
      const template = /** @type {HTMLTemplateElement} */ (document.getElementById("tile"));
      tile = /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (template.content.firstElementChild).cloneNode(true));
      tile.dataset.cell = cell.id;
      this.tiles.set(cell.id, tile);
    }
    this.paint(cell.id);
    tile.dataset.group = groupOf(cell).join("|");
    return tile;
  }

  /** @param {string} id */
  paint(id) {
    const cell = this.state?.cells.get(id);
    const tile = this.tiles.get(id);
    if (!cell || !tile || !this.state) return;
    tile.dataset.counts = cell.counts_as;
    tile.classList.toggle("excluded", cell.excluded);
    tile.setAttribute("aria-label", cellWords(cell));
    tile.setAttribute("aria-selected", String(this.chosen.has(id)));
    const [image, mark, caption] = tile.children;
    const address = this.state.picture(cell);
    if (image.getAttribute("src") !== address) image.setAttribute("src", address);
    const signs = [];
    if (cell.comments.length) signs.push(["✎", "", word("has a comment")]);
    if (cell.drawn) signs.push(["+", "", word("added by hand")]);
    if (cell.unlike) signs.push(["≠", "", word("unlike what the model has learned")]);
    if (cell.rather_unlike) signs.push(["~", "", word("rather unlike what the model has learned")]);
    if (cell.outline_unsure) signs.push(["◌", "", word("outline unsure")]);
    if (cell.seen) signs.push(["✓", "", word("seen")]);
    else if (cell.must_be_seen) signs.push(["●", "must", word("must be looked at")]);
    mark.replaceChildren(...signs.map(([sign, name, title]) => Object.assign(document.createElement("span"), { textContent: sign, className: name, title })));
    const label = document.createElement("b");
    label.textContent = !cell.kind && cell.counts_as === "indeterminate" ? "?" : cell.rejected_because && !cell.kind ? word("rejected") : word(cell.kind ?? cell.counts_as);
    caption.replaceChildren(label, Object.assign(document.createElement("span"), { textContent: probabilityWords(cell.probability) }));
  }

  /** @param {string | null} id */
  hover(id) {
    if (this.hovered === id) return;
    if (this.hovered) this.tiles.get(this.hovered)?.classList.remove("hovered");
    this.hovered = id;
    if (id) this.tiles.get(id)?.classList.add("hovered");
    this.lookAt(id);
    this.dispatchEvent(new CustomEvent("current"));
  }

  /** Whoever rests on a cell looks at it. @param {string | null} id */
  lookAt(id) {
    window.clearTimeout(this.lookTimer);
    if (id) this.lookTimer = window.setTimeout(() => { if (!document.hidden) this.state?.look([id]); }, LOOK_MS);
  }

  /** @param {Event} event @returns {string | null} */
  cellOf(event) {
    const tile = event.target instanceof Element ? event.target.closest(".tile") : null;
    return tile instanceof HTMLElement ? tile.dataset.cell ?? null : null;
  }

  /** @param {PointerEvent} event */
  onPointerOver(event) {
    if (this.byPointer) this.hover(this.cellOf(event));
  }

  /** @param {FocusEvent} event */
  onFocus(event) {
    const id = this.cellOf(event);
    if (!id) return;
    this.makeTabStop(id);
    if (id !== this.pointedOut) {
      this.pointedOut = null;
      this.lookAt(id);
    }
    this.dispatchEvent(new CustomEvent("current"));
  }

  /** @param {string} id */
  makeTabStop(id) {
    if (this.focused) this.tiles.get(this.focused)?.setAttribute("tabindex", "-1");
    this.focused = id;
    this.tiles.get(id)?.setAttribute("tabindex", "0");
  }

  /** @param {string | null | undefined} id */
  focusOn(id) {
    const tile = id ? this.tiles.get(id) : null;
    if (!tile || !id) return;
    this.makeTabStop(id);
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }

  /** To a cell that the reader has not asked for: being put there is no look. @param {string | null} id */
  pointOut(id) {
    this.pointedOut = id;
    this.lookAt(null);
    this.focusOn(id);
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const id = this.cellOf(event);
    if (!id) return;
    if (event.shiftKey && this.anchor) this.chooseRange(this.anchor, id, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey) this.toggle(id);
    else this.choose(this.chosen.size === 1 && this.chosen.has(id) ? [] : [id]);
    if (!event.shiftKey) this.anchor = id;
    this.focusOn(id);
    this.byPointer = true;
  }

  /** @param {Event} event */
  onDoubleClick(event) {
    const id = this.cellOf(event);
    if (id) { this.choose([]); this.open(id); }
  }

  /** @param {string} id */
  open(id) {
    this.dispatchEvent(new CustomEvent("open", { detail: id }));
  }

  /** @param {Iterable<string>} ids */
  choose(ids) {
    const before = this.chosen;
    this.chosen = new Set(ids);
    for (const id of new Set([...before, ...this.chosen])) this.tiles.get(id)?.setAttribute("aria-selected", String(this.chosen.has(id)));
    this.dispatchEvent(new CustomEvent("current"));
  }

  /** @param {string} id */
  toggle(id) {
    const chosen = new Set(this.chosen);
    if (!chosen.delete(id)) chosen.add(id);
    this.choose(chosen);
  }

  /** @param {string} from @param {string} to @param {boolean} further */
  chooseRange(from, to, further) {
    const [low, high] = [this.shown.indexOf(from), this.shown.indexOf(to)].sort((one, other) => one - other);
    this.choose([...(further ? this.chosen : []), ...this.shown.slice(Math.max(0, low), high + 1)]);
  }

  /** A frame drawn with the mouse chooses what it touches, a loop drawn with Alt what it holds. @param {PointerEvent} event */
  onPointerDown(event) {
    if (event.button !== 0 || event.pointerType === "touch" || event.offsetX >= this.clientWidth) return;
    const start = this.placeOf(event);
    const before = event.ctrlKey || event.metaKey || event.shiftKey ? [...this.chosen] : [];
    const drawn = event.altKey || this.loops ? new Loop(start) : new Band(start);
    let begun = false;
    const move = (/** @type {PointerEvent} */ moved) => {
      const end = this.placeOf(moved);
      if (!begun) {
        if (Math.hypot(end[0] - start[0], end[1] - start[1]) < DRAG_PX) return;
        begun = true;
        this.append(drawn.element);
        this.setPointerCapture(event.pointerId);
      }
      drawn.draw(end);
      this.choose([...before, ...this.within(drawn)]);
    };
    const end = () => {
      this.removeEventListener("pointermove", move);
      if (begun) {
        drawn.element.remove();
        const swallow = (/** @type {Event} */ click) => click.stopImmediatePropagation();
        this.addEventListener("click", swallow, { capture: true });
        window.setTimeout(() => { this.removeEventListener("click", swallow, { capture: true }); this.hover(null); });
      }
    };
    this.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end, { once: true });
    window.addEventListener("pointercancel", end, { once: true });
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  placeOf(event) {
    const box = this.getBoundingClientRect();
    return [event.clientX - box.left + this.scrollLeft, event.clientY - box.top + this.scrollTop];
  }

  /** The cells that something drawn over the tiles takes. @param {Band | Loop} drawn */
  within(drawn) {
    const own = this.getBoundingClientRect();
    return this.shown.filter((id) => {
      const box = this.tiles.get(id)?.getBoundingClientRect();
      return box?.width && drawn.takes(box.left - own.left + this.scrollLeft, box.top - own.top + this.scrollTop, box.width, box.height);
    });
  }

  /** Arrows, as they look on the screen. @param {KeyboardEvent} event @returns {boolean} whether the key was one of these */
  onKey(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity });
    if (event.key in steps) this.moveTo(this.neighbour(steps[event.key]), event.shiftKey);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.moveTo(this.below(event.key === "ArrowDown" ? 1 : -1), event.shiftKey);
    else if (event.key === " ") { if (this.focused) { this.toggle(this.focused); this.anchor = this.focused; } }
    else if (event.key === "Enter") { if (this.current) this.open(this.current); }
    else if (event.key === "Escape" && this.chosen.size) this.choose([]);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.chooseGroup();
    else return false;
    return true;
  }

  /** @param {number} step */
  neighbour(step) {
    const place = this.focused ? this.shown.indexOf(this.focused) : -1;
    return this.shown[Math.min(this.shown.length - 1, Math.max(0, place + step))];
  }

  /** The nearest tile one row further. @param {number} way */
  below(way) {
    const box = this.focused ? this.tiles.get(this.focused)?.getBoundingClientRect() : null;
    if (!box) return this.shown[0];
    let best = this.focused ?? this.shown[0];
    let row = NaN;
    let nearest = Infinity;
    const place = this.shown.indexOf(this.focused ?? "");
    for (let at = place + way; at >= 0 && at < this.shown.length; at += way) {
      const other = this.tiles.get(this.shown[at])?.getBoundingClientRect();
      if (!other || Math.abs(other.top - box.top) < 4) continue;
      if (Number.isNaN(row)) row = other.top;
      if (Math.abs(other.top - row) > 4) break;
      if (Math.abs(other.left - box.left) < nearest) { nearest = Math.abs(other.left - box.left); best = this.shown[at]; }
    }
    return best;
  }

  /** @param {string | undefined} id @param {boolean} choosing */
  moveTo(id, choosing) {
    if (!id) return;
    this.byPointer = false;
    this.hover(null);
    if (choosing) {
      this.anchor ??= this.focused;
      this.chooseRange(this.anchor ?? id, id, false);
    } else this.anchor = null;
    this.focusOn(id);
  }

  chooseGroup() {
    const group = this.current ? this.tiles.get(this.current)?.dataset.group : null;
    this.choose(this.shown.filter((id) => this.tiles.get(id)?.dataset.group === group));
  }
}

customElements.define("cell-gallery", CellGallery);
