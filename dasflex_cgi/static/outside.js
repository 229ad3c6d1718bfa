// SPDX-License-Identifier: GPL-3.0-or-later
/** Values outside their limits, in words: a list that changes when a variable leaves its limits, and when it is back. */

import { short } from "./traces.js";

/**
 * @typedef {import("./data.js").Panel} Panel
 * @typedef {import("./data.js").Numbers} Numbers
 * @typedef {{low: number, high: number}} Limits
 * @typedef {{title: string, units: string, limits: Limits, since: number, last: number, value: number, entry?: HTMLElement,
 *   over?: boolean}} Left a variable that was outside: since when, when last, and by which value
 */

const BACK = 10_000; // milliseconds within its limits after which a variable counts as back

export class Outside {
  /**
   * @param {HTMLElement} list
   * @param {Record<string, Limits>} limits
   */
  constructor(list, limits) {
    this.list = list;
    this.limits = limits;
    /** @type {Map<string, Left>} */
    this.left = new Map();
    this.newest = -Infinity;
  }

  /**
   * The limits of a quantity, which the definition gives by the name of the variable or of its dimension.
   * @param {Panel} panel
   * @returns {Limits | undefined}
   */
  of({ name, dimension }) {
    return this.limits[name.toLowerCase()] ?? this.limits[dimension.toLowerCase()];
  }

  /** Forgets all. */
  clear() {
    this.left.clear();
    this.newest = -Infinity;
    this.list.replaceChildren();
  }

  /**
   * Looks at the values of a panel.
   * @param {Panel} panel
   * @param {number[]} times in milliseconds, NaN for records that are not new
   */
  look(panel, times) {
    const limits = this.of(panel);
    if (!limits) return;
    for (const [at, time] of times.entries()) {
      if (!Number.isFinite(time)) continue;
      this.newest = Math.max(this.newest, time);
      const value = worst(valuesAt(panel, at), limits);
      if (value === undefined) continue;
      const known = this.left.get(panel.name);
      if (known) {
        known.last = Math.max(known.last, time);
        known.value = value;
      } else {
        const { title, units } = panel;
        this.left.set(panel.name, { title, units, limits, since: time, last: time, value });
      }
    }
  }

  /** Brings the list up to date: only what has changed is written, so that nobody is told twice. */
  tell() {
    for (const [name, each] of this.left) {
      if (!each.entry) {
        each.entry = document.createElement("li");
        each.entry.dataset.variable = name;
        this.list.append(each.entry);
        each.entry.textContent = text(each);
      }
      if (this.newest - each.last > BACK) {
        each.entry.remove();
        this.left.delete(name);
      }
    }
  }
}

/**
 * What is told of a variable.
 * @param {Left} left
 */
function text({ title, limits: { low, high }, since, value }) {
  const where = value < low ? `below ${short(low)}` : `above ${short(high)}`;
  return `${title} is outside its limits: ${short(value)} is ${where}, since ${new Date(since).toISOString().slice(11, 19)}`;
}

/**
 * The values of a record.
 * @param {Panel} panel
 * @param {number} at
 * @returns {Iterable<number | null | undefined>}
 */
function valuesAt(panel, at) {
  if (panel.z) return panel.z[at] ?? [];
  return panel.lines.flatMap((line) => [line.values, line.min, line.max].map((each) => each?.[at]));
}

/**
 * The value that is farthest outside; undefined where all lie within.
 * @param {Iterable<number | null | undefined>} values
 * @param {Limits} limits
 */
function worst(values, { low, high }) {
  let found;
  let most = 0;
  for (const each of values) {
    if (typeof each !== "number" || !(each < low || each > high)) continue;
    const away = each < low ? low - each : each - high;
    if (found === undefined || away > most) [found, most] = [each, away];
  }
  return found;
}
