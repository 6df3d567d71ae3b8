// What uPlot does not draw: below the lines of a <weir-chart> hatched and tinted spans, above them rules, marks and intervals.

/** What is not complete is hatched, what an alert held is tinted. */
export function under(plot, element) {
  const { chart } = element, pen = plot.ctx, { left, top, width, height } = plot.bbox;
  const span = ([from, to]) => [Math.max(left, plot.valToPos(from, "x", true)), Math.min(left + width, plot.valToPos(to, "x", true))];
  pen.save();
  for (const one of chart.shaded || []) {
    const [from, to] = span(one);
    pen.fillStyle = element.color("alarm-soft");
    if (to > from) pen.fillRect(from, top, Math.max(to - from, devicePixelRatio), height);
  }
  for (const one of chart.held || []) {
    const [from, to] = span(one);
    if (to > from) hatch(pen, element, from, top, to - from, height);
  }
  if (chart.diagonal) {
    const at = chart.diagonal.map(value => [plot.valToPos(value, "x", true), plot.valToPos(value, "y", true)]);
    stroke(pen, element.color("ink-3"), [4, 4], at);
  }
  pen.restore();
}

/** Rules and marks with their names, and the intervals of points. */
export function over(plot, element) {
  const { chart } = element, pen = plot.ctx, { left, top, width, height } = plot.bbox;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  Object.assign(pen, { font: `${12 * devicePixelRatio}px ${element.color("sans")}`, textAlign: "left", textBaseline: "alphabetic", lineJoin: "round" });
  for (const rule of chart.rules || []) ruled(plot, element, rule);
  for (const one of element.lines.values()) if (one.low) intervals(plot, element, one);
  const ends = [];
  for (const one of chart.marks || []) marked(plot, element, one, ends);
  pen.restore();
}

function hatch(pen, element, left, top, width, height) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.fillStyle = element.color("hatch-bg");
  pen.fillRect(left, top, width, height);
  pen.strokeStyle = element.color("hatch");
  pen.lineWidth = devicePixelRatio;
  pen.beginPath();
  for (let at = left - height; at < left + width; at += 7 * devicePixelRatio) {
    pen.moveTo(at, top + height);
    pen.lineTo(at + height, top);
  }
  pen.stroke();
  pen.restore();
}

function stroke(pen, color, dash, points) {
  pen.strokeStyle = color;
  pen.lineWidth = devicePixelRatio;
  pen.setLineDash(dash.map(one => one * devicePixelRatio));
  pen.beginPath();
  points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
  pen.stroke();
  pen.setLineDash([]);
}

/** Text with a halo of the ground, so that no line runs through it. */
function write(pen, element, text, x, y, tone) {
  pen.strokeStyle = element.color("surface");
  pen.lineWidth = 4 * devicePixelRatio;
  pen.strokeText(text, x, y);
  pen.fillStyle = element.color(tone);
  pen.fillText(text, x, y);
}

function ruled(plot, element, { at, label, tone = "warn" }) {
  const { left, top, width, height } = plot.bbox, scale = devicePixelRatio, y = Math.round(plot.valToPos(at, "y", true)) + 0.5;
  if (y < top || y > top + height) return;
  stroke(plot.ctx, element.color(tone), [5, 4], [[left, y], [left + width, y]]);
  if (label) write(plot.ctx, element, label, left + 5 * scale, y - top < 20 * scale ? y + 14 * scale : y - 5 * scale, tone === "base" ? "ink-2" : `${tone}-ink`);
}

function intervals(plot, element, one) {
  element.xs.forEach((at, i) => {
    if (one.values[i] === null || one.low[i] === null || one.high[i] === null) return;
    const x = plot.valToPos(at, "x", true);
    stroke(plot.ctx, element.color(one.tone), [], [[x, plot.valToPos(one.low[i], "y", true)], [x, plot.valToPos(one.high[i], "y", true)]]);
  });
}

/** ends: how far each line of labels is written, so that none is over another. */
function marked(plot, element, { at, label, tone = "ink-3" }, ends) {
  const { left, top, width, height } = plot.bbox, scale = devicePixelRatio, x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
  if (x < left || x > left + width) return;
  stroke(plot.ctx, element.color(tone), [2, 3], [[x, top], [x, top + height]]);
  if (!label || plot.width < 420) return;  // a phone has room for the line only
  const wide = plot.ctx.measureText(label).width, from = x + wide + 8 * scale > left + width ? x - wide - 5 * scale : x + 5 * scale;
  let row = 0;
  while ((ends[row] ?? -1) > from) row++;
  ends[row] = from + wide + 8 * scale;
  write(plot.ctx, element, label, from, top + 12 * scale + row * 15 * scale, tone === "alarm" ? "alarm-ink" : "ink-2");
}
