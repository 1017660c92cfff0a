// Shows the preview anew a moment after typing stops. Each time in a fresh frame, which leaves no step in
// the browser's history and does not flicker: it takes the place of the old one once it is loaded.

const AFTER = 700;

const form = document.getElementById("campaign") ?? document.querySelector("form[data-preview]");
const button = document.getElementById("show-preview");
const shown = new Set(["subject", "body", "type", "html", "text", "headers", "like", "part", "lists", "name"]);
let frame = document.querySelector("iframe.paper");
let coming = null;
let timer = 0;
let count = 0;

function preview() {
  if (!["html", "text", "body"].some((name) => form.elements[name]?.value.trim())) return;
  coming?.remove();
  const fresh = frame.cloneNode(false);
  fresh.name = `preview-${++count}`;
  fresh.classList.add("coming");
  frame.after(fresh);
  coming = fresh;
  fresh.addEventListener("load", () => {
    if (coming !== fresh || !fresh.dataset.asked) return;
    frame.remove();
    fresh.classList.remove("coming");
    frame = fresh;
    coming = null;
  });
  button.formTarget = fresh.name;
  fresh.dataset.asked = "1";
  form.requestSubmit(button);
}

function later(event) {
  if (!shown.has(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(preview, event.type === "change" ? 0 : AFTER);
}

form.addEventListener("input", later);
form.addEventListener("change", later);
preview();
