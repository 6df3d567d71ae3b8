// Everything has an address: pages, services, panels, features, alerts, monitors, by words in any order. What is opened is of
// the time that the page is of.
const $ = selector => document.querySelector(selector);
const dialog = $("#palette"), input = $("#palette input"), found = $("#palette ul");
const MOST = 40;
let items, chosen = 0;

export async function openPalette() {
  if (dialog.open) return;
  dialog.showModal();
  input.value = "";
  input.focus();
  items ||= await (await fetch(dialog.dataset.asks)).json();
  list();
}

function list() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = (items || []).filter(item => words.every(word => `${item.name} ${item.kind}`.toLowerCase().includes(word)));
  found.replaceChildren(...matching.slice(0, MOST).map(option));
  $("#palette .none").hidden = matching.length > 0;
  choose(0);
}

function option(item, place) {
  const line = document.createElement("li"), kind = document.createElement("small");
  kind.textContent = item.kind;
  Object.assign(line, { id: `found-${place}`, role: "option" });
  line.dataset.href = item.href;
  line.append(item.name, kind);
  return line;
}

function choose(place) {
  const lines = [...found.children];
  chosen = lines.length ? (place + lines.length) % lines.length : 0;
  lines.forEach((line, each) => line.setAttribute("aria-selected", each === chosen));
  lines[chosen]?.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", lines[chosen]?.id || "");
}

input.addEventListener("input", list);
dialog.addEventListener("click", event => {
  const line = event.target.closest("li");
  if (line) location.assign(line.dataset.href);
  else if (event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    choose(chosen + step);
  } else if (event.key === "Enter" && found.children[chosen]) {
    event.preventDefault();
    location.assign(found.children[chosen].dataset.href);
  }
});
