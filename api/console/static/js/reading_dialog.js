// What proves a reading, and moving it to another person with a second one's agreement.

import { json, post } from "./api.js";
import { allow } from "./connection.js";
import { byId, h, setText } from "./dom.js";
import { t, word } from "./text.js";
import { showTime } from "./time.js";
import { headline, partsOf, qualityRemarks } from "./values.js";

const dialog = byId("reading");
const form = byId("reassign");

/** Show a reading; `moved` is called after it went to another person. Throws `Refusal`. */
export async function showReading(id, moved) {
  const proof = await json(`/api/v1/readings/${id}`);
  const { observation } = proof;
  const { label, text, more } = headline(partsOf(observation));
  setText(byId("reading-title"), `${label} ${text}`);
  setText(byId("reading-more"), more);
  byId("reading-facts").replaceChildren(...facts(proof).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  if (form) prepare(proof, moved);
  dialog.showModal();
}

function facts({ observation, log_seq: seq, hub_received_at: stored, history }) {
  const remarks = qualityRemarks(observation.quality, observation.flags).join(", ");
  const found = [
    [t("proof.taken"), `${showTime(observation.taken_at)} · ${word("time", observation.time_quality)}`],
    [t("proof.device-time"), observation.device_time],
    [t("proof.received"), showTime(observation.received_at)],
    [t("proof.stored"), t("proof.place", { time: showTime(stored), seq })],
    [t("proof.device"), observation.device],
    [t("proof.station"), observation.station],
    [t("proof.driver"), observation.driver],
    [t("proof.quality"), remarks || t("proof.no-remarks")],
    [t("proof.raw"), h("code", {}, hex(observation.raw))],
    ...history.map((move) => [t("proof.moved"), t("proof.move", { who: move.by, approved: move.approved_by || "–", time: showTime(move.at), reason: move.reason })]),
  ];
  return found.filter(([, value]) => value !== null && value !== "");
}

const hex = (base64) => Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");

function prepare(proof, moved) {
  form.reset();
  byId("reassign-part").hidden = proof.resident === "";
  byId("reassign-part").open = false;
  byId("reassign-failed").hidden = true;
  form.onsubmit = async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const button = form.querySelector("button");
    allow(button, false);
    try {
      await post(`/api/v1/readings/${proof.observation.id}/reassign`, {
        resident: data.get("resident").trim(),
        reason: data.get("reason"),
        approver: { account: data.get("account").trim(), password: data.get("password") },
      });
      dialog.close();
      moved();
    } catch (error) {
      setText(byId("reassign-failed"), t("act.failed", { why: error.status === 401 ? t("reassign.no-approver") : error.message }));
      byId("reassign-failed").hidden = false;
    }
    form.elements.password.value = "";
    allow(button, true);
  };
}
