// How a person reads numbers and times: weir.core.numbers again, for axes, legends and cursors. A test holds both to one another.
const THIN = "\u2009", MINUS = "\u2212", UNKNOWN = "–";

/** @type {[number, string][]} */
const LETTERS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
/** @type {[number, string][]} */
const SPANS_S = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];
const SYMBOLS = { USD: "$", EUR: "€", GBP: "£", JPY: "¥" };

const known = value => typeof value === "number" && !Number.isNaN(value);
const sign = value => value < 0 ? MINUS : "";
const grouped = text => text.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
const three = size => size.toPrecision(3);
const trimmed = text => text.includes(".") ? text.replace(/\.?0+$/, "") : text;

function shortened(size) {
  if (size === 0) return "0";
  if (size === Infinity) return "∞";
  if (size >= 9999.5) {
    const [scaled, letter] = LETTERS.map(([power, letter]) => /** @type {[number, string]} */ ([Number((size / power).toPrecision(3)), letter])).find(([near]) => near >= 1);
    return `${scaled < 1000 ? three(scaled) : grouped(scaled.toFixed(0))}${THIN}${letter}`;
  }
  if (size >= 999.5) return grouped(size.toFixed(0));
  if (size >= 0.9995) return three(size);
  return size >= 0.0001 ? trimmed(three(size)) : size.toExponential(2).replace("e-", `e${MINUS}`);
}

/** Three significant digits; k, M, G, T from 10,000 on; a whole number below it in full. */
export function short(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  return sign(value) + (Number.isInteger(value) && size < 10_000 ? grouped(String(size)) : shortened(size));
}

function share(value) {
  const percent = Math.abs(value) * 100, left = Math.abs(100 - percent), few = Math.min(percent, left);
  let digits = 1;
  if (few > 0 && few < 0.05) digits = Math.min(left < percent ? Math.ceil(-Math.log10(left)) : 1 - Math.floor(Math.log10(percent)), 6);
  return `${sign(value)}${percent.toFixed(digits)}${THIN}%`;
}

function money(value, currency) {
  const size = Math.abs(value), symbol = SYMBOLS[currency];
  const text = size && size < 0.00995 ? size.toFixed(1 - Math.floor(Math.log10(size)))
    : size < 99.995 ? size.toFixed(2) : size < 9999.5 ? grouped(size.toFixed(0)) : shortened(size);
  return sign(value) + (symbol ? symbol + text : `${text}${currency ? THIN + currency : ""}`);
}

const decimal = size => size < 9.95 ? size.toFixed(1).replace(/\.0$/, "") : size.toFixed(0);
const milliseconds = size => size >= 0.9995 || size === 0 ? `${decimal(size)}${THIN}ms` : `${(size * 1000).toFixed(0)}${THIN}µs`;

/** How long, in the largest unit that it fills. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  const size = Math.abs(seconds), found = SPANS_S.find(([each]) => size >= each * 0.9995);
  if (size && size < 0.9995) return sign(seconds) + milliseconds(size * 1000);
  return found ? `${sign(seconds)}${decimal(size / found[0])}${THIN}${found[1]}` : `0${THIN}s`;
}

function bytes(value) {
  if (!Number.isFinite(value)) return UNKNOWN;
  let left = Math.abs(value), unit = 0;
  while (left >= 1023.5 && unit < BYTES.length - 1) [left, unit] = [left / 1024, unit + 1];
  return `${sign(value)}${unit ? three(left) : left.toFixed(0)}${THIN}${BYTES[unit]}`;
}

function fixed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : sign(value) + text;
}

/** A figure of a unit as `weir.monitor.spec.Unit` names it; "chance" is of a scale from 0 to 1. currency: of what is money. */
export function figure(value, unit = "number", currency = "USD") {
  if (!known(value)) return UNKNOWN;
  switch (unit) {
    case "ms": return Math.abs(value) < 999.5 ? sign(value) + milliseconds(Math.abs(value)) : span(value / 1000);
    case "s": return span(value);
    case "share": return share(value);
    case "usd": return money(value, "USD");
    case "money": return money(value, currency);
    case "auc": case "ks": return fixed(value, 3);
    case "psi": return fixed(value, Math.abs(value) >= 0.0995 ? 2 : 3);
    case "chance": return fixed(value, 2);
    case "count": return Number.isInteger(value) ? sign(value) + grouped(Math.abs(value).toFixed(0)) : short(value);
    case "rate": return `${short(value)}${THIN}/s`;
    case "bytes": return bytes(value);
    case "nats": return `${fixed(value, 3)}${THIN}nats`;
    default: return short(value);
  }
}

/** The figures of an axis: without decimals where none of them has any. */
export function ticks(values, unit, currency) {
  const texts = values.map(value => value === null ? "" : figure(value, unit, currency));
  const whole = texts.every(text => !/\.\d*[1-9]/.test(text));
  return whole ? texts.map(text => text.replace(/\.0+/, "")) : texts;
}

/** The zone that the reader chose: undefined is the machine's own. */
export const zone = () => document.documentElement.dataset.tz === "local" ? undefined : "UTC";

const FORMS = {
  full: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short" },
  clock: { hour: "2-digit", minute: "2-digit" },
  second: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
/** A time in seconds since 1970 in the reader's zone, in a form of the server's: "full" is "24 Nov 06:00". Sep, as there. */
export const clock = (at, form = "full") =>
  new Intl.DateTimeFormat("en-GB", { ...FORMS[form] || FORMS.full, hour12: false, timeZone: zone() })
    .format(new Date(at * 1000)).replace(",", "").replace("Sept", "Sep");
