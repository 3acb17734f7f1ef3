// How rules and readings of an alert are worded, shared by worklist and resident page.

import { h } from "./dom.js";
import { has, personName, t, word } from "./text.js";
import { headline } from "./values.js";

/** The title of a rule, or its id when a site added one without a title. */
export const ruleTitle = (rule) => (has(`rule.${rule}`) ? t(`rule.${rule}`) : rule);

/** The newest piece of evidence of an alert. */
export const newest = (alert) => alert.evidence.at(-1) ?? { values: {}, quality: "ok" };

/** {label, text} of the reading behind an alert. */
export const reading = (alert) => headline(Object.entries(newest(alert).values).map(([name, value]) => ({ name, value, absent: "" })));

/** Whom it is about: a person, or a station and its device. */
export function subject(alert) {
  if (alert.resident) return personName(alert.resident);
  return [alert.station, alert.device].filter(Boolean).join(" · ") || "–";
}

/** Where the alert stands, in words. */
export function stateText(alert, me = "") {
  if (alert.state === "accepted") return alert.accepted_by === me ? t("state.accepted-me") : t("state.accepted", { who: alert.accepted_by });
  if (alert.state === "closed") return t("state.closed", { outcome: alert.outcome ? t(`outcome.${alert.outcome}`) : "–" });
  return t("state.raised");
}

/** Short remarks beside the reason. */
export function remarks(alert) {
  const found = [];
  if (has(`confirmation.${alert.confirmation}`)) found.push(t(`confirmation.${alert.confirmation}`));
  if (alert.condition_present === false) found.push(t("flag.condition-gone"));
  if (alert.historical) found.push(t("flag.historical"));
  const { quality } = newest(alert);
  if (quality !== "ok") found.push(word("quality", quality));
  if (alert.evidence.length > 1) found.push(t("flag.evidence", { n: alert.evidence.length }));
  return found;
}

/** The level as colour, shape and word. */
export const levelMark = (level) => h(`span.level.level-${level}`, {}, t(`level.${level}`));

/** Small tags under a text. */
export const tags = (words) => (words.length ? h("small", {}, ...words.map((text) => h("span.tag", {}, text))) : "");
