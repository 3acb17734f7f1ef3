// Signing in: the secret goes to the API, which answers with a cookie no script can read.

const form = document.getElementById("login");
const failed = document.getElementById("failed");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const button = form.querySelector("button");
  button.disabled = true;
  failed.hidden = true;
  const answer = await fetch("/api/v1/login", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ account: data.get("user"), password: data.get("password") }),
  }).catch(() => null);
  if (answer?.ok) location.assign(form.dataset.next);
  else {
    failed.hidden = false;
    button.disabled = false;
    form.querySelector("[name=password]").select();
  }
});
