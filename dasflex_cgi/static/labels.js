// SPDX-License-Identifier: GPL-3.0-or-later
/** Texts of streams as a plot shows them: units with raised exponents, labels without the marks of das2 streams. */

const RAISED = new Map([..."0123456789+-.abcdefghijklmnoprstuvwxyz"].map((char, at) => [
  char,
  [..."⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻·ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"][at],
]));
const LOWERED = new Map([..."0123456789+-"].map((char, at) => [char, [..."₀₁₂₃₄₅₆₇₈₉₊₋"][at]]));

/**
 * A text in characters that stand higher, where each of it has one; else with a caret.
 * @param {string} text
 */
export function raised(text) {
  return [...text].every((char) => RAISED.has(char)) ? [...text].map((char) => RAISED.get(char)).join("") : `^${text}`;
}

/**
 * Units as people read them: `V**2 m**-2 Hz**-1` is V² m⁻² Hz⁻¹.
 * @param {string} units
 */
export function unitText(units) {
  return units.replace(/\*\*\s*(?:\(([^()]+)\)|([+-]?[0-9.]+))/g, (_all, inside, power) => raised(inside ?? power)).trim();
}

/**
 * A label without the marks that move the text of a das2 stream (`!a2!n` is raised, `!c` begins a line), and with the
 * properties that it names (`%{NAME}`) in their places.
 * @param {string} label
 * @param {(name: string) => string} property
 */
export function labelText(label, property) {
  const named = label.replace(/%\{([^}]*)\}/g, (_all, name) => ` ${property(name)}`);
  /** @type {string[]} */
  const parts = [];
  let mode = "n";
  for (const piece of named.split(/(![a-zA-Z!])/)) {
    const mark = /^![a-zA-Z]$/.test(piece) ? piece[1].toLowerCase() : "";
    if (mark === "c") parts.push(", ");
    else if (mark) mode = mark;
    else if ((mode === "a" || mode === "u") && piece) parts.push(raised(piece));
    else if ((mode === "b" || mode === "d") && piece) parts.push([...piece].map((char) => LOWERED.get(char) ?? char).join(""));
    else parts.push(piece);
  }
  return unitText(parts.join("").replace(/(, )+\s*(?=$|, )/g, "").replace(/\s+/g, " ").trim());
}

/**
 * A text that a plot shows as it is: what looks like an element of a page is none.
 * @param {string} text
 */
export function shownText(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/**
 * A time in milliseconds as it stands in a request.
 * @param {number} time
 */
export function timeText(time) {
  return new Date(time).toISOString().replace(/Z$/, "").replace(/\.000$/, "").replace(/:00$/, "");
}
