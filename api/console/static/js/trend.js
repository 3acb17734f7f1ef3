// Trends as SVG: points, or windows with their range, a target band, gaps left open.

import { t } from "./text.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 200;
const LEFT = 44;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 26;
// Below this the axis texts would run into each other.
const MIN_WIDTH = 260;
const PER_DATE = 110;

function el(name, attributes = {}, ...children) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/**
 * Draw a trend into `host`, as wide as it is, replacing what it held.
 * @param {Element} host
 * @param {{start: number, end: number, title: string, unit: string, places: number,
 *   band?: [number, number], gapMs: number,
 *   series: {name: string, css: string, points: {at: number, value: number | null,
 *     low?: number, high?: number, absent?: string, quality?: string}[]}[],
 *   time: (ms: number) => string, day: (ms: number) => string}} chart
 */
export function drawTrend(host, chart) {
  const width = Math.max(MIN_WIDTH, host.clientWidth || 720);
  const points = chart.series.flatMap((s) => s.points);
  const values = points.flatMap((p) => [p.value, p.low ?? null, p.high ?? null]).filter((v) => v !== null);
  const [low, high] = scale(values, chart.band);
  const frame = {
    low,
    high,
    x: (at) => LEFT + ((at - chart.start) / (chart.end - chart.start)) * (width - LEFT - RIGHT),
    y: (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM),
  };
  const { x, y } = frame;
  const svg = el("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", class: "trend", "aria-label": summary(chart, points, values) });
  if (chart.band) {
    const [from, to] = chart.band;
    svg.append(el("rect", { x: LEFT, width: width - LEFT - RIGHT, y: y(to), height: Math.max(0, y(from) - y(to)), class: "band" }));
  }
  for (const tick of ticks(low, high)) {
    svg.append(el("line", { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }));
    svg.append(el("text", { x: LEFT - 6, y: y(tick) + 4, class: "tick y" }, String(tick)));
  }
  for (const at of dates(chart.start, chart.end, Math.max(2, Math.floor((width - LEFT - RIGHT) / PER_DATE)))) {
    svg.append(el("text", { x: x(at), y: HEIGHT - 8, class: "tick x" }, chart.day(at)));
  }
  for (const series of chart.series) {
    svg.append(el("path", { d: line(series.points, chart.gapMs, frame), class: `line ${series.css}` }));
    for (const point of series.points) {
      if (point.low !== undefined) svg.append(el("line", { x1: x(point.at), x2: x(point.at), y1: y(point.low), y2: y(point.high), class: `range ${series.css}` }));
      svg.append(mark(point, series, chart, frame));
    }
  }
  host.replaceChildren(svg);
}

/** The trend in words: how many readings, from where to where. */
function summary(chart, points, values) {
  if (!values.length) return chart.title;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((v) => v.toFixed(chart.places));
  return t("trend.summary", { title: chart.title, n: points.length, low, high });
}

function line(points, gapMs, { x, y }) {
  let path = "";
  let before = null;
  for (const point of points) {
    if (point.value === null) {
      before = null;
      continue;
    }
    const join = before !== null && point.at - before <= gapMs;
    path += `${join ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`;
    before = point.at;
  }
  return path || "M0 0";
}

/** A dot, hollow when questionable; HI and LO are triangles at the edge. */
function mark(point, series, chart, { x, y, low, high }) {
  const above = point.absent === "above-range";
  const below = point.absent === "below-range";
  const shown = point.value !== null ? point.value.toFixed(chart.places) : above ? "HI" : below ? "LO" : "–";
  const title = el("title", {}, `${series.name} ${shown} ${chart.unit} · ${chart.time(point.at)}`);
  const cx = x(point.at);
  if (point.value !== null) {
    const css = point.quality && point.quality !== "ok" ? "doubtful" : "";
    return el("circle", { cx, cy: y(point.value), r: 2.6, class: `dot ${series.css} ${css}` }, title);
  }
  if (!above && !below) return el("circle", { cx, cy: y(low), r: 2.6, class: "dot doubtful" }, title);
  const cy = y(above ? high : low) + (above ? 7 : -7);
  return el("path", { d: `M${cx - 5} ${cy}h10l-5 ${above ? -7 : 7}z`, class: `dot edge ${series.css}` }, title);
}

function scale(values, band) {
  const all = [...values, ...(band ?? [])];
  if (!all.length) return [0, 1];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = Math.max((high - low) * 0.1, 0.5);
  return [low - room, high + room];
}

function ticks(low, high) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(Number(v.toFixed(6)));
  return found;
}

const dates = (start, end, count) => Array.from({ length: count }, (_, i) => start + ((end - start) * (i + 0.5)) / count);
