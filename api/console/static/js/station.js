// The station's own page, for its operator, also while the hub cannot be reached. Only
// the person who is being measured is shown, and nothing when nobody is at the screen.

import { json, post, useToken } from "./api.js";
import { confirmed } from "./command_dialog.js";
import { actButton } from "./connection.js";
import { byId, h, ready, setChildren, setText, tableHead } from "./dom.js";
import { liveList } from "./list.js";
import { poll } from "./poll.js";
import { tags } from "./rules.js";
import { deviceHeads, deviceRows, stationTags } from "./station_facts.js";
import { t, word } from "./text.js";
import { ageNode, now, setAge, showClock, showTime } from "./time.js";
import { headline, partsOf, qualityRemarks } from "./values.js";

const EVERY_MS = 1_000;
const TOKEN = "vitalgate-station-token";
// The public walks past a kiosk: without a touch for this long the values go away.
const IDLE_MS = 120_000;
// A passing value that has not come for this long is not shown as present.
const LIVE_MS = 5_000;
const GOOD_MS = 8_000;

const told = byId("told");
const session = { since: ageNode(now(), "session.since"), current: null };
let touchedAt = performance.now();
let refresh = async () => {};
let hiding = 0;

function tell(text, { good = false } = {}) {
  clearTimeout(hiding);
  setText(told, text);
  told.classList.toggle("bad", !good);
  told.hidden = false;
  if (good) hiding = setTimeout(() => (told.hidden = true), GOOD_MS);
}

/** Do something and show what came of it. */
async function act(work, done = "") {
  try {
    await work();
    if (done) tell(done, { good: true });
  } catch (error) {
    tell(t("act.failed", { why: error.message }));
  }
  await refresh();
}

const devices = liveList(byId("devices"), deviceRows((device, name) => confirmed(device, name, session.current?.resident ?? "", () => act(
  () => post(`/station/devices/${encodeURIComponent(device.id)}/commands`, { name }),
  t("command.sent", { command: t(`command.${name}`), device: device.name || device.id })))));

const values = liveList(byId("values"), {
  key: ({ observation }) => observation.id,
  make: ({ observation }) => {
    const { label, text, more } = headline(partsOf(observation));
    return { element: h("tr.new", {},
      h("td.age", {}, showTime(observation.taken_at)),
      h("td", {}, label),
      h("td.value", {}, text, more ? h("small", {}, more) : ""),
      h("td", {}, tags(qualityRemarks(observation.quality, observation.flags)))) };
  },
  fill: () => {},
});

const lost = liveList(byId("lost-readings"), {
  key: ({ observation }) => observation.id,
  // Whose they are is found out at the hub; here only that there are some.
  make: ({ observation }) => ({ element: h("tr", {}, h("td.age", {}, showTime(observation.taken_at)), h("td", {}, word("metric", observation.kind)), h("td", {}, observation.device)) }),
  fill: () => {},
});

const letters = liveList(byId("letters"), {
  key: (letter) => String(letter.id),
  make: (letter) => {
    const row = { last: h("td.age"), count: h("td.number") };
    const raw = Array.from(atob(letter.raw), (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
    row.element = h("tr", {}, row.last, h("td", {}, letter.device), h("td", {}, word("letter", letter.reason), h("details", {}, h("summary", {}, t("letters.raw")), h("code", {}, raw))), row.count);
    return row;
  },
  fill: (row, letter) => {
    setText(row.last, showTime(letter.last_at));
    setText(row.count, String(letter.count));
  },
});

function showSession(current) {
  session.current = current;
  byId("open-session").hidden = !current;
  byId("start-session").hidden = Boolean(current);
  if (!current) return;
  setText(byId("person"), current.resident);
  setAge(session.since, current.opened_at, "session.since");
}

function showLive(items) {
  const fresh = items.filter((item) => now() - Date.parse(item.at) < LIVE_MS);
  setChildren(byId("live-values"), JSON.stringify(fresh), () => fresh.map((item) => h("span.tag", {}, `${word("metric", item.name)} ${item.value} ${item.unit}`)));
}

async function load() {
  const view = await json("/station");
  byId("enter").hidden = true;
  byId("view").hidden = false;
  setText(byId("name"), view.station);
  const status = { ...view.journal, dead_letters: view.dead_letters.length, conditions: view.conditions, devices: view.devices };
  setChildren(byId("facts"), JSON.stringify([view.connected, status]), () => [
    h(view.connected ? "span.tag.good" : "span.tag.bad", {}, t(view.connected ? "station.connected" : "station.cut")),
    ...stationTags(status),
  ]);
  byId("cut-note").hidden = view.connected;
  showSession(view.session);
  showLive(view.live);
  devices.draw(view.devices.map((device) => ({ ...device, model: "" })));
  byId("no-devices").hidden = view.devices.length > 0;
  const mine = view.recent.filter(({ resident, observation }) => view.session && resident === view.session.resident && observation.session === view.session.id);
  values.draw(mine);
  byId("no-values").hidden = mine.length > 0;
  const nobodys = view.recent.filter(({ resident }) => resident === null);
  lost.draw(nobodys);
  byId("no-lost").hidden = nobodys.length > 0;
  letters.draw(view.dead_letters);
  byId("no-letters").hidden = view.dead_letters.length > 0;
  setText(byId("clock"), showClock(now()));
  ready();
}

function begin(token) {
  useToken(token, () => {
    sessionStorage.removeItem(TOKEN);
    location.reload();
  });
  refresh = poll(load, { everyMs: EVERY_MS, maxMs: 10_000 });
  refresh();
}

byId("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  const answer = await fetch("/station", { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
  if (answer?.ok) {
    sessionStorage.setItem(TOKEN, token);
    byId("token").value = "";
    begin(token);
    return;
  }
  setText(byId("failed"), t(answer ? "station.bad-token" : "login.unreachable"));
  byId("failed").hidden = false;
});

byId("start-session").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const body = { resident: form.elements.resident.value.trim(), identified_by: form.elements.identified_by.value };
  act(() => post("/station/session", body)).then(() => form.reset());
});

/** The screen goes blank when nobody touches it, and comes back at a touch. */
function blank() {
  const idle = performance.now() - touchedAt > IDLE_MS;
  byId("private").hidden = idle;
  byId("blank").hidden = !idle;
}
for (const kind of ["pointerdown", "pointermove", "keydown"]) {
  document.addEventListener(kind, () => {
    touchedAt = performance.now();
    blank();
  });
}
setInterval(blank, 1_000);

byId("since").append(session.since);
byId("finish").append(actButton("button.primary", t("session.close"), () => act(() => json("/station/session", { method: "DELETE" }))));
byId("abort").append(actButton("button", t("session.abort"), () => act(() => json("/station/session?abort=true", { method: "DELETE" })), { title: t("session.abort-why") }));
byId("devices").before(tableHead(...deviceHeads()));
byId("leave").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.reload();
});

const kept = sessionStorage.getItem(TOKEN);
if (kept) begin(kept);
else ready();
