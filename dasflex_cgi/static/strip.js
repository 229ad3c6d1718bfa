// SPDX-License-Identifier: GPL-3.0-or-later
/** Lines that scroll: the values of the last while, those outside their limits marked by colour and by form. */

import { Field, share } from "./canvas.js";
import { short } from "./traces.js";

/**
 * @typedef {import("./data.js").Panel} Panel
 * @typedef {import("./traces.js").Theme} Theme
 * @typedef {import("./canvas.js").Scale} Scale
 * @typedef {{name: string, times: number[], values: number[]}} Course
 */

const HEIGHT = 190;
const MOST_VALUES = 400_000;
const FEW = 120;

export class Strip {
  /**
   * @param {HTMLElement} holder
   * @param {Panel} panel
   * @param {import("./picture.js").Limits} limits
   */
  constructor(holder, panel, limits) {
    this.field = new Field(holder, HEIGHT);
    this.panel = panel;
    this.limits = limits;
    /** @type {Map<string, Course>} */
    this.courses = new Map();
    this.newest = Number.NaN;
    this.span = 60_000;
  }

  /**
   * Takes records of a panel of this kind.
   * @param {Panel} panel
   * @param {number[]} times in milliseconds
   */
  take(panel, times) {
    for (const line of panel.lines) {
      const course = this.courses.get(line.name) ?? { name: line.name, times: [], values: [] };
      this.courses.set(line.name, course);
      const values = line.values ?? line.max ?? line.min ?? [];
      for (const [at, time] of times.entries()) {
        if (!Number.isFinite(time)) continue;
        const value = values[at];
        course.times.push(time);
        course.values.push(typeof value === "number" ? value : Number.NaN);
        this.newest = Number.isNaN(this.newest) ? time : Math.max(this.newest, time);
      }
      this.trim(course);
    }
  }

  /**
   * Lets values go that are no longer shown.
   * @param {Course} course
   */
  trim(course) {
    const oldest = this.newest - this.span;
    let gone = Math.max(0, course.times.length - MOST_VALUES);
    while (gone < course.times.length && course.times[gone] < oldest) gone += 1;
    if (gone < 64) return;
    course.times.splice(0, gone - 1);
    course.values.splice(0, gone - 1);
  }

  /**
   * Draws all that has come, up to a time in milliseconds.
   * @param {number} end
   * @param {number} span in milliseconds
   * @param {Theme} theme
   */
  draw(end, span, theme) {
    this.span = span;
    this.field.clear();
    const scale = this.scale(end - span, end);
    const many = this.courses.size > 1;
    this.field.frame(this.panel.title, this.panel.x.title, [end - span, end], theme);
    this.field.axis(many ? this.panel.units : this.panel.title, scale, theme);
    const { context, inner } = this.field;
    context.save();
    context.beginPath();
    context.rect(inner.left, inner.top, inner.width, inner.height);
    context.clip();
    this.bounds(scale, theme);
    let at = 0;
    for (const course of this.courses.values()) {
      const colour = theme.colours[at % theme.colours.length];
      this.line(course, [end - span, end], scale, colour);
      at += 1;
    }
    for (const course of this.courses.values()) this.alarms(course, [end - span, end], scale, theme);
    context.restore();
    if (many) this.names(theme);
  }

  /**
   * The scale that holds all values of a range of time.
   * @param {number} begin
   * @param {number} end
   * @returns {Scale}
   */
  scale(begin, end) {
    let [low, high] = [Infinity, -Infinity];
    const { log } = this.panel;
    for (const { times, values } of this.courses.values()) {
      for (const [at, value] of values.entries()) {
        if (times[at] < begin || times[at] > end || Number.isNaN(value) || (log && value <= 0)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(low <= high)) return { low: 0, high: 1, log: false };
    if (log) return { low: low / 1.2, high: high * 1.2, log };
    const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
    return { low: low - room, high: high + room, log: false };
  }

  /**
   * Draws the limits, where they are seen.
   * @param {Scale} scale
   * @param {Theme} theme
   */
  bounds(scale, theme) {
    const { context, inner } = this.field;
    context.setLineDash([6, 4]);
    for (const limit of this.limits ? [this.limits.low, this.limits.high] : []) {
      const y = inner.top + (1 - share(scale, limit)) * inner.height;
      if (y > inner.top && y < inner.top + inner.height) this.field.mark(inner.left, y, inner.left + inner.width, y, theme.alarm);
    }
    context.setLineDash([]);
  }

  /**
   * Draws a line; of many values the least and the greatest for each pixel.
   * @param {Course} course
   * @param {[number, number]} range
   * @param {Scale} scale
   * @param {string} colour
   */
  line({ times, values }, [begin, end], scale, colour) {
    const { context, inner } = this.field;
    const gap = this.panel.width * 2000 || Infinity;
    /** @param {number} time */
    const x = (time) => inner.left + ((time - begin) / (end - begin)) * inner.width;
    /** @param {number} value */
    const y = (value) => inner.top + (1 - Math.max(-1, share(scale, value))) * inner.height;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.4;
    context.beginPath();
    let pen = false;
    let [pixel, least, most] = [Number.NaN, 0, 0];
    for (const [at, value] of values.entries()) {
      if (Number.isNaN(value) || times[at] < begin - gap || times[at] > end) {
        pen = false;
        continue;
      }
      const [over, up] = [x(times[at]), y(value)];
      if (pen && times[at] - times[at - 1] > gap) pen = false;
      const place = Math.floor(over);
      if (pen && place === pixel && up <= most && up >= least) continue;
      [least, most] = pen && place === pixel ? [Math.min(least, up), Math.max(most, up)] : [up, up];
      pixel = place;
      if (pen) context.lineTo(over, up);
      else context.moveTo(over, up);
      pen = true;
    }
    if (!this.panel.points) context.stroke();
    if (values.length > FEW && !this.panel.points) return;
    for (const [at, value] of values.entries()) {
      if (!Number.isNaN(value) && times[at] >= begin) context.fillRect(x(times[at]) - 1.5, y(value) - 1.5, 3, 3);
    }
  }

  /**
   * Marks the values outside the limits: a diamond, so that it is not the colour alone that tells.
   * @param {Course} course
   * @param {[number, number]} range
   * @param {Scale} scale
   * @param {Theme} theme
   */
  alarms({ times, values }, [begin, end], scale, theme) {
    if (!this.limits) return;
    const { context, inner } = this.field;
    const { low, high } = this.limits;
    context.fillStyle = theme.alarm;
    let before = -9;
    for (const [at, value] of values.entries()) {
      if (!(value < low || value > high) || times[at] < begin || times[at] > end) continue;
      const x = inner.left + ((times[at] - begin) / (end - begin)) * inner.width;
      if (x - before < 1) continue;
      before = x;
      const y = inner.top + (1 - Math.max(0, share(scale, value))) * inner.height;
      context.beginPath();
      context.moveTo(x, y - 4.5);
      context.lineTo(x + 4.5, y);
      context.lineTo(x, y + 4.5);
      context.lineTo(x - 4.5, y);
      context.fill();
    }
  }

  /**
   * Writes the names of the lines.
   * @param {Theme} theme
   */
  names(theme) {
    const { inner } = this.field;
    let at = 0;
    for (const { name } of this.courses.values()) {
      const y = inner.top + 8 + 16 * at;
      if (y > inner.top + inner.height) return;
      this.field.write(name, inner.left + inner.width + 8, y, { colour: theme.colours[at % theme.colours.length], most: 80 });
      at += 1;
    }
  }

  /** What is seen, in words. */
  told() {
    const parts = [];
    for (const { name, values } of this.courses.values()) {
      const known = values.filter((each) => !Number.isNaN(each));
      const last = known[known.length - 1];
      if (last !== undefined) parts.push(`${this.courses.size > 1 ? `${name} ` : ""}${short(last)} now`);
    }
    return `${this.panel.title}: line, ${parts.join(", ") || "no values"}`;
  }
}
