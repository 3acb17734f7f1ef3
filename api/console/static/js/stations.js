// The operator's page: stations, devices, who is being measured, what belongs to nobody.

import { age, ask, h, showTime, showValue, t } from "./dom.js";
import { unitOf } from "./rules.js";

const EVERY_MS = 5_000;
const KIOSK_DRIVER = "lepu_kiosk";

const root = document.getElementById("stations");
const dialog = document.getElementById("claim");
const mayAct = root.dataset.mayAct === "yes";

async function json(url, options) {
  const answer = await ask(url, options);
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(data.detail ?? String(answer.status));
  return data;
}

function facts(station) {
  const { status } = station;
  const items = [];
  const online = status?.online ?? false;
  items.push(h(online ? "span.tag.good" : "span.tag.bad", {}, t(online ? "stations.online" : "stations.offline")));
  if (!status) return items;
  if (status.depth) items.push(h("span.tag.bad", {}, t("stations.unsent", { n: status.depth, age: age(Date.parse(status.oldest_at), Date.now()) })));
  else items.push(h("span.tag", {}, t("stations.sent")));
  if (status.bytes_quota) items.push(h("span.tag", {}, t("stations.disk", { percent: Math.round((100 * status.bytes_used) / status.bytes_quota) })));
  if (status.dead_letters) items.push(h("span.tag.bad", {}, t("stations.dead", { n: status.dead_letters })));
  const refused = status.refused_readings + status.refused_waveforms;
  if (refused) items.push(h("span.tag.bad", {}, t("stations.refused", { n: refused })));
  for (const code of status.conditions) items.push(h("span.tag", {}, code.split(":")[0]));
  if (station.status_at) items.push(h("span.tag", {}, t("stations.seen", { age: age(Date.parse(station.status_at), Date.now()) })));
  return items;
}

function deviceRow(station, device) {
  const start = mayAct && device.driver.startsWith(KIOSK_DRIVER) && device.state === "connected";
  const command = () => act(() => json(`/api/v1/stations/${station.id}/devices/${encodeURIComponent(device.id)}/commands`, { method: "POST", body: { name: "start-blood-pressure" } }));
  return h("tr", {},
    h("th", { scope: "row" }, device.name || device.id || "–"),
    h("td", {}, device.driver || "–"),
    h("td", {}, t(`device.${device.state}`), device.reason ? h("small", {}, device.reason) : ""),
    h("td.number", {}, device.battery === null ? "–" : `${device.battery} %`),
    h("td.age", {}, device.last_reading_at ? showTime(device.last_reading_at) : "–"),
    h("td.actions", {}, start ? h("button", { type: "button", onclick: command }, t("command.start-blood-pressure")) : ""));
}

function devices(station) {
  const found = station.status?.devices ?? [];
  if (!found.length) return h("p.dim", {}, t("stations.no-devices"));
  const heads = ["col.device", "col.driver", "col.state", "col.battery", "col.last", "col.actions"];
  return h("table", {}, h("caption", {}, t("stations.devices")), h("thead", {}, h("tr", {}, ...heads.map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, ...found.map((device) => deviceRow(station, device))));
}

function sessionForm(station, session) {
  if (station.setting !== "kiosk" || !mayAct) return "";
  if (session?.session) {
    const end = () => act(() => json(`/api/v1/stations/${station.id}/session`, { method: "DELETE" }));
    return h("p.row", {}, t("stations.session", { name: session.resident }), h("button", { type: "button", onclick: end }, t("session.close")));
  }
  const input = h("input", { name: "resident", maxlength: 63, required: true, placeholder: "r-1001" });
  const form = h("form.row", {}, h("span.dim", {}, t("stations.no-session")), h("label.row", {}, t("session.resident"), input), h("button.primary", {}, t("session.open")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(() => json(`/api/v1/stations/${station.id}/session`, { method: "POST", body: { resident: input.value.trim() } }));
  });
  return form;
}

function valueOf(item) {
  if (!item.observation) return t(`metric.${item.kind}`);
  return item.observation.components.map((c) => `${t(`metric.${c.name}`)} ${showValue(c.name, c.quantity.value, c.quantity.absent ?? "")} ${unitOf(c.name)}`).join(", ");
}

function unclaimed(items) {
  const title = h("h3", {}, t("stations.unclaimed"));
  if (!items.length) return h("div", {}, title, h("p.dim", {}, t("stations.no-unclaimed")));
  const rows = items.map((item) => h("tr", {},
    h("td.age", {}, showTime(item.taken_at)),
    h("td.value", {}, valueOf(item)),
    h("td.actions", {}, mayAct ? h("button", { type: "button", onclick: () => claim(item) }, t("claim.do")) : "")));
  return h("div", {}, title, h("table", {}, h("thead", {}, h("tr", {}, ...["col.taken", "col.reading", "col.actions"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, ...rows)));
}

function claim(item) {
  const form = dialog.querySelector("form");
  form.reset();
  form.elements.reason.value = t("claim.by-operator");
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "ok") return;
    const body = { resident: form.elements.resident.value.trim(), reason: form.elements.reason.value };
    const url = item.stream ? `/api/v1/waveforms/${item.stream}/claim` : `/api/v1/readings/${item.observation.id}/claim`;
    act(() => json(url, { method: "POST", body }));
  };
  dialog.showModal();
}

async function act(work) {
  try {
    await work();
  } catch (error) {
    root.prepend(h("p.notice.bad", { role: "alert" }, t("act.failed", { why: error.message })));
    return;
  }
  await load();
}

async function card(station) {
  const [session, lost] = mayAct
    ? await Promise.all([json(`/api/v1/stations/${station.id}/session`).catch(() => null), json(`/api/v1/stations/${station.id}/unclaimed?limit=20`).catch(() => ({ items: [] }))])
    : [null, { items: [] }];
  return h("section.card", { "aria-label": station.name || station.id },
    h("div.row", {}, h("h2", {}, station.name || station.id), ...facts(station)),
    sessionForm(station, session),
    devices(station),
    mayAct ? unclaimed(lost.items) : "");
}

async function load() {
  const { items } = await json("/api/v1/stations");
  const cards = await Promise.all(items.map(card));
  root.replaceChildren(...(cards.length ? cards : [h("p.dim", {}, t("stations.none"))]));
  document.documentElement.dataset.ready = "yes";
}

// Not while somebody types or a dialog is open.
const busy = () => dialog.open || (root.contains(document.activeElement) && document.activeElement.matches("input"));
setInterval(() => {
  if (!busy() && !document.hidden) load().catch(() => {});
}, EVERY_MS);
await load();
