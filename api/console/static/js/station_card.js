// One station on the operator's page.

import { json, post } from "./api.js";
import { actButton } from "./connection.js";
import { claim } from "./claim_dialog.js";
import { confirmed } from "./command_dialog.js";
import { h, setChildren, setText, tableHead } from "./dom.js";
import { liveList } from "./list.js";
import { sessionPanel } from "./session_panel.js";
import { deviceHeads, deviceRows, stationTags, tagsKey } from "./station_facts.js";
import { t, word } from "./text.js";
import { ageNode, setAge, now, showTime } from "./time.js";
import { headline, partsOf } from "./values.js";

const UNCLAIMED = 50;

/** @param {{mayAct: boolean, mayCommand: boolean, tell: (text: string) => void, changed: () => void}} page */
export function stationCard(station, page) {
  const base = `/api/v1/stations/${encodeURIComponent(station.id)}`;
  const shared = station.setting !== "home"; // people come and go
  const session = page.mayAct && shared ? sessionPanel(station, page) : null;
  const facts = h("span.facts");
  const seen = ageNode(now(), "stations.seen");
  const offline = h("p.notice", { hidden: true }, t("stations.offline-note"));

  const command = page.mayCommand && shared ? (device, name) => confirmed(device, name, session.person(), () => run(device, name)) : null;
  const deviceBody = h("tbody");
  const noDevices = h("p.dim", {}, t("stations.no-devices"));
  const deviceTable = h("table", {}, h("caption.visually-hidden", {}, t("stations.devices")), tableHead(...deviceHeads()), deviceBody);
  const devices = liveList(deviceBody, deviceRows(command));

  const lostBody = h("tbody");
  const noneLost = h("p.dim", {}, t("stations.no-unclaimed"));
  const lostTable = h("table", {}, h("caption.visually-hidden", {}, t("stations.unclaimed")), tableHead(t("col.taken"), t("col.kind"), t("col.reading"), t("col.actions")), lostBody);
  const lost = liveList(lostBody, { key: keyOf, make: lostRow, fill: () => {} });

  const element = h("section.card.station", { "aria-labelledby": `station-${station.id}`, "data-station": station.id },
    h("div.row", {}, h("h2", { id: `station-${station.id}` }, station.name || station.id), facts, seen),
    offline,
    session?.element ?? "",
    h("h3", {}, t("stations.devices")), noDevices, h("div.scroll", {}, deviceTable),
    ...(page.mayAct ? [h("h3", {}, t("stations.unclaimed")), noneLost, h("div.scroll", {}, lostTable)] : []));

  async function run(device, name) {
    try {
      await post(`${base}/devices/${encodeURIComponent(device.id)}/commands`, { name });
      page.tell(t("command.sent", { command: t(`command.${name}`), device: device.name || device.id }), { good: true });
    } catch (error) {
      page.tell(t("act.failed", { why: error.message }));
    }
    page.changed();
  }

  function lostRow(item) {
    const parts = item.observation ? headline(partsOf(item.observation)) : { label: word("metric", item.kind), text: t("stations.recording"), more: "" };
    const what = `${parts.label} ${parts.text} · ${showTime(item.taken_at)}`;
    const give = () => claim(item, { what, person: session?.resident() ?? "" }, page.changed);
    return { element: h("tr", {},
      h("td.age", {}, showTime(item.taken_at)),
      h("td", {}, parts.label),
      h("td.value", {}, parts.text, parts.more ? h("small", {}, parts.more) : ""),
      h("td.actions", {}, actButton("button", t("claim.do"), give, { "aria-label": t("act.for", { action: t("claim.do"), name: what }) }))) };
  }

  /** Show the station as the list has it, and load what belongs to it. Throws `Refusal`. */
  async function load(fresh) {
    const { status } = fresh;
    const online = status?.online ?? false;
    setChildren(facts, tagsKey(status), () => [
      h(online ? "span.tag.good" : "span.tag.bad", {}, t(online ? "stations.online" : "stations.offline")),
      ...(status ? stationTags(status) : []),
    ]);
    seen.hidden = !fresh.status_at;
    if (fresh.status_at) setAge(seen, fresh.status_at, "stations.seen");
    offline.hidden = online;
    setText(offline, t(fresh.status_at ? "stations.offline-note" : fresh.enrolled ? "stations.never-seen" : "stations.not-enrolled"));
    const [detail] = await Promise.all([json(base), session?.load(online), page.mayAct ? loadLost() : null]);
    const models = new Map(detail.devices.map((device) => [device.id, [device.model, device.serial].filter(Boolean).join(" · ")]));
    const shown = (status?.devices ?? []).map((device) => ({ ...device, state: online ? device.state : "unknown", model: models.get(device.id) ?? "" }));
    noDevices.hidden = shown.length > 0;
    deviceTable.hidden = shown.length === 0;
    devices.draw(shown);
  }

  async function loadLost() {
    const { items } = await json(`${base}/unclaimed?limit=${UNCLAIMED}`);
    lost.draw(items);
    noneLost.hidden = items.length > 0;
    lostTable.hidden = items.length === 0;
  }

  return { element, load };
}

const keyOf = (item) => item.stream || item.observation?.id || `${item.kind}-${item.taken_at}`;
