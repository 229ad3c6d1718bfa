// SPDX-License-Identifier: GPL-3.0-or-later
/** The page of a source: its form, the request and the plan that follow from it, and its plot. */

import { asked, fill, pairsOf, query, remember, showFormat } from "./form.js";
import { Refused, drawPlan, fetchPlan, price } from "./plan.js";
import { Plot } from "./plot.js";
import { gaps, readyToCopy, showRequest } from "./request.js";

/** @typedef {import("./request.js").Facts} Facts */

const PATIENCE = 300;

/** The page as long as it is open. */
class Page {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.flex = form.getAttribute("action") ?? "";
    this.address = this.flex.replace(/\/flex$/, "");
    /** @type {Facts} */
    this.facts = JSON.parse(form.dataset.facts ?? "{}");
    this.recipes = /** @type {HTMLElement} */ (document.getElementById("recipes"));
    this.priced = /** @type {HTMLElement} */ (document.getElementById("plan-price"));
    this.graph = /** @type {HTMLElement} */ (document.getElementById("plan-graph"));
    this.download = /** @type {HTMLAnchorElement} */ (document.getElementById("download"));
    /** @type {Promise<import("./plan.js").Plan> | undefined} */
    this.planned = undefined;
    /** @type {AbortController | undefined} */
    this.planning = undefined;
    this.waiting = 0;
  }

  /** Makes the page follow its form. */
  open() {
    this.download.hidden = false;
    readyToCopy(this.recipes);
    this.form.addEventListener("input", () => this.changed());
    this.form.addEventListener("change", () => this.changed());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      location.assign(this.download.href);
    });
    for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a.fill"))) {
      link.addEventListener("click", () => this.filled(pairsOf(new URL(link.href).search)));
    }
    this.openPlot();
    this.follow(false);
    this.plan();
  }

  /** Makes the button that plots work, if there is one. */
  openPlot() {
    const section = document.getElementById("plot");
    const button = document.getElementById("draw");
    if (!section || !button || !this.facts.entered) return;
    const model = /** @type {HTMLInputElement | null} */ (this.form.elements.namedItem("read.time.inter"));
    const plot = new Plot(section, this.facts, {
      address: this.address,
      asked: () => asked(this.form),
      show: (begin, end) => this.filled(new Map([...asked(this.form), ["read.time.min", begin], ["read.time.max", end]])),
      range: () => this.range(),
      interval: model ? Number(model.min || 0) : Number.NaN,
    });
    button.hidden = false;
    button.addEventListener("click", () => {
      if (this.form.reportValidity()) plot.start();
    });
  }

  /**
   * Writes a request into the form.
   * @param {import("./form.js").Pairs} pairs
   */
  filled(pairs) {
    fill(this.form, pairs);
    this.changed();
  }

  /** Follows a change at once where that costs nothing, and asks for the plan when no other change comes. */
  changed() {
    this.follow(true);
    this.planned = undefined;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.plan(), PATIENCE);
  }

  /**
   * Lets all that needs no server say what the form asks.
   * @param {boolean} kept whether the address of the page says it, too
   */
  follow(kept) {
    showFormat(this.form, this.facts.own[0]);
    const pairs = asked(this.form);
    const text = query(pairs);
    this.download.href = text ? `${this.flex}?${text}` : this.flex;
    showRequest(this.recipes, gaps(this.facts, this.flex, pairs));
    if (kept) remember(pairs);
  }

  /** Shows the plan of what the form asks, and its price. */
  async plan() {
    this.planning?.abort();
    if (!this.facts.entered) {
      this.priced.textContent = "Log in to see the plan and its price.";
      return;
    }
    if (!this.form.checkValidity()) {
      this.planned = undefined;
      this.graph.replaceChildren();
      this.priced.textContent = "The form is not complete.";
      return;
    }
    this.planning = new AbortController();
    const planned = fetchPlan(`${this.address}/plan`, query(asked(this.form)), this.planning.signal);
    this.planned = planned;
    try {
      const plan = await planned;
      this.priced.textContent = price(plan);
      drawPlan(this.graph, plan);
    } catch (error) {
      if (error instanceof DOMException) return;
      this.graph.replaceChildren();
      this.priced.textContent = error instanceof Refused ? error.message : "The server does not answer.";
    }
  }

  /**
   * The range of the form as times in milliseconds, as the server reads it.
   * @returns {Promise<[number, number]>}
   */
  async range() {
    if (!this.planned) await this.plan();
    const plan = await (this.planned ?? Promise.reject(new Error("The form is not complete.")));
    const ends = ["read.time.min", "read.time.max"].map((name) => Date.parse(`${plan.request[name]}Z`));
    if (!ends.every(Number.isFinite)) {
      const live = document.getElementById("live") ? " Press Watch to see data as they come." : "";
      throw new Error(`Only a range of time that ends can be plotted.${live}`);
    }
    return [ends[0], ends[1]];
  }
}

const form = document.getElementById("ask");
if (form instanceof HTMLFormElement) new Page(form).open();
