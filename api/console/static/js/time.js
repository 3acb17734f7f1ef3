// Time as the server has it: a browser's clock may be wrong, an alert's age must not be.

import { locale, t } from "./text.js";

// The Date header counts whole seconds: nothing closer than this is corrected by it.
const COARSE_MS = 1_500;
export const DAY_MS = 86_400_000;

let skew = 0; // server clock minus ours, ms

/** The server's time, in ms since 1970. */
export const now = () => Date.now() + skew;

/** The server said what time it is. `coarse`: to the second only. */
export function hearTime(instant, { coarse = false } = {}) {
  const fresh = Date.parse(instant) - Date.now();
  if (Number.isNaN(fresh)) return;
  if (!coarse || Math.abs(fresh - skew) > COARSE_MS) skew = fresh;
}

/** How long ago, in words that stay short: 40 s, 12 min, 3 h 5 min, 4 d. */
export function age(from, to = now()) {
  const seconds = Math.max(0, Math.floor((to - from) / 1000));
  if (seconds < 60) return t("age.s", { n: seconds });
  if (seconds < 3600) return t("age.min", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t("age.h", { n: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
  return t("age.d", { n: Math.floor(seconds / 86400) });
}

/** Whole years since a date of birth. */
export function years(born) {
  const [year, month, day] = born.split("-").map(Number);
  const today = new Date(now());
  const before = today.getMonth() + 1 < month || (today.getMonth() + 1 === month && today.getDate() < day);
  return today.getFullYear() - year - (before ? 1 : 0);
}

const stamp = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const dayOnly = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const hourOnly = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const showTime = (at) => stamp.format(new Date(at));
export const showDay = (at) => dayOnly.format(new Date(at));
export const showHour = (at) => hourOnly.format(new Date(at));
export const showClock = (at) => clock.format(new Date(at));

/** The age of `from` inside the text of `key`, kept up to date every second. */
export function ageNode(from, key = "age.plain") {
  const node = document.createElement("span");
  setAge(node, from, key);
  return node;
}

/** Have a node show the age of another instant. */
export function setAge(node, from, key = "age.plain") {
  node.dataset.since = String(typeof from === "number" ? from : Date.parse(from));
  node.dataset.text = key;
  refresh(node);
}

function refresh(node) {
  const text = t(node.dataset.text, { age: age(Number(node.dataset.since)) });
  if (node.textContent !== text) node.textContent = text;
}

setInterval(() => document.querySelectorAll("[data-since]").forEach(refresh), 1_000);
