// SPDX-License-Identifier: GPL-3.0-or-later
/** The request of the form in the words of several programs: fills the gaps of the texts that the page came with. */

import { escaped, query } from "./form.js";

/** @typedef {import("./form.js").Pairs} Pairs */
/**
 * What the page knows of its source: its id, the address of the server, the stream types that can be had with the
 * suffix of each, the reader's own type, and whether and how data can be reduced.
 * @typedef {{id: string, server: string, types: string[][], own: string[], reduce: boolean, stats: boolean,
 *   lines: boolean, every: number, entered: boolean}} Facts
 */

const GOAL = ["format.type", "format.version", "format.serial"];
const SHORT = new Map([["bin.time.max", "resolution"], ["read.time.inter", "interval"]]);

/**
 * The suffix of the files of the type that is asked for.
 * @param {Facts} facts
 * @param {Pairs} pairs
 */
function suffix(facts, pairs) {
  const named = GOAL.map((name) => pairs.get(name) ?? "");
  const wanted = named[0] ? named : named.map((part, at) => part || facts.own[at]);
  const found = facts.types.find((type) => wanted.every((want, at) => !want || want === type[at]));
  return found ? found[3] : "dat";
}

/**
 * What fills the gaps for a request.
 * @param {Facts} facts
 * @param {string} address where data are asked for
 * @param {Pairs} pairs
 * @returns {Map<string, string>}
 */
export function gaps(facts, address, pairs) {
  const text = query(pairs);
  const url = new URL(text ? `${address}?${text}` : address, location.href).href.replace(/'/g, "%27");
  const rest = [...pairs].filter(([name]) => !/^read\.time\.(min|max)$|^format\./.test(name));
  const more = rest.map(([name, value]) => `&${escaped(SHORT.get(name) ?? name)}=${escaped(value)}`);
  const lines = [...pairs].map((pair) => `    (${pair.map(literal).join(", ")}),\n`);
  return new Map([
    ["url", url],
    ["file", `${facts.id.split("/").pop()}.${suffix(facts, pairs)}`],
    ["id", literal(facts.id)],
    ["pairs", lines.join("")],
    ["server", `${facts.server}/`],
    ["path", escaped(facts.id).replace(/%2B/g, "+")],
    ["begin", escaped(pairs.get("read.time.min") ?? "")],
    ["end", escaped(pairs.get("read.time.max") ?? "")],
    ["more", more.join("")],
  ]);
}

/**
 * A text as Python writes it.
 * @param {string} text
 */
function literal(text) {
  return JSON.stringify(text).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Writes the request anew for each program.
 * @param {HTMLElement} recipes
 * @param {Map<string, string>} filling
 */
export function showRequest(recipes, filling) {
  for (const code of /** @type {NodeListOf<HTMLElement>} */ (recipes.querySelectorAll("[data-pattern]"))) {
    code.textContent = (code.dataset.pattern ?? "").replace(/\{(\w+)\}/g, (_all, name) => filling.get(name) ?? "");
  }
}

/**
 * Makes the buttons that copy work, and shows them.
 * @param {HTMLElement} recipes
 */
export function readyToCopy(recipes) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (recipes.querySelectorAll("button.copy"))) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy ?? "");
      const done = source ? await copied(source) : false;
      button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }
}

/**
 * Copies the text of an element; where the browser does not let us, the text is selected, and false is returned.
 * @param {HTMLElement} source
 */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
