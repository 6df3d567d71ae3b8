// The editor of the query page. SQL is painted on a copy under a transparent textarea, so that typing, selecting and screen
// readers stay native. Ctrl Enter runs it. Tables, columns, parameters, words of the language and functions that begin with the
// word at the cursor are offered below, in this order: the arrow keys choose, Enter or Tab takes, Escape leaves.
const WORDS = "SELECT FROM WHERE GROUP ORDER BY AS AND OR NOT IN ON USING INNER LEFT JOIN WITH LIMIT HAVING UNION ALL INTERVAL ARRAY OVER PARTITION ROWS BETWEEN PRECEDING CURRENT ROW DESC FINAL DISTINCT DAY HOUR MINUTE ASOF CASE WHEN THEN ELSE END IS NULL".split(" ");
const KINDS = ["co", "st", "pa", "kw", "fn", "nu"];  // comment, text, parameter, word of the language, function, number
const SQL = new RegExp(`(--[^\\n]*)|('(?:[^'\\\\]|\\\\.)*')|(\\{\\w+:[^}]+\\})|\\b(${WORDS.join("|")})\\b|\\b([a-zA-Z_]\\w*)(?=\\()|\\b(\\d[\\d.e]*)\\b`, "g");
const SHORTEST = 2;  // letters from which on words are offered
const MOST = 8;      // words that are offered

function paint(area) {
  const copy = area.previousElementSibling, parts = [];
  let at = 0;
  for (const found of area.value.matchAll(SQL)) {
    const part = document.createElement("span");
    part.className = KINDS[found.slice(1).findIndex(group => group !== undefined)];
    part.textContent = found[0];
    parts.push(area.value.slice(at, found.index), part);
    at = found.index + found[0].length;
  }
  copy.replaceChildren(...parts, area.value.slice(at) + "\n");
  area.style.height = "auto";
  area.style.height = `${copy.offsetHeight}px`;
}

class Completion {
  constructor(area, list, known) {
    this.area = area;
    this.list = list;
    this.known = known;
    this.chosen = -1;
    area.addEventListener("input", () => this.offer());
    area.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    area.addEventListener("keydown", event => this.key(event));
    list.addEventListener("pointerdown", event => {
      event.preventDefault();
      const item = event.target.closest("li");
      if (item) this.take(item.textContent);
    });
  }

  get begun() { return /\{?[A-Za-z_]\w*$/.exec(this.area.value.slice(0, this.area.selectionStart))?.[0] || ""; }
  get open() { return !this.list.hidden; }

  offer() {
    const begun = this.begun.toLowerCase();
    const found = begun.length < SHORTEST ? [] : this.known.filter(word => word.toLowerCase().startsWith(begun) && word !== this.begun).slice(0, MOST);
    this.list.replaceChildren(...found.map((word, place) => Object.assign(document.createElement("li"), { id: `word-${place}`, role: "option", textContent: word, ariaSelected: "false" })));
    this.list.hidden = !found.length;
    this.choose(-1);
  }

  choose(place) {
    this.chosen = place;
    [...this.list.children].forEach((item, at) => { item.ariaSelected = String(at === place); });
    if (place < 0) this.area.removeAttribute("aria-activedescendant");
    else this.area.setAttribute("aria-activedescendant", `word-${place}`);
  }

  close() {
    this.list.hidden = true;
    this.choose(-1);
  }

  take(word) {
    const end = this.area.selectionStart, begin = end - this.begun.length;
    this.area.setRangeText(word, begin, end, "end");
    this.close();
    this.area.focus();
    paint(this.area);
  }

  key(event) {
    if (!this.open || event.ctrlKey || event.metaKey) return;
    const count = this.list.children.length, step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && (this.chosen >= 0 || step > 0)) this.choose((this.chosen + step + count) % count);
    else if ((event.key === "Enter" || event.key === "Tab") && this.chosen >= 0) this.take(this.list.children[this.chosen].textContent);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}

for (const area of document.querySelectorAll(".editor .sql")) {
  area.addEventListener("input", () => paint(area));
  area.addEventListener("keydown", event => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") area.form.requestSubmit();
  });
  addEventListener("resize", () => paint(area));
  paint(area);
  const list = document.getElementById("words"), known = document.getElementById("known");
  if (list && known) {
    const { names, functions } = JSON.parse(known.textContent);
    new Completion(area, list, [...new Set([...names, ...WORDS, ...functions])]);
  }
}

// A form that keeps the statement takes it as it is now.
document.addEventListener("submit", event => {
  for (const field of event.target.querySelectorAll("[data-takes]")) field.value = document.getElementById(field.dataset.takes).value;
});
