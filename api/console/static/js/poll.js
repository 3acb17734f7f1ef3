// Asking again and again: every few seconds, ever less often while nobody answers.

import { Refusal } from "./api.js";
import { connected } from "./connection.js";

// A page in the background asks this seldom.
const HIDDEN_FACTOR = 6;

/**
 * Repeat `work` until the page closes. It rejects when the server does not answer.
 * @param {() => Promise<void>} work
 * @param {{everyMs?: number, maxMs?: number}} options
 * @returns {() => Promise<void>} does it at once
 */
export function poll(work, { everyMs = 5_000, maxMs = 60_000 } = {}) {
  let timer = 0;
  let failures = 0;
  let running = null;

  const once = async () => {
    clearTimeout(timer);
    try {
      await work();
      failures = 0;
      connected(true);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      failures += 1;
      // Being refused is an answer: only silence and failures of the server are a loss.
      connected(error.status !== 0 && error.status < 500);
    } finally {
      const pause = Math.min(maxMs, everyMs * 2 ** Math.min(failures, 6));
      timer = setTimeout(start, document.hidden ? Math.max(pause, everyMs * HIDDEN_FACTOR) : pause);
      running = null;
    }
  };
  const start = () => (running ??= once());

  document.addEventListener("visibilitychange", () => document.hidden || start());
  globalThis.addEventListener("online", start);
  return async () => {
    await running; // what it fetched may be older than what one wants to see
    await start();
  };
}
