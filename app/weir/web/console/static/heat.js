// The heat map: one tab stop, arrows move, Enter opens.
import { clock } from "./times.js";
const $ = (s, r = document) => r.querySelector(s), $$ = (s, r = document) => [...r.querySelectorAll(s)];

// heat map: one tab stop, arrows move, Enter opens, the cell says itself when it gets the focus
const label = td => { const tr = td.parentElement, tb = tr.closest("table"); return `${tr.dataset.f}, ${clock(+td.dataset.c)}: ${td.dataset.v ? tb.dataset.metric + " " + td.dataset.v : "no data"}${td.classList.contains("a") ? ", alarm" : ""}`; };
document.addEventListener("focusin", e => { if (e.target.matches("table.heat td")) { e.target.setAttribute("aria-label", label(e.target)); tip(e.target); } else untip(); });
document.addEventListener("keydown", e => {
  const td = e.target.closest?.("table.heat td[data-c]");
  if (!td) return;
  const tr = td.parentElement, i = td.cellIndex, rows = tr.parentElement.rows, r = tr.sectionRowIndex;
  const go = { ArrowLeft: () => tr.cells[i - 1], ArrowRight: () => tr.cells[i + 1], ArrowUp: () => rows[r - 1]?.cells[i], ArrowDown: () => rows[r + 1]?.cells[i], Home: () => tr.cells[1], End: () => tr.cells[tr.cells.length - 2] }[e.key];
  if (go) { const next = go(); if (next?.dataset.c) { td.tabIndex = -1; next.tabIndex = 0; next.focus(); } e.preventDefault(); }
  else if (e.key === "Enter" || e.key === " ") { open(td); e.preventDefault(); }
});
function open(td) {
  const tr = td.parentElement, u = new URL(location);
  u.searchParams.set("feature", tr.dataset.f); u.searchParams.set("at", td.dataset.c); history.replaceState(null, "", u);
  $$("table.heat td.on").forEach(c => c.classList.remove("on")); td.classList.add("on");
  $$("table.heat tr[aria-selected]").forEach(c => c.removeAttribute("aria-selected")); tr.setAttribute("aria-selected", "true");
  $$("[hx-get]").filter(p => p.id === "p-drift").forEach(p => p.setAttribute("hx-get", p.getAttribute("hx-get").replace(/&(feature|at)=[^&]*/g, "") + `&feature=${tr.dataset.f}&at=${td.dataset.c}`));
  htmx.ajax("GET", "/panel/drill?" + u.searchParams.toString() + "&service=" + tr.closest("table").dataset.service, { target: "#drill", swap: "innerMorph" });
  
}
let box;
function tip(td) { box ||= Object.assign(document.body.appendChild(document.createElement("div")), { className: "tip", ariaHidden: "true" }); box.textContent = label(td).replace(": ", "\n"); const b = td.getBoundingClientRect(); box.style.left = Math.min(innerWidth - 230, Math.max(8, b.left - 40)) + "px"; box.style.top = (b.top > 70 ? b.top - 46 : b.bottom + 8) + "px"; box.hidden = false; }
function untip() { if (box) box.hidden = true; }
document.addEventListener("pointerover", e => { const td = e.target.closest?.("table.heat td[data-c]"); td ? tip(td) : untip(); });

