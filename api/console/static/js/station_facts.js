// A station's state and devices, for the hub's page and for the station's own.

import { actButton, allow } from "./connection.js";
import { h, setChildren, setText } from "./dom.js";
import { has, t, word } from "./text.js";
import { ageNode, setAge, showTime } from "./time.js";

// What an operator may have a device do; the station refuses what the driver does not know.
const COMMANDS = {
  lepu_kiosk: ["start-blood-pressure", "stop-blood-pressure", "start-ecg", "stop-ecg"],
};

const tag = (css, ...parts) => h(`span.tag${css}`, {}, ...parts);

/** A condition as it comes, "probe-off:dev-1", in words and with the device's name. */
function condition(text, devices) {
  const [code, id] = text.split(":");
  const name = devices.find((device) => device.id === id)?.name || id;
  return name ? `${word("condition", code)} (${name})` : word("condition", code);
}

/** What one has to know of a station, as tags. `status` as in a status message. */
export function stationTags(status) {
  const found = [];
  if (status.depth) {
    const oldest = status.oldest_at ? ageNode(status.oldest_at, "stations.oldest") : "";
    found.push(tag(".warn", t("stations.unsent", { n: status.depth }), " ", oldest));
  } else found.push(tag(".good", t("stations.sent")));
  if (status.bytes_quota) {
    const percent = Math.round((100 * status.bytes_used) / status.bytes_quota);
    found.push(tag(percent >= 80 ? ".bad" : "", t("stations.disk", { percent })));
  }
  if (status.refused_readings) found.push(tag(".bad", t("stations.refused-readings", { n: status.refused_readings })));
  if (status.refused_waveforms) found.push(tag(".bad", t("stations.refused-waveforms", { n: status.refused_waveforms })));
  if (status.dead_letters) found.push(tag(".bad", t("stations.dead", { n: status.dead_letters })));
  for (const code of status.conditions) found.push(tag(".warn", condition(code, status.devices)));
  return found;
}

/** What the tags are made of, to see whether they have changed. */
export const tagsKey = (status) => JSON.stringify([status?.online, status?.depth, status?.oldest_at, status?.bytes_used, status?.bytes_quota, status?.refused_readings, status?.refused_waveforms, status?.dead_letters, status?.conditions]);

/**
 * Rows of devices for `liveList`.
 * @param {(device: object, name: string) => void} command null: no buttons
 */
export function deviceRows(command) {
  const make = (device) => {
    const row = { name: h("th", { scope: "row" }), driver: h("td"), state: h("td"), battery: h("td.number"), last: h("td.age"), acts: h("td.actions") };
    const names = command ? (COMMANDS[device.driver.split("/")[0]] ?? []) : [];
    row.buttons = names.map((name) => actButton(name.startsWith("start-blood") ? "button.primary" : "button", t(`command.${name}`), () => command(row.device, name)));
    row.acts.append(...row.buttons);
    row.element = h("tr", { "data-id": device.id }, row.name, row.driver, row.state, row.battery, row.last, row.acts);
    return row;
  };
  const fill = (row, device) => {
    row.device = device;
    setChildren(row.name, `${device.name}|${device.model ?? ""}`, () => [device.name || device.id, device.model ? h("small", {}, device.model) : ""]);
    setText(row.driver, device.driver || "–");
    setChildren(row.state, `${device.state}|${device.reason}`, () => stateOf(device));
    setText(row.battery, device.battery === null ? "–" : `${device.battery} %`);
    if (device.last_reading_at) {
      if (!row.since) row.last.replaceChildren((row.since = ageNode(device.last_reading_at, "age.ago")));
      setAge(row.since, device.last_reading_at, "age.ago");
      row.last.title = showTime(device.last_reading_at);
    } else setText(row.last, "–");
    for (const button of row.buttons) allow(button, device.state === "connected");
  };
  return { key: (device) => device.id, make, fill };
}

const CALM = new Set(["connected", "idle", "searching", "connecting"]);

function stateOf(device) {
  const found = [h(CALM.has(device.state) ? "span" : "span.trouble", {}, word("device", device.state))];
  if (device.reason) found.push(h("small", {}, word("reason", device.reason)));
  if (has(`remedy.${device.reason}`)) found.push(h("small.remedy", {}, t(`remedy.${device.reason}`)));
  return found;
}

/** The heads of the devices' columns. */
export const deviceHeads = () => ["col.device", "col.driver", "col.state", "col.battery", "col.last", "col.actions"].map((key) => t(key));
