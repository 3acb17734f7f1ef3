// Signing in: the secret goes to the API, which answers with a cookie no script can read.

import { ask } from "./api.js";
import { byId, setText } from "./dom.js";
import { t } from "./text.js";

const form = byId("login");
const failed = byId("failed");

function explain(answer) {
  if (!answer) return t("login.unreachable");
  if (answer.status === 401) return t("login.failed");
  if (answer.status === 429) return t("login.limited", { n: answer.headers.get("Retry-After") ?? "60" });
  return t("login.error", { status: answer.status });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const button = form.querySelector("button");
  button.disabled = true;
  failed.hidden = true;
  const body = { account: data.get("user").trim(), password: data.get("password") };
  const answer = await ask("/api/v1/login", { method: "POST", body }).catch(() => null);
  if (answer?.ok) {
    location.assign(form.dataset.next);
    return;
  }
  setText(failed, explain(answer));
  failed.hidden = false;
  button.disabled = false;
  form.elements.password.select();
});
