// How rules and readings of an alert are worded, shared by worklist and resident page.
import { has, showValue, t } from "./dom.js";

const UNITS = [
  [/^(systolic|diastolic|mean_arterial_pressure)$/, "mm[Hg]"],
  [/^glucose/, "mmol/L"],
  [/^body_temperature/, "Cel"],
  [/rate/, "/min"],
  [/^(spo2|perfusion_index|body_fat_percentage)$/, "%"],
  [/^body_weight$/, "kg"],
  [/^body_height$/, "cm"],
  [/^bmi$/, "kg/m2"],
];

/** The unit of a metric as people write it. */
export function unitOf(metric) {
  const found = UNITS.find(([pattern]) => pattern.test(metric));
  return found ? t(`unit.${found[1]}`) : "";
}

/** The title of a rule, or its id when a site added one without a title. */
export const ruleTitle = (rule) => (has(`rule.${rule}`) ? t(`rule.${rule}`) : rule);

/** The newest piece of evidence of an alert. */
export const newest = (alert) => alert.evidence.at(-1) ?? { values: {} };

/** {label, text} of the reading behind an alert. */
export function reading(alert) {
  const { values } = newest(alert);
  if ("systolic" in values) {
    const pair = ["systolic", "diastolic"].map((name) => showValue(name, values[name] ?? ""));
    return { label: t("metric.blood_pressure_panel"), text: `${pair.join("/")} ${t("unit.mm[Hg]")}` };
  }
  const [metric] = Object.keys(values);
  if (!metric) return { label: "", text: "–" };
  return { label: t(`metric.${metric}`), text: `${showValue(metric, values[metric])} ${unitOf(metric)}` };
}

/** Where the alert stands, in words. */
export function stateText(alert) {
  if (alert.state === "accepted") return t("state.accepted", { who: alert.accepted_by });
  if (alert.state === "closed") return t("state.closed", { outcome: alert.outcome ? t(`outcome.${alert.outcome}`) : "" });
  return t("state.raised");
}

/** Short remarks beside the reason. */
export function remarks(alert) {
  const found = [];
  if (has(`confirmation.${alert.confirmation}`)) found.push(t(`confirmation.${alert.confirmation}`));
  if (alert.condition_present === false) found.push(t("flag.condition-gone"));
  if (alert.historical) found.push(t("flag.historical"));
  if (newest(alert).quality === "questionable") found.push(t("flag.questionable"));
  if (alert.evidence.length > 1) found.push(t("flag.evidence", { n: alert.evidence.length }));
  return found;
}
