// Trying a server without leaving its form, so that a typed password is not lost.

const form = document.querySelector("#server-form");
const button = document.querySelector("#probe-button");
const place = document.querySelector("#probe");

form.addEventListener("submit", async (event) => {
  if (event.submitter !== button) return;
  event.preventDefault();
  button.disabled = true;
  place.textContent = "Connecting …";
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "text/html", "X-Part": "probe" },
    });
    const part = await answer.text();
    if (answer.headers.get("X-Part") === "probe") place.innerHTML = part;
    else place.textContent = "It could not be tried. Load the page again, and try once more.";
  } catch {
    place.textContent = "Postledger does not answer.";
  }
  button.disabled = false;
  place.scrollIntoView({ block: "nearest" });
});
