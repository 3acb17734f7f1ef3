// Who is being measured at a station, and every value of theirs as it arrives.

import { json, post } from "./api.js";
import { actButton, allow } from "./connection.js";
import { h, setChildren, setText } from "./dom.js";
import { liveList } from "./list.js";
import { showReading } from "./reading_dialog.js";
import { personName, t } from "./text.js";
import { ageNode, now, setAge, showTime } from "./time.js";
import { headline, partsOfPoints, qualityRemarks } from "./values.js";
import { tags } from "./rules.js";

const IDENTIFIED_BY = ["operator", "id-card", "health-card", "phone"];
// A station that is there answers within a second or two.
const ANSWER_MS = 15_000;
const RECENT = 20;

/** @param {{tell: (text: string) => void, changed: () => void}} page */
export function sessionPanel(station, page) {
  const url = `/api/v1/stations/${encodeURIComponent(station.id)}/session`;
  let current = null; // the session as the station reported it
  let name = "";
  let pending = null; // {until, was}: what was asked for and not yet reported

  const input = h("input", { name: "resident", required: true, maxlength: 63, autocomplete: "off", spellcheck: "false", list: "people" });
  const how = h("select", { name: "identified_by" }, ...IDENTIFIED_BY.map((way) => h("option", { value: way }, t(`identified.${way}`))));
  const start = h("button.primary", { "data-act": true, disabled: true }, t("session.open"));
  const form = h("form.row.end", {}, h("label", {}, t("session.resident"), input), h("label", {}, t("session.identified"), how), start);

  const title = h("strong.person");
  const since = ageNode(now(), "session.since");
  const finish = actButton("button.primary", t("session.close"), () => ask({ method: "DELETE" }, false));
  const abort = actButton("button", t("session.abort"), () => ask({ method: "DELETE" }, true), { title: t("session.abort-why") });
  const values = h("tbody");
  const none = h("p.dim", {}, t("session.no-readings"));
  const open = h("div", { hidden: true }, h("div.row", {}, title, since, finish, abort), none, h("table", {}, values));

  const note = h("p.dim", { role: "status" });
  const nobody = h("p.dim", {}, t("stations.no-session"));
  const element = h("section.session", { "aria-label": t("session.title") }, h("h3", {}, t("session.title")), nobody, open, form, note);
  const list = liveList(values, { key: (item) => item.observation, make: row, fill: () => {} });

  async function ask(options, aborts) {
    pending = { until: now() + ANSWER_MS, was: current?.session ?? null };
    try {
      const which = options.method === "DELETE" ? `?session=${encodeURIComponent(current?.session ?? "")}&abort=${aborts}` : "";
      await json(url + which, options);
      setText(note, t("session.sent"));
    } catch (error) {
      pending = null;
      page.tell(t("act.failed", { why: error.status === 404 ? t("session.no-resident") : error.message }));
    }
    page.changed();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask({ method: "POST", body: { resident: input.value.trim(), identified_by: how.value } }, false);
  });

  function row(item) {
    const { label, text, more } = headline(partsOfPoints(item.points));
    const look = () => showReading(item.observation, page.changed).catch((error) => page.tell(error.message));
    return { element: h("tr.new", {},
      h("td.age", {}, showTime(item.at)),
      h("td", {}, label),
      h("td.value", {}, text, more ? h("small", {}, more) : ""),
      h("td", {}, tags(qualityRemarks(item.quality, item.flags))),
      h("td.actions", {}, actButton("button", t("reading.open"), look, { "aria-label": t("act.for", { action: t("reading.open"), name: `${label} ${text}` }) }))) };
  }

  async function show(session) {
    const changed = session.session !== current?.session;
    current = session;
    const id = session.resident;
    open.hidden = !id;
    nobody.hidden = Boolean(id);
    if (changed) {
      name = "";
      list.draw([], { force: true });
      if (id) input.value = "";
    }
    if (!id) return;
    const base = `/api/v1/residents/${encodeURIComponent(id)}`;
    if (!name) name = await json(base).then(personName);
    setChildren(title, `${name}|${id}`, () => [name, " ", h("small", {}, id)]);
    setAge(since, session.opened_at, "session.since");
    const { items } = await json(`${base}/recent?limit=${RECENT}`);
    none.hidden = items.length > 0;
    list.draw(items);
  }

  /** Bring it up to date. Throws `Refusal`. */
  async function load(online) {
    const session = await json(url);
    await show(session);
    if (pending && session.session !== pending.was) {
      pending = null;
      setText(note, "");
    } else if (pending && now() > pending.until) {
      pending = null;
      setText(note, t("session.no-answer"));
    }
    if (!online) setText(note, t("session.offline"));
    else if (note.textContent === t("session.offline")) setText(note, "");
    for (const button of [start, finish, abort]) allow(button, online && !pending);
  }

  return { element, load, person: () => (current?.resident ? `${name} (${current.resident})` : ""), resident: () => current?.resident ?? "" };
}
