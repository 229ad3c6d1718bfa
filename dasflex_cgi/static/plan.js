// SPDX-License-Identifier: GPL-3.0-or-later
/** The plan of a request as a graph and as a table, with its price: what would run, before anything does. */

/**
 * @typedef {{id: number, name: string, role: string, title: string, produces: string, consumes: string[],
 *   inputs: number[], seconds: number}} Step
 * @typedef {{bytes: number | null, records: number | null, seconds: number, read: number | null, basis: string}} Estimate
 * @typedef {{request: Record<string, string>, produces: string, seconds: number, nodes: Step[], estimate: Estimate,
 *   refused: string | null, alternatives: {stages: string[], seconds: number, reason: string}[], remarks: string[]}} Plan
 */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 226;
const GAP = 104;
const LINE = 17;
const LONGEST = 28;

/** What a server says of a request that it cannot plan. */
export class Refused extends Error {}

/**
 * The plan of a request. Throws `Refused` with the reason of the server.
 * @param {string} address
 * @param {string} query
 * @param {AbortSignal} signal
 * @returns {Promise<Plan>}
 */
export async function fetchPlan(address, query, signal) {
  const answer = await fetch(`${address}?${query}&format=json`, { signal, headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  throw new Refused(await reason(answer));
}

/**
 * The reason of a refusal, as the server tells it.
 * @param {Response} answer
 */
export async function reason(answer) {
  const text = (await answer.text()).trim();
  try {
    const told = JSON.parse(text);
    return String(told.message ?? told.error?.message ?? told.items?.find((/** @type {any} */ item) => item.problem)?.message ?? text);
  } catch {
    return text.startsWith("<") ? `${answer.status} ${answer.statusText}` : text;
  }
}

/**
 * Seconds, as people read them.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Number(seconds.toPrecision(2))} s`;
  return `${Math.round(seconds / 60)} min`;
}

/**
 * An amount of data, as people read it.
 * @param {number} bytes
 */
function amount(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let left = bytes;
  while (left >= 999.5 && units.length > 1) {
    left /= 1000;
    units.shift();
  }
  return `${Number(left.toPrecision(2))} ${units[0]}`;
}

/**
 * The price of a plan in words.
 * @param {Plan} plan
 */
export function price(plan) {
  const { seconds, bytes, records } = plan.estimate;
  const size = bytes === null ? "" : `, about ${amount(bytes)}`;
  const count = records === null ? "" : `, about ${records.toLocaleString("en")} records`;
  const said = [...plan.remarks, ...(plan.refused ? [plan.refused] : [])];
  const remarks = said.length ? ` ${said.join(". ")}.` : "";
  return `About ${duration(seconds)}${size}${count}, as ${plan.produces}.${remarks}`;
}

/**
 * Draws a plan into an element.
 * @param {HTMLElement} holder
 * @param {Plan} plan
 */
export function drawPlan(holder, plan) {
  holder.replaceChildren(graph(plan), table(plan));
}

/**
 * How far each step is from the beginning.
 * @param {Step[]} steps
 */
function depths(steps) {
  /** @type {number[]} */
  const found = [];
  for (const step of steps) found.push(step.inputs.length ? 1 + Math.max(...step.inputs.map((id) => found[id])) : 0);
  return found;
}

/**
 * What a step takes, begin before end.
 * @param {Step} step
 * @param {Plan} plan
 */
function taken(step, plan) {
  const order = [...step.consumes].sort((one, two) => one.replace(/max$/, "n").localeCompare(two.replace(/max$/, "n")));
  return order.map((name) => `${name}=${plan.request[name] ?? ""}`);
}

/**
 * The lines of the box of a step.
 * @param {Step} step
 * @param {Plan} plan
 */
function words(step, plan) {
  return taken(step, plan).map(shortened);
}

/**
 * A text that fits into a box.
 * @param {string} text
 */
function shortened(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/**
 * The plan as a picture, from left to right.
 * @param {Plan} plan
 */
function graph(plan) {
  const columns = depths(plan.nodes);
  const heights = plan.nodes.map((step) => 3.2 * LINE + words(step, plan).length * LINE);
  /** @type {{x: number, y: number, height: number}[]} */
  const places = [];
  const bottoms = new Map();
  for (const [at, column] of columns.entries()) {
    const y = bottoms.get(column) ?? 8;
    places.push({ x: 2 + column * (WIDTH + GAP), y, height: heights[at] });
    bottoms.set(column, y + heights[at] + 20);
  }
  const end = { x: 2 + (Math.max(...columns) + 1) * (WIDTH + GAP), y: 8, height: 2.2 * LINE };
  const width = end.x + 62;
  const height = Math.max(...bottoms.values());
  const told = [...plan.nodes.map((step) => `${step.name} gives ${step.produces}`)].join(", then ");
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "graph" });
  svg.setAttribute("aria-label", `The plan: ${told}, which is sent to you.`);
  for (const [at, step] of plan.nodes.entries()) {
    for (const from of step.inputs) svg.append(...arrow(places[from], places[at], plan.nodes[from].produces));
  }
  const last = plan.nodes.length - 1;
  svg.append(...arrow(places[last], end, plan.produces));
  for (const [at, step] of plan.nodes.entries()) svg.append(box(step, plan, places[at]));
  const you = element("g", { class: "you" });
  you.append(element("rect", { x: end.x, y: end.y, width: 60, height: end.height, rx: 18 }));
  you.append(text("you", end.x + 30, end.y + 1.4 * LINE, "middle"));
  svg.append(you);
  const wide = document.createElement("div");
  wide.className = "wide";
  wide.tabIndex = 0;
  wide.setAttribute("role", "region");
  wide.setAttribute("aria-label", "The plan as a graph");
  wide.append(svg);
  return wide;
}

/**
 * A step as a box.
 * @param {Step} step
 * @param {Plan} plan
 * @param {{x: number, y: number, height: number}} place
 */
function box(step, plan, place) {
  const group = element("g", { class: step.role });
  group.append(element("rect", { x: place.x, y: place.y, width: WIDTH, height: place.height, rx: 7 }));
  const name = text(shortened(step.name), place.x + 12, place.y + 1.3 * LINE, "start");
  name.setAttribute("class", "name");
  group.append(name, text(`${step.role}, ${duration(step.seconds)}`, place.x + 12, place.y + 2.4 * LINE, "start"));
  for (const [at, line] of words(step, plan).entries()) {
    const word = text(line, place.x + 12, place.y + (3.6 + at) * LINE, "start");
    word.setAttribute("class", "word");
    group.append(word);
  }
  return group;
}

/**
 * An arrow between two boxes, with the type of what flows.
 * @param {{x: number, y: number, height: number}} from
 * @param {{x: number, y: number, height: number}} to
 * @param {string} type
 */
function arrow(from, to, type) {
  const [x1, y1] = [from.x + WIDTH, from.y + 1.1 * LINE];
  const [x2, y2] = [to.x - 3, to.y + 1.1 * LINE];
  const line = element("path", { d: `M${x1} ${y1} C${x1 + GAP / 2} ${y1} ${x2 - GAP / 2} ${y2} ${x2 - 6} ${y2}`, class: "arrow" });
  const head = element("path", { d: `M${x2 + 2} ${y2} l-9 -4.5 v9 z`, class: "head" });
  const label = text(type, (x1 + x2) / 2, (y1 + y2) / 2 - 7, "middle");
  label.setAttribute("class", "type");
  return [line, head, label];
}

/**
 * An element of a picture.
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/**
 * A text of a picture.
 * @param {string} content
 * @param {number} x
 * @param {number} y
 * @param {string} anchor
 */
function text(content, x, y, anchor) {
  const made = element("text", { x, y, "text-anchor": anchor });
  made.textContent = content;
  return made;
}

/**
 * The plan as a table, with the other ways and why they lost.
 * @param {Plan} plan
 */
function table(plan) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "Each step, and other ways";
  const rows = plan.nodes.map((step, at) => [
    String(at + 1),
    step.name,
    step.title,
    step.produces,
    taken(step, plan).join(" "),
    duration(step.seconds),
  ]);
  details.append(summary, tableOf("Steps", ["", "Stage", "What it is", "Gives", "Takes", "Costs"], rows));
  if (plan.alternatives.length) {
    const others = plan.alternatives.map((each) => [each.stages.join(" → "), each.reason]);
    details.append(tableOf("Other ways", ["Stages", "Why not"], others));
  }
  return details;
}

/**
 * A table with its caption.
 * @param {string} caption
 * @param {string[]} heads
 * @param {string[][]} rows
 */
function tableOf(caption, heads, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = caption;
  const head = made.createTHead().insertRow();
  for (const each of heads) {
    const cell = document.createElement(each ? "th" : "td");
    if (each) cell.setAttribute("scope", "col");
    cell.textContent = each;
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const each of row) line.insertCell().textContent = each;
  }
  const wide = document.createElement("div");
  wide.className = "wide";
  wide.append(made);
  return wide;
}
