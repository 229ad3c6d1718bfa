// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * A spectrogram that scrolls: each record is painted once, into a ring of columns, of which the screen shows a window.
 *
 * A pixel is the greatest value of those that fall on it, so that a narrow line is not lost.
 */

import { ALARM, COLOURS, Field, share } from "./canvas.js";
import { short } from "./traces.js";

/**
 * @typedef {import("./data.js").Panel} Panel
 * @typedef {import("./traces.js").Theme} Theme
 * @typedef {{low: number, high: number} | undefined} Limits
 * @typedef {{order: number[], first: Int32Array, last: Int32Array}} Rows which values of a record fall on each row of
 *   pixels: from `first` to before `last` in the `order` of the second coordinate
 * @typedef {{time: number, values: Float32Array, rows: string}} Kept a record, and the key of its second coordinate
 */

const HEIGHT = 320;
const STRIP = 5; // pixels above the field that tell of values outside
const MOST_VALUES = 16_000_000;
const SAMPLE = 20_000;
const LOOK = 2000; // milliseconds after which the scale of colours is looked at again

export class Picture {
  /**
   * @param {HTMLElement} holder
   * @param {Panel} panel the first of its kind, whose title, units and scales count
   * @param {Limits} limits
   */
  constructor(holder, panel, limits) {
    this.field = new Field(holder, HEIGHT);
    this.panel = panel;
    this.limits = limits;
    /** @type {Kept[]} */
    this.kept = [];
    this.count = 0; // of values
    /** @type {Map<string, (number | null)[]>} */
    this.coordinates = new Map();
    /** @type {Map<string, Rows>} */
    this.rows = new Map();
    this.scale = { low: 0, high: 0, log: panel.log };
    this.along = { low: 0, high: 0, log: Boolean(panel.y?.log) };
    this.looked = 0;
    this.painted = 0; // records
    this.ring = document.createElement("canvas");
    this.span = 60_000;
    this.step = 0; // milliseconds between records
    this.column = -1;
    this.edge = 0; // the column behind the newest one, counted from time 0
    /** @type {{values: Float32Array, outside: Uint8Array} | undefined} */
    this.last = undefined;
  }

  get newest() {
    return this.kept.length ? this.kept[this.kept.length - 1].time : Number.NaN;
  }

  /**
   * Takes records of a panel of this kind.
   * @param {Panel} panel
   * @param {number[]} times in milliseconds
   */
  take(panel, times) {
    const key = this.known(/** @type {import("./data.js").Axis} */ (panel.y).values);
    for (const [at, time] of times.entries()) {
      const row = panel.z?.[at];
      if (!row || !Number.isFinite(time)) continue;
      this.pace(time, panel.width);
      const values = Float32Array.from(row, (each) => (typeof each === "number" ? each : Number.NaN));
      this.kept.push({ time, values, rows: key });
      this.count += values.length;
    }
    this.trim();
  }

  /**
   * Notes how far records are apart: what the stream says, or the least that is seen now and then.
   * @param {number} time
   * @param {number} width in seconds
   */
  pace(time, width) {
    const apart = time - this.newest;
    if (width > 0) this.step = width * 1000;
    else if (apart > 0) this.step = this.step ? Math.min(this.step * 1.05, apart) : apart;
  }

  /**
   * The key of a second coordinate. A new one may widen the axis.
   * @param {(number | null)[]} values
   */
  known(values) {
    const key = values.join();
    if (this.coordinates.has(key)) return key;
    this.coordinates.set(key, values);
    const numbers = values.filter((each) => each !== null && (!this.along.log || each > 0)).map(Number);
    const sorted = [...numbers].sort((one, two) => one - two);
    const many = sorted.length > 1;
    const [first, last] = [sorted[0] ?? 0, sorted[sorted.length - 1] ?? 1];
    const [below, above] = many ? [sorted[1], sorted[sorted.length - 2]] : [last, first];
    const low = this.along.log ? first * Math.sqrt(first / below) : first - (below - first) / 2;
    const high = this.along.log ? last * Math.sqrt(last / above) : last + (last - above) / 2;
    const known = this.coordinates.size > 1;
    this.along.low = known ? Math.min(this.along.low, low) : low;
    this.along.high = known ? Math.max(this.along.high, high) : high;
    if (!(this.along.high > this.along.low)) this.along.high = this.along.low + 1;
    this.rows.clear();
    this.forget();
    return key;
  }

  /** Lets records go that are no longer shown. */
  trim() {
    const oldest = this.newest - this.span - 2 * this.step;
    let gone = 0;
    while (gone < this.kept.length && (this.kept[gone].time < oldest || this.count > MOST_VALUES)) {
      this.count -= this.kept[gone].values.length;
      gone += 1;
    }
    this.kept.splice(0, gone);
    this.painted = Math.max(0, this.painted - gone);
  }

  /** Has all records painted anew. */
  forget() {
    this.painted = 0;
    this.last = undefined;
    this.column = -1;
    this.edge = 0;
  }

  /**
   * Draws all that has come, up to a time in milliseconds.
   * @param {number} end
   * @param {number} span in milliseconds
   * @param {Theme} theme
   */
  draw(end, span, theme) {
    const { width, height } = this.field.clear();
    if (!this.kept.length || width < 1) return;
    if (span !== this.span || this.ring.width !== width || this.ring.height !== height + STRIP) {
      [this.span, this.ring.width, this.ring.height] = [span, width, height + STRIP];
      this.rows.clear();
      this.forget();
    }
    this.look();
    this.paint();
    this.show(end);
    const { title, units, x, y } = this.panel;
    this.field.frame(title, x.title, [end - span, end], theme);
    if (y) this.field.axis(y.title, this.along, theme);
    if (this.scale.high > this.scale.low) this.field.bar(units || title, this.scale, theme);
  }

  /** Fits the scale of colours to the values, unless that was done a moment ago. */
  look() {
    const now = performance.now();
    if (this.scale.high > this.scale.low && now - this.looked < LOOK) return;
    this.looked = now;
    const [low, high] = this.bounds();
    const { scale } = this;
    if (!(high > low)) return;
    const [least, most] = [share(scale, low), share(scale, high)];
    const fits = scale.high > scale.low && least >= -0.02 && most <= 1.02 && most - least > 0.5;
    if (fits) return;
    [scale.low, scale.high] = scale.log ? wide(low, high) : [low, high];
    this.forget();
  }

  /** Between what nearly all values lie. */
  bounds() {
    const all = [];
    const every = Math.max(1, Math.floor(this.count / SAMPLE));
    let at = 0;
    for (const { values } of this.kept) {
      for (; at < values.length; at += every) {
        const value = values[at];
        if (Number.isFinite(value) && (!this.scale.log || value > 0)) all.push(value);
      }
      at -= values.length;
    }
    all.sort((one, two) => one - two);
    const [low, high] = [all[Math.floor(all.length * 0.01)], all[Math.ceil(all.length * 0.995) - 1]];
    return low === high && all.length ? [low - Math.abs(low) / 2 - 1e-30, high + Math.abs(high) / 2 + 1e-30] : [low, high];
  }

  /**
   * Which values of a record fall on each row of pixels.
   * @param {string} key
   * @returns {Rows}
   */
  placed(key) {
    const known = this.rows.get(key);
    if (known) return known;
    const height = this.ring.height - STRIP;
    const values = this.coordinates.get(key) ?? [];
    const order = values.map((_each, at) => at).filter((at) => values[at] !== null && (!this.along.log || Number(values[at]) > 0));
    order.sort((one, two) => Number(values[one]) - Number(values[two]));
    const places = order.map((at) => (1 - share(this.along, Number(values[at]))) * height);
    const rows = { order, first: new Int32Array(height).fill(1), last: new Int32Array(height) };
    for (const [at, place] of places.entries()) {
      const half = [places[at - 1], places[at + 1]].map((other) => (other === undefined ? Number.NaN : Math.abs(other - place) / 2));
      const below = Number.isNaN(half[0]) ? half[1] || height : half[0];
      const above = Number.isNaN(half[1]) ? half[0] || height : half[1];
      const [from, to] = [Math.max(0, Math.floor(place - above)), Math.min(height - 1, Math.ceil(place + below) - 1)];
      for (let row = from; row <= to; row += 1) {
        if (rows.last[row] <= rows.first[row]) rows.first[row] = at;
        rows.last[row] = at + 1;
      }
    }
    this.rows.set(key, rows);
    return rows;
  }

  /** Paints the records that are not yet painted into the ring. */
  paint() {
    const context = /** @type {CanvasRenderingContext2D} */ (this.ring.getContext("2d"));
    const pixel = this.span / this.ring.width;
    for (; this.painted < this.kept.length; this.painted += 1) {
      const { time, values, rows } = this.kept[this.painted];
      const half = Math.max(this.step, pixel) / 2;
      const first = Math.floor((time - half) / pixel);
      const behind = Math.max(first + 1, Math.floor((time + half) / pixel));
      if (behind <= this.edge - this.ring.width) continue;
      this.advance(context, behind);
      let made = this.made(this.placed(rows), values);
      if (first < this.column && this.last) made = joined(made, this.last);
      this.column = behind;
      this.last = made;
      const image = this.image(made);
      for (let at = Math.max(first, this.edge - this.ring.width); at < behind; at += 1) {
        context.putImageData(image, wrapped(at, this.ring.width), 0);
      }
    }
  }

  /**
   * Clears the columns up to a new edge.
   * @param {CanvasRenderingContext2D} context
   * @param {number} edge
   */
  advance(context, edge) {
    if (edge <= this.edge) return;
    const { width, height } = this.ring;
    if (edge - this.edge >= width) context.clearRect(0, 0, width, height);
    else for (let at = this.edge; at < edge; at += 1) context.clearRect(wrapped(at, width), 0, 1, height);
    this.edge = edge;
  }

  /**
   * A record by rows of pixels.
   * @param {Rows} rows
   * @param {Float32Array} values
   */
  made({ order, first, last }, values) {
    const height = first.length;
    const made = new Float32Array(height);
    const outside = new Uint8Array(height);
    const [low, high] = this.limits ? [this.limits.low, this.limits.high] : [-Infinity, Infinity];
    for (let row = 0; row < height; row += 1) {
      let most = Number.NaN;
      for (let at = first[row]; at < last[row]; at += 1) {
        const value = values[order[at]];
        if (!(value <= most)) most = Number.isNaN(value) ? most : value;
        if (value < low || value > high) outside[row] = 1;
      }
      made[row] = most;
    }
    return { values: made, outside };
  }

  /**
   * One column of pixels.
   * @param {{values: Float32Array, outside: Uint8Array}} made
   */
  image({ values, outside }) {
    const image = new ImageData(1, values.length + STRIP);
    const { data } = image;
    const anything = outside.includes(1);
    for (let row = 0; anything && row < STRIP - 1; row += 1) data.set([...ALARM, 255], 4 * row);
    for (let row = 0; row < values.length; row += 1) {
      const place = share(this.scale, values[row]);
      if (Number.isNaN(place)) continue;
      const at = 4 * (row + STRIP);
      if (outside[row]) {
        data.set(ALARM, at);
      } else {
        const colour = 3 * Math.round(255 * Math.min(1, Math.max(0, place)));
        data[at] = COLOURS[colour];
        data[at + 1] = COLOURS[colour + 1];
        data[at + 2] = COLOURS[colour + 2];
      }
      data[at + 3] = 255;
    }
    return image;
  }

  /**
   * Copies the window that ends at a time from the ring to the screen.
   * @param {number} end
   */
  show(end) {
    const { context, inner, ratio } = this.field;
    const { width, height } = this.ring;
    const last = Math.ceil(end / (this.span / width));
    const from = Math.max(last - width, this.edge - width);
    const to = Math.min(last, this.edge);
    context.save();
    context.imageSmoothingEnabled = false;
    context.setTransform(1, 0, 0, 1, Math.round(inner.left * ratio), Math.round(inner.top * ratio) - STRIP);
    for (let at = from; at < to; ) {
      const source = wrapped(at, width);
      const count = Math.min(width - source, to - at);
      context.drawImage(this.ring, source, 0, count, height, at - (last - width), 0, count, height);
      at += count;
    }
    context.restore();
  }

  /** What is seen, in words. */
  told() {
    const sizes = [...new Set(this.kept.map((each) => each.values.length))].join(" or ");
    const [low, high] = this.bounds();
    return `${this.panel.title}: spectrogram of ${this.kept.length} records of ${sizes} values, most of them from ${short(low)} to ${short(high)}`;
  }
}

/**
 * The place of a column in a ring.
 * @param {number} column
 * @param {number} width
 */
function wrapped(column, width) {
  return ((column % width) + width) % width;
}

/**
 * The greater values of two records that share a column.
 * @param {{values: Float32Array, outside: Uint8Array}} one
 * @param {{values: Float32Array, outside: Uint8Array}} two
 */
function joined(one, two) {
  const values = one.values.map((each, at) => (two.values[at] > each || Number.isNaN(each) ? two.values[at] : each));
  return { values, outside: one.outside.map((each, at) => each | two.outside[at]) };
}

/**
 * Bounds at halves of powers of ten.
 * @param {number} low
 * @param {number} high
 */
function wide(low, high) {
  return [10 ** (Math.floor(2 * Math.log10(low)) / 2), 10 ** (Math.ceil(2 * Math.log10(high)) / 2)];
}
