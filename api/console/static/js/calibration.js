// How many CSS pixels are a millimetre on this screen, by laying a bank card against it.

import { byId, setText } from "./dom.js";
import { t } from "./text.js";

// ISO/IEC 7810 ID-1: every bank and identity card.
const CARD_MM = 85.6;
const STORED = "vitalgate-pixels-per-mm";
// 1/96 inch, and what screens between a projector and a telephone have.
const USUAL = 96 / 25.4;
const RANGE = [1.5, 12];

const dialog = byId("calibrate");
const slider = byId("card-width");
const card = byId("card");
const listeners = [];

/** Pixels per millimetre, or null while nobody has measured it. */
export function pixelsPerMillimetre() {
  const found = Number(localStorage.getItem(STORED));
  return found >= RANGE[0] && found <= RANGE[1] ? found : null;
}

/** Call `listener` when it has been measured anew. */
export const whenCalibrated = (listener) => listeners.push(listener);

function show() {
  card.style.width = `${slider.value}px`;
  setText(byId("card-pixels"), t("calibrate.pixels", { n: Math.round(slider.value) }));
}

byId("calibrate-open").addEventListener("click", () => {
  slider.value = String(Math.round((pixelsPerMillimetre() ?? USUAL) * CARD_MM));
  show();
  dialog.returnValue = "";
  dialog.showModal();
});
slider.addEventListener("input", show);
dialog.addEventListener("close", () => {
  if (dialog.returnValue !== "ok") return;
  localStorage.setItem(STORED, String(Number(slider.value) / CARD_MM));
  for (const listener of listeners) listener();
});
