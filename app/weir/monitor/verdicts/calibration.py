"""Whether scores can be read as probabilities: tenths of the chance against what came true, and slope and intercept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weir.core import numbers
from weir.monitor import words
from weir.monitor.held import newest
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene, State, Verdict

LEAST_GAP: Final = 0.05  # of a chance; of a smaller one no decision changes
LEAST_TILT: Final = 0.1  # of the slope, off 1


def tenths(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Which chance is furthest from what came true, of the newest mature window."""
    last = newest(rows, scene)
    if not last:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    off = [row for row in last if abs(_gap(row)) >= LEAST_GAP and not _holds(row)]
    if not off:
        largest, tenths_ = numbers.share(max(abs(_gap(row)) for row in last)), words.every(len(last), "tenth")
        head = f"Yes: what came true is within {largest} of the chance that was given, or within its interval"
        return Verdict(State.OK, f"{head}, in {tenths_} ({words.at(last[0].begin)}).")
    first = max(off, key=lambda row: abs(_gap(row)) * row.n)
    name = first.subject.rpartition("/")[0]
    of = f" of {name}" if len({row.subject.rpartition("/")[0] for row in last}) > 1 else ""
    word = "low" if _gap(first) > 0 else "high"
    near, came = f"{first.details['chance']:.2f}", f"{first.value or 0:.2f}"
    head = f"Scores{of} near {near} are too {word}: {came} came true ({words.many(first.n, 'outcome')})"
    return Verdict(State.LOOK, f"{head}. {len(off)} of {words.many(len(last), 'tenth')} {words.be(len(off))} off.")


def slope(rows: Sequence[Row], scene: Scene) -> Verdict:
    """Whether chances are too bold, too shy, or all too high or low, of the newest mature window."""
    last = {row.subject: row for row in newest(rows, scene)}
    if "slope" not in last:
        return Verdict(State.UNKNOWN, words.early(rows, scene))
    row = last["slope"]
    assert row.value is not None
    interval = f"{row.value:.2f}"
    if row.low is not None and row.high is not None:
        interval = f"{row.value:.2f} ({row.low:.2f} to {row.high:.2f})"
    sure = row.low is None or row.high is None or not row.low <= 1 <= row.high
    if abs(row.value - 1) <= LEAST_TILT or not sure:
        return Verdict(State.OK, f"Neither: the slope is {interval}, and 1 is right.")
    word = (
        "bold: high chances are too high and low ones too low"
        if row.value < 1
        else "shy: they stay too near the middle"
    )
    return Verdict(State.LOOK, f"Chances are too {word}. The slope is {interval}, and 1 is right.")


def _gap(row: Row) -> float:
    return float(row.details["gap"])


def _holds(row: Row) -> bool:
    """Whether the interval of what came true holds the chance; one without an interval says nothing against it."""
    return row.low is None or row.high is None or row.low <= row.details["chance"] <= row.high
