// The heat map: a grid with one tab stop. Arrows move, Home and End go to the ends of a row, Enter opens an input in a window:
// both stand in the address, and what is beside the map is fetched alone. A cell says itself when it has the focus.
import { clock } from "./figures.js";

const CELL = "table.heat td[data-c]";
const tip = document.createElement("div");
tip.className = "tip";
tip.ariaHidden = "true";
tip.hidden = true;
document.body.append(tip);

function label(cell) {
  const row = cell.parentElement, value = cell.dataset.v;
  const said = value ? `${row.closest("table").dataset.metric} ${value}` : "nothing known";
  return `${row.dataset.f}, ${clock(+cell.dataset.c)}: ${said}${cell.classList.contains("a") ? ", beyond its bound" : ""}`;
}

function show(cell) {
  const box = cell.getBoundingClientRect();
  tip.textContent = label(cell).replace(": ", "\n");
  tip.style.left = `${Math.min(innerWidth - 230, Math.max(8, box.left - 40))}px`;
  tip.style.top = `${box.top > 70 ? box.top - 46 : box.bottom + 8}px`;
  tip.hidden = false;
}

function over(event) {
  const cell = event.target.closest?.(CELL);
  if (cell) show(cell);
  else tip.hidden = true;
}
document.addEventListener("pointerover", over);
document.addEventListener("focusin", event => {
  const cell = event.target.closest?.(CELL);
  if (cell) cell.setAttribute("aria-label", label(cell));
  over(event);
});

function beside(cell, key) {
  const row = cell.parentElement, rows = row.parentElement.rows, place = row.sectionRowIndex, at = cell.cellIndex;
  switch (key) {
    case "ArrowLeft": return row.cells[at - 1];
    case "ArrowRight": return row.cells[at + 1];
    case "ArrowUp": return rows[place - 1]?.cells[at];
    case "ArrowDown": return rows[place + 1]?.cells[at];
    case "Home": return row.cells[1];
    case "End": return row.cells[row.cells.length - 2];
    default: return undefined;
  }
}

function focus(cell) {
  for (const other of cell.closest("table").querySelectorAll('td[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

function open(cell) {
  const row = cell.parentElement, table = row.closest("table"), address = new URL(location.href);
  const chosen = { feature: row.dataset.f, at: cell.dataset.c };
  for (const [name, value] of Object.entries(chosen)) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
  table.querySelectorAll("td.on").forEach(one => one.classList.remove("on"));
  table.querySelectorAll("tr[aria-selected]").forEach(one => one.removeAttribute("aria-selected"));
  cell.classList.add("on");
  row.setAttribute("aria-selected", "true");
  const panel = table.closest("[hx-get]"), asked = new URL(panel.getAttribute("hx-get"), location.href);
  for (const [name, value] of Object.entries(chosen)) asked.searchParams.set(name, value);
  panel.setAttribute("hx-get", asked.pathname + asked.search);  // so that the next tick keeps what is open
  asked.searchParams.set("monitor", row.dataset.m);
  htmx.ajax("GET", `/panel/drill${asked.search}`, { target: "#drill", swap: "innerMorph" });
  document.getElementById("say").textContent = `${label(cell)}, opened`;
}

document.addEventListener("click", event => {
  const cell = event.target.closest(CELL);
  if (!cell) return;
  focus(cell);
  open(cell);
});
document.addEventListener("keydown", event => {
  const cell = event.target.closest?.(CELL);
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") open(cell);
  else {
    const next = beside(cell, event.key);
    if (next === undefined) {
      if (!event.key.startsWith("Arrow")) return;
    } else if (next.dataset.c) focus(next);
  }
  event.preventDefault();
  event.stopPropagation();
});

// A map that is wider than its panel begins at its newest window.
document.addEventListener("weir:shown", event => {
  const wide = event.target.querySelector(".heatwrap");
  if (!wide || wide.dataset.seen) return;
  wide.dataset.seen = "1";
  wide.scrollLeft = wide.scrollWidth;
});
