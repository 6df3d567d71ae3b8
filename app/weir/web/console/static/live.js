// What lies below the first screen is asked for when there is room, so that what is seen does not wait for it; what is
// scrolled to comes first, and further questions, which mostly have nothing to say, wait until somebody scrolls. Panels ask again by themselves: those that are seen, while the tab is, and only of a window
// that ends now, all pages at the same time, so that the server makes each answer once for all of them. A tick changes a
// panel in place, and what the server has not changed it does not send. While ClickHouse is away one banner says so, and
// panels keep what they have, greyed and dated.
import { clock } from "./figures.js";
import { rewrite } from "./times.js";

const $ = (selector, /** @type {ParentNode} */ within = document) => within.querySelector(selector);
const root = document.documentElement;
const TAGS = new WeakMap();  // panel -> what its content is called
const panels = () => [...document.querySelectorAll("[hx-get]")];
const panelOf = event => event.detail?.ctx?.sourceElement?.closest?.("[hx-get]") || event.target.closest?.("[hx-get]");
const busy = new WeakSet();  // panels that wait for their answer
const ticked = new WeakSet();  // those that nobody has asked for
const LATE_MS = 50;  // behind the begin of a tick, which the server's clock has then seen, too
const AT_ONCE = 2;  // panels that are waited for, before one that nobody sees yet is asked for
let ticking = false;
let timer;
let awaySince = 0;

export const isLive = () => ticking;

export function ask() {
  for (const panel of panels()) panel.dispatchEvent(new Event("tick"));
}

function isSeen(panel) {
  const box = panel.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
}

function askSeen() {
  if (document.hidden) return;
  for (const panel of panels()) {
    if (busy.has(panel) || !isSeen(panel)) continue;
    ticked.add(panel);
    panel.dispatchEvent(new Event("tick"));
  }
}

function tickOn() {
  const every = 1000 * (+root.dataset.every || 15);
  timer = setTimeout(() => { askSeen(); tickOn(); }, every - Date.now() % every + LATE_MS);
}

function askLater() {
  const later = [...document.querySelectorAll("[data-later][data-htmx-powered]")];
  const open = panels().filter(panel => !panel.matches("[data-later]") && $(".skeleton", panel)).length;
  const scrolled = scrollY > 0 || root.scrollHeight <= innerHeight;
  const waits = panel => !isSeen(panel) && (scrolled || panel.dataset.later !== "scrolled");
  const unseen = later.filter(waits).slice(0, Math.max(0, AT_ONCE - open));
  for (const panel of [...later.filter(isSeen), ...unseen]) {
    panel.removeAttribute("data-later");
    panel.dispatchEvent(new Event("tick"));
  }
}
for (const name of ["htmx:after:process", "htmx:finally:request", "scroll"]) document.addEventListener(name, askLater);

// Whoever has missed an answer while ClickHouse was away.
function askLeft() {
  for (const panel of panels()) {
    if (!busy.has(panel) && (panel.matches(".stale") || $(".waiting", panel))) panel.dispatchEvent(new Event("tick"));
  }
}

export function setLive(on) {
  ticking = on && root.dataset.relative === "1";
  clearTimeout(timer);
  const button = $("#live");
  if (button) {
    button.classList.toggle("off", !ticking);
    button.setAttribute("aria-pressed", ticking);
  }
  if (ticking) tickOn();
}

// What asks for itself may be gone from the page when its answer comes.
document.addEventListener("htmx:before:request", event => {
  const panel = panelOf(event);
  if (!panel) return;
  busy.add(panel);
  panel.removeAttribute("data-later");
});
document.addEventListener("htmx:finally:request", event => busy.delete(panelOf(event)));
document.addEventListener("htmx:config:request", event => {
  const panel = panelOf(event);
  if (!panel) return;
  const headers = event.detail.ctx.request.headers;
  if (TAGS.has(panel)) headers["If-None-Match"] = TAGS.get(panel);
  if (ticked.delete(panel)) headers["Weir-Tick"] = "1";
});

function answered(panel) {
  panel.classList.remove("stale");
  panel.dataset.at = Date.now() / 1000;
  if (awaySince) setTimeout(askLeft);
  awaySince = 0;
  $("#away").hidden = true;
  $("#live")?.classList.remove("away");
}

document.addEventListener("htmx:after:swap", event => {
  const panel = panelOf(event), response = event.detail?.ctx?.response;
  rewrite();
  if (!panel || response?.status >= 400) return;
  const tag = response?.headers?.get?.("ETag");
  if (tag) TAGS.set(panel, tag);
  answered(panel);
  panel.dispatchEvent(new CustomEvent("weir:shown", { bubbles: true }));
});

document.addEventListener("htmx:after:request", event => {
  const panel = panelOf(event);
  if (panel && event.detail?.ctx?.response?.status === 304) answered(panel);
});

function missed(event) {
  const panel = panelOf(event), context = event.detail?.ctx || {}, status = context.response?.status;
  if (status === 304) return;
  const said = status === 503 && context.text ? context.text : "The console does not answer.";
  awaySince ||= Date.now() / 1000;
  $("#away-text").textContent = `${said} Since ${clock(awaySince, "second")}. Scoring goes on; what you see may be old.`;
  $("#away").hidden = false;
  $("#live")?.classList.add("away");
  if (!panel) return;
  if ($(".skeleton", panel)) waiting(panel);
  else if (!$(".waiting", panel)) {
    panel.classList.add("stale");
    panel.dataset.stale = `as of ${clock(+panel.dataset.at || awaySince, "second")}`;
  }
}

function waiting(panel) {
  const text = Object.assign(document.createElement("p"), { className: "empty waiting", textContent: "Waiting for ClickHouse." });
  [...panel.querySelectorAll(".skeleton")].forEach((bone, place) => place ? bone.remove() : bone.replaceWith(text));
}

for (const name of ["htmx:error", "htmx:response:error"]) document.addEventListener(name, missed);
askLater();
