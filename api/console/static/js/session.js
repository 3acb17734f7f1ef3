// Signing out, on every page.
import { ask } from "./dom.js";

document.getElementById("logout").addEventListener("click", async () => {
  await ask("/api/v1/logout", { method: "POST" });
  location.assign("/login");
});
