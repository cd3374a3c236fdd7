// @ts-check
// Outlines on a field: colour and kind of line say what a cell counts as.

/** @typedef {import("./slide-state.js").Cell} Cell */

const DASHES = /** @type {Record<string, number[]>} */ ({ ALL: [], "non-ALL": [], indeterminate: [7, 5], "left out": [2, 4] });
const COLOURS = /** @type {Record<string, string>} */ ({ ALL: "#d55e00", "non-ALL": "#0072b2", indeterminate: "#f0e442", "left out": "#555" });

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./view-port.js").ViewPort} port
 * @param {Cell[]} cells
 * @param {Record<string, number[]>} outlines x and y in turn
 * @param {{shown: boolean, current: string | null, drawing: [number, number, number][]}} how
 */
export function paint(canvas, port, cells, outlines, how) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(port.width * density);
  canvas.height = Math.round(port.height * density);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(density, 0, 0, density, 0, 0);
  for (const cell of cells) {
    const current = cell.id === how.current;
    if (how.shown || current) stroke(context, pathOf(port, cell, outlines), COLOURS[cell.counts_as], DASHES[cell.counts_as], current ? 5 : cell.counts_as === "ALL" ? 3 : 2);
  }
  for (const circle of how.drawing) stroke(context, circlePath(port, circle), "#1a73e8", [], 3);
}

/** @param {CanvasRenderingContext2D} context @param {Path2D} path @param {string} colour @param {number[]} dashes @param {number} width */
function stroke(context, path, colour, dashes, width) {
  context.setLineDash(dashes);
  context.strokeStyle = "rgb(255 255 255 / .85)";
  context.lineWidth = width + 2;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

/** @param {import("./view-port.js").ViewPort} port @param {Cell} cell @param {Record<string, number[]>} outlines */
function pathOf(port, cell, outlines) {
  if (cell.circle) return circlePath(port, cell.circle);
  const points = outlines[cell.id];
  const path = new Path2D();
  if (!points) {
    const [x, y, width, height] = cell.bbox;
    path.rect(port.left + x * port.scale, port.top + y * port.scale, width * port.scale, height * port.scale);
    return path;
  }
  for (let at = 0; at < points.length; at += 2) path.lineTo(port.left + points[at] * port.scale, port.top + points[at + 1] * port.scale);
  path.closePath();
  return path;
}

/** @param {import("./view-port.js").ViewPort} port @param {[number, number, number]} circle */
function circlePath(port, [x, y, radius]) {
  const path = new Path2D();
  path.arc(port.left + x * port.scale, port.top + y * port.scale, Math.max(1, radius * port.scale), 0, 2 * Math.PI);
  return path;
}

/**
 * The smallest cell at a point.
 * @param {Cell[]} cells @param {number} x @param {number} y of the image
 */
export function cellAt(cells, x, y) {
  const hit = cells.filter(({ bbox, circle }) =>
    circle ? Math.hypot(x - circle[0], y - circle[1]) <= circle[2] : x >= bbox[0] && y >= bbox[1] && x <= bbox[0] + bbox[2] && y <= bbox[1] + bbox[3]);
  return hit.sort((one, other) => one.area - other.area)[0]?.id ?? null;
}
