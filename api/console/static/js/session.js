// Signing out, on every page.

import { ask } from "./api.js";
import { byId } from "./dom.js";

byId("logout").addEventListener("click", async () => {
  // When the server cannot be reached the log-in is still in force: say so by staying.
  const answer = await ask("/api/v1/logout", { method: "POST" }).catch(() => null);
  if (answer && (answer.ok || answer.status === 401)) location.assign("/login");
});
