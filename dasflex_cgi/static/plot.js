// SPDX-License-Identifier: GPL-3.0-or-later
/** The live plot: asks for data in the resolution that can be seen, draws them, and asks again for what is zoomed to. */

import { drawing } from "./data.js";
import { query } from "./form.js";
import { timeText } from "./labels.js";
import { reason } from "./plan.js";
import { draw, loaded, theme } from "./plotting.js";
import { figure } from "./traces.js";

/**
 * @typedef {import("./form.js").Pairs} Pairs
 * @typedef {import("./request.js").Facts} Facts
 */

const MOST_PANELS = 10;
const MOST_BYTES = 150e6;
const BESIDE = 90; // pixels of a figure that are none of time
const INTERVAL_PIXELS = 2;

export class Plot {
  /**
   * @param {HTMLElement} section where the plot stands
   * @param {Facts} facts
   * @param {{address: string, asked: () => Pairs, show: (begin: string, end: string) => void,
   *   range: () => Promise<[number, number]>, interval: number}} page what the plot has of its page: where data are
   *   asked for, what the form asks, how it is told a range, the range as times in milliseconds, and the shortest
   *   interval of a model that has no records of its own, or NaN
   */
  constructor(section, facts, page) {
    this.section = section;
    this.facts = facts;
    this.page = page;
    this.panels = /** @type {HTMLElement} */ (section.querySelector("#plot-panels"));
    this.status = /** @type {HTMLElement} */ (section.querySelector("#plot-status"));
    /** @type {[number, number] | undefined} */
    this.range = undefined;
    /** @type {[number, number][]} */
    this.before = [];
    /** @type {import("./data.js").Drawing | undefined} */
    this.drawn = undefined;
    /** @type {AbortController | undefined} */
    this.running = undefined;
    this.listen();
  }

  /** Makes the buttons work, and follows the colours of the page. */
  listen() {
    /** @type {[string, () => void][]} */
    const buttons = [
      ["zoom-in", () => this.move(0.25, 0.75)],
      ["zoom-out", () => this.widen()],
      ["earlier", () => this.move(-0.5, 0.5)],
      ["later", () => this.move(0.5, 1.5)],
      ["whole", () => this.whole()],
    ];
    for (const [id, act] of buttons) this.section.querySelector(`#${id}`)?.addEventListener("click", act);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** Draws what the form asks. */
  async start() {
    this.section.hidden = false;
    this.status.textContent = "Asking for data…";
    try {
      this.range = await this.page.range();
      this.before = [];
      await this.ask();
    } catch (error) {
      this.tell(error);
    }
  }

  /**
   * Goes to a part of what is seen: 0 is its begin, and 1 its end.
   * @param {number} from
   * @param {number} to
   */
  move(from, to) {
    if (!this.range) return;
    const [begin, end] = this.range;
    this.go(begin + from * (end - begin), begin + to * (end - begin));
  }

  /**
   * Goes to a range, which the form then asks, and its data are asked for.
   * @param {number} begin
   * @param {number} end
   */
  go(begin, end) {
    if (!this.range || !(end - begin >= 1)) return;
    this.before.push(this.range);
    this.turn([begin, end]);
  }

  /** Goes back to what was seen before, or to twice as much. */
  widen() {
    const last = this.before.pop();
    if (last) this.turn(last);
    else if (this.range) this.turn([1.5 * this.range[0] - 0.5 * this.range[1], 1.5 * this.range[1] - 0.5 * this.range[0]]);
  }

  /** Goes back to what was seen first. */
  whole() {
    const [first] = this.before;
    this.before = [];
    if (first) this.turn(first);
  }

  /** @param {[number, number]} range */
  turn(range) {
    this.range = range;
    this.page.show(timeText(range[0]), timeText(range[1]));
    this.ask().catch((error) => this.tell(error));
  }

  /** The width of time on the screen in pixels. */
  pixels() {
    return Math.max(100, Math.round(this.panels.clientWidth - BESIDE));
  }

  /**
   * What is asked for a plot: what the form asks, in bins that can be told apart on the screen.
   * @returns {Pairs}
   */
  wanted() {
    const form = this.page.asked();
    const pairs = new Map([...form].filter(([name]) => !name.startsWith("format.")));
    if (this.range) {
      const seconds = (this.range[1] - this.range[0]) / 1000;
      const width = Number((seconds / this.pixels()).toPrecision(3));
      if (this.page.interval >= 0 && !pairs.has("read.time.inter")) {
        pairs.set("read.time.inter", String(Math.max(this.page.interval, width * INTERVAL_PIXELS)));
      } else if (this.facts.reduce && !this.shaped(pairs) && width > 2 * this.facts.every) {
        pairs.set("bin.time.max", String(width));
        if (this.facts.stats && this.facts.lines && !pairs.has("bin.stats")) pairs.set("bin.stats", "mean,min,max");
      }
    }
    return pairs;
  }

  /**
   * Whether a request says itself how data are reduced, or makes something of them that has no times.
   * @param {Pairs} pairs
   */
  shaped(pairs) {
    return [...pairs.keys()].some((name) => name === "bin.time.max" || name.startsWith("calc.") || name.startsWith("view."));
  }

  /** Asks for the data of the range, and draws them. What was asked before is given up. */
  async ask() {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.section.setAttribute("aria-busy", "true");
    this.status.textContent = "Asking for data…";
    const pairs = this.wanted();
    const { library = "", sheets = "" } = this.section.dataset;
    const plotly = loaded(library, sheets.split(" ").filter(Boolean));
    this.drawn = drawing(await this.fetched(pairs, running.signal));
    await this.redraw(await plotly);
    const bins = pairs.get("bin.time.max") ?? pairs.get("read.time.inter");
    this.status.textContent = this.told(this.drawn, bins);
    this.section.removeAttribute("aria-busy");
  }

  /**
   * The data of a request. What the page asks by itself is left out again where the server refuses it: not all data of
   * a source need be such that they can be averaged.
   * @param {Pairs} pairs
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  async fetched(pairs, signal) {
    const answer = await fetch(`${this.page.address}/data.json?${query(pairs)}`, { signal });
    if (answer.ok) return this.parsed(answer);
    const added = ["bin.time.max", "bin.stats"].filter((name) => pairs.has(name) && !this.page.asked().has(name));
    if (answer.status !== 400 || !added.length) throw new Error(await reason(answer));
    for (const name of added) pairs.delete(name);
    return this.fetched(pairs, signal);
  }

  /**
   * An answer as it comes, with a word of how much that is. Throws for more than a page can hold, and for half an answer.
   * @param {Response} answer
   */
  async parsed(answer) {
    const reader = answer.body?.getReader();
    const decoder = new TextDecoder();
    const pieces = [];
    let size = 0;
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      size += piece.value.length;
      pieces.push(decoder.decode(piece.value, { stream: true }));
      this.status.textContent = `Asking for data… ${(size / 1e6).toFixed(1)} MB`;
      if (size > MOST_BYTES) {
        await reader?.cancel();
        throw new Error(`These are more than ${MOST_BYTES / 1e6} MB, which is too much for a plot. Ask for less, or download them.`);
      }
    }
    try {
      return JSON.parse(pieces.join(""));
    } catch {
      throw new Error("The data end in their midst: the server broke off.");
    }
  }

  /**
   * What has been drawn, in words.
   * @param {import("./data.js").Drawing} drawn
   * @param {string | undefined} bins
   */
  told(drawn, bins) {
    const step = bins ? `, ${bins} s each` : "";
    const words = drawn.panels.length ? [`${drawn.title ? `${drawn.title}. ` : ""}${drawn.records} records${step}.`] : [];
    if (drawn.absent || !drawn.records) words.push(drawn.absent || "There are no data in this range.");
    else if (!drawn.panels.length && !drawn.problems.length) words.push("Nothing in it is a number over time.");
    if (drawn.problem) words.push(`The data end early: ${drawn.problem}.`);
    if (drawn.problems.length) words.push(`Not drawn, since they are neither lines nor pictures: ${drawn.problems.join(", ")}.`);
    return words.join(" ");
  }

  /**
   * Draws what has come, in the colours of the page.
   * @param {any} [plotly]
   */
  async redraw(plotly) {
    const draws = plotly ?? /** @type {any} */ (globalThis).Plotly;
    if (!this.drawn || !draws) return;
    const panels = this.drawn.panels.slice(0, MOST_PANELS);
    while (this.panels.children.length > panels.length) this.panels.lastElementChild?.remove();
    while (this.panels.children.length < panels.length) this.panels.append(document.createElement("div"));
    const colours = theme();
    for (const [at, panel] of panels.entries()) {
      const holder = /** @type {HTMLElement} */ (this.panels.children[at]);
      const zoomed = (/** @type {number} */ begin, /** @type {number} */ end) => panel.timed && this.go(begin, end);
      await draw(draws, holder, figure(panel, this.range, colours), zoomed, () => this.widen());
    }
  }

  /**
   * Says what went wrong, unless that was our own doing.
   * @param {unknown} error
   */
  tell(error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    this.section.removeAttribute("aria-busy");
    this.status.textContent = error instanceof Error ? error.message : String(error);
  }
}
