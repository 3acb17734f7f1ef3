// One resident: newest values, alerts, readings with their proof, trends and ECG.

import { json } from "./api.js";
import { actButton } from "./connection.js";
import { byId, h, ready, setChildren, setText, tableHead } from "./dom.js";
import { liveList } from "./list.js";
import { poll } from "./poll.js";
import { showReading } from "./reading_dialog.js";
import { showRecordings } from "./recordings.js";
import { levelMark, reading, remarks, ruleTitle, stateText, tags } from "./rules.js";
import { diagnoses, personName, t, word } from "./text.js";
import { showTime, years } from "./time.js";
import { showTrends } from "./trends.js";
import { headline, partsOfPoints, qualityRemarks, showQuantity } from "./values.js";

// Newest values and alerts; trends and recordings when something new has come.
const EVERY_MS = 10_000;
const RECENT = 30;

const who = byId("who");
const base = `/api/v1/residents/${encodeURIComponent(who.dataset.id)}`;
const { me } = who.dataset;
const showsAlerts = byId("alerts") !== null;

let days = 30;
let newest = "";

async function loadPerson() {
  const person = await json(base);
  setText(byId("name"), personName(person));
  const facts = [person.id];
  if (person.birth_date) facts.push(t("resident.years", { n: years(person.birth_date) }));
  if (person.sex) facts.push(t(`sex.${person.sex}`));
  if (person.diagnoses?.length) facts.push(diagnoses(person.diagnoses));
  setText(byId("facts"), facts.join(" · "));
}

async function loadLatest() {
  const { points } = await json(`${base}/latest`);
  const all = Object.entries(points).sort(([, a], [, b]) => Date.parse(b.at) - Date.parse(a.at));
  setChildren(byId("latest"), JSON.stringify(points), () => (all.length ? all.map(tile) : [h("p.dim", {}, t("resident.no-data"))]));
}

function tile([metric, point]) {
  const doubts = qualityRemarks(point.quality, []);
  return h(doubts.length ? "div.tile.doubtful" : "div.tile", {},
    h("small", {}, word("metric", metric)),
    h("b", {}, showQuantity(metric, point.value, point.absent)),
    h("small", {}, [showTime(point.at), ...doubts].join(" · ")));
}

async function loadAlerts() {
  const about = `/api/v1/alerts?resident=${encodeURIComponent(who.dataset.id)}&limit=20`;
  const pages = await Promise.all([json(about), json(`${about}&state=closed`)]);
  const items = pages.flatMap((page) => page.items);
  byId("no-alerts").hidden = items.length > 0;
  setChildren(byId("alerts"), JSON.stringify(items.map((a) => [a.id, a.version])), () => items.map(alertRow));
}

function alertRow(alert) {
  const { label, text } = reading(alert);
  return h("tr", { "data-level": alert.level, "data-state": alert.state },
    h("td", {}, levelMark(alert.level)),
    h("td.value", {}, text, h("small", {}, label)),
    h("td", {}, ruleTitle(alert.rule), tags(remarks(alert))),
    h("td.age", {}, showTime(alert.raised_at)),
    h("td", {}, stateText(alert, me), alert.note ? h("small", {}, alert.note) : ""));
}

const readings = liveList(byId("readings"), { key: (item) => item.observation, make: readingRow, fill: () => {} });

function readingRow(item) {
  const { label, text, more } = headline(partsOfPoints(item.points));
  const open = () => showReading(item.observation, refresh).catch((error) => fail(error));
  return { element: h("tr", {},
    h("td.age", {}, showTime(item.at)),
    h("td", {}, label),
    h("td.value", {}, text, more ? h("small", {}, more) : ""),
    h("td", {}, tags(qualityRemarks(item.quality, item.flags))),
    h("td.actions", {}, actButton("button", t("reading.open"), open, { "aria-label": t("act.for", { action: t("reading.open"), name: `${label} ${text}` }) }))) };
}

async function loadReadings() {
  const { items } = await json(`${base}/recent?limit=${RECENT}`);
  byId("no-readings").hidden = items.length > 0;
  readings.draw(items);
  return items[0]?.observation ?? "";
}

function fail(error) {
  const gone = error.status === 404 || error.status === 403;
  setText(byId("failed"), gone ? t("resident.not-found") : t("resident.failed", { why: error.message }));
  byId("failed").hidden = false;
}

async function load() {
  try {
    const [first] = await Promise.all([loadReadings(), loadLatest(), showsAlerts ? loadAlerts() : null]);
    if (first !== newest || !document.documentElement.dataset.ready) {
      await Promise.all([showTrends(base, days), showRecordings(base)]);
      newest = first;
    }
    byId("failed").hidden = true;
  } catch (error) {
    fail(error);
    throw error;
  } finally {
    ready();
  }
}

byId("range").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  days = Number(button.dataset.days);
  for (const other of button.parentElement.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  showTrends(base, days).catch(fail);
});

byId("readings").before(tableHead(t("col.taken"), t("col.kind"), t("col.reading"), t("col.remarks"), t("col.actions")));
const refresh = poll(load, { everyMs: EVERY_MS });
loadPerson().catch(fail);
await refresh();
