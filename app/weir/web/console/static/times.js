// Times in the zone that the reader has chosen: one attribute of the document, which axes, tables and tips go by.
const FORMS = {
  full: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
  clock: { hour: "2-digit", minute: "2-digit" },
  second: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const root = document.documentElement;

export const isLocal = () => root.dataset.tz === "local";

export function clock(at, form = "full") {
  const zone = isLocal() ? undefined : "UTC";
  return new Intl.DateTimeFormat("en-GB", { ...FORMS[form] || FORMS.full, hour12: false, timeZone: zone })
    .format(new Date(at * 1000)).replace(",", "");
}

export function zoneName() {
  return isLocal() ? Intl.DateTimeFormat().resolvedOptions().timeZone.replace(/.*\//, "").replace("_", " ") : "UTC";
}

// The server writes every time as <time data-t>; here each is said in the zone.
export function rewrite(within = document) {
  for (const time of within.querySelectorAll("time[data-t]")) {
    const said = clock(+time.dataset.t, time.dataset.form);
    if (time.textContent !== said) time.textContent = said;
    time.title = new Date(time.dataset.t * 1000).toISOString();
  }
}
