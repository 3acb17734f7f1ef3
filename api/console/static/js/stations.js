// The operator's page: stations, devices, who is being measured, what belongs to nobody.

import { json, post } from "./api.js";
import { actButton } from "./connection.js";
import { byId, h, ready, setChildren, setText } from "./dom.js";
import { liveList } from "./list.js";
import { poll } from "./poll.js";
import { stationCard } from "./station_card.js";
import { personName, t, word } from "./text.js";
import { showTime } from "./time.js";

const root = byId("stations");
const told = byId("told");
const more = byId("more");
// A notice about what was done goes away; one about what was not stays until the next.
const GOOD_MS = 8_000;

const cards = new Map(); // station id -> card
let pages = 1;
let hiding = 0;

function tell(text, { good = false } = {}) {
  clearTimeout(hiding);
  setText(told, text);
  told.classList.toggle("bad", !good);
  told.hidden = false;
  if (good) hiding = setTimeout(() => (told.hidden = true), GOOD_MS);
}

const page = {
  mayAct: root.dataset.mayAct === "yes",
  mayCommand: root.dataset.mayCommand === "yes",
  tell,
  changed: () => refresh(),
};

async function loadStations() {
  const found = [];
  let cursor = "";
  for (let number = 0; number < pages; number += 1) {
    const { items, next } = await json(`/api/v1/stations?limit=20&cursor=${encodeURIComponent(cursor)}`);
    found.push(...items);
    cursor = next;
    if (!next) break;
  }
  more.hidden = !cursor;
  for (const station of found) {
    if (cards.has(station.id)) continue;
    const card = stationCard(station, page);
    cards.set(station.id, card);
    root.append(card.element);
  }
  byId("none").hidden = found.length > 0;
  await Promise.all(found.map((station) => cards.get(station.id).load(station)));
}

/** Residents whose names one may know, to choose from while typing. */
async function loadPeople() {
  const { items } = await json("/api/v1/residents?limit=200");
  setChildren(byId("people"), JSON.stringify(items.map((p) => p.id)), () => items.map((person) => h("option", { value: person.id }, personName(person))));
}

const letters = byId("letters") && liveList(byId("letters"), { key: (letter) => String(letter.id), make: letterRow, fill: fillLetter });

function letterRow(letter) {
  const row = { count: h("td.number"), state: h("td"), last: h("td.age") };
  const again = async () => {
    try {
      const { understood } = await post(`/api/v1/dead-letters/${letter.id}/replay`);
      tell(t(understood ? "letters.understood" : "letters.not-understood"), { good: understood });
    } catch (error) {
      tell(t("act.failed", { why: error.message }));
    }
    refresh();
  };
  row.element = h("tr", {}, row.last, h("td", {}, letter.station || "–"), h("td", {}, word("letter", letter.reason), h("small", {}, letter.detail)), row.count, row.state, h("td.actions", {}, actButton("button", t("letters.again"), again, { "aria-label": t("act.for", { action: t("letters.again"), name: String(letter.id) }) })));
  return row;
}

function fillLetter(row, letter) {
  setText(row.last, showTime(letter.last_at));
  setText(row.count, String(letter.count));
  setText(row.state, letter.replayed_at ? t("letters.done", { time: showTime(letter.replayed_at) }) : t("letters.waiting"));
}

async function loadLetters() {
  const { items } = await json("/api/v1/dead-letters?limit=50");
  letters.draw(items);
  byId("no-letters").hidden = items.length > 0;
}

async function load() {
  try {
    await Promise.all([loadStations(), letters ? loadLetters() : null, page.mayAct ? loadPeople() : null]);
  } finally {
    ready();
  }
}

more.addEventListener("click", () => {
  pages += 1;
  refresh();
});
const refresh = poll(load);
refresh();
