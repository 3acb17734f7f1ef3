// Building blocks of every page: the catalogue, elements without markup, time, requests.

const catalogue = JSON.parse(document.getElementById("catalogue").textContent);

export const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const locale = lang === "zh" ? "zh-CN" : "en-GB";

/** The text of a key in the page's language; {name} is replaced from `values`. */
export function t(key, values = {}) {
  const text = catalogue[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Whether the catalogue has the key. */
export const has = (key) => key in catalogue;

/** h("td.age", {title: "x"}, child, ...): an element with classes, attributes, children. */
export function h(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Change text only when it differs, so that screen readers and selections stay quiet. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** How long ago, in words that stay short: 40 s, 12 min, 3 h 5 min, 4 d. */
export function age(from, now) {
  const seconds = Math.max(0, Math.floor((now - from) / 1000));
  if (seconds < 60) return t("age.s", { n: seconds });
  if (seconds < 3600) return t("age.min", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t("age.h", { n: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
  return t("age.d", { n: Math.floor(seconds / 86400) });
}

const stamp = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const dayOnly = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const showTime = (at) => stamp.format(new Date(at));
export const showDay = (at) => dayOnly.format(new Date(at));
export const showClock = (at) => clock.format(new Date(at));

// Decimals are fixed per quantity, so that 16 and 16.0 never stand in one column.
const PLACES = {
  glucose_capillary: 1, glucose_fasting: 1, glucose_preprandial: 1, glucose_postprandial_2h: 1,
  glucose_random: 1, body_temperature: 1, body_temperature_axillary: 1, body_temperature_tympanic: 1,
  body_temperature_oral: 1, body_weight: 1, perfusion_index: 1, bmi: 1,
};

export const places = (metric) => PLACES[metric] ?? 0;

/** A value as a person reads it: fixed decimals, HI and LO as the meter shows them. */
export function showValue(metric, value, absent = "") {
  if (absent === "above-range" || value === "above-range") return "HI";
  if (absent === "below-range" || value === "below-range") return "LO";
  const number = Number(value);
  if (value === null || value === "" || Number.isNaN(number)) return "–";
  return number.toFixed(places(metric));
}

/** A person's name in the page's language. */
export const personName = (person) => (lang === "zh" ? person.name : person.name_latin || person.name);

/** Ask the API; a session that has ended leads to the log-in page. */
export async function ask(url, { method = "GET", body } = {}) {
  const options = { method, headers: { Accept: "application/json" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(url, options);
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  return answer;
}
