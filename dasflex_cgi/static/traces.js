// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * A quantity as what plotly.js draws: lines with the shade between their extremes, or a picture over time and a second
 * coordinate with its scale of colours.
 *
 * Raised digits are characters, and the scale of colours is a narrow picture of its own: what plotly.js has for both
 * writes styles into the page, which the policy of our pages forbids.
 */

import { raised, shownText } from "./labels.js";

/**
 * @typedef {import("./data.js").Panel} Panel
 * @typedef {import("./data.js").Numbers} Numbers
 * @typedef {{text: string, soft: string, line: string, ground: string, alarm: string, colours: string[]}} Theme
 * @typedef {{data: any[], layout: any, told: string}} Figure
 */

const SCALE = "Viridis";
const COLOURS = 64;
const FEW = 80;
const TINY = 1e-6; // of a pixel: without any gap the library draws pictures of even steps with a style

/**
 * The figure of a panel.
 * @param {Panel} panel
 * @param {[number, number] | undefined} range of time in milliseconds
 * @param {Theme} theme
 * @returns {Figure}
 */
export function figure(panel, range, theme) {
  return panel.z && panel.y ? picture(panel, range, theme) : lines(panel, range, theme);
}

/**
 * The parts of an axis that all have.
 * @param {string} title
 * @param {Theme} theme
 */
function axis(title, theme) {
  return {
    title: { text: shownText(title), font: { size: 13 }, standoff: 8 },
    color: theme.text,
    gridcolor: theme.line,
    linecolor: theme.soft,
    tickcolor: theme.soft,
    ticks: "outside",
    showline: true,
    mirror: true,
    zeroline: false,
    exponentformat: "e",
    minexponent: 5,
    automargin: true,
    fixedrange: true,
  };
}

/**
 * The coordinate along which one zooms.
 * @param {Panel} panel
 * @param {[number, number] | undefined} range
 * @param {Theme} theme
 */
function along(panel, range, theme) {
  const seen = range && [...range]; // the library writes into what it is given
  const kind = panel.timed ? { type: "date", range: seen, hoverformat: "%Y-%m-%d %H:%M:%S.%L" } : {};
  return { ...axis(panel.x.title, theme), ...kind, fixedrange: !panel.timed };
}

/**
 * Where a logarithmic axis has its numbers: at powers of ten; of few of them at 2 and 5, too; else at even steps.
 * @param {number} low
 * @param {number} high
 */
export function decades(low, high) {
  const [first, last] = [Math.ceil(Math.log10(low) - 0.01), Math.floor(Math.log10(high) + 0.01)];
  const wide = last - first > 1;
  const step = wide ? Math.max(1, Math.ceil((last - first) / 7)) : 1;
  const powers = [];
  for (let power = wide ? Math.ceil(first / step) * step : first - 1; power <= last; power += step) powers.push(power);
  let values = powers.flatMap((power) => (wide ? [1] : [1, 2, 5]).map((digit) => digit * 10 ** power));
  values = values.filter((value) => value >= low / 1.03 && value <= high * 1.03);
  if (values.length < 2) values = even(low, high);
  return { tickvals: values, ticktext: values.map(tick) };
}

/**
 * Numbers at even steps between two.
 * @param {number} low
 * @param {number} high
 */
export function even(low, high) {
  const size = 10 ** Math.floor(Math.log10((high - low) / 2));
  const step = size * (((high - low) / size) > 5 ? 2 : 1);
  const count = Math.min(20, Math.floor(high / step) - Math.ceil(low / step) + 1);
  return Array.from({ length: Math.max(count, 0) }, (_none, at) => Number(((Math.ceil(low / step) + at) * step).toPrecision(6)));
}

/**
 * A number of an axis: as it is, or with a power of ten.
 * @param {number} value
 */
export function tick(value) {
  if (value >= 0.001 && value < 10000) return String(Number(value.toPrecision(6)));
  const power = Math.floor(Math.log10(value) + 1e-9);
  const digits = Number((value / 10 ** power).toPrecision(4));
  return `${digits === 1 ? "" : `${digits}×`}10${raised(String(power))}`;
}

/**
 * An axis of values.
 * @param {string} title
 * @param {boolean} log
 * @param {[number, number]} bounds
 * @param {Theme} theme
 */
function scaled(title, log, [low, high], theme) {
  const usable = log && low > 0 && high > low;
  return { ...axis(title, theme), ...(usable ? { type: "log", ...decades(low, high) } : { type: "linear" }) };
}

/**
 * The least and the greatest of many numbers, those above zero only where that is asked.
 * @param {Iterable<unknown>} values
 * @param {boolean} positive
 * @returns {[number, number]}
 */
function bounds(values, positive) {
  let [low, high] = [Infinity, -Infinity];
  for (const each of values) {
    if (typeof each !== "number" || (positive && each <= 0)) continue;
    if (each < low) low = each;
    if (each > high) high = each;
  }
  return [low, high];
}

/**
 * What all figures share.
 * @param {Panel} panel
 * @param {number} height
 * @param {Theme} theme
 */
function layout(panel, height, theme) {
  return {
    height,
    margin: { l: 64, r: 16, t: 30, b: 44 },
    title: { text: shownText(panel.title), font: { size: 14 }, x: 0.01, xanchor: "left", y: 0.98, yanchor: "top" },
    font: { family: "system-ui, sans-serif", size: 12, color: theme.text },
    paper_bgcolor: theme.ground,
    plot_bgcolor: theme.ground,
    dragmode: "zoom",
    hovermode: panel.z ? "closest" : "x",
    showlegend: false,
  };
}

/**
 * Lines over time, with the shade between the extremes of bins.
 * @param {Panel} panel
 * @param {[number, number] | undefined} range
 * @param {Theme} theme
 * @returns {Figure}
 */
function lines(panel, range, theme) {
  const data = [];
  const seen = bounds(numbersOf(panel), panel.log);
  for (const [at, line] of panel.lines.entries()) {
    const colour = theme.colours[at % theme.colours.length];
    const name = shownText(line.name);
    if (line.min && line.max) data.push(shade(panel, line.min, line.max, colour));
    if (line.values) {
      const mode = panel.points ? "markers" : line.values.length <= FEW ? "lines+markers" : "lines";
      const shape = panel.steps ? "hvh" : "linear";
      const [x, y] = gapped(panel.x.values, line.values, panel.points ? 0 : panel.width);
      const drawn = { color: colour, width: 1.4, shape, simplify: true };
      data.push({ type: "scatter", mode, x, y, name, line: drawn, marker: { color: colour, size: 4 }, connectgaps: false });
    }
  }
  const many = panel.lines.length > 1;
  const y = scaled(many ? panel.units : panel.title, panel.log, seen, theme);
  const base = layout(panel, many ? 280 : 250, theme);
  const told = `${panel.title}: ${panel.x.values.length} values${seen[0] <= seen[1] ? ` from ${short(seen[0])} to ${short(seen[1])}` : ""}`;
  const legend = many ? { showlegend: true, legend: { orientation: "h", x: 1, xanchor: "right", y: 1.02, yanchor: "bottom" } } : {};
  return { data, layout: { ...base, ...legend, xaxis: along(panel, range, theme), yaxis: y }, told };
}

/**
 * All numbers of the lines of a panel.
 * @param {Panel} panel
 */
function* numbersOf(panel) {
  for (const line of panel.lines) {
    for (const each of [line.values, line.min, line.max]) if (each) yield* each;
  }
}

/**
 * The shade between two lines: a surface for each run of records without a gap.
 * @param {Panel} panel
 * @param {Numbers} min
 * @param {Numbers} max
 * @param {string} colour
 */
function shade(panel, min, max, colour) {
  /** @type {Numbers} */
  const x = [];
  /** @type {Numbers} */
  const y = [];
  /** @type {number[]} */
  let run = [];
  const half = (panel.width * 1000) / 4; // a bin that stands alone is seen, too
  const close = () => {
    if (!run.length) return;
    const times = run.map((at) => panel.x.values[at] ?? 0);
    const ends = run.length > 1 ? times : [times[0] - half, times[0] + half];
    const tops = run.length > 1 ? run.map((at) => max[at]) : [max[run[0]], max[run[0]]];
    const feet = run.length > 1 ? run.map((at) => min[at]) : [min[run[0]], min[run[0]]];
    x.push(...ends, ...[...ends].reverse(), null);
    y.push(...tops, ...feet.reverse(), null);
    run = [];
  };
  for (const [at, time] of panel.x.values.entries()) {
    const before = run.length ? (panel.x.values[run[run.length - 1]] ?? 0) : 0;
    const known = time !== null && min[at] !== null && max[at] !== null;
    if (run.length && (!known || apart(before, time ?? 0, panel.width))) close();
    if (known) run.push(at);
  }
  close();
  const line = { color: colour, width: 0.6 };
  return { type: "scatter", mode: "lines", x, y, fill: "toself", fillcolor: `${colour}55`, line, hoverinfo: "skip" };
}

/**
 * Whether two times, in milliseconds, are further apart than records that belong together, in seconds.
 * @param {number} before
 * @param {number} after
 * @param {number} width
 */
function apart(before, after, width) {
  return width > 0 && after - before > width * 1010;
}

/**
 * A line with a gap wherever records are missing.
 * @param {Numbers} x
 * @param {Numbers} y
 * @param {number} width
 * @returns {[Numbers, Numbers]}
 */
function gapped(x, y, width) {
  if (!width) return [x, y];
  /** @type {[Numbers, Numbers]} */
  const found = [[], []];
  for (const [at, time] of x.entries()) {
    const before = at ? x[at - 1] : null;
    if (before !== null && time !== null && apart(before, time, width)) {
      found[0].push((before + time) / 2);
      found[1].push(null);
    }
    found[0].push(time);
    found[1].push(y[at]);
  }
  return found;
}

/**
 * A picture over time and a second coordinate, of one band or of several.
 * @param {Panel} panel
 * @param {[number, number] | undefined} range
 * @param {Theme} theme
 * @returns {Figure}
 */
function picture(panel, range, theme) {
  const parts = [panel, ...(panel.also ?? [])];
  const y = /** @type {import("./data.js").Axis} */ (panel.y);
  const log = panel.log;
  const seen = bounds(flat(parts), log);
  const [low, high] = log ? seen.map(Math.log10) : seen;
  const usable = Number.isFinite(low) && high > low;
  const colours = { colorscale: SCALE, showscale: false, zmin: low, zmax: high, xgap: TINY, ygap: TINY };
  const maps = parts.map((part) => ({ ...map(part), ...colours }));
  const steps = Array.from({ length: COLOURS }, (_none, at) => low + ((high - low) * at) / (COLOURS - 1));
  const bar = {
    type: "heatmap", x: [0, 1], y: steps.map((each) => (log ? 10 ** each : each)), z: steps.map((each) => [each, each]),
    xaxis: "x2", yaxis: "y2", hoverinfo: "skip", ...colours,
  };
  const scale = { ...scaled(panel.units || panel.title, log, seen, theme), side: "right", anchor: "x2", showgrid: false };
  const count = parts.reduce((sum, part) => sum + (part.z?.length ?? 0), 0);
  const sizes = [...new Set(parts.map((part) => part.y?.values.length))].join(" or ");
  const told = `${panel.title}: ${count} records of ${sizes} values${usable ? ` from ${short(seen[0])} to ${short(seen[1])}` : ""}`;
  const tags = bounds(parts.flatMap((part) => part.y?.values ?? []), y.log);
  return {
    data: usable ? [...maps, bar] : maps,
    layout: {
      ...layout(panel, 340, theme),
      xaxis: { ...along(panel, range, theme), domain: [0, 0.94], showgrid: false },
      yaxis: { ...scaled(y.title, y.log, tags, theme), showgrid: false },
      ...(usable && { xaxis2: { domain: [0.955, 0.98], visible: false, fixedrange: true }, yaxis2: scale }),
    },
    told,
  };
}

/**
 * One band of a picture.
 * @param {Panel} panel
 */
function map(panel) {
  const y = /** @type {import("./data.js").Axis} */ (panel.y);
  const z = /** @type {Numbers[]} */ (panel.z);
  const rows = y.values.map((_tag, at) => at).filter((at) => y.values[at] !== null && (!y.log || (y.values[at] ?? 0) > 0));
  rows.sort((one, two) => (y.values[one] ?? 0) - (y.values[two] ?? 0));
  const [x, records] = spread(panel.x.values, z, panel.width);
  const real = rows.map((at) => records.map((record) => record?.[at] ?? null));
  const drawn = panel.log ? real.map((row) => row.map((each) => (each !== null && each > 0 ? Math.log10(each) : null))) : real;
  const hover = `%{x}<br>%{y:.4~g} ${shownText(y.units)}<br>%{customdata:.3g} ${shownText(panel.units)}<extra></extra>`;
  const tags = rows.map((at) => y.values[at]);
  return { type: "heatmap", x, y: tags, z: drawn, customdata: real, hovertemplate: hover, hoverongaps: false };
}

/**
 * All numbers of pictures.
 * @param {Panel[]} parts
 */
function* flat(parts) {
  for (const part of parts) for (const record of part.z ?? []) if (record) yield* record;
}

/**
 * The records with an empty one on both sides of each gap, so that nothing is drawn across it.
 * @param {Numbers} x
 * @param {Numbers[]} z
 * @param {number} width
 * @returns {[Numbers, (Numbers | null)[]]}
 */
function spread(x, z, width) {
  /** @type {[Numbers, (Numbers | null)[]]} */
  const found = [[], []];
  const half = width * 500;
  for (const [at, time] of x.entries()) {
    const before = at ? x[at - 1] : null;
    if (before !== null && time !== null && apart(before, time, width)) {
      found[0].push(before + half, time - half);
      found[1].push(null, null);
    }
    found[0].push(time);
    found[1].push(z[at]);
  }
  return found;
}

/**
 * A number as it is told.
 * @param {number} value
 */
export function short(value) {
  return String(Number(value.toPrecision(3)));
}
