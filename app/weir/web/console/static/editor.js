// The editor of the query page.
const $$ = (s, r = document) => [...r.querySelectorAll(s)];

// SQL in colour: a painted copy under a transparent textarea, so that typing, selecting and screen readers stay native
const SQL = /(--[^\n]*)|('(?:[^'\\]|\\.)*')|(\{\w+:[^}]+\})|\b(SELECT|FROM|WHERE|GROUP|ORDER|BY|AS|AND|OR|NOT|IN|ON|USING|INNER|LEFT|JOIN|WITH|LIMIT|HAVING|UNION|ALL|INTERVAL|ARRAY|OVER|PARTITION|ROWS|BETWEEN|PRECEDING|CURRENT|ROW|DESC|FINAL|DISTINCT|DAY|HOUR|MINUTE|ASOF|CASE|WHEN|THEN|ELSE|END)\b|\b([a-zA-Z_]\w*)(?=\()|\b(\d[\d.e]*)\b/g;
function paint(area) {
  const pre = area.previousElementSibling; let at = 0; const out = [];
  for (const m of area.value.matchAll(SQL)) { out.push(area.value.slice(at, m.index)); const s = document.createElement("span"); s.className = ["co", "st", "pa", "kw", "fn", "nu"][m.slice(1).findIndex(x => x !== undefined)]; s.textContent = m[0]; out.push(s); at = m.index + m[0].length; }
  pre.replaceChildren(...out, area.value.slice(at) + "\n"); area.style.height = "auto"; area.style.height = pre.offsetHeight + "px";
}
$$(".editor .sql").forEach(a => { a.addEventListener("input", () => paint(a)); paint(a); addEventListener("resize", () => paint(a)); });

