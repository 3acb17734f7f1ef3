// The ECG recordings of a resident's page, half a minute at a time.

import { Refusal, ask, json } from "./api.js";
import { pixelsPerMillimetre, whenCalibrated } from "./calibration.js";
import { byId, h, setText } from "./dom.js";
import { drawStrip } from "./ecg.js";
import { t, word } from "./text.js";
import { showClock, showTime } from "./time.js";

// A canvas may be 65 535 pixels wide; half a minute is 75 cm of paper and 6 000 of them.
const SEGMENT_S = 30;

const select = byId("recording");
const canvas = byId("ecg");
const earlier = byId("earlier");
const later = byId("later");

let strips = [];
let part = null; // what was fetched: samples, rate, gaps, and where it goes on
let starts = []; // starts of the parts before this one, for going back
let at = 0; // first sample shown

/** List the recordings and show the newest. Throws `Refusal`. */
export async function showRecordings(base) {
  const { items } = await json(`${base}/waveforms`);
  const found = items.filter((recording) => recording.kind.startsWith("ecg"));
  // Nobody is torn away from the page they look at because something else has come.
  if (strips.length && JSON.stringify(found) === JSON.stringify(strips)) return;
  strips = found;
  byId("ecg-body").hidden = strips.length === 0;
  if (!strips.length) {
    setText(byId("ecg-facts"), t("resident.no-ecg"));
    return;
  }
  byId("pick").hidden = strips.length < 2;
  select.replaceChildren(...strips.map((r, i) => h("option", { value: i }, `${showTime(r.start)} · ${word("metric", r.kind)}`)));
  await open(0);
}

async function open(index) {
  starts = [];
  await load(strips[index], "");
  at = 0;
  draw();
}

async function load(recording, start) {
  const query = start ? `&start=${encodeURIComponent(start)}` : "";
  const answer = await ask(`/api/v1/waveforms/${encodeURIComponent(recording.stream)}?kind=${encodeURIComponent(recording.kind)}${query}`).catch(() => null);
  if (!answer) throw new Refusal(0, {});
  if (!answer.ok) throw new Refusal(answer.status, await answer.json());
  const head = (name) => answer.headers.get(`X-Waveform-${name}`);
  const [scale, baseline] = [Number(head("Scale")), Number(head("Baseline"))];
  // The samples are little-endian; a typed array has the machine's order.
  const view = new DataView(await answer.arrayBuffer());
  const samples = Float32Array.from({ length: view.byteLength / 2 }, (_, i) => (view.getInt16(i * 2, true) - baseline) * scale);
  part = {
    recording,
    samples,
    rate: Number(head("Rate")),
    start: head("Start"),
    lead: head("Lead") || word("metric", recording.kind),
    gaps: JSON.parse(head("Gaps")).map(([index, missing]) => ({ index, missing })),
    begins: start,
    next: head("Next"),
  };
}

function draw() {
  const { samples, rate, gaps, lead, start } = part;
  const size = Math.round(SEGMENT_S * rate);
  const end = Math.min(at + size, samples.length);
  const shown = gaps.filter((gap) => gap.index >= at && gap.index < end).map((gap) => ({ index: gap.index - at, missing: gap.missing }));
  const before = gaps.filter((gap) => gap.index < at).reduce((sum, gap) => sum + gap.missing, 0);
  const from = Date.parse(start) + ((at + before) / rate) * 1000;
  drawStrip(canvas, { samples: samples.subarray(at, end), rate, gaps: shown }, { lead, mm: pixelsPerMillimetre() ?? undefined });
  const missing = shown.reduce((sum, gap) => sum + gap.missing, 0);
  const facts = [t("ecg.facts", { lead, time: `${showTime(from)} (${showClock(from)})`, seconds: ((end - at) / rate).toFixed(0), rate })];
  if (missing) facts.push(t("ecg.gaps", { n: missing }));
  setText(byId("ecg-facts"), facts.join(" · "));
  canvas.setAttribute("aria-label", facts.join(" · "));
  earlier.disabled = at === 0 && !starts.length;
  later.disabled = end >= samples.length && !part.next;
  setText(byId("ecg-scale"), t(pixelsPerMillimetre() ? "ecg.to-scale" : "ecg.scale"));
  byId("strip").scrollLeft = 0;
}

async function move(direction) {
  const size = Math.round(SEGMENT_S * part.rate);
  if (direction > 0 && at + size < part.samples.length) at += size;
  else if (direction < 0 && at > 0) at = Math.max(0, at - size);
  else if (direction > 0) {
    starts.push(part.begins);
    await load(part.recording, part.next);
    at = 0;
  } else {
    await load(part.recording, starts.pop());
    at = Math.max(0, (Math.ceil(part.samples.length / size) - 1) * size);
  }
  draw();
}

/** A step that could not be done is told where the facts stand. */
const told = (work) => work().catch((error) => setText(byId("ecg-facts"), error.message));

earlier.addEventListener("click", () => told(() => move(-1)));
later.addEventListener("click", () => told(() => move(1)));
select.addEventListener("change", () => told(() => open(Number(select.value))));
whenCalibrated(() => part && draw());
