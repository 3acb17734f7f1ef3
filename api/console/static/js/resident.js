// One resident: newest readings, alerts, trends and ECG strips.

import { ask, h, personName, places, setText, showDay, showTime, showValue, t } from "./dom.js";
import { drawStrip } from "./ecg.js";
import { reading, remarks, ruleTitle, stateText, unitOf } from "./rules.js";
import { drawTrend } from "./trend.js";

const DAY_MS = 86_400_000;
// Above this many days a trend shows daily means, below it every reading.
const RAW_DAYS = 7;

const who = document.getElementById("who");
const base = `/api/v1/residents/${encodeURIComponent(who.dataset.id)}`;
const TRENDS = [
  { title: "blood_pressure_panel", metrics: ["systolic", "diastolic"], band: [90, 140] },
  { title: "glucose_capillary", metrics: ["glucose_fasting", "glucose_postprandial_2h", "glucose_capillary"], band: [4.4, 10] },
  { title: "spo2", metrics: ["spo2"], band: [94, 100] },
  { title: "pulse_rate_cuff", metrics: ["pulse_rate_cuff", "pulse_rate_pleth", "heart_rate_ecg"], band: [50, 110] },
  { title: "body_temperature", metrics: ["body_temperature", "body_temperature_axillary", "body_temperature_tympanic"], band: [36, 37.3] },
  { title: "body_weight", metrics: ["body_weight"] },
];
const CSS = ["first", "second", "third"];

let days = 30;
let now = Date.now();
let generation = 0;

async function json(url) {
  const answer = await ask(url);
  if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status });
  return answer.json();
}

const years = (born) => Math.floor((Date.now() - Date.parse(born)) / (365.25 * DAY_MS));

async function loadPerson() {
  const person = await json(base);
  setText(document.getElementById("name"), personName(person));
  const facts = [];
  if (person.birth_date) facts.push(t("resident.years", { n: years(person.birth_date) }));
  if (person.sex) facts.push(t(`sex.${person.sex}`));
  facts.push(...(person.diagnoses ?? []).map((d) => t(`diagnosis.${d}`)));
  setText(document.getElementById("facts"), facts.join(" · "));
}

async function loadLatest() {
  const { points } = await json(`${base}/latest`);
  const tiles = Object.entries(points)
    .map(([metric, point]) => ({ metric, ...point }))
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
    .map((point) => h(point.quality === "ok" ? "div.tile" : "div.tile.doubtful", {}, h("small", {}, t(`metric.${point.metric}`)), h("b", {}, `${showValue(point.metric, point.value, point.absent)} ${unitOf(point.metric)}`), h("small", {}, showTime(point.at))));
  document.getElementById("latest").replaceChildren(...(tiles.length ? tiles : [h("p.dim", {}, t("resident.no-data"))]));
}

async function loadAlerts() {
  const about = `/api/v1/alerts?resident=${encodeURIComponent(who.dataset.id)}&limit=20`;
  const pages = await Promise.all([json(about), json(`${about}&state=closed`)]);
  const items = pages.flatMap((page) => page.items);
  document.getElementById("no-alerts").hidden = items.length > 0;
  document.getElementById("alerts").replaceChildren(...items.map((alert) => {
    const { label, text } = reading(alert);
    return h("tr", { "data-level": alert.level, "data-state": alert.state },
      h("td", {}, h(`span.level.level-${alert.level}`, {}, t(`level.${alert.level}`))),
      h("td.value", {}, text, h("small", {}, label)),
      h("td", {}, ruleTitle(alert.rule), h("small", {}, ...remarks(alert).map((tag) => h("span.tag", {}, tag)))),
      h("td.age", {}, showTime(alert.raised_at)),
      h("td", {}, stateText(alert)));
  }));
}

async function series(metric, start) {
  const range = `metric=${metric}&start=${new Date(start).toISOString()}&end=${new Date(now).toISOString()}`;
  if (days <= RAW_DAYS) {
    const { items } = await json(`${base}/readings?${range}`);
    return items.map((p) => ({ at: Date.parse(p.at), value: p.value === null ? null : Number(p.value), absent: p.absent, quality: p.quality }));
  }
  const width = days > RAW_DAYS * 6 ? 86_400 : 21_600;
  const { items } = await json(`${base}/windows?${range}&width=${width}`);
  return items.map((w) => ({ at: Date.parse(w.start) + width * 500, value: Number(w.mean) }));
}

async function loadTrends() {
  const mine = (generation += 1);
  const start = now - days * DAY_MS;
  const cards = await Promise.all(TRENDS.map(async (trend) => {
    const all = await Promise.all(trend.metrics.map((metric) => series(metric, start)));
    const shown = trend.metrics.map((metric, i) => ({ metric, name: t(`metric.${metric}`), css: CSS[i], points: all[i] })).filter((s) => s.points.length);
    if (!shown.length) return null;
    const host = h("div");
    const unit = unitOf(trend.metrics[0]);
    const title = `${t(`metric.${trend.title}`)} (${unit})`;
    drawTrend(host, { start, end: now, title, unit, places: places(trend.metrics[0]), band: trend.band, gapMs: Math.max(DAY_MS * 3, (days * DAY_MS) / 10), series: shown, time: showTime, day: showDay });
    return h("article.card", {}, h("h3", {}, title), host, h("p", {}, ...shown.map((s) => h(`span.key.${s.css}`, {}, s.name))));
  }));
  if (mine !== generation) return; // a newer choice of period has overtaken this one
  const found = cards.filter((card) => card !== null);
  document.getElementById("trends").replaceChildren(...(found.length ? found : [h("p.dim", {}, t("resident.no-data"))]));
}

async function loadRecordings() {
  const { items } = await json(`${base}/waveforms`);
  const strips = items.filter((r) => r.kind.startsWith("ecg"));
  const select = document.getElementById("recording");
  if (!strips.length) {
    setText(document.getElementById("ecg-facts"), t("resident.no-ecg"));
    return;
  }
  document.getElementById("pick").hidden = strips.length < 2;
  select.replaceChildren(...strips.map((r, i) => h("option", { value: i }, `${showTime(r.start)} · ${t(`metric.${r.kind}`)}`)));
  select.onchange = () => showStrip(strips[Number(select.value)]);
  await showStrip(strips[0]);
}

async function showStrip(recording) {
  const answer = await ask(`/api/v1/waveforms/${encodeURIComponent(recording.stream)}?kind=${recording.kind}`);
  if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status });
  const head = (name) => answer.headers.get(`X-Waveform-${name}`);
  const rate = Number(head("Rate"));
  const scale = Number(head("Scale"));
  const baseline = Number(head("Baseline"));
  const gaps = JSON.parse(head("Gaps") || "[]").map(([index, missing]) => ({ index, missing }));
  const counts = new Int16Array(await answer.arrayBuffer());
  const samples = Float32Array.from(counts, (count) => (count - baseline) * scale);
  document.getElementById("strip").hidden = false;
  drawStrip(document.getElementById("ecg"), { samples, rate, gaps }, { lead: t(`metric.${recording.kind}`) });
  const missing = gaps.reduce((sum, gap) => sum + gap.missing, 0);
  const facts = [t("ecg.facts", { lead: t(`metric.${recording.kind}`), time: showTime(recording.start), seconds: (samples.length / rate).toFixed(0), rate })];
  if (missing) facts.push(t("ecg.gaps", { n: missing }));
  setText(document.getElementById("ecg-facts"), facts.join(" · "));
}

function failed(error) {
  const text = error.status === 404 || error.status === 403 ? t("resident.not-found") : t("resident.failed");
  document.getElementById("main").prepend(h("p.notice.bad", { role: "alert" }, text));
}

document.getElementById("range").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  days = Number(button.dataset.days);
  now = Date.now();
  for (const other of button.parentElement.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  loadTrends().catch(failed);
});

try {
  await loadPerson();
  await Promise.all([loadLatest(), loadAlerts(), loadTrends(), loadRecordings()]);
} catch (error) {
  failed(error);
}
document.documentElement.dataset.ready = "yes";
