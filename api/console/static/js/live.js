// Live updates. One tab per browser holds the server's event stream (Web Lock) and relays
// it to the others (BroadcastChannel), because HTTP/1.1 allows six connections per origin.
// Without Web Locks (plain http in a LAN) every tab has a stream of its own.

import { ask, setText, showClock, t } from "./dom.js";

const STREAM = "/api/v1/stream";
// The server beats every 5 s; twice that and a little is a lost connection.
const SILENCE_MS = 12_000;
const RETRY_MS = 2_000;

/**
 * Follow the live feed.
 * @param {{snapshot: (data: object) => void, change: (data: object) => void,
 *   connection: (alive: boolean) => void}} handlers
 */
export function follow(handlers) {
  const badge = document.getElementById("live");
  const bus = new BroadcastChannel("vitalgate-live");
  let heard = performance.now();
  let newest = Date.now();
  let alive = null;
  let source = null;
  let position = null; // {epoch, seq} of the newest frame applied

  const show = (up) => {
    setText(badge, up ? t("live.on") : t("live.off", { time: showClock(newest) }));
    badge.dataset.state = up ? "on" : "off";
    if (up !== alive) handlers.connection(up);
    alive = up;
  };

  const take = (message) => {
    if (message.kind === "lost") {
      show(false);
      return;
    }
    heard = performance.now();
    newest = Date.now();
    show(true);
    if (message.kind === "beat") return;
    const [epoch, text] = splitId(message.id);
    const seq = Number(text);
    const stale = position && position.epoch === epoch && seq <= position.seq;
    // A follower ignores what is older than it has applied; a snapshot may repeat it.
    if (stale && (message.kind === "change" || seq < position.seq)) return;
    position = { epoch, seq };
    handlers[message.kind](message.data);
  };

  const relay = (kind, event) => {
    const message = { kind, id: event?.lastEventId ?? "", data: event?.data ? JSON.parse(event.data) : null };
    take(message);
    bus.postMessage(message);
  };

  const open = () => {
    heard = performance.now();
    source?.close();
    source = new EventSource(STREAM);
    for (const kind of ["snapshot", "change", "beat"]) {
      source.addEventListener(kind, (event) => relay(kind, event));
    }
    source.addEventListener("error", async () => {
      relay("lost", null);
      if (source.readyState !== EventSource.CLOSED) return; // the browser retries by itself
      const answer = await ask("/api/v1/me").catch(() => null);
      if (answer?.status !== 401) setTimeout(open, RETRY_MS);
    });
  };

  bus.addEventListener("message", (event) => take(event.data));
  setInterval(() => {
    if (performance.now() - heard < SILENCE_MS) return;
    show(false);
    if (source) open();
  }, 1_000);
  if (!navigator.locks) {
    open();
    return;
  }
  // A following tab starts from a snapshot of its own, then listens to the leader.
  navigator.locks.request("vitalgate-live", { ifAvailable: true }, (lock) => {
    if (!lock) handlers.refresh?.().then(() => show(true), () => show(false));
  });
  navigator.locks.request("vitalgate-live", () => {
    open();
    return new Promise(() => {}); // held until this tab closes
  });
}

function splitId(id) {
  const dash = id.lastIndexOf("-");
  return [id.slice(0, dash), id.slice(dash + 1)];
}
