// Whether what the page shows is current. When it is not, it says since when, and every
// action (an element with data-act) is disabled until it is.

import { byId, h, setText } from "./dom.js";
import { t } from "./text.js";
import { now, showClock } from "./time.js";

const badge = byId("live");
const banner = byId("lost");
let alive = null;
let newest = now();

/** Something came from the server, or nothing does any more. */
export function connected(up) {
  if (up) newest = now();
  if (up === alive) return;
  alive = up;
  if (badge) {
    badge.dataset.state = up ? "on" : "off";
    setText(badge, t(up ? "live.on" : "live.none"));
  }
  banner.hidden = up;
  setText(banner, up ? "" : t("live.off", { time: showClock(newest) }));
  document.querySelectorAll("[data-act]").forEach(settle);
}

/** Whether the page is current. */
export const isConnected = () => alive === true;

/** A button that acts on the server: disabled while the connection is lost. */
export function actButton(spec, label, onclick, attributes = {}) {
  const button = h(spec, { type: "button", "data-act": true, onclick, ...attributes }, label);
  settle(button);
  return button;
}

/** Whether a button may be used for reasons of its own; the connection counts as well. */
export function allow(button, may) {
  button.dataset.act = may ? "" : "no";
  settle(button);
}

function settle(button) {
  button.disabled = alive !== true || button.dataset.act === "no";
}
