// Times: the server writes UTC; here they get the viewer's own zone and way of writing.

export const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const distance = new Intl.RelativeTimeFormat(undefined, { numeric: "always", style: "long" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function localise(root) {
  for (const time of root.querySelectorAll("time[data-form]")) {
    const at = new Date(time.dateTime);
    time.textContent = FORMS[time.dataset.form](at);
  }
}

const FORMS = {
  clock: (at) => clock.format(at),
  day: (at) => (at.toDateString() === new Date().toDateString() ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`),
  full: (at) => `${date.format(at)}, ${clock.format(at)}`,
  distance: (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
    return distance.format(Math.trunc(seconds / length), unit);
  },
};

setInterval(() => localise(document), 10000);
localise(document);
