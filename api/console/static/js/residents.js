// The residents a doctor answers for.

import { ask, h, personName, t } from "./dom.js";

const body = document.getElementById("rows");
const more = document.getElementById("more");
let cursor = "";

async function load() {
  const answer = await ask(`/api/v1/residents?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  if (!answer.ok) return;
  const page = await answer.json();
  for (const person of page.items) {
    const name = personName(person);
    body.append(h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `/residents/${encodeURIComponent(person.id)}` }, name)),
      h("td.number", {}, person.birth_date ? String(Math.floor((Date.now() - Date.parse(person.birth_date)) / 31_557_600_000)) : ""),
      h("td", {}, (person.diagnoses ?? []).map((d) => t(`diagnosis.${d}`)).join(", ")),
      h("td", {}, person.contracts.map((contract) => contract.team).join(", "))));
  }
  cursor = page.next ?? "";
  more.hidden = !cursor;
  document.getElementById("empty").hidden = body.children.length > 0;
  document.documentElement.dataset.ready = "yes";
}

more.addEventListener("click", load);
await load();
