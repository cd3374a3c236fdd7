// @ts-check
// What is drawn over the tiles with the mouse to choose several: a frame, or a free loop.

/** @typedef {[number, number]} Point within the gallery, scrolled parts included */

/** A frame takes every tile that it touches. */
export class Band {
  /** @param {Point} start */
  constructor(start) {
    this.start = start;
    this.end = start;
    this.element = Object.assign(document.createElement("div"), { className: "band" });
  }

  /** @param {Point} end */
  draw(end) {
    this.end = end;
    const [left, top] = [Math.min(this.start[0], end[0]), Math.min(this.start[1], end[1])];
    const [width, height] = [Math.abs(this.start[0] - end[0]), Math.abs(this.start[1] - end[1])];
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  }

  /** @param {number} left @param {number} top @param {number} width @param {number} height of a tile */
  takes(left, top, width, height) {
    const [right, bottom] = [Math.max(this.start[0], this.end[0]), Math.max(this.start[1], this.end[1])];
    return left < right && left + width > Math.min(this.start[0], this.end[0]) && top < bottom && top + height > Math.min(this.start[1], this.end[1]);
  }
}

/** A loop takes every tile whose middle lies in it; it closes itself. */
export class Loop {
  /** @param {Point} start */
  constructor(start) {
    /** @type {Point[]} */
    this.points = [start];
    this.element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.element.setAttribute("class", "loop");
    this.line = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
    this.element.append(this.line);
  }

  /** @param {Point} end */
  draw(end) {
    this.points.push(end);
    const [xs, ys] = [this.points.map(([x]) => x), this.points.map(([, y]) => y)];
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px`, width: `${Math.max(...xs) - left}px`, height: `${Math.max(...ys) - top}px` });
    this.line.setAttribute("points", this.points.map(([x, y]) => `${x - left},${y - top}`).join(" "));
  }

  /** @param {number} left @param {number} top @param {number} width @param {number} height of a tile */
  takes(left, top, width, height) {
    const [x, y] = [left + width / 2, top + height / 2];
    let inside = false;
    // Even-odd rule: a ray to the right crosses the line an odd number of times.
    for (let at = 0, before = this.points.length - 1; at < this.points.length; before = at, at += 1) {
      const [[x1, y1], [x2, y2]] = [this.points[at], this.points[before]];
      if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
    }
    return inside;
  }
}
