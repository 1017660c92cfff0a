// Keeps the page current: fragments of HTML come over server-sent events, or are polled for when
// those fail, and are worked into the page with as little change as possible.

import { matchChildren } from "./morph.js";
import { clock, localise } from "./times.js";

const POLL_EVERY = 2000;
const TRY_AGAIN_AFTER = 30000;
const SPEAK_AT_MOST_EVERY = 30000;

const link = document.getElementById("link");
const spoken = document.getElementById("spoken");
let edition = link.dataset.edition;
let etag = "";
let source = null;
let timer = 0;
let failures = 0;
let lastSpoken = 0;

function listen() {
  stop();
  source = new EventSource(`/live?after=${encodeURIComponent(edition)}`);
  source.addEventListener("open", () => {
    failures = 0;
    show("live", "live");
  });
  source.addEventListener("fragments", (event) => {
    edition = event.lastEventId;
    apply(JSON.parse(event.data));
  });
  source.addEventListener("error", () => {
    failures += 1;
    if (source.readyState === EventSource.CLOSED || failures > 2) {
      poll(Date.now() + TRY_AGAIN_AFTER);
    } else {
      show("polling", "connecting again");
    }
  });
}

async function poll(listenAgainAt) {
  stop();
  try {
    const answer = await fetch("/live/fragments", { headers: { "If-None-Match": etag }, cache: "no-store" });
    if (answer.status === 200) {
      etag = answer.headers.get("ETag") ?? "";
      apply(await answer.json());
    } else if (answer.status === 401) {
      location.reload();
    } else if (answer.status !== 304) {
      throw new Error(`status ${answer.status}`);
    }
    show("polling", "every 2 seconds");
  } catch {
    show("lost", "connection lost; figures may be old");
  }
  if (document.hidden) return;
  timer = setTimeout(Date.now() > listenAgainAt ? listen : () => poll(listenAgainAt), POLL_EVERY);
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(timer);
}

function show(state, text) {
  link.dataset.state = state;
  link.textContent = text;
}

function apply(fragments) {
  for (const [name, html] of Object.entries(fragments)) {
    const section = document.getElementById(`live-${name}`);
    const wanted = document.createElement("template");
    wanted.innerHTML = html;
    localise(wanted.content);
    if (name === "headline") speak(wanted.content.querySelector("h1").textContent);
    matchChildren(section, wanted.content);
  }
}

function speak(text) {
  if (spoken.textContent === text || Date.now() - lastSpoken < SPEAK_AT_MOST_EVERY) return;
  lastSpoken = Date.now();
  spoken.textContent = text;
}

// The chart tells the figures of the bar under the pointer.

document.addEventListener("pointerover", (event) => {
  const readout = document.querySelector(".readout");
  const bar = event.target.closest?.("[data-said]");
  if (!readout) return;
  readout.textContent = bar ? `${clock.format(new Date(bar.dataset.at))}: ${bar.dataset.said}` : readout.dataset.rest;
});

document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
addEventListener("pagehide", stop);
addEventListener("pageshow", (event) => event.persisted && listen());
listen();
