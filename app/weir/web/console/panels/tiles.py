"""A service in short: eight figures, each a link to the panel that says more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from weir.core import numbers
from weir.monitor.spec import Row
from weir.monitor.verdict import State, Verdict, worst
from weir.operations.glance import COST, INPUTS, MILLION, QUALITY, VALUE, Service
from weir.operations.needs_you import Alert
from weir.web.console import objectives
from weir.web.console.asking import Asker
from weir.web.console.course import Course, course
from weir.web.console.drawing.windows import along, number, share_held
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, told
from weir.web.console.view import View

TRAFFIC, RATE = "health/traffic", "health/rate"
BEHIND_S: Final = 300  # behind the end of what is asked about: less is on its way
STORED: Final = (*(one[0] for one in QUALITY.values()), VALUE, COST)
DAY_S: Final = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True)
class Tile:
    """name over figure over below, and a line. word: of its state, for whoever does not see the shape.

    rule: a level across the line. held: share of the line's width from which on it is not complete; None of none.
    """

    name: str
    figure: str
    below: str
    href: str
    state: State = State.UNKNOWN
    line: Sequence[float | None] = ()
    rule: float | None = None
    held: float | None = None
    low: float | None = 0.0

    @property
    def word(self) -> str:
        """Of its state."""
        return self.state.word


@dataclass(frozen=True, slots=True)
class Known:
    """What the tiles are made of. alerts: of the service, open; promise: milliseconds, of the strictest objective."""

    of: Service
    view: View
    traffic: Told
    rate: Told
    courses: Sequence[Course]
    alerts: Sequence[Alert]
    flagging: Collection[str]
    promise: float | None

    def stands(self, about: Callable[[str], bool]) -> State:
        """The worst of the open alerts of some monitors; UNKNOWN of none."""
        return worst([one.look for one in self.alerts if about(one.monitor)])

    def course(self, monitor: str, subject: str | None = None) -> list[Course]:
        """What is stored of a monitor; of one subject, or of all."""
        return [one for one in self.courses if one.monitor == monitor and subject in (None, one.subject)]


def build(asker: Asker, view: View) -> Panel:
    """The tiles; figures of quality, value and cost are those that monitors have stored."""
    seen, traffic, rate, courses, meaning = asker.all(
        lambda: glimpse(asker, view),
        lambda: told(asker, view, TRAFFIC),
        lambda: told(asker, view, RATE),
        lambda: course(asker, view.service, STORED, view.begin, view.end),
        lambda: asker.meaning(view.service),
    )
    mine = next((one for one in seen.services if one.name == view.service), None)
    promises = objectives.promises(asker, view.service)
    shown: list[Tile] = []
    if mine is not None:
        known = Known(
            of=mine,
            view=view,
            traffic=traffic,
            rate=rate,
            courses=courses,
            alerts=[one for one in seen.alerts if one.service == view.service],
            flagging=meaning["flagging"],
            promise=min((rule.at for rule in promises), default=None),
        )
        shown = tiles(known)
    return Panel(
        name="tiles",
        question="In short",
        verdict=verdict(shown),
        template="tiles.html",
        context={"tiles": shown},
        monitor="overview/traffic",
        acts=(Act("Figures", f"/rows/overview/figures{view.link(service=view.service)}"),),
        unsplit=tuple(view.segment.filters) if view.segment.filters else (),
    )


def verdict(shown: Sequence[Tile]) -> Verdict:
    """Which of them to look at."""
    if not shown:
        return Verdict(State.UNKNOWN, "Nothing is known of it in this time.")
    bad = [one for one in shown if one.state in (State.LOOK, State.ALARM)]
    if not bad:
        return Verdict(State.OK, "Nothing to look at among these figures.")
    said = "; ".join(f"{one.name}: {one.figure}, {one.below}" for one in bad)
    return Verdict(worst([one.state for one in bad]), f"Look at {len(bad)} of {len(shown)}. {said}.")


def tiles(known: Known) -> list[Tile]:
    """Eight of them, in the order of trust: complete, moved, right, worth, cost, fast, says, much."""
    of, view = known.of, known.view
    held = share_held(known.traffic.rows, known.traffic.scene)
    much = Tile(
        "Predictions",
        numbers.short(of.predictions),
        f"{numbers.figure(of.rate, 'rate')} on average",
        "#latency",
        line=[count / view.step_s for count in of.counts],
        held=held,
    )
    return [
        _complete(of, view),
        _moved(known),
        _quality(known),
        _value(known),
        _cost(known),
        replace(_speed(known), held=held),
        replace(_says(known), held=held),
        much,
    ]


def _complete(of: Service, view: View) -> Tile:
    to = of.complete_to
    if to is None:
        return Tile("Complete to", numbers.UNKNOWN, "nothing is recorded", "/ledger")
    late_s = (min(view.end, view.now) - to).total_seconds()
    behind = of.behind or late_s > BEHIND_S
    below = f"{numbers.span(late_s)} behind" if late_s > BEHIND_S else "nothing missing"
    text = numbers.clock(to) if (view.now - to).total_seconds() < DAY_S else numbers.time(to)
    return Tile("Complete to", text, below, "/ledger", State.LOOK if behind else State.OK)


def _moved(known: Known) -> Tile:
    of = known.of
    if not of.inputs:
        return Tile("Inputs moved", numbers.UNKNOWN, "not looked at yet", "#drift")
    since = min((one.since for one in known.alerts if one.monitor in INPUTS), default=None)
    below = f"since {numbers.time(since)}" if since and of.inputs_moved else "see which"
    below = below if of.inputs_moved else "all within tolerance"
    return Tile("Inputs moved", f"{of.inputs_moved} of {of.inputs}", below, "#drift", of.inputs_state)


def _quality(known: Known) -> Tile:
    one = known.of.quality
    if one is None:
        return Tile("Quality", numbers.UNKNOWN, "no mature window yet", "#outcomes")
    unit = one.unit.value
    monitor, subject, _, _ = next(each for each in QUALITY.values() if each[2] == one.name)
    stored = known.course(monitor, subject)
    mean = stored[0].mean if stored else None
    below = f"to {numbers.time(one.end)}"
    if one.low is not None and one.high is not None:
        below = f"{numbers.figure(one.low, unit)} to {numbers.figure(one.high, unit)}"
    return Tile(
        f"{one.name[:1].upper()}{one.name[1:]}, latest mature",
        numbers.figure(one.value, unit),
        f"{numbers.figure(mean, unit)} on average" if mean is not None else below,
        "#outcomes",
        known.stands(lambda name: name.startswith("outcome/") and name != VALUE),
        line=stored[0].known if stored else (),
        low=None,
    )


def _value(known: Known) -> Tile:
    of, stored = known.of, known.course(VALUE)
    currency, state = of.currency or "USD", known.stands(lambda name: name == VALUE)
    below = "of days whose outcomes are known" if of.value is not None else "no mature day in this time"
    spans = sum(one.step_s * len(one.known) for one in stored[:1])
    if of.value is not None and spans >= DAY_S:
        below = f"{numbers.money(of.value / spans * DAY_S, currency)} a day"
    line = _summed(stored, lambda one, place: one.totals[place])
    return Tile("Value, net", numbers.money(of.value, currency), below, "#outcomes", state, line=line)


def _cost(known: Known) -> Tile:
    of, stored = known.of, known.course(COST)
    currency, state = of.currency or "USD", known.stands(lambda name: name.startswith("cost/"))
    spent = _summed(stored, lambda one, place: (one.values[place] or 0.0) * one.n[place] / MILLION)
    asked = _summed(stored, lambda one, place: float(one.n[place]))
    below = "not known yet" if of.cost is None else "the newest day"
    if of.cost is not None and spent:
        below = f"{numbers.money(sum(spent), currency)} in all"
    line = [MILLION * cost / n if n else None for cost, n in zip(spent, asked, strict=True)]
    return Tile("Cost per million", numbers.money(of.cost, currency), below, "#cost", state, line=line)


def _summed(stored: Sequence[Course], of: Callable[[Course, int], float]) -> list[float]:
    """A figure of each window over all subjects, in order."""
    found: dict[int, float] = {}
    for one in stored:
        for place, begin in enumerate(one.begins):
            found[begin] = found.get(begin, 0.0) + of(one, place)
    return [found[begin] for begin in sorted(found)]


def _speed(known: Known) -> Tile:
    """The slowest window, and whether it kept the promise."""
    of, rows, scene = known.of, known.traffic.rows, known.traffic.scene
    sure = [row.value for row in rows if row.value is not None and scene.counts(row)]
    peak = max(sure, default=of.p99_ms)
    state = known.stands(lambda name: name in (TRAFFIC, "health/within") or name.startswith("slo/"))
    below = f"{numbers.figure(of.p99_ms, 'ms')} of all"
    if known.promise is not None:
        below = f"promise {numbers.figure(known.promise, 'ms')}"
        broken = peak is not None and peak > known.promise
        state = worst([state, State.LOOK if broken else State.OK])
    line = along(rows, scene, lambda row: row.value)
    return Tile("p99, worst window", numbers.figure(peak, "ms"), below, "#latency", state, line, known.promise)


def _says(known: Known) -> Tile:
    says = known.of.says
    if says is None:
        return Tile("Says", numbers.UNKNOWN, "no prediction in this time", "#score")
    below = {"positive": "above the threshold", "mean": "of what it predicts"}.get(says.name, "of decisions, the most")
    words = known.flagging if says.name == "positive" else (says.name,)

    def said(row: Row) -> float | None:
        if says.name == "mean":
            return number(row, "mean_score")
        decisions: Mapping[str, Any] = row.details["decisions"]
        return sum(decisions.get(word, 0) for word in words) / row.n if row.n else None

    return Tile(
        says.name[:1].upper() + says.name[1:],
        numbers.figure(says.value, says.unit.value),
        below,
        "#score",
        line=along(known.rate.rows, known.rate.scene, said),
        low=None if says.name == "mean" else 0.0,
    )
