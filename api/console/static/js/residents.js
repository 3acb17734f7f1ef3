// The residents one may see.

import { json } from "./api.js";
import { byId, h, ready } from "./dom.js";
import { diagnoses, personName, t } from "./text.js";
import { years } from "./time.js";

const body = byId("rows");
const more = byId("more");
const mayOpen = body.dataset.mayOpen === "yes";
let cursor = "";

function row(person) {
  const name = personName(person);
  const link = mayOpen ? h("a", { href: `/residents/${encodeURIComponent(person.id)}` }, name) : name;
  return h("tr", {},
    h("th", { scope: "row" }, link),
    h("td", {}, person.id),
    h("td.number", {}, person.birth_date ? String(years(person.birth_date)) : "–"),
    h("td", {}, person.diagnoses === null ? t("residents.hidden") : diagnoses(person.diagnoses) || "–"),
    h("td", {}, person.contracts.map((contract) => contract.team).join(", ") || "–"));
}

async function load() {
  more.disabled = true;
  try {
    const page = await json(`/api/v1/residents?limit=50&cursor=${encodeURIComponent(cursor)}`);
    body.append(...page.items.map(row));
    cursor = page.next;
    more.hidden = !cursor;
    byId("empty").hidden = body.children.length > 0;
    byId("failed").hidden = true;
  } catch {
    byId("failed").hidden = false;
    more.hidden = false;
  }
  more.disabled = false;
  ready();
}

more.addEventListener("click", load);
await load();
