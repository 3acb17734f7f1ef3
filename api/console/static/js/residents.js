// The residents a doctor answers for.

import { ask, h, lang, t } from "./dom.js";

const body = document.getElementById("rows");
const more = document.getElementById("more");
let cursor = "";

async function load() {
  const answer = await ask(`/api/v1/residents?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  if (!answer.ok) return;
  const page = await answer.json();
  for (const person of page.items) {
    const name = lang === "zh" ? person.name : person.name_latin || person.name;
    body.append(h("tr", {},
      h("th", { scope: "row" }, h("a", { href: `/residents/${encodeURIComponent(person.id)}` }, name)),
      h("td.number", {}, person.age === null || person.age === undefined ? "" : String(person.age)),
      h("td", {}, (person.diagnoses ?? []).map((d) => t(`diagnosis.${d}`)).join(", ")),
      h("td", {}, person.team_name ?? "")));
  }
  cursor = page.next ?? "";
  more.hidden = !cursor;
  document.getElementById("empty").hidden = body.children.length > 0;
  document.documentElement.dataset.ready = "yes";
}

more.addEventListener("click", load);
await load();
