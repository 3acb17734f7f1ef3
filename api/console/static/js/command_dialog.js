// Before a device does something to a person, the operator says so once more.

import { byId, setText } from "./dom.js";
import { t } from "./text.js";

const dialog = byId("command");
// Stopping never waits for a question.
const AT_ONCE = new Set(["stop-blood-pressure", "stop-ecg"]);

/** Ask, and then run `work`. `person`: who is being measured, empty when nobody is. */
export function confirmed(device, name, person, work) {
  if (AT_ONCE.has(name)) {
    work();
    return;
  }
  setText(byId("command-title"), `${t(`command.${name}`)}?`);
  setText(byId("command-device"), t("command.at", { device: device.name || device.id }));
  setText(byId("command-person"), person ? t("command.person", { name: person }) : t("command.nobody"));
  byId("command-person").classList.toggle("bad", !person);
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "ok") work();
  };
  dialog.showModal();
}
