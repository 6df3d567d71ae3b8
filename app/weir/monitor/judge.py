"""Whether the figures of a window are worth an alarm: the effect is large enough, and it is no chance.

A figure with a p-value alarms when three things hold: it crosses its bound; its p-value, corrected for all subjects of
the window, is small; and the evidence of all windows so far names its subject. The last one keeps the promise: where
nothing changes, one monitor of one service and segment alarms on average at most once in `run_length` windows, however
many subjects it has and whatever depends on whatever. A figure with an interval alarms when its interval lies beyond
the bound; one with neither when it crosses the bound, and the time for which an alert is held back does the rest.

A figure without a bound may be held to its own history instead (`usual`): its mean is the bound, and the chance of a
figure as bad as this among such windows is the p-value. It warns at most: that something is unusual wakes nobody up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from weir.monitor import evidence, multiplicity, usual
from weir.monitor.measurement import State
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold
from weir.monitor.usual import Way

RUN_LENGTH: Final = 1000  # windows: with hourly ones about one false alarm in six weeks, of each monitor
DISCOVERIES: Final = 0.05  # share of false ones among what a single window calls changed
# A figure that is beyond its bound has to come back by this share of it: else one at the bound opens and closes alerts.
CALM_BELOW: Final = 0.1  # of bounds that large figures cross: distances, rates, costs, from 0 on
CALM_ABOVE: Final = 0.02  # of bounds that small ones cross: an AUC of 0.68 is calm again at 0.69


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a figure may not cross, by what happens then."""

    warn: Threshold | None = None
    page: Threshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the figures of one monitor are judged.

    bounds: of every subject, unless `calibrated` has others for it. minimum: rows below which nothing is said.
    maturity: share of outcomes below which nothing is said. run_length: see above; windows. usual: where a figure goes
    when it gets worse than its own history, by subject, of all others under ''; its subjects have no other bounds.
    """

    bounds: Bounds
    calibrated: Mapping[str, Bounds] = field(default_factory=dict)
    minimum: int = 1
    maturity: float = 0.0
    run_length: int = RUN_LENGTH
    usual: Mapping[str, Way] = field(default_factory=dict)

    def way(self, subject: str) -> Way | None:
        """Where a figure goes when it gets worse; None where its bounds say what is bad, or nothing does."""
        if not self.usual or self.of(subject) != Bounds():
            return None
        return self.usual.get(subject) or self.usual.get("")

    def of(self, subject: str) -> Bounds:
        """The bounds of one subject: what is not calibrated is the monitor's own."""
        own, found = self.bounds, self.calibrated.get(subject, Bounds())
        return Bounds(found.warn or own.warn, found.page or own.page)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one row. crossed: the bound that its figure is beyond. memory: for the next window, for JSON.

    p: as the row has it, or by its history. expected: the mean of that; None where it plays no part.
    """

    subject: str
    state: State
    p_adjusted: float | None
    log_e: float | None
    crossed: Threshold | None
    memory: Mapping[str, Any]
    p: float | None = None
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class _Memory:
    """Of one subject. log_m: of its e-detector. evident: it was named, and has not been calm since.

    history: figures of the windows before, the newest last, where it is held to them. unusual: windows in a row that
    were not taken into it because they warned.
    """

    log_m: float = -math.inf
    evident: bool = False
    state: State = State.OK
    history: tuple[float, ...] = ()
    unusual: int = 0

    @staticmethod
    def of(said: Mapping[str, Any]) -> _Memory:
        log_m = said.get("log_m")  # JSON has no word for the logarithm of 0
        return _Memory(
            -math.inf if log_m is None else log_m,
            said.get("evident", False),
            State(said.get("state", State.OK)),
            tuple(said.get("history", ())),
            said.get("unusual", 0),
        )

    def said(self) -> dict[str, Any]:
        log_m = self.log_m if math.isfinite(self.log_m) else None
        said = {"log_m": log_m, "evident": self.evident, "state": self.state.value}
        return said | {"history": list(self.history), "unusual": self.unusual} if self.history else said


def judge(
    rule: Rule, rows: Sequence[Row], memory: Mapping[str, Mapping[str, Any]], maturity: float | None = None
) -> list[Verdict]:
    """What is said of each row of one window.

    rows: one a subject. memory: of the window before, by subject, as verdicts had it; {} for a subject that is new. A
    window counts once: whoever computes it anew gives the same memory again. maturity: share of the window's
    predictions whose outcome is known; None where outcomes play no part.
    """
    before = [_Memory.of(memory.get(row.subject, {})) for row in rows]
    silent = [_silent(rule, row, maturity) for row in rows]
    ways = [rule.way(row.subject) for row in rows]
    p = np.array([np.nan if silent[i] else _p(row, ways[i], before[i]) for i, row in enumerate(rows)], float)
    adjusted = multiplicity.benjamini_hochberg(p)
    log_es = evidence.log_e_of_p(p)
    if any(ways):  # a history that takes a change in forgets it soon: a calibrator that bets more on small p-values
        log_es = np.where([way is not None for way in ways], evidence.log_e_of_p_mixed(np.minimum(p, 0.999)), log_es)
    log_m = evidence.shiryaev_roberts([each.log_m for each in before], log_es)
    named = multiplicity.e_bh(log_m, 1 / rule.run_length) & (adjusted <= DISCOVERIES)
    found = []
    for i, row in enumerate(rows):
        if state := silent[i]:
            found.append(Verdict(row.subject, state, None, None, None, before[i].said()))
            continue
        tested = not math.isnan(p[i])
        evident = bool(named[i]) or before[i].evident
        if way := ways[i]:
            figure = (float(p[i]), float(adjusted[i]), float(log_m[i])) if tested else None
            found.append(_by_history(way, row, before[i], figure, evident=evident))
            continue
        state, crossed = _state(rule.of(row.subject), row, before[i], evident if tested else None)
        after = _Memory(float(log_m[i]) if tested else before[i].log_m, evident, state)
        if evident and not _unrest(rule.of(row.subject), row):  # it is over: what comes is a change of its own
            after = _Memory()
        p_adjusted, log_e = (float(adjusted[i]), float(log_m[i])) if tested else (None, None)
        found.append(Verdict(row.subject, state, p_adjusted, log_e, crossed, after.said(), row.p))
    return found


def _p(row: Row, way: Way | None, before: _Memory) -> float:
    """Of no change; nan where nothing tells it."""
    if way is not None and row.value is not None:
        return usual.p_value(way, row.value, before.history, row.low, row.high)
    return math.nan if row.p is None else row.p


def _by_history(
    way: Way, row: Row, before: _Memory, figure: tuple[float, float, float] | None, *, evident: bool
) -> Verdict:
    """A figure that is held to its own history. figure: p, p adjusted, log M; None where its history tells nothing.

    What warned is not usual, so it does not become history; but what goes on for as long as a history is does, anew.
    """
    assert row.value is not None
    if figure is None:
        log_m = before.log_m if before.history else -math.inf
        after = _Memory(log_m, False, State.OK, (*before.history, row.value)[-usual.KEPT :])
        return Verdict(row.subject, State.OK, None, None, None, after.said())
    p, p_adjusted, log_m = figure
    bound = usual.limit(way, row.value, before.history)
    evident = evident and p <= DISCOVERIES
    warns = evident and _interval_beyond(bound, row)
    if warns and before.unusual + 1 < usual.KEPT:
        after = _Memory(log_m, True, State.WARN, before.history, before.unusual + 1)
    elif warns:
        after = _Memory()
    else:  # after a warning that is over, what comes is a change of its own
        over = before.evident and not evident
        after = _Memory(-math.inf if over else log_m, evident, State.OK, (*before.history, row.value)[-usual.KEPT :])
    state, crossed = (State.WARN, bound) if warns else (State.OK, None)
    return Verdict(row.subject, state, p_adjusted, log_m, crossed, after.said(), p, bound.bound)


def _silent(rule: Rule, row: Row, maturity: float | None) -> State | None:
    """Why nothing can be said of a row."""
    if row.value is None or not math.isfinite(row.value) or row.n < rule.minimum:
        return State.FEW
    if maturity is not None and maturity < rule.maturity:
        return State.IMMATURE
    return None


def _state(bounds: Bounds, row: Row, before: _Memory, evident: bool | None) -> tuple[State, Threshold | None]:
    """The state, and the bound that is crossed. evident: None where there is no test."""
    for state, bound, holds in (
        (State.PAGE, bounds.page, {State.PAGE}),
        (State.WARN, bounds.warn, {State.PAGE, State.WARN}),
    ):
        if bound is None:
            continue
        certain = _interval_beyond(bound, row) if evident is None else evident
        held = before.state in holds and calm(bound).crossed(row.value)
        if held or (certain and bound.crossed(row.value)):
            return state, bound
    return State.OK, None


def _interval_beyond(bound: Threshold, row: Row) -> bool:
    """Whether the whole interval is beyond the bound; true where there is none."""
    nearest = row.low if bound.rises else row.high
    return nearest is None or not math.isfinite(nearest) or bound.crossed(nearest)


def _unrest(bounds: Bounds, row: Row) -> bool:
    """Whether a figure has not come back yet from any bound."""
    return any(bound is not None and calm(bound).crossed(row.value) for bound in (bounds.warn, bounds.page))


def calm(bound: Threshold) -> Threshold:
    """The bound that a figure has to come back over to count as calm.

    >>> str(calm(Threshold.of("> 0.1"))), str(calm(Threshold.of("< 0.68")))
    ('> 0.09', '< 0.6936')
    """
    share = -CALM_BELOW if bound.rises else CALM_ABOVE
    return Threshold(bound.sign, bound.bound + share * abs(bound.bound))
