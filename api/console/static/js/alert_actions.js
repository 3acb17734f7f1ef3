// Accepting and closing: with the version that was seen, and what changed meanwhile.

import { json } from "./api.js";
import { byId, h, setText } from "./dom.js";
import { reading, ruleTitle, stateText, subject } from "./rules.js";
import { t } from "./text.js";

const closeDialog = byId("close");
const toldDialog = byId("told");

/**
 * @param {string} me the account that acts
 * @param {{find: (id: string) => object, done: (alert: object) => void}} alerts
 *   `done` gets the fresh alert after every act, also after one that came too late
 */
export function alertActions(me, { find, done }) {
  async function act(id, action, extra = {}) {
    const seen = find(id);
    try {
      done(await json(`/api/v1/alerts/${id}/${action}`, { method: "POST", body: { version: seen.version, ...extra } }));
    } catch (error) {
      const fresh = error.problem?.current;
      if (error.status === 409 && fresh?.id === id) {
        done(fresh);
        tell(t("changed.title"), t("changed.what"), differences(seen, fresh, me));
      } else tell(t("act.failed-title"), error.message, []);
    }
  }

  function close(id) {
    const alert = find(id);
    const form = closeDialog.querySelector("form");
    form.reset();
    setText(byId("close-what"), `${subject(alert)} · ${reading(alert).text} · ${ruleTitle(alert.rule)}`);
    closeDialog.returnValue = "";
    closeDialog.onclose = () => {
      if (closeDialog.returnValue !== "ok") return;
      const data = new FormData(form);
      act(id, "close", { outcome: data.get("outcome"), note: data.get("note") });
    };
    closeDialog.showModal();
  }

  return { accept: (id) => act(id, "accept"), close };
}

/** What is different, as [what, before, after]. */
function differences(seen, fresh, me) {
  const pairs = [
    [t("col.state"), stateText(seen, me), stateText(fresh, me)],
    [t("col.level"), t(`level.${seen.level}`), t(`level.${fresh.level}`)],
    [t("col.reading"), reading(seen).text, reading(fresh).text],
    [t("changed.readings"), String(seen.evidence.length), String(fresh.evidence.length)],
  ];
  return pairs.filter(([, before, after]) => before !== after);
}

function tell(title, text, changes) {
  setText(byId("told-title"), title);
  setText(byId("told-what"), text);
  byId("told-changes").replaceChildren(...changes.flatMap(([what, before, after]) => [h("dt", {}, what), h("dd", {}, t("changed.from-to", { before, after }))]));
  toldDialog.showModal();
}
