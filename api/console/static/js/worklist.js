// The doctor's worklist: most urgent first, live, and nothing moves under the pointer.

import { age, ask, h, personName, setText, t } from "./dom.js";
import { follow } from "./live.js";
import { reading, remarks, ruleTitle, stateText } from "./rules.js";

const RANK = { high: 0, medium: 1, low: 2, info: 3 };
const SPEAK_EVERY_MS = 5_000;

const body = document.getElementById("rows");
const empty = document.getElementById("empty");
const counts = document.getElementById("counts");
const announcer = document.getElementById("announce");
const held = document.getElementById("held");
const release = document.getElementById("release");
const closeDialog = document.getElementById("close");
const changedDialog = document.getElementById("changed");
const mayAct = body.dataset.mayAct === "yes";
const me = body.dataset.me;

const alerts = new Map(); // id -> alert
const rows = new Map(); // id -> row
const waiting = new Set(); // ids held back while the pointer or focus is in the list
let filter = "open";
let skew = 0; // server clock minus ours, ms
let connected = false;
let spoken = 0;

const FILTERS = {
  open: (a) => a.state !== "closed",
  mine: (a) => a.state === "accepted" && a.accepted_by === me,
  closed: (a) => a.state === "closed",
};

const order = (a, b) => RANK[a.level] - RANK[b.level] || (a.state === "raised" ? 0 : 1) - (b.state === "raised" ? 0 : 1) || Date.parse(a.raised_at) - Date.parse(b.raised_at);

const nameOf = (alert) => (alert.resident ? personName(alert.resident) : alert.station);

const busy = () => body.matches(":hover") || body.contains(document.activeElement) || closeDialog.open || changedDialog.open;

function makeRow(alert) {
  const row = {
    level: h("span.level"),
    who: h("a", { href: alert.resident ? `/residents/${encodeURIComponent(alert.resident.id)}` : null }),
    value: h("td.value"),
    reason: h("td"),
    age: h("td.age"),
    state: h("td"),
    accept: h("button.primary", { type: "button", onclick: () => accept(alert.id) }, t("act.accept")),
    close: h("button", { type: "button", onclick: () => openClose(alert.id) }, t("act.close")),
  };
  const actions = h("td.actions", {}, ...(mayAct ? [row.accept, " ", row.close] : []));
  row.element = h("tr.new", { "data-id": alert.id }, h("td", {}, row.level), h("th", { scope: "row" }, row.who), row.value, row.reason, row.age, row.state, actions);
  return row;
}

function fill(row, alert) {
  const { label, text } = reading(alert);
  const name = nameOf(alert);
  row.element.dataset.level = alert.level;
  row.element.dataset.state = alert.state;
  row.level.className = `level level-${alert.level}`;
  setText(row.level, t(`level.${alert.level}`));
  setText(row.who, name);
  const key = `${text}|${label}`;
  if (row.value.dataset.key !== key) {
    row.value.dataset.key = key;
    row.value.replaceChildren(text, h("small", {}, label));
  }
  const tags = remarks(alert);
  const reason = [ruleTitle(alert.rule), ...tags].join("|");
  if (row.reason.dataset.key !== reason) {
    row.reason.dataset.key = reason;
    row.reason.replaceChildren(ruleTitle(alert.rule), h("small", {}, ...tags.map((tag) => h("span.tag", {}, tag))));
  }
  setText(row.age, age(Date.parse(alert.raised_at), Date.now() + skew));
  setText(row.state, stateText(alert));
  row.accept.hidden = alert.state !== "raised";
  row.close.hidden = alert.state === "closed";
  row.accept.disabled = !connected;
  row.close.disabled = !connected;
  row.accept.setAttribute("aria-label", t("act.for", { action: t("act.accept"), name }));
  row.close.setAttribute("aria-label", t("act.for", { action: t("act.close"), name }));
}

/** Bring the table in line with the alerts; new rows wait while somebody is in the list. */
function draw({ force = false } = {}) {
  const shown = [...alerts.values()].filter(FILTERS[filter]).sort(order);
  const wanted = new Set(shown.map((a) => a.id));
  const still = !force && busy();
  for (const [id, row] of rows) {
    const alert = alerts.get(id);
    if (wanted.has(id)) fill(row, alert);
    else if (still && alert) fill(row, alert); // stays where it is until they leave
    else {
      row.element.remove();
      rows.delete(id);
    }
  }
  waiting.clear();
  for (const alert of shown) {
    if (rows.has(alert.id)) continue;
    if (still) {
      waiting.add(alert.id);
      continue;
    }
    const row = makeRow(alert);
    rows.set(alert.id, row);
    fill(row, alert);
  }
  if (!still) {
    const elements = shown.map((a) => rows.get(a.id).element);
    elements.forEach((element, i) => {
      if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
    });
  }
  held.hidden = waiting.size === 0;
  setText(release, t("worklist.held", { n: waiting.size }));
  empty.hidden = rows.size > 0 || waiting.size > 0;
  const open = [...alerts.values()].filter((a) => a.state === "raised");
  setText(counts, t("worklist.counts", { high: open.filter((a) => a.level === "high").length, open: open.length }));
  document.documentElement.dataset.ready = "yes";
}

function announce(alert) {
  if (alert.level !== "high" || alert.state !== "raised" || Date.now() - spoken < SPEAK_EVERY_MS) return;
  spoken = Date.now();
  const { label, text } = reading(alert);
  announcer.textContent = t("worklist.announce", { name: nameOf(alert), metric: label, value: text });
}

function apply(alert) {
  const known = alerts.get(alert.id);
  if (known && known.version > alert.version) return;
  alerts.set(alert.id, { ...known, ...alert });
  if (!known) announce(alert);
}

async function act(id, action, extra = {}) {
  const alert = alerts.get(id);
  const answer = await ask(`/api/v1/alerts/${id}/${action}`, { method: "POST", body: { version: alert.version, ...extra } }).catch(() => null);
  if (!answer) {
    tell(t("act.offline"));
    return;
  }
  const data = await answer.json().catch(() => ({}));
  if (answer.ok) apply(data);
  else if (answer.status === 409 && data.current) {
    apply(data.current);
    tell(t("changed.what", { state: stateText(alerts.get(id)) }));
  } else tell(t("act.failed", { why: data.detail ?? data.title ?? answer.status }));
  draw({ force: true });
}

function tell(text) {
  document.getElementById("changed-what").textContent = text;
  changedDialog.showModal();
}

const accept = (id) => act(id, "accept");

function openClose(id) {
  const alert = alerts.get(id);
  const form = closeDialog.querySelector("form");
  form.reset();
  document.getElementById("close-what").textContent = `${nameOf(alert)} · ${ruleTitle(alert.rule)}`;
  closeDialog.onclose = () => {
    if (closeDialog.returnValue !== "ok") return;
    const data = new FormData(form);
    act(id, "close", { outcome: data.get("outcome"), note: data.get("note") });
  };
  closeDialog.returnValue = "";
  closeDialog.showModal();
}

async function load() {
  const answer = await ask(`/api/v1/alerts?limit=200${filter === "closed" ? "&state=closed" : ""}`);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const data = await answer.json();
  const ids = new Set(data.items.map((a) => a.id));
  if (filter !== "closed") for (const [id, alert] of alerts) if (alert.state !== "closed" && !ids.has(id)) alerts.delete(id);
  data.items.forEach(apply);
  draw();
}

document.getElementById("filter").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  filter = button.dataset.filter;
  for (const other of button.parentElement.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  load().then(() => draw({ force: true }), () => draw({ force: true }));
});
release.addEventListener("click", () => draw({ force: true }));
body.addEventListener("pointerleave", () => draw());
body.addEventListener("focusout", () => setTimeout(draw, 0));
body.addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const to = step && event.target.closest("tr")?.[step];
  if (!to) return;
  event.preventDefault();
  (to.querySelector("button:not(:disabled, [hidden])") ?? to.querySelector("a")).focus();
});
setInterval(() => {
  for (const [id, row] of rows) setText(row.age, age(Date.parse(alerts.get(id).raised_at), Date.now() + skew));
}, 1_000);

follow({
  snapshot(data) {
    skew = Date.parse(data.now) - Date.now();
    const ids = new Set(data.alerts.map((a) => a.id));
    for (const [id, alert] of alerts) if (alert.state !== "closed" && !ids.has(id)) alerts.delete(id);
    data.alerts.forEach(apply);
    draw();
  },
  change(data) {
    data.changes.forEach((change) => apply(change.alert));
    draw();
  },
  connection(alive) {
    connected = alive;
    draw();
  },
  refresh: load,
});
