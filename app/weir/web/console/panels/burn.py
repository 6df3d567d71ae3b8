"""Whether error budgets last: how fast they burn by each rule of each objective, as the monitor worker found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from weir.core import numbers
from weir.edges.clickhouse.client import written
from weir.monitor import durations
from weir.monitor.slo import RULES, Rule
from weir.monitor.verdict import State, Verdict
from weir.web.console.asking import Asker
from weir.web.console.drawing.chart import MOST_LINES, Chart, Line, tones
from weir.web.console.drawing.chart import Rule as Level
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "Do the error budgets last?"
BY_SPAN: Final[Mapping[str, Rule]] = {durations.written(rule.long_s): rule for rule in RULES}
STATES: Final = {"page": State.ALARM, "warn": State.LOOK}
TONES: Final = {"page": "alarm", "warn": "warn"}


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    asked = {"from": written(view.begin), "to": written(view.end), "step": view.step_s}
    rows = asker.sql("measurements/burn", service=view.service, **asked)
    return Panel(
        name="burn",
        question=QUESTION,
        verdict=burning(rows),
        template="picture.html",
        context={"chart_of": _chart(rows, view) if rows else None, "nothing": "No burn rate was found in this window"},
        note="1 uses a budget up just at the end of its window. Each rule by the slower of its two spans.",
    )


def burning(rows: Sequence[Mapping[str, Any]]) -> Verdict:
    """What the newest rate of each rule says: the gravest that is at its limit. rows: as measurements/burn has them."""
    newest = {(str(row["objective"]), str(row["span"])): float(row["burn"]) for row in rows if row["span"] in BY_SPAN}
    if not newest:
        return Verdict(State.UNKNOWN, "No burn rate was found in this window.")
    over = [(key, rate) for key, rate in newest.items() if rate >= BY_SPAN[key[1]].factor]
    if not over:
        (objective, span), rate = max(newest.items(), key=lambda one: one[1] / BY_SPAN[one[0][1]].factor)
        said = f"No budget burns too fast. Nearest to its limit is {objective}, {_rate(rate)} over {span}."
        return Verdict(State.OK, said)
    (objective, span), rate = max(over, key=lambda one: (BY_SPAN[one[0][1]].severity == "page", one[1]))
    rule = BY_SPAN[span]
    said = f"The budget of {objective} burns {_rate(rate)} as fast as it may over {span}, limit {_rate(rule.factor)}."
    return Verdict(STATES[rule.severity], said)


def _rate(rate: Any) -> str:
    return f"{numbers.short(float(rate))} times"


def _chart(rows: Sequence[Mapping[str, Any]], view: View) -> Chart:
    by: dict[str, dict[int, float]] = {}
    for row in rows:
        by.setdefault(f"{row['objective']} {row['span']}", {})[int(row["at"])] = float(row["burn"])
    fastest = sorted(by, key=lambda name: -max(by[name].values()))[:MOST_LINES]
    series = [
        Line(label=name, values=[by[name].get(at) for at in view.times], points=True, **tones(place))
        for place, name in enumerate(fastest)
    ]
    levels = [
        Level(at=float(rule.factor), label=f"{rule.severity} {span}", tone=TONES[rule.severity], soft=True)
        for span, rule in BY_SPAN.items()
    ]
    return Chart(name="Burn rate over time", t=view.times, series=series, rules=levels, zero=True)
