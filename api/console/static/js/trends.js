// The trends of a resident's page: which there are, and where their points come from.

import { json } from "./api.js";
import { byId, h } from "./dom.js";
import { t } from "./text.js";
import { DAY_MS, now, showDay, showHour, showTime } from "./time.js";
import { drawTrend } from "./trend.js";
import { places, unitOf } from "./values.js";

// Up to so many readings each is drawn; beyond it windows with mean and range.
const MAX_POINTS = 1500;
const WINDOWS = 120;
const CSS = ["first", "second", "third", "fourth"];

// Bands are usual goals, to guide the eye; what raises an alert is in the rules.
const TRENDS = [
  { title: "blood_pressure_panel", metrics: ["systolic", "diastolic"], band: [90, 140] },
  { title: "glucose_capillary", metrics: ["glucose_fasting", "glucose_postprandial_2h", "glucose_capillary", "glucose_random"], band: [4.4, 10] },
  { title: "glucose_cgm", metrics: ["glucose_cgm"], band: [3.9, 10] },
  { title: "spo2", metrics: ["spo2"], band: [94, 100] },
  { title: "pulse", metrics: ["pulse_rate_cuff", "pulse_rate_pleth", "heart_rate_ecg"], band: [50, 110] },
  { title: "body_temperature", metrics: ["body_temperature", "body_temperature_axillary", "body_temperature_tympanic", "body_temperature_oral"], band: [36, 37.3] },
  { title: "body_weight", metrics: ["body_weight"] },
];

const host = byId("trends");
let drawn = []; // [element, chart]
let generation = 0;

async function series(base, metric, start, end) {
  const range = `metric=${metric}&start=${new Date(start).toISOString()}&end=${new Date(end).toISOString()}`;
  const { items, next } = await json(`${base}/readings?${range}&limit=${MAX_POINTS}`);
  if (!next) return items.map((p) => ({ at: Date.parse(p.at), value: p.value === null ? null : Number(p.value), absent: p.absent, quality: p.quality }));
  const width = Math.ceil((end - start) / 1000 / WINDOWS);
  const found = await json(`${base}/windows?${range}&width=${width}`);
  return found.items.map((w) => ({ at: Date.parse(w.start) + width * 500, value: Number(w.mean), low: Number(w.minimum), high: Number(w.maximum) }));
}

async function chart(base, trend, start, end) {
  const all = await Promise.all(trend.metrics.map((metric) => series(base, metric, start, end)));
  const shown = trend.metrics.map((metric, i) => ({ name: t(`metric.${metric}`), css: CSS[i], points: all[i] })).filter((s) => s.points.length);
  if (!shown.length) return null;
  const unit = unitOf(trend.metrics[0]);
  return {
    start,
    end,
    unit,
    title: `${t(`metric.${trend.title}`)} (${unit})`,
    places: places(trend.metrics[0]),
    band: trend.band,
    gapMs: Math.max(DAY_MS / 2, (end - start) / 8),
    series: shown,
    windows: shown.some((s) => s.points.some((p) => p.low !== undefined)),
    time: showTime,
    day: end - start <= DAY_MS ? showHour : showDay,
  };
}

/** Load and draw the trends of the last days. Throws `Refusal`. */
export async function showTrends(base, days) {
  const mine = (generation += 1);
  const end = now();
  const charts = await Promise.all(TRENDS.map((trend) => chart(base, trend, end - days * DAY_MS, end)));
  if (mine !== generation) return; // a newer choice of period has overtaken this one
  drawn = charts.filter(Boolean).map((found) => [h("div"), found]);
  const cards = drawn.map(([place, found]) => h("article.card", {},
    h("h3", {}, found.title),
    place,
    h("p", {}, ...found.series.map((s) => h(`span.key.${s.css}`, {}, s.name)), found.windows ? h("span.dim", {}, t("trend.windows")) : "")));
  host.replaceChildren(...(cards.length ? cards : [h("p.dim", {}, t("resident.no-data"))]));
  redraw();
}

function redraw() {
  for (const [place, found] of drawn) drawTrend(place, found);
}

let resized = 0;
globalThis.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(redraw, 150);
});
