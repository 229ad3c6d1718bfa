// SPDX-License-Identifier: GPL-3.0-or-later
/** Puts figures on the page with plotly.js, which is fetched when the first plot is wanted. */

/** @typedef {import("./traces.js").Theme} Theme */

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false, scrollZoom: false };

/** @type {Promise<any> | undefined} */
let library;

/**
 * The library. An element stands in for each style sheet that it would write into the page.
 * @param {string} address
 * @param {string[]} sheets
 * @returns {Promise<any>}
 */
export function loaded(address, sheets) {
  library ??= new Promise((resolve, reject) => {
    for (const sheet of sheets) {
      const stand = document.createElement("template");
      stand.id = sheet;
      document.head.append(stand);
    }
    const script = document.createElement("script");
    script.src = address;
    script.addEventListener("load", () => resolve(/** @type {any} */ (globalThis).Plotly));
    script.addEventListener("error", () => reject(new Error("The library that draws plots cannot be fetched")));
    document.head.append(script);
  });
  return library;
}

/**
 * The colours of the page.
 * @returns {Theme}
 */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const of = (name) => style.getPropertyValue(name).trim();
  const colours = ["--one", "--two", "--three", "--four", "--five", "--six"].map(of);
  return { text: of("--text"), soft: of("--soft"), line: of("--line"), ground: of("--ground"), alarm: of("--warn"), colours };
}

/**
 * Draws a figure into an element, anew or for the first time. `zoomed` is told the range that was dragged over, in
 * milliseconds, and `widened` that the figure was clicked twice.
 * @param {any} plotly
 * @param {HTMLElement} holder
 * @param {import("./traces.js").Figure} figure
 * @param {(begin: number, end: number) => void} zoomed
 * @param {() => void} widened
 */
export async function draw(plotly, holder, figure, zoomed, widened) {
  holder.setAttribute("role", "figure");
  holder.setAttribute("aria-label", figure.told);
  await plotly.react(holder, figure.data, figure.layout, CONFIG);
  const plot = /** @type {any} */ (holder);
  plot.removeAllListeners("plotly_relayout");
  plot.removeAllListeners("plotly_doubleclick");
  plot.on("plotly_doubleclick", widened);
  plot.on("plotly_relayout", (/** @type {Record<string, string>} */ change) => {
    const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]].map(instant);
    if (ends.every(Number.isFinite)) zoomed(Math.min(...ends), Math.max(...ends));
  });
}

/**
 * A time of plotly.js (`2008-06-29 17:05:12.3456`) in milliseconds.
 * @param {string | number | undefined} time
 */
function instant(time) {
  return typeof time === "string" ? Date.parse(`${time.replace(" ", "T").slice(0, 23)}${time.length > 10 ? "Z" : "T00:00Z"}`) : Number(time);
}
