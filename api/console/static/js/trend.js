// Trends as SVG: raw points or windows, a target band, gaps left open. No dependencies.

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 44;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

function el(name, attributes = {}, ...children) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/**
 * Draw a trend into `host`, replacing what it held.
 * @param {Element} host
 * @param {{start: number, end: number, title: string, unit: string, places: number,
 *   band?: [number, number], gapMs: number,
 *   series: {name: string, css: string, points: {at: number, value: number | null,
 *     absent?: string, quality?: string}[]}[],
 *   time: (ms: number) => string, day: (ms: number) => string}} chart
 */
export function drawTrend(host, chart) {
  const values = chart.series.flatMap((s) => s.points.map((p) => p.value)).filter((v) => v !== null);
  const [low, high] = scale(values, chart.band);
  const x = (at) => LEFT + ((at - chart.start) / (chart.end - chart.start)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const svg = el("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "trend" });
  svg.append(el("title", {}, chart.title));
  if (chart.band) {
    const [from, to] = chart.band;
    svg.append(el("rect", { x: LEFT, width: WIDTH - LEFT - RIGHT, y: y(to), height: Math.max(0, y(from) - y(to)), class: "band" }));
  }
  for (const tick of ticks(low, high)) {
    svg.append(el("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }));
    svg.append(el("text", { x: LEFT - 6, y: y(tick) + 4, class: "tick y" }, String(tick)));
  }
  for (const at of days(chart.start, chart.end)) {
    svg.append(el("text", { x: x(at), y: HEIGHT - 8, class: "tick x" }, chart.day(at)));
  }
  for (const series of chart.series) {
    let path = "";
    let before = null;
    for (const point of series.points) {
      if (point.value === null) {
        before = null;
        continue;
      }
      const join = before !== null && point.at - before <= chart.gapMs;
      path += `${join ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`;
      before = point.at;
    }
    svg.append(el("path", { d: path || "M0 0", class: `line ${series.css}` }));
    for (const point of series.points) svg.append(mark(point, series, chart, x, y, low, high));
  }
  host.replaceChildren(svg);
}

/** A dot, hollow when questionable; HI and LO are triangles at the edge. */
function mark(point, series, chart, x, y, low, high) {
  const above = point.absent === "above-range";
  const title = el("title", {});
  const shown = point.value === null ? (above ? "HI" : point.absent === "below-range" ? "LO" : "–") : point.value.toFixed(chart.places);
  title.textContent = `${series.name} ${shown} ${chart.unit} · ${chart.time(point.at)}`;
  if (point.value !== null) {
    const css = point.quality && point.quality !== "ok" ? "doubtful" : "";
    return el("circle", { cx: x(point.at), cy: y(point.value), r: 2.6, class: `dot ${series.css} ${css}` }, title);
  }
  const cx = x(point.at);
  const cy = y(above ? high : low);
  const tip = above ? -5 : 5;
  return el("path", { d: `M${cx - 5} ${cy}h10l-5 ${tip}z`, class: `dot edge ${series.css}` }, title);
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

function days(start, end) {
  const count = 6;
  return Array.from({ length: count }, (_, i) => start + ((end - start) * (i + 0.5)) / count);
}
