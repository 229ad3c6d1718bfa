// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The form of a source as a request: what its fields ask, filling them from an address, and keeping the page's own
 * address in step with them, so that a link to the page brings back the form as it was.
 */

/** @typedef {Map<string, string>} Pairs names of parameters and their values, in the order of the form */

const ENDS = ["read.time.min", "read.time.max"];

/**
 * The values of the ticked boxes of a list, or blank where they are those that are meant without any.
 * @param {HTMLElement} boxes
 * @returns {string}
 */
function ticked(boxes) {
  const chosen = [...boxes.querySelectorAll("input:checked")].map((box) => /** @type {HTMLInputElement} */ (box).value);
  const plain = (boxes.dataset.plain ?? "").split(",").filter(Boolean);
  const same = chosen.length === plain.length && chosen.every((each) => plain.includes(each));
  return same ? "" : chosen.join(",");
}

/**
 * What the form asks. Blank fields, and those of a format that is not chosen, ask nothing.
 * @param {HTMLFormElement} form
 * @returns {Pairs}
 */
export function asked(form) {
  /** @type {Pairs} */
  const pairs = new Map();
  for (const element of form.elements) {
    const field = /** @type {HTMLInputElement} */ (element);
    const boxes = /** @type {HTMLElement | null} */ (field.closest(".boxes"));
    if (!field.name || field.matches(":disabled")) continue;
    if (boxes) {
      const value = ticked(boxes);
      if (value) pairs.set(field.name, value);
    } else if (field.type !== "checkbox" || field.checked) {
      if (field.value.trim()) pairs.set(field.name, field.value.trim());
    }
  }
  return pairs;
}

/**
 * Writes a request into the form; what it does not name becomes as it is without a word.
 * @param {HTMLFormElement} form
 * @param {Pairs} pairs
 */
export function fill(form, pairs) {
  for (const element of form.elements) {
    const field = /** @type {HTMLInputElement} */ (element);
    const boxes = /** @type {HTMLElement | null} */ (field.closest(".boxes"));
    if (!field.name) continue;
    const value = pairs.get(field.name) ?? "";
    if (boxes) {
      field.checked = (value || boxes.dataset.plain || "").split(",").includes(field.value);
    } else if (field.type === "checkbox") {
      field.checked = value === field.value;
    } else {
      field.value = value;
      if (field.value !== value) field.value = ""; // a choice that is the default has the blank value
    }
    if (value) field.closest("details")?.setAttribute("open", "");
  }
}

/**
 * Shows the fields of the chosen format, and hides those of the others.
 * @param {HTMLFormElement} form
 * @param {string} own the kind of stream that is given where none is chosen
 */
export function showFormat(form, own) {
  const choice = /** @type {HTMLSelectElement | null} */ (form.elements.namedItem("format.type"));
  const kind = choice?.value || own;
  for (const field of /** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-format]"))) {
    const fits = (field.dataset.format ?? "").split(" ").includes(kind);
    field.hidden = !fits;
    for (const each of field.querySelectorAll("input, select")) each.toggleAttribute("disabled", !fits);
  }
  for (const details of form.querySelectorAll("details")) {
    details.hidden = !details.querySelector(".field:not([hidden])");
  }
}

/**
 * The query that asks for parameters, with both ends of the range as one. Quotes are escaped, so that an address may
 * stand in any shell and any language.
 * @param {Pairs} pairs
 * @returns {string}
 */
export function query(pairs) {
  const rest = new Map(pairs);
  const [begin, end] = ENDS.map((name) => rest.get(name));
  if (begin && end) {
    for (const name of ENDS) rest.delete(name);
  }
  const all = begin && end ? [["time", `${begin}/${end}`], ...rest] : [...rest];
  return all.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join("&");
}

/**
 * A text as it stands in a query.
 * @param {string} text
 * @returns {string}
 */
export function escaped(text) {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%3A/g, ":")
    .replace(/%2F/g, "/")
    .replace(/%2C/g, ",")
    .replace(/%20/g, "+");
}

/**
 * The parameters of a query of this page or of an example.
 * @param {string} search
 * @returns {Pairs}
 */
export function pairsOf(search) {
  /** @type {Pairs} */
  const pairs = new Map();
  for (const [name, value] of new URLSearchParams(search)) {
    const [begin, end] = value.split("/");
    if (name === "time" && end) {
      pairs.set(ENDS[0], begin).set(ENDS[1], end);
    } else {
      pairs.set(name, pairs.has(name) ? `${pairs.get(name)},${value}` : value);
    }
  }
  return pairs;
}

/**
 * Lets the address of the page say what its form asks.
 * @param {Pairs} pairs
 */
export function remember(pairs) {
  const text = query(pairs);
  history.replaceState(null, "", text ? `?${text}${location.hash}` : location.pathname + location.hash);
}
