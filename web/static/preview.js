// Shows the preview anew a moment after typing stops. Each time in a fresh frame, which leaves no step in
// the browser's history and does not flicker: it takes the place of the old one once it is loaded.

const AFTER = 700;

const form = document.querySelector("form.writing");
const button = document.getElementById("show-preview");
const shown = new Set(
  ["name", "subject", "body", "type", "html", "text", "template", "content_type", "headers", "lists", "like", "part"],
);
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
    if (coming !== fresh) return;
    frame.remove();
    fresh.classList.remove("coming");
    frame = fresh;
    coming = null;
  });
  post(fresh.name);
}

// By a form of its own: a form that is submitted twice forgets the first time, and that may be a save.
function post(target) {
  const copy = document.createElement("form");
  Object.assign(copy, { method: "post", action: button.formAction, target, hidden: true });
  for (const [name, value] of new FormData(form)) {
    const field = document.createElement("textarea");
    Object.assign(field, { name, value });
    copy.append(field);
  }
  document.body.append(copy);
  copy.submit();
  copy.remove();
}

function later(event) {
  if (!shown.has(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(preview, AFTER);
}

button.addEventListener("click", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  preview();
});
form.addEventListener("input", later);
preview();
