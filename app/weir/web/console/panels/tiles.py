"""A service in short: eight figures, each a link to the panel that says more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from weir.core import numbers
from weir.monitor.verdict import State
from weir.operations.glance import Service
from weir.web.console.asking import Asker
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Panel
from weir.web.console.told import Told, told
from weir.web.console.view import View

TRAFFIC: Final = "health/traffic"
BEHIND_S: Final = 300  # behind the end of what is asked about: less is on its way


@dataclass(frozen=True, slots=True)
class Tile:
    """name over figure over below, and a line. word: of its state, for whoever does not see the shape."""

    name: str
    figure: str
    below: str
    href: str
    state: State = State.UNKNOWN
    word: str = ""
    line: Sequence[float | None] = ()
    rule: float | None = None


def build(asker: Asker, view: View) -> Panel:
    """The tiles; figures of quality, value and cost are those that monitors stored last."""
    seen, traffic = asker.all(
        lambda: glimpse(asker, view),
        lambda: told(asker, view, TRAFFIC),
    )
    mine = next((one for one in seen.services if one.name == view.service), None)
    return Panel(
        name="tiles",
        question="In short",
        template="tiles.html",
        context={"tiles": tiles(mine, traffic, view) if mine else []},
        unsplit=tuple(view.segment.filters) if view.segment.filters else (),
    )


def tiles(of: Service, traffic: Told, view: View) -> list[Tile]:
    """Eight of them, in the order of trust: complete, moved, right, worth, cost, fast, says, much."""
    p99 = [row.value for row in traffic.rows]
    per_second = [count / view.step_s for count in of.counts]
    return [
        _complete(of, view),
        _moved(of),
        _quality(of),
        Tile(
            "Value, net",
            numbers.money(of.value, of.currency or "USD"),
            "of days whose outcomes are known" if of.value is not None else "no mature day in this time",
            "#outcomes",
        ),
        Tile(
            "Cost per million",
            numbers.money(of.cost, of.currency or "USD"),
            _known(of.cost, "the newest day"),
            "#cost",
        ),
        Tile("p99", numbers.figure(of.p99_ms, "ms"), "from event to score", "#latency", line=p99),
        _says(of),
        Tile(
            "Predictions",
            numbers.short(of.predictions),
            numbers.figure(of.rate, "rate"),
            "#latency",
            line=per_second,
        ),
    ]


def _complete(of: Service, view: View) -> Tile:
    to = of.complete_to
    if to is None:
        return Tile("Complete to", numbers.UNKNOWN, "nothing is recorded", "/ledger")
    late_s = (min(view.end, view.now) - to).total_seconds()
    behind = of.behind or late_s > BEHIND_S
    below = f"{numbers.span(late_s)} behind" if late_s > BEHIND_S else "nothing missing"
    text = numbers.clock(to) if (view.now - to).total_seconds() < 86_400 else numbers.time(to)
    return Tile("Complete to", text, below, "/ledger", State.LOOK if behind else State.OK, "behind")


def _moved(of: Service) -> Tile:
    if not of.inputs:
        return Tile("Inputs moved", numbers.UNKNOWN, "not looked at yet", "#drift")
    below = "see which" if of.inputs_moved else "all within tolerance"
    return Tile(
        "Inputs moved", f"{of.inputs_moved} of {of.inputs}", below, "#drift", of.inputs_state, of.inputs_state.word
    )


def _quality(of: Service) -> Tile:
    one = of.quality
    if one is None:
        return Tile("Quality", numbers.UNKNOWN, "no mature window yet", "#outcomes")
    text = numbers.figure(one.value, one.unit.value)
    between = (
        f"{numbers.figure(one.low, one.unit.value)} to {numbers.figure(one.high, one.unit.value)}"
        if one.low is not None and one.high is not None
        else f"to {numbers.time(one.end)}"
    )
    return Tile(f"{one.name[:1].upper()}{one.name[1:]}, newest", text, between, "#outcomes")


def _says(of: Service) -> Tile:
    if of.says is None:
        return Tile("Says", numbers.UNKNOWN, "no prediction in this time", "#score")
    below = {"positive": "of decisions", "mean": "of what it predicts"}.get(of.says.name, "of decisions, the most")
    name = of.says.name[:1].upper() + of.says.name[1:]
    return Tile(name, numbers.figure(of.says.value, of.says.unit.value), below, "#score")


def _known(value: float | None, text: str) -> str:
    return text if value is not None else "not known yet"
