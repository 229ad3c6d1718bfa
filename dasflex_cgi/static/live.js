// SPDX-License-Identifier: GPL-3.0-or-later
/** The live view of a source: watches its WebSocket, draws what comes, and tells of what is late, missing or outside. */

import { drawing } from "./data.js";
import { asked, query } from "./form.js";
import { Picture } from "./picture.js";
import { theme } from "./plotting.js";
import { LiveSocket } from "./socket.js";
import { Strip } from "./strip.js";
import { Outside } from "./outside.js";

/**
 * @typedef {import("./data.js").Panel} Panel
 * @typedef {{plot: Picture | Strip, holder: HTMLElement, after: number}} Shown a quantity on the page; `after` is the time
 *   up to which records are known already when a new connection gives them again
 */

const MOST_PANELS = 10;
const MOST_REMARKS = 12;
const SLOW = 1000; // milliseconds between two pictures for who wants little motion
const TICK = 500;
const TOLD = 4000; // milliseconds after which pictures are described anew
const QUIET = 3000;
const HASH = "#live";

/** What has come, and what was made of it, before anything has. */
function nothing() {
  return {
    /** @type {Map<string, Shown>} */
    shown: new Map(),
    /** @type {any} */
    stream: {},
    /** @type {Map<number, any>} */
    declared: new Map(),
    counts: { records: 0, gaps: 0, restarts: 0, breaks: -1 },
    newest: Number.NaN,
    lag: Number.NaN,
    came: 0,
    ending: Number.NaN,
    drawn: 0,
    described: 0,
  };
}

/** The section of the page as long as it is open. */
class Live {
  /** @param {HTMLElement} section */
  constructor(section) {
    this.section = section;
    const { address = "", plan = "", ticket = "", limits = "{}" } = section.dataset;
    this.outside = new Outside(this.of("outside"), JSON.parse(limits));
    this.socket = new LiveSocket({ address, plan, ticket }, {
      query: () => this.query(),
      opened: () => this.opened(),
      line: (item) => this.line(item),
      told: (text) => this.say(text),
      ended: (text) => this.ended(text),
    });
    this.little = matchMedia("(prefers-reduced-motion: reduce)");
    this.watching = false;
    this.paused = false;
    this.behind = 0; // milliseconds of our clock behind that of the server
    this.state = "";
    this.ticking = 0;
    this.due = 0;
    this.seen = nothing();
  }

  /** Forgets all that has come. */
  restart() {
    this.seen = nothing();
    clearInterval(this.ticking);
    this.of("panels").replaceChildren();
    this.of("remarks").replaceChildren();
    this.outside.clear();
    this.facts();
  }

  /**
   * A part of the section.
   * @param {string} name
   */
  of(name) {
    return /** @type {HTMLElement} */ (this.section.querySelector(`#live-${name}`));
  }

  /** Makes the buttons work. */
  open() {
    this.of("controls").hidden = false;
    this.of("watch").addEventListener("click", () => (this.watching ? this.stop() : this.start()));
    this.of("pause").addEventListener("click", () => this.pause(!this.paused));
    this.of("span").addEventListener("change", () => this.respan());
    document.addEventListener("visibilitychange", () => this.later());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    this.little.addEventListener("change", () => this.later());
    new ResizeObserver(() => this.later()).observe(this.of("panels"));
    addEventListener("pagehide", () => this.stop());
    if (location.hash === HASH) this.start();
  }

  /** The time that is shown, in milliseconds. */
  get span() {
    return Number(/** @type {HTMLSelectElement} */ (this.of("span")).value) * 1000;
  }

  /** What is asked of the server: what the form asks, from as long ago as is shown, for ever. */
  query() {
    const form = document.getElementById("ask");
    const pairs = form instanceof HTMLFormElement ? asked(form) : new Map();
    const kept = [...pairs].filter(([name]) => !/^(read\.time\.(min|max)|time$|format\.)/.test(name));
    return query(new Map([["time", `now-PT${this.span / 1000}S/forever`], ...kept, ["format.type", "jsonl"]]));
  }

  /** Begins to watch, unless a log-in is needed first. */
  start() {
    if (this.section.dataset.logIn) {
      this.say("This source is protected: log in to watch it.");
      return;
    }
    this.restart();
    this.watching = true;
    this.of("view").hidden = false;
    this.of("watch").textContent = "Stop";
    /** @type {HTMLButtonElement} */ (this.of("pause")).disabled = false;
    this.pause(false);
    history.replaceState(null, "", HASH);
    this.clock();
    this.socket.start();
    this.ticking = setInterval(() => this.tick(), TICK);
  }

  /** Ends that. What was drawn stays. */
  stop() {
    if (!this.watching) return;
    this.socket.stop();
    this.ended("Stopped.");
  }

  /** @param {string} text */
  ended(text) {
    this.watching = false;
    clearInterval(this.ticking);
    this.of("watch").textContent = "Watch";
    /** @type {HTMLButtonElement} */ (this.of("pause")).disabled = true;
    this.say(text);
    this.later();
  }

  /**
   * Holds the picture, while data still come; or lets it go on.
   * @param {boolean} paused
   */
  pause(paused) {
    this.paused = paused;
    this.seen.ending = paused ? this.seen.newest : Number.NaN;
    this.of("pause").textContent = paused ? "Resume" : "Pause";
    this.of("pause").setAttribute("aria-pressed", String(paused));
    if (this.seen.counts.records) this.say(paused ? "Paused: data still come." : "Watching.");
    this.later();
  }

  /** Shows another span of time; of a longer one the past is asked for. */
  respan() {
    if (this.watching) this.start();
    else this.later();
  }

  /** @param {string} text */
  say(text) {
    if (this.state === text) return;
    this.state = text;
    this.of("status").textContent = text;
  }

  /** A connection is open: what it gives was seen before, in part. */
  opened() {
    this.seen.counts.breaks += 1;
    this.seen.declared.clear();
    for (const each of this.seen.shown.values()) each.after = each.plot.newest;
    this.seen.came = performance.now();
    this.say(this.seen.counts.records ? "Watching again." : "Connected; no data have come yet.");
    this.facts();
  }

  /**
   * Takes one object of the stream.
   * @param {any} item
   */
  line(item) {
    if (item.form !== undefined) this.seen.stream = item.stream;
    else if (item.dataset !== undefined) this.seen.declared.set(item.dataset, item);
    else if (item.count !== undefined) this.records(item);
    else if (item.comment !== undefined) this.comment(item);
    else if (item.problem !== undefined) this.remark(`The stream broke: ${item.message}`);
    else if (item.nodata !== undefined) this.remark(item.nodata || "There are no data.");
  }

  /**
   * Takes records.
   * @param {any} item
   */
  records(item) {
    const declared = this.seen.declared.get(item.records);
    if (!declared) return;
    const made = drawing({ stream: this.seen.stream, items: [declared, item] });
    this.seen.came = performance.now();
    const panels = made.panels.flatMap((panel) => [panel, ...(panel.also ?? [])]).filter((panel) => panel.timed);
    const known = panels.map((panel) => this.take(panel));
    this.seen.counts.records += item.count - (known.length ? Math.min(item.count, ...known) : 0);
    if (Number.isFinite(this.seen.newest)) this.seen.lag = Date.now() + this.behind - this.seen.newest;
    if (!this.seen.shown.size) this.say("Data come, but nothing in them is a number over time.");
    else this.say(this.paused ? "Paused: data still come." : "Watching.");
    this.later();
  }

  /**
   * Takes the records of a panel, but those that are known; how many these are.
   * @param {Panel} panel
   */
  take(panel) {
    const shown = this.holder(panel);
    if (!shown) return 0;
    let times = panel.x.values.map((each) => each ?? Number.NaN);
    const last = times[times.length - 1];
    if (last < shown.after - this.span) shown.after = Number.NaN; // the clock of the data was set back
    const { after } = shown;
    const known = times.filter((each) => each <= after).length;
    if (known) times = times.map((each) => (each > after ? each : Number.NaN));
    if (last > after) shown.after = Number.NaN;
    const newest = times.reduce((most, each) => (each > most ? each : most), -Infinity);
    if (newest > -Infinity) this.seen.newest = Number.isNaN(this.seen.newest) ? newest : Math.max(this.seen.newest, newest);
    this.outside.look(panel, times);
    shown.plot.take(panel, times);
    return known;
  }

  /**
   * Where a panel is drawn; undefined for one too many.
   * @param {Panel} panel
   * @returns {Shown | undefined}
   */
  holder(panel) {
    const key = JSON.stringify([panel.name, panel.title, panel.x.title, panel.y?.title]);
    const known = this.seen.shown.get(key);
    if (known || this.seen.shown.size >= MOST_PANELS) return known;
    const holder = document.createElement("div");
    holder.setAttribute("role", "figure");
    holder.setAttribute("aria-label", panel.title);
    this.of("panels").append(holder);
    const limits = this.outside.of(panel);
    const plot = panel.z && panel.y ? new Picture(holder, panel, limits) : new Strip(holder, panel, limits);
    const made = { plot, holder, after: Number.NaN };
    this.seen.shown.set(key, made);
    return made;
  }

  /**
   * Takes a comment: what the server left out, and that the reader is started again, are counted.
   * @param {{comment: string, text: string}} item
   */
  comment({ comment, text }) {
    if (!/^log:(info|warning|error)$/.test(comment)) return;
    if (comment === "log:warning" && /started again/i.test(text)) this.seen.counts.restarts += 1;
    else if (comment === "log:warning") this.seen.counts.gaps += 1;
    this.remark(text);
  }

  /** @param {string} text */
  remark(text) {
    const list = this.of("remarks");
    const entry = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = new Date(Date.now() + this.behind).toISOString().slice(11, 19);
    entry.append(time, ` ${text}`);
    list.prepend(entry);
    while (list.children.length > MOST_REMARKS) list.lastElementChild?.remove();
  }

  /** How far our clock is behind that of the server, as far as its answers tell: they have whole seconds. */
  async clock() {
    try {
      const before = Date.now();
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
      const served = Date.parse(answer.headers.get("date") ?? "");
      const [most, least] = [served + 1000 - before, served - Date.now()];
      if (most < 0 || least > 0) this.behind = (most + least) / 2;
    } catch {
      this.behind = 0; // lag is then told by our clock alone
    }
  }

  /** Tells what changes with time. */
  tick() {
    const quiet = performance.now() - this.seen.came;
    if (this.seen.counts.records && quiet > QUIET && /^(Watching|Nothing)/.test(this.state)) {
      this.say(`Nothing has come for ${Math.floor(quiet / 3000) * 3} s.`);
    }
    this.facts();
  }

  /** Writes the numbers. */
  facts() {
    const { records, gaps, restarts, breaks } = this.seen.counts;
    this.of("newest").textContent = Number.isFinite(this.seen.newest) ? moment(this.seen.newest) : "none yet";
    this.of("lag").textContent = Number.isFinite(this.seen.lag) ? duration(this.seen.lag) : "";
    this.of("records").textContent = String(records);
    this.of("gaps").textContent = String(gaps);
    this.of("restarts").textContent = String(restarts);
    this.of("breaks").textContent = String(Math.max(0, breaks));
    this.outside.tell();
  }

  /** Draws soon: with the next picture of the screen, or at most once in a while for who wants little motion. */
  later() {
    if (this.due || document.hidden || !this.seen.shown.size) return;
    const wait = this.little.matches ? Math.max(0, this.seen.drawn + SLOW - performance.now()) : 0;
    this.due = wait ? setTimeout(() => this.draw(), wait) : requestAnimationFrame(() => this.draw());
  }

  /** Draws all panels up to the newest record, or to where they were held. */
  draw() {
    this.due = 0;
    this.seen.drawn = performance.now();
    const end = Number.isFinite(this.seen.ending) ? this.seen.ending : this.seen.newest;
    if (!Number.isFinite(end)) return;
    const colours = theme();
    for (const { plot } of this.seen.shown.values()) plot.draw(end, this.span, colours);
    this.section.dataset.drawn = String(end);
    if (this.seen.drawn - this.seen.described < TOLD) return;
    this.seen.described = this.seen.drawn;
    for (const { plot, holder } of this.seen.shown.values()) holder.setAttribute("aria-label", plot.told());
    this.facts();
  }
}

/**
 * A time of the data, with its day where that is another than today.
 * @param {number} time in milliseconds
 */
function moment(time) {
  const [text, today] = [time, Date.now()].map((each) => new Date(each).toISOString());
  return text.slice(0, 10) === today.slice(0, 10) ? text.slice(11, 21) : text.slice(0, 21).replace("T", " ");
}

/**
 * A span of time in words.
 * @param {number} time in milliseconds
 */
function duration(time) {
  const seconds = time / 1000;
  if (Math.abs(seconds) < 120) return `${seconds.toFixed(1)} s`;
  if (Math.abs(seconds) < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const section = document.getElementById("live");
if (section) new Live(section).open();
