// The auditor's page: who did what, and whether the chain holds.

import { json } from "./api.js";
import { byId, h, ready, setText } from "./dom.js";
import { t } from "./text.js";
import { showClock, showTime } from "./time.js";

const body = byId("rows");
const more = byId("more");
let cursor = "";

const row = (entry) => h("tr", {},
  h("td.number", {}, String(entry.seq)),
  h("td.age", { title: entry.at }, `${showTime(entry.at)} (${showClock(entry.at)})`),
  h("td", {}, entry.actor),
  h("th", { scope: "row" }, entry.action),
  h("td", {}, entry.target, entry.detail ? h("small", {}, entry.detail) : ""),
  h("td", {}, entry.resident || "–"));

async function load() {
  more.disabled = true;
  try {
    const page = await json(`/api/v1/audit?limit=100&cursor=${encodeURIComponent(cursor)}`);
    body.append(...page.items.map(row));
    cursor = page.next;
    more.hidden = !cursor;
    byId("failed").hidden = true;
  } catch {
    byId("failed").hidden = false;
  }
  more.disabled = false;
}

async function verify() {
  const place = byId("chain");
  setText(place, t("audit.checking"));
  try {
    const { intact, first_bad: bad } = await json("/api/v1/audit/verify");
    place.classList.toggle("bad", !intact);
    setText(place, intact ? t("audit.intact") : t("audit.broken", { seq: bad }));
  } catch (error) {
    place.classList.add("bad");
    setText(place, t("act.failed", { why: error.message }));
  }
}

more.addEventListener("click", load);
byId("verify").addEventListener("click", verify);
await Promise.all([load(), verify()]);
ready();
