// SPDX-License-Identifier: GPL-3.0-or-later
/** Data as the server gives them in JSON, made into what a plot needs: for each quantity its coordinates and values. */

import { labelText, unitText } from "./labels.js";

/**
 * @typedef {Record<string, {type: string, value: string}>} Properties
 * @typedef {{name: string, title?: string, label?: string, dimension: string, coordinate: boolean, role: string,
 *   semantic: string, units: string, index: (string | number | null)[], column: boolean, values?: any, axes?: string[],
 *   components?: number,
 *   properties?: Properties}} Variable
 * @typedef {(number | null)[]} Numbers
 * @typedef {{title: string, units: string, log: boolean, values: Numbers}} Axis
 * @typedef {{name: string, min?: Numbers, max?: Numbers, values?: Numbers}} Line
 * @typedef {{name: string, dimension: string, title: string, units: string, log: boolean, x: Axis, timed: boolean, width: number, steps: boolean,
 *   points: boolean, lines: Line[], y?: Axis, z?: Numbers[], also?: Panel[]}} Panel a quantity; `z` is by record where it
 *   has a `y`, and `width` is how far apart records may be that belong together; `also` are other bands of the same
 * @typedef {{title: string, panels: Panel[], records: number, absent: string, problem: string, problems: string[]}} Drawing
 */

const SECONDS = new Map([
  ["ns", 1e-9], ["us", 1e-6], ["microseconds", 1e-6], ["ms", 1e-3], ["milliseconds", 1e-3], ["s", 1], ["sec", 1],
  ["seconds", 1], ["min", 60], ["minutes", 60], ["hr", 3600], ["h", 3600], ["hours", 3600], ["days", 86400], ["d", 86400],
]);

/** One dataset: its declaration, and the columns that have come. */
class Table {
  /**
   * @param {{variables: Variable[]}} declared
   * @param {Properties} stream
   */
  constructor(declared, stream) {
    this.variables = declared.variables;
    this.stream = stream;
    /** @type {Map<string, any[]>} */
    this.columns = new Map();
    this.count = 0;
  }

  /** @param {{count: number, columns: Record<string, any[]>}} item */
  add(item) {
    this.count += item.count;
    for (const [name, values] of Object.entries(item.columns)) {
      const known = this.columns.get(name) ?? [];
      for (const each of values) known.push(typeof each === "boolean" ? Number(each) : each);
      this.columns.set(name, known);
    }
  }

  /**
   * The values of a variable: a column, or what the declaration has.
   * @param {Variable} variable
   * @returns {any[]}
   */
  values(variable) {
    return variable.column ? (this.columns.get(variable.name) ?? []) : (variable.values ?? []);
  }

  /**
   * A property of a variable, or else of the stream.
   * @param {Variable | undefined} variable
   * @param {string[]} names
   */
  property(variable, ...names) {
    for (const owner of [variable?.properties, this.stream]) {
      for (const name of names) if (owner?.[name]) return String(owner[name].value);
    }
    return "";
  }

  /**
   * What a variable is called, with its units where they are not said.
   * @param {Variable} variable
   */
  title(variable) {
    const label = labelText(variable.label || variable.title || variable.name, (name) => this.property(variable, name));
    const units = unitText(variable.units);
    const said = label.endsWith(")") || label.replace(/\s/g, "").includes(units.replace(/\s/g, ""));
    return !units || variable.semantic === "datetime" || said ? label : `${label} (${units})`;
  }
}

/**
 * What is to be drawn of an answer.
 * @param {any} answer
 * @returns {Drawing}
 */
export function drawing(answer) {
  const properties = answer.stream?.properties ?? {};
  const title = labelText(answer.stream?.title ?? "", (name) => String(properties[name]?.value ?? ""));
  /** @type {Drawing} */
  const found = { title, panels: [], records: answer.records ?? 0, absent: "", problem: "", problems: [] };
  /** @type {Map<number, Table>} */
  const current = new Map();
  /** @type {Table[]} */
  const tables = [];
  for (const item of answer.items ?? []) {
    if (item.dataset !== undefined) {
      const table = new Table(item, properties);
      current.set(item.dataset, table);
      tables.push(table);
    } else if (item.records !== undefined) {
      current.get(item.records)?.add(item);
    } else if (item.nodata !== undefined) {
      found.absent = String(item.nodata);
    } else if (item.problem !== undefined) {
      found.problem = String(item.message);
    }
  }
  for (const table of tables) {
    if (table.count) found.panels.push(...panelsOf(table, found.problems));
  }
  found.panels = together(found.panels);
  return found;
}

/**
 * The panels, with pictures of the same quantity over the same coordinates in one: an instrument has several bands, and
 * a stream declares one anew when its mode changes.
 * @param {Panel[]} panels
 * @returns {Panel[]}
 */
function together(panels) {
  /** @type {Map<string, Panel>} */
  const known = new Map();
  /** @type {Panel[]} */
  const found = [];
  for (const panel of panels) {
    const what = JSON.stringify([panel.title, panel.units, panel.x.title, panel.y?.title]);
    const first = known.get(what);
    if (panel.z && first) {
      (first.also ??= []).push(panel);
    } else {
      if (panel.z) known.set(what, panel);
      found.push(panel);
    }
  }
  for (const panel of found) {
    const bands = [panel, ...(panel.also ?? [])];
    const [log, spread] = [bands.some((each) => each.log), bands.some((each) => each.y?.log)];
    for (const each of bands) {
      each.log = log;
      if (each.y) each.y.log = spread;
    }
  }
  return found;
}

/**
 * The panels of one dataset: one for each quantity, whose extremes belong to it.
 * @param {Table} table
 * @param {string[]} problems
 * @returns {Panel[]}
 */
function panelsOf(table, problems) {
  /** @type {Map<string, Variable[]>} */
  const quantities = new Map();
  for (const each of table.variables) {
    if (each.coordinate) continue;
    const stem = each.name.replace(/\.(min|max|center|mean)$/, "");
    quantities.set(stem, [...(quantities.get(stem) ?? []), each]);
  }
  const panels = [];
  for (const [stem, roles] of quantities) {
    const panel = panelOf(table, stem, roles);
    if (panel) panels.push(panel);
    else problems.push(stem);
  }
  return panels;
}

/**
 * The panel of one quantity; undefined for what is no line and no picture.
 * @param {Table} table
 * @param {string} stem
 * @param {Variable[]} roles
 * @returns {Panel | undefined}
 */
function panelOf(table, stem, roles) {
  const main = roles.find((each) => each.role === "center" || each.role === "mean") ?? roles.find((each) => each.role === "max") ?? roles[0];
  const coords = (main.axes ?? []).map((name) => table.variables.find((each) => each.name === name)).filter((each) => each !== undefined);
  const time = coords.find((each) => each.semantic === "datetime") ?? table.variables.find((each) => each.coordinate && each.semantic === "datetime");
  const first = time ?? coords[0] ?? table.variables.find((each) => each.coordinate && each.column);
  if (!first || !["real", "integer", "count", "bool", "boolean"].includes(main.semantic)) return undefined;
  const others = coords.filter((each) => each !== first && each.semantic !== "datetime" && isInner(each));
  const offset = others.find((each) => each.role === "offset" && each.dimension === first.dimension);
  const x = axis(table, first, table.values(first).map((each) => (time ? milliseconds(each) : each)));
  const width = time ? tagWidth(table, first) : 0;
  const base = {
    name: stem,
    dimension: main.dimension,
    title: table.title(main),
    units: unitText(main.units),
    log: isLog(table, main, main.index.length > 1 && !offset ? "z" : "y", table.values(main)),
    x,
    timed: Boolean(time),
    width,
    steps: /stair/i.test(table.property(main, "renderer")),
    points: /scatter/i.test(table.property(main, "renderer")),
    lines: [],
  };
  if (!main.column) return undefined;
  const values = table.values(main);
  if (values.some((each) => Array.isArray(each) && each.some(Array.isArray))) return undefined;
  if (!values.some(Array.isArray)) return { ...base, lines: [lineOf(table, stem, roles)] };
  if (offset && !table.values(offset).length) return undefined;
  if (offset) return { ...base, ...flattened(x, table, offset, values, stem) };
  const depth = Math.max(...values.map((each) => (Array.isArray(each) ? each.length : 0)));
  if (main.components) return { ...base, lines: components(values, depth, stem, base.title) };
  if (!others.length) return { ...base, lines: components(values, depth, stem, "") };
  const inner = others[0];
  const tags = inner.column ? (table.values(inner)[0] ?? []) : table.values(inner);
  if (!Array.isArray(tags) || tags.length < depth) return undefined;
  const said = table.property(inner, "scaleType") ? inner : main;
  return { ...base, y: axis(table, inner, tags, isLog(table, said, "y", tags)), z: values };
}

/**
 * The line of a quantity, with its extremes.
 * @param {Table} table
 * @param {string} name
 * @param {Variable[]} roles
 * @returns {Line}
 */
function lineOf(table, name, roles) {
  /** @param {string[]} wanted */
  const of = (...wanted) => {
    const found = roles.find((each) => wanted.includes(each.role));
    return found ? table.values(found) : undefined;
  };
  const values = of("center", "mean") ?? (of("min") ? undefined : table.values(roles[0]));
  return { name, values, min: of("min"), max: of("max") };
}

/**
 * Whether a coordinate says where the values of one record are.
 * @param {Variable} variable
 */
function isInner(variable) {
  return variable.index.length > 1 && variable.index[variable.index.length - 1] !== null;
}

/**
 * A line for each component of a vector, called by the words of the label if it has one for each.
 * @param {any[][]} values
 * @param {number} depth
 * @param {string} stem
 * @param {string} label
 * @returns {Line[]}
 */
function components(values, depth, stem, label) {
  const most = 12;
  const words = label.replace(/ \([^)]*\)$/, "").split(" ");
  return Array.from({ length: Math.min(depth, most) }, (_none, at) => ({
    name: words.length === depth ? words[at] : depth === 3 ? `${stem} ${"xyz"[at]}` : `${stem} ${at + 1}`,
    values: values.map((each) => each?.[at] ?? null),
  }));
}

/**
 * Waveforms as one line: each value at the time of its record and its offset, which may be that of its record, too.
 * @param {Axis} x
 * @param {Table} table
 * @param {Variable} offset
 * @param {Numbers[]} values
 * @param {string} name
 */
function flattened(x, table, offset, values, name) {
  const scale = 1000 * (SECONDS.get(offset.units) ?? 1);
  const offsets = table.values(offset);
  /** @type {Numbers} */
  const times = [];
  /** @type {Numbers} */
  const flat = [];
  const first = offset.column ? (offsets.find((each) => each?.length > 1) ?? []) : offsets;
  const step = first.length > 1 ? (first[1] - first[0]) * scale : 0;
  for (const [at, row] of values.entries()) {
    const begin = x.values[at];
    const own = offset.column ? offsets[at] : offsets;
    if (begin === null || !Array.isArray(row) || !Array.isArray(own)) continue;
    for (const [place, value] of row.entries()) {
      if (!(place < own.length)) break;
      times.push(begin + own[place] * scale);
      flat.push(value);
    }
  }
  return { x: { ...x, values: times }, width: (4 * step) / 1000, lines: [{ name, values: flat }] };
}

/**
 * A coordinate as an axis.
 * @param {Table} table
 * @param {Variable} variable
 * @param {Numbers} values
 * @param {boolean} log
 * @returns {Axis}
 */
function axis(table, variable, values, log = false) {
  return { title: table.title(variable), units: unitText(variable.units), log, values };
}

/**
 * Whether an axis is logarithmic, as the stream says; where it says nothing, positive values over more than three
 * decades are better seen so, unless their steps are even.
 * @param {Table} table
 * @param {Variable} variable
 * @param {string} which
 * @param {any[]} values
 */
function isLog(table, variable, which, values) {
  const said = table.property(variable, `${which}ScaleType`, "scaleType").toLowerCase();
  if (said) return said === "log";
  let [low, high] = [Infinity, 0];
  for (const each of values.flat()) {
    if (typeof each !== "number") continue;
    if (each <= 0) return false;
    low = Math.min(low, each);
    high = Math.max(high, each);
  }
  return high > 1000 * low && !isEven(values);
}

/**
 * Whether numbers follow one another at even steps.
 * @param {any[]} values
 */
function isEven(values) {
  const step = values.length > 2 ? values[1] - values[0] : Number.NaN;
  return values.every((each, at) => at === 0 || Math.abs(each - values[at - 1] - step) < Math.abs(step) / 100);
}

/**
 * How many seconds records may be apart that belong together; 0 where nothing says so.
 * @param {Table} table
 * @param {Variable} time
 */
function tagWidth(table, time) {
  const [number, units] = table.property(time, "xTagWidth", "tagWidth", "cadence").split(/\s+/);
  return Number.parseFloat(number || "0") * (SECONDS.get(units ?? "s") ?? 0);
}

/**
 * A time in milliseconds since 1970, with the digits behind them.
 * @param {string | null} text
 */
function milliseconds(text) {
  if (text === null) return null;
  const whole = Date.parse(`${text.slice(0, 23)}Z`);
  return text.length > 23 ? whole + Number(`0.${text.slice(23)}`) : whole;
}
