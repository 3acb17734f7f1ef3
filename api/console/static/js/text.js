// The catalogue of the page's language, and words for tokens that the API sends.

const catalogue = JSON.parse(document.getElementById("catalogue").textContent);

export const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
export const locale = lang === "zh" ? "zh-CN" : "en-GB";

/** Whether the catalogue has the key. */
export const has = (key) => Object.hasOwn(catalogue, key);

/** The text of a key; {name} is replaced from `values`. A missing key is a fault of ours. */
export function t(key, values = {}) {
  if (!has(key)) {
    console.error(`no text for ${key}`);
    return "…";
  }
  return catalogue[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** The word for a token such as "probe-off"; a token without one is made readable. */
export function word(prefix, token) {
  const key = `${prefix}.${token}`;
  return has(key) ? t(key) : String(token).replace(/[-_]/g, " ");
}

/** A person's name in the page's language. */
export const personName = (person) => (lang === "zh" ? person.name : person.name_latin || person.name);

/** Diagnoses in words, the unknown ones as they were written. */
export const diagnoses = (codes) => (codes ?? []).map((code) => word("diagnosis", code)).join(", ");
