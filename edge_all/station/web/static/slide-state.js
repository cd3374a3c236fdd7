// @ts-check
// A slide as this page knows it. Gestures show at once; what the station answers then takes their place.
import { ask, GestureQueue } from "./station-api.js";

/**
 * @typedef {{id: string, number: number | null, field: number, bbox: [number, number, number, number], circle: [number, number, number] | null,
 *   drawn: boolean, area: number, kind: string | null, counts_as: string, software_label: string | null,
 *   probability: number | null, unlike: boolean, rather_unlike: boolean, outline_unsure: boolean, rejected_because: string | null, excluded: boolean, must_be_seen: boolean,
 *   seen: boolean, decided_by: string | null, comments: {actor: string, text: string}[], version: number}} Cell
 * @typedef {{name: string, counts_as: string, key: string}} Kind
 */

const SEEN_TOGETHER_MS = 400;

/** Events: ``cells`` (detail: ids that changed, or null for all), ``slide``. */
export class SlideState extends EventTarget {
  /**
   * @param {string} code
   * @param {string} reader
   * @param {Kind[]} kinds
   */
  constructor(code, reader, kinds) {
    super();
    this.code = code;
    this.reader = reader;
    this.kinds = kinds;
    this.base = `/api/v1/slides/${code}`;
    /** @type {Map<string, Cell>} */
    this.cells = new Map();
    /** @type {any} */
    this.slide = null;
    this.queue = new GestureQueue(`edge-all ${code} ${reader}`);
    this.queue.addEventListener("done", (event) => this.take(/** @type {CustomEvent} */ (event).detail));
    /** @type {Set<string>} */
    this.looked = new Set();
    this.lookTimer = 0;
    this.staleCells = false;
  }

  get locked() {
    return Boolean(this.slide?.state.locked);
  }

  /** Everything anew. */
  async load() {
    const answer = await ask(`${this.base}/cells?order=field`);
    if (this.queue.waiting.length) {
      this.staleCells = true; // what waits to be sent is newer than this
      return;
    }
    if (this.slide && answer.slide.last_seq < this.slide.last_seq) return; // so is what came while this was on its way
    // What was looked at and has not been told yet stays looked at.
    this.cells = new Map(answer.cells.map((/** @type {Cell} */ cell) => [cell.id, this.looked.has(cell.id) ? { ...cell, seen: true } : cell]));
    this.slide = answer.slide;
    this.tell(null);
  }

  /** What the station answered to a gesture. @param {any} done */
  take(done) {
    this.slide = done.slide;
    if (!this.queue.waiting.length) {
      for (const cell of done.cells) this.cells.set(cell.id, cell);
      for (const id of done.gone) this.cells.delete(id);
      this.tell([...done.cells.map((/** @type {Cell} */ cell) => cell.id), ...done.gone]);
    } else {
      // Later gestures show already; only what they do not touch is taken, and the rest with their own answers.
      this.staleCells = true;
      this.tell([]);
    }
  }

  /** @param {string[] | null} ids */
  tell(ids) {
    this.dispatchEvent(new CustomEvent("cells", { detail: ids }));
    this.dispatchEvent(new CustomEvent("slide"));
  }

  /** @param {string[]} ids */
  versions(ids) {
    return Object.fromEntries(ids.map((id) => [id, this.cells.get(id)?.version ?? 0]));
  }

  /**
   * @param {string[]} ids
   * @param {(cell: Cell) => Partial<Cell>} change
   */
  show(ids, change) {
    for (const id of ids) {
      const cell = this.cells.get(id);
      if (cell) this.cells.set(id, { ...cell, ...change(cell) });
    }
    this.tell(ids);
  }

  /** @param {string[]} ids @param {string} name */
  reclassify(ids, name) {
    const kind = this.kinds.find((one) => one.name === name);
    if (!kind || !ids.length) return;
    const body = { cells: this.versions(ids), kind: name };
    this.show(ids, (cell) => ({
      kind: name,
      counts_as: cell.excluded ? "left out" : kind.counts_as,
      decided_by: this.reader,
      seen: true,
    }));
    void this.queue.add(`${this.base}/reclassify`, body);
  }

  /** @param {string[]} ids */
  exclude(ids) {
    if (!ids.length) return;
    const excluded = ids.some((id) => !this.cells.get(id)?.excluded);
    const body = { cells: this.versions(ids), excluded };
    this.show(ids, () => ({ excluded, seen: true }));
    void this.queue.add(`${this.base}/exclude`, body);
  }

  /** The person has looked at cells; told to the station together with those looked at next. @param {string[]} ids */
  look(ids) {
    const fresh = ids.filter((id) => this.cells.get(id)?.seen === false && !this.looked.has(id));
    if (!fresh.length || this.locked) return;
    for (const id of fresh) this.looked.add(id);
    this.show(fresh, () => ({ seen: true }));
    this.lookTimer ||= window.setTimeout(() => this.tellLooked(), SEEN_TOGETHER_MS);
  }

  tellLooked() {
    window.clearTimeout(this.lookTimer);
    this.lookTimer = 0;
    const ids = [...this.looked].filter((id) => this.cells.has(id));
    this.looked.clear();
    return ids.length ? this.queue.add(`${this.base}/seen`, { cells: this.versions(ids) }) : undefined;
  }

  /** @param {string} id @param {string} text */
  comment(id, text) {
    void this.queue.add(`${this.base}/comment`, { cell: id, text });
  }

  /** @param {number} field @param {[number, number, number]} circle @param {string} kind */
  draw(field, circle, kind) {
    return this.queue.add(`${this.base}/draw`, { field, circle, kind });
  }

  /** @param {string} id @param {[number, number, number]} circle */
  outline(id, circle) {
    return this.queue.add(`${this.base}/outline`, { cell: id, version: this.cells.get(id)?.version ?? 0, circle });
  }

  /** @param {string} id @param {[number, number, number][]} circles */
  split(id, circles) {
    return this.queue.add(`${this.base}/split`, { cell: id, version: this.cells.get(id)?.version ?? 0, circles });
  }

  /** @param {"undo" | "redo"} verb */
  step(verb) {
    void this.tellLooked();
    return this.queue.add(`${this.base}/${verb}`, {});
  }

  /** Address of a cell's picture. @param {Cell} cell */
  picture(cell) {
    if (!cell.drawn && !cell.circle) return `${this.base}/cells/${cell.id}/picture`;
    const [x, y, width, height] = cell.bbox;
    const finding = this.slide?.fields.find((/** @type {any} */ field) => field.place === cell.field)?.finding ?? 0;
    return `${this.base}/fields/${cell.field}/picture?x=${x}&y=${y}&width=${width}&height=${height}&finding=${finding}`;
  }
}
