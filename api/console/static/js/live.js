// Live updates. One tab per browser and account holds the server's event stream (Web
// Lock) and relays it to the others (BroadcastChannel), because HTTP/1.1 allows six
// connections per origin. Without Web Locks (plain http in a LAN) each tab has its own.

import { ask, toLogin } from "./api.js";
import { connected } from "./connection.js";
import { hearTime } from "./time.js";

const STREAM = "/api/v1/stream";
// The server beats every 5 s; twice that and a little is a lost connection.
const SILENCE_MS = 12_000;
const RETRY_MS = 2_000;
const FRAMES = ["snapshot", "change", "beat"];

/**
 * Follow the live feed of an account.
 * @param {string} account
 * @param {{snapshot: (data: object) => void, change: (data: object) => void,
 *   refresh: () => Promise<void>}} handlers `refresh` loads what a follower begins with
 */
export function follow(account, handlers) {
  // Two people may use one browser in turn: a tab hears only its own account's leader.
  const name = `vitalgate-live-${account}`;
  const bus = new BroadcastChannel(name);
  let heard = performance.now();
  let source = null;
  let position = null; // {epoch, seq} of the newest frame applied

  const take = ({ kind, id, data }) => {
    if (kind === "lost") {
      connected(false);
      return;
    }
    heard = performance.now();
    if (data?.now) hearTime(data.now);
    connected(true);
    if (kind === "beat") return;
    const [epoch, seq] = splitId(id);
    const known = position !== null && position.epoch === epoch;
    // A follower ignores what is older than it has applied; a snapshot may repeat it.
    if (known && (kind === "change" ? seq <= position.seq : seq < position.seq)) return;
    position = { epoch, seq };
    handlers[kind](data);
  };

  const relay = (kind, event = null) => {
    const message = { kind, id: event?.lastEventId ?? "", data: event ? JSON.parse(event.data) : null };
    take(message);
    bus.postMessage(message);
  };

  const open = () => {
    heard = performance.now();
    source?.close();
    source = new EventSource(STREAM);
    for (const kind of FRAMES) source.addEventListener(kind, (event) => relay(kind, event));
    const mine = source;
    source.addEventListener("error", async () => {
      relay("lost");
      if (mine.readyState !== EventSource.CLOSED) return; // the browser retries by itself
      const answer = await ask("/api/v1/me").catch(() => null);
      if (answer?.status === 401) toLogin();
      else if (mine === source) setTimeout(open, RETRY_MS);
    });
  };

  bus.addEventListener("message", (event) => take(event.data));
  setInterval(() => {
    if (performance.now() - heard < SILENCE_MS) return;
    connected(false);
    if (source) open();
  }, 1_000);
  if (!navigator.locks) {
    open();
    return;
  }
  // A following tab starts from what the API says, then listens to the leader.
  navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (!lock) handlers.refresh().then(() => connected(true), () => connected(false));
  });
  navigator.locks.request(name, () => {
    open();
    return new Promise(() => {}); // held until this tab closes
  });
}

function splitId(id) {
  const dash = id.lastIndexOf("-");
  return [id.slice(0, dash), Number(id.slice(dash + 1))];
}
