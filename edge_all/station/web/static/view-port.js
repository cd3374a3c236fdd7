// @ts-check
// Where an image lies in a window: scaled and moved, never quite out of sight.

const LARGEST = 8;

export class ViewPort {
  constructor() {
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.width = 1;
    this.height = 1;
    this.imageWidth = 1;
    this.imageHeight = 1;
  }

  get fitting() {
    return Math.min(this.width / this.imageWidth, this.height / this.imageHeight);
  }

  /** @param {number} width @param {number} height of the window */
  resize(width, height) {
    const whole = Math.abs(this.scale - this.fitting) < 1e-6;
    this.width = width;
    this.height = height;
    if (whole) this.fit();
    else this.keepInSight();
  }

  fit() {
    this.scale = this.fitting;
    this.left = (this.width - this.imageWidth * this.scale) / 2;
    this.top = (this.height - this.imageHeight * this.scale) / 2;
  }

  /** @param {number} factor @param {number} x @param {number} y the point of the window that stays where it is */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(LARGEST, Math.max(this.fitting, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.keepInSight();
  }

  /** @param {number} x @param {number} y */
  move(x, y) {
    this.left += x;
    this.top += y;
    this.keepInSight();
  }

  /** @param {number} x @param {number} y of the image */
  center(x, y) {
    this.left = this.width / 2 - x * this.scale;
    this.top = this.height / 2 - y * this.scale;
    this.keepInSight();
  }

  keepInSight() {
    /** @param {number} at @param {number} window @param {number} image */
    const kept = (at, window, image) => (image <= window ? (window - image) / 2 : Math.min(0, Math.max(window - image, at)));
    this.left = kept(this.left, this.width, this.imageWidth * this.scale);
    this.top = kept(this.top, this.height, this.imageHeight * this.scale);
  }

  /** From the window to the image. @param {number} x @param {number} y @returns {[number, number]} */
  toImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }
}
