// Saying whose a reading is that belongs to nobody.

import { post } from "./api.js";
import { allow } from "./connection.js";
import { byId, setText } from "./dom.js";
import { t } from "./text.js";

const dialog = byId("claim");
const form = dialog.querySelector("form");

/** Ask whose it is; `done` is called when the hub has taken it. */
export function claim(item, { what, person }, done) {
  form.reset();
  setText(byId("claim-what"), what);
  form.elements.resident.value = person;
  form.elements.reason.value = t("claim.by-operator");
  byId("claim-failed").hidden = true;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (event.submitter?.value === "cancel") {
      dialog.close();
      return;
    }
    const url = item.stream ? `/api/v1/waveforms/${encodeURIComponent(item.stream)}/claim` : `/api/v1/readings/${item.observation.id}/claim`;
    const button = form.querySelector("button.primary");
    allow(button, false);
    try {
      await post(url, { resident: form.elements.resident.value.trim(), reason: form.elements.reason.value });
      dialog.close();
      done();
    } catch (error) {
      const why = { 404: t("claim.no-resident"), 409: t("claim.taken") }[error.status] ?? error.message;
      setText(byId("claim-failed"), t("act.failed", { why }));
      byId("claim-failed").hidden = false;
    }
    allow(button, true);
  };
  dialog.showModal();
}
