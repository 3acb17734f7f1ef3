// The worklist: most urgent first, live, and nothing moves under the pointer.

import { alertActions } from "./alert_actions.js";
import { json } from "./api.js";
import { actButton, allow } from "./connection.js";
import { byId, h, ready, setChildren, setText } from "./dom.js";
import { arrowKeys, liveList } from "./list.js";
import { follow } from "./live.js";
import { levelMark, reading, remarks, ruleTitle, stateText, subject, tags } from "./rules.js";
import { t } from "./text.js";
import { ageNode } from "./time.js";

const RANK = { high: 0, medium: 1, low: 2, info: 3 };
// One announcement in this time, so that a screen reader can finish its sentence.
const SPEAK_EVERY_MS = 5_000;
// Closed alerts on the screen; older ones are on the resident's page.
const PAGE = 100;
// Open ones taken without the stream: as many as its snapshot has.
const MAX_PAGES = 10;

const body = byId("rows");
const release = byId("release");
const mayAct = body.dataset.mayAct === "yes";
const { me } = body.dataset;

const alerts = new Map(); // id -> alert
let filter = "open";
let spokenAt = -Infinity;
let unspoken = [];
let begun = false; // what is open when the page opens is not news

const FILTERS = {
  open: (a) => a.state !== "closed",
  mine: (a) => a.state === "accepted" && a.accepted_by === me,
  closed: (a) => a.state === "closed",
};

const waiting = (a) => (a.state === "raised" ? 0 : 1);
const byUrgency = (a, b) => RANK[a.level] - RANK[b.level] || waiting(a) - waiting(b) || Date.parse(a.raised_at) - Date.parse(b.raised_at);
const byClosing = (a, b) => Date.parse(b.closed_at ?? b.updated_at) - Date.parse(a.closed_at ?? a.updated_at);

const actions = alertActions(me, {
  find: (id) => alerts.get(id),
  done: (alert) => {
    apply(alert);
    draw({ force: true });
    (list.row(alert.id)?.close ?? body.querySelector("button:not(:disabled, [hidden])"))?.focus();
  },
});
const list = liveList(body, { key: (alert) => alert.id, make, fill, onHeld: showHeld });

function make(alert) {
  const who = alert.resident ? h("a", { href: `/residents/${encodeURIComponent(alert.resident.id)}` }) : h("span");
  const row = {
    level: h("td"),
    who,
    value: h("td.value"),
    reason: h("td"),
    age: h("td.age", {}, ageNode(alert.raised_at)),
    state: h("td"),
    accept: actButton("button.primary", t("act.accept"), () => actions.accept(alert.id)),
    close: actButton("button", t("act.close"), () => actions.close(alert.id)),
  };
  const acts = h("td.actions", {}, ...(mayAct ? [row.accept, " ", row.close] : []));
  row.element = h("tr.new", { "data-id": alert.id }, row.level, h("th", { scope: "row" }, who), row.value, row.reason, row.age, row.state, acts);
  return row;
}

function fill(row, alert) {
  const { label, text } = reading(alert);
  const name = subject(alert);
  const notes = remarks(alert);
  const title = ruleTitle(alert.rule);
  Object.assign(row.element.dataset, { level: alert.level, state: alert.state });
  setChildren(row.level, alert.level, () => [levelMark(alert.level)]);
  setText(row.who, name);
  setChildren(row.value, `${text}|${label}`, () => [text, h("small", {}, label)]);
  setChildren(row.reason, [title, ...notes].join("|"), () => [title, tags(notes)].filter(Boolean));
  setText(row.state, stateText(alert, me));
  row.accept.hidden = alert.state !== "raised";
  row.close.hidden = alert.state === "closed";
  allow(row.accept, alert.state === "raised");
  row.accept.setAttribute("aria-label", t("act.for", { action: t("act.accept"), name: `${name}, ${title}` }));
  row.close.setAttribute("aria-label", t("act.for", { action: t("act.close"), name: `${name}, ${title}` }));
}

function draw(options = {}) {
  const items = [...alerts.values()].filter(FILTERS[filter]).sort(filter === "closed" ? byClosing : byUrgency);
  list.draw(items, { ...options, gone: (id) => alerts.get(id) ?? null });
  byId("empty").hidden = list.size() > 0;
  setText(byId("empty"), t(filter === "open" ? "worklist.empty" : "worklist.none"));
  const fresh = [...alerts.values()].filter((a) => a.state === "raised");
  const high = fresh.filter((a) => a.level === "high").length;
  const taken = [...alerts.values()].filter((a) => a.state === "accepted").length;
  setText(byId("counts"), t("worklist.counts", { high, fresh: fresh.length, taken }));
  document.title = fresh.length ? `(${fresh.length}) ${document.body.dataset.title}` : document.body.dataset.title;
  ready();
}

/** New rows that wait because somebody is in the list. */
function showHeld(items) {
  const high = items.filter((alert) => alert.level === "high").length;
  byId("held").hidden = items.length === 0;
  byId("held").classList.toggle("bad", high > 0);
  if (items.length) setText(release, high ? t("worklist.held-high", { n: items.length, high }) : t("worklist.held", { n: items.length }));
}

/** Say new high alerts, several in one sentence when they come at once. */
function speak() {
  if (!unspoken.length || performance.now() - spokenAt < SPEAK_EVERY_MS) return;
  spokenAt = performance.now();
  const { label, text } = reading(unspoken[0]);
  const first = t("worklist.announce", { name: subject(unspoken[0]), metric: label, value: text });
  const others = unspoken.length - 1;
  byId("announce").textContent = others ? `${first} ${t("worklist.announce-more", { n: others })}` : first;
  unspoken = [];
}
setInterval(speak, 250);

function apply(alert, { silent = false } = {}) {
  const known = alerts.get(alert.id);
  if (known && known.version > alert.version) return;
  alerts.set(alert.id, alert);
  const urgent = alert.level === "high" && alert.state === "raised";
  const news = !known || known.level !== "high";
  if (urgent && news && !silent) unspoken.push(alert);
}

/** What is open now replaces what was; closed ones stay for their own list. */
function replaceOpen(open) {
  const ids = new Set(open.map((alert) => alert.id));
  for (const [id, alert] of alerts) if (alert.state !== "closed" && !ids.has(id)) alerts.delete(id);
  for (const alert of open) apply(alert, { silent: !begun });
  begun = true;
}

async function loadOpen() {
  const open = [];
  let cursor = "";
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { items, next } = await json(`/api/v1/alerts?limit=200&cursor=${encodeURIComponent(cursor)}`);
    open.push(...items);
    cursor = next;
    if (!next) break;
  }
  replaceOpen(open);
  byId("cut").hidden = !cursor;
  draw();
}

async function loadClosed() {
  const { items } = await json(`/api/v1/alerts?state=closed&limit=${PAGE}`);
  for (const alert of items) apply(alert, { silent: true });
  draw({ force: true });
}

byId("filter").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  filter = button.dataset.filter;
  for (const other of button.parentElement.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  draw({ force: true });
  if (filter === "closed") loadClosed().catch(() => {}); // the banner tells of a lost connection
});
release.addEventListener("click", () => draw({ force: true }));
arrowKeys(body);
document.body.dataset.title = document.title;

follow(me, {
  snapshot(data) {
    replaceOpen(data.alerts);
    byId("cut").hidden = !data.cut;
    draw();
  },
  change(data) {
    for (const { alert } of data.changes) apply(alert);
    draw();
  },
  refresh: loadOpen,
});
