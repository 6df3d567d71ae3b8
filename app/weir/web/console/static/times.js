// Times in the zone that the reader has chosen: one attribute of the document, which axes, tables and tips go by.
import { clock, zone } from "./figures.js";

export function zoneName() {
  return zone() || Intl.DateTimeFormat().resolvedOptions().timeZone.replace(/.*\//, "").replace("_", " ");
}

// The server writes every time as <time data-t>; here each is said in the zone.
export function rewrite(within = document) {
  for (const time of within.querySelectorAll("time[data-t]")) {
    const said = clock(+time.dataset.t, time.dataset.form);
    if (time.textContent !== said) time.textContent = said;
    time.title = new Date(time.dataset.t * 1000).toISOString();
  }
}
