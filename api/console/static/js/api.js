// Questions to the API. A log-in that has ended leads to the log-in page, unless the page
// has a way of its own (the station's own page works with an operator's token).

import { lang, t } from "./text.js";
import { hearTime } from "./time.js";

// A request that hangs longer than this has failed; the page says so.
const PATIENCE_MS = 15_000;

let token = "";
let signedOut = toLogin;

/** Ask with a token from now on; `refused` is called when it is not good. */
export function useToken(secret, refused) {
  token = secret;
  signedOut = refused;
}

/** An answer that says no. `status` 0: the server was not reached. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(why(status, problem));
    this.status = status;
    this.problem = problem;
  }
}

function why(status, problem) {
  if (status === 0) return t("act.offline");
  // The title comes in the page's language; the detail is English.
  const words = lang === "zh" ? problem.title : problem.detail || problem.title;
  return words || String(status);
}

/** Ask; the answer as it is. Throws only when the server was not reached. */
export async function ask(url, { method = "GET", body } = {}) {
  const options = {
    method,
    headers: { Accept: "application/json", "Accept-Language": lang },
    credentials: "same-origin",
    signal: AbortSignal.timeout(PATIENCE_MS),
  };
  if (token) options.headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(url, options);
  hearTime(answer.headers.get("Date"), { coarse: true });
  return answer;
}

/** Where to sign in, and come back to from there. */
export function toLogin() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
}

/** The JSON of an answer; null for an empty one. Throws `Refusal`. */
export async function json(url, options) {
  const answer = await ask(url, options).catch(() => null);
  if (!answer) throw new Refusal(0, {});
  if (answer.status === 401 && signsOut(url)) signedOut();
  const text = await answer.text();
  const data = parsed(text);
  if (!answer.ok) throw new Refusal(answer.status, data ?? {});
  return data;
}

// Only the re-assignment answers 401 about somebody else: the second person.
const signsOut = (url) => !url.endsWith("/reassign");

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

export const post = (url, body) => json(url, { method: "POST", body });
