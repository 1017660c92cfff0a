// Keeps the part of a page with data-refresh="ADDRESS" current while somebody looks at it. One that has
// data-still does not change by itself any more.

import { matchChildren } from "./morph.js";
import { localise } from "./times.js";

const EVERY = 3000;
const AFTER_TROUBLE = 15000;

const part = document.querySelector("[data-refresh]");
let timer = 0;

async function refresh() {
  let next = EVERY;
  try {
    const answer = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.redirected || answer.status === 401) return location.reload();
    if (answer.ok) show(await answer.text());
    else next = AFTER_TROUBLE;
  } catch {
    next = AFTER_TROUBLE;
  }
  wait(next);
}

function show(html) {
  const wanted = document.createElement("template");
  wanted.innerHTML = html;
  localise(wanted.content);
  const state = () => part.querySelector("[data-state]")?.dataset.state;
  const before = state();
  matchChildren(part, wanted.content);
  if (state() !== before) location.reload();
}

function wait(next) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(refresh, next);
}

if (part && !("still" in part.dataset)) {
  document.addEventListener("visibilitychange", () => wait(0));
  addEventListener("pagehide", () => clearTimeout(timer));
  addEventListener("pageshow", (event) => event.persisted && wait(0));
  wait(EVERY);
}
