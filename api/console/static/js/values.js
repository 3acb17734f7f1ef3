// Values as people read them: fixed decimals, units, HI and LO as the meter shows them.

import { t, word } from "./text.js";

// Decimals are fixed per quantity, so that 16 and 16.0 never stand in one column.
const PLACES = [
  [/^(glucose|body_temperature)/, 1],
  [/^(body_weight|perfusion_index|bmi|body_fat_percentage)$/, 1],
];

const UNITS = [
  [/^(systolic|diastolic|mean_arterial_pressure)$/, "mm[Hg]"],
  [/^glucose/, "mmol/L"],
  [/^body_temperature/, "Cel"],
  [/rate/, "/min"],
  [/^rr_interval$/, "ms"],
  [/^(spo2|perfusion_index|body_fat_percentage)$/, "%"],
  [/^body_weight$/, "kg"],
  [/^body_height$/, "cm"],
  [/^bmi$/, "kg/m2"],
];

const lookUp = (table, metric) => table.find(([pattern]) => pattern.test(metric))?.[1];

export const places = (metric) => lookUp(PLACES, metric) ?? 0;

/** The unit of a metric as people write it. */
export function unitOf(metric) {
  const unit = lookUp(UNITS, metric);
  return unit ? t(`unit.${unit}`) : "";
}

/** A value as a person reads it: fixed decimals, HI and LO, a dash where there is none. */
export function showValue(metric, value, absent = "") {
  if (absent === "above-range" || value === "above-range") return "HI";
  if (absent === "below-range" || value === "below-range") return "LO";
  const number = Number(value);
  if (value === null || value === undefined || value === "" || Number.isNaN(number)) return "–";
  return number.toFixed(places(metric));
}

/** Value and unit; the unit is left out where there is no number to it. */
export function showQuantity(metric, value, absent = "") {
  const text = showValue(metric, value, absent);
  const unit = text === "–" ? "" : unitOf(metric);
  return unit ? `${text} ${unit}` : text;
}

/**
 * What a reading says in one line, its headline first: a blood pressure is one value.
 * @param {{name: string, value: string | null, absent: string}[]} parts
 * @returns {{label: string, text: string, more: string}}
 */
export function headline(parts) {
  const by = new Map(parts.map((part) => [part.name, part]));
  const show = (part) => `${word("metric", part.name)} ${showQuantity(part.name, part.value, part.absent)}`;
  if (by.has("systolic")) {
    const pair = ["systolic", "diastolic"].map((name) => showValue(name, by.get(name)?.value, by.get(name)?.absent));
    const others = parts.filter((part) => part.name !== "systolic" && part.name !== "diastolic");
    return { label: t("metric.blood_pressure_panel"), text: `${pair.join("/")} ${t("unit.mm[Hg]")}`, more: others.map(show).join(" · ") };
  }
  // An oximeter's pulse and perfusion go with its saturation, in whichever order.
  const [first, ...others] = [...parts].sort((a, b) => (b.name === "spo2") - (a.name === "spo2"));
  if (!first) return { label: "", text: "–", more: "" };
  return { label: word("metric", first.name), text: showQuantity(first.name, first.value, first.absent), more: others.map(show).join(" · ") };
}

/** The parts of an observation, for `headline`. */
export const partsOf = (observation) => observation.components.map((c) => ({ name: c.name, value: c.quantity.value, absent: c.quantity.absent ?? "" }));

/** The parts of a whole reading as `/recent` gives it. */
export const partsOfPoints = (points) => Object.entries(points).map(([name, point]) => ({ name, value: point.value, absent: point.absent }));

/** Remarks on how far a reading can be trusted. */
export function qualityRemarks(quality, flags) {
  const found = quality && quality !== "ok" ? [word("quality", quality)] : [];
  return [...found, ...flags.map((flag) => word("flag", flag))];
}
