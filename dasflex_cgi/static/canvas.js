// SPDX-License-Identifier: GPL-3.0-or-later
/** What pictures and lines share that are drawn on a canvas: its size, its margins, its axes and its colours. */

import { decades, even, tick } from "./traces.js";

/**
 * @typedef {import("./traces.js").Theme} Theme
 * @typedef {{low: number, high: number, log: boolean}} Scale
 */

export const MARGIN = { left: 72, right: 92, top: 30, bottom: 42 };
const FONT = "system-ui, sans-serif";
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400];
/** Viridis, whose steps are told apart by everybody, and in grey. */
const VIRIDIS = ["440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725"];
/** What lies outside its limits: none of the colours of the scale. */
export const ALARM = [255, 47, 160];

/** The colours of the scale, 256 times red, green and blue. */
export const COLOURS = colours();

function colours() {
  const points = VIRIDIS.map((hex) => [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  const made = new Uint8ClampedArray(256 * 3);
  for (let at = 0; at < 256; at += 1) {
    const place = (at / 255) * (points.length - 1);
    const first = Math.min(Math.floor(place), points.length - 2);
    for (let part = 0; part < 3; part += 1) {
      made[3 * at + part] = points[first][part] + (place - first) * (points[first + 1][part] - points[first][part]);
    }
  }
  return made;
}

/**
 * Where a value lies on a scale: 0 is its low end, and 1 the high one.
 * @param {Scale} scale
 * @param {number} value
 */
export function share({ low, high, log }, value) {
  if (!log) return (value - low) / (high - low);
  return value > 0 ? Math.log(value / low) / Math.log(high / low) : Number.NEGATIVE_INFINITY;
}

/** A canvas as wide as what holds it, with a field that is framed by axes. Lengths are in pixels of the page. */
export class Field {
  /**
   * @param {HTMLElement} holder
   * @param {number} height
   */
  constructor(holder, height) {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    holder.append(this.canvas);
    this.holder = holder;
    this.height = height;
    this.width = 0;
    this.ratio = 1;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
  }

  /** Fits the canvas to what holds it, and clears it. The size of the field in pixels of the screen comes back. */
  clear() {
    const width = Math.max(240, this.holder.clientWidth);
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    if (width !== this.width || ratio !== this.ratio) {
      [this.width, this.ratio] = [width, ratio];
      [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(this.height * ratio)];
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${this.height}px`;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, this.height);
    return this.size;
  }

  get inner() {
    return {
      left: MARGIN.left,
      top: MARGIN.top,
      width: this.width - MARGIN.left - MARGIN.right,
      height: this.height - MARGIN.top - MARGIN.bottom,
    };
  }

  get size() {
    return { width: Math.round(this.inner.width * this.ratio), height: Math.round(this.inner.height * this.ratio) };
  }

  /**
   * Writes a text.
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {{colour: string, size?: number, align?: CanvasTextAlign, turned?: boolean, most?: number}} how
   */
  write(text, x, y, { colour, size = 12, align = "left", turned = false, most }) {
    const { context } = this;
    context.save();
    context.font = `${size}px ${FONT}`;
    context.fillStyle = colour;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.translate(x, y);
    if (turned) context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0, most);
    context.restore();
  }

  /**
   * Draws the frame, the axis of time, and the title.
   * @param {string} title
   * @param {string} along what the axis of time is called
   * @param {[number, number]} range of time in milliseconds
   * @param {Theme} theme
   */
  frame(title, along, [begin, end], theme) {
    const { left, top, width, height } = this.inner;
    const { context } = this;
    context.strokeStyle = theme.soft;
    context.lineWidth = 1;
    context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
    this.write(title, left, top / 2, { colour: theme.text, size: 14, most: this.width - left - 8 });
    const seconds = (end - begin) / 1000;
    const step = STEPS.find((each) => (seconds / each) * 78 < width) ?? 86400;
    for (let at = Math.ceil(begin / 1000 / step) * step; at <= end / 1000; at += step) {
      const x = left + ((at * 1000 - begin) / (end - begin)) * width;
      this.mark(x, top + height, x, top + height + 5, theme.soft);
      this.write(clock(at * 1000, step), x, top + height + 13, { colour: theme.text, align: "center" });
    }
    this.write(along, left + width / 2, this.height - 9, { colour: theme.text, size: 13, align: "center" });
  }

  /**
   * Draws an axis of values.
   * @param {string} title
   * @param {Scale} scale
   * @param {Theme} theme
   * @param {boolean} right whether it stands beside the scale of colours
   */
  axis(title, scale, theme, right = false) {
    const { left, top, width, height } = this.inner;
    const x = right ? left + width + 34 : left;
    const { tickvals, ticktext } = scale.log ? decades(scale.low, scale.high) : plain(scale);
    for (const [at, value] of tickvals.entries()) {
      const place = share(scale, value);
      if (!(place >= -0.001 && place <= 1.001)) continue;
      const y = top + (1 - place) * height;
      this.mark(x, y, x + (right ? 4 : -5), y, theme.soft);
      this.write(ticktext[at], x + (right ? 7 : -8), y, { colour: theme.text, align: right ? "left" : "right" });
    }
    const away = right ? this.width - 9 : 11;
    this.write(title, away, top + height / 2, { colour: theme.text, size: 13, align: "center", turned: true, most: height + 20 });
  }

  /**
   * Draws the scale of colours beside the field.
   * @param {string} title
   * @param {Scale} scale
   * @param {Theme} theme
   */
  bar(title, scale, theme) {
    const { left, top, width, height } = this.inner;
    const { context } = this;
    const x = left + width + 18;
    for (let at = 0; at < 256; at += 1) {
      context.fillStyle = `rgb(${COLOURS[3 * at]},${COLOURS[3 * at + 1]},${COLOURS[3 * at + 2]})`;
      context.fillRect(x, top + height - ((at + 1) / 256) * height, 14, height / 256 + 0.6);
    }
    context.strokeStyle = theme.soft;
    context.strokeRect(x - 0.5, top - 0.5, 15, height + 1);
    this.axis(title, scale, theme, true);
  }

  /**
   * Draws a straight line.
   * @param {number} x
   * @param {number} y
   * @param {number} toX
   * @param {number} toY
   * @param {string} colour
   */
  mark(x, y, toX, toY, colour) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, Math.round(y) + 0.5);
    context.lineTo(Math.round(toX) + 0.5, Math.round(toY) + 0.5);
    context.stroke();
  }
}

/**
 * The numbers of an even axis.
 * @param {Scale} scale
 */
function plain({ low, high }) {
  const tickvals = even(low, high);
  return { tickvals, ticktext: tickvals.map(tick) };
}

/**
 * A time of an axis.
 * @param {number} time in milliseconds
 * @param {number} step in seconds
 */
function clock(time, step) {
  const text = new Date(Math.round(time)).toISOString();
  if (step >= 86400) return text.slice(5, 10);
  return step < 1 ? text.slice(14, 21) : step < 60 ? text.slice(11, 19) : text.slice(11, 16);
}
