"""How the newest figures of a monitor's subjects stand to its bounds, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold
from weir.monitor.verdict import WORST, Scene, State

CHANCE: Final = 0.001  # a p-value above it is chance: of 30 inputs one is below it in every 33rd window


@dataclass(frozen=True, slots=True)
class Held:
    """How the rows of one subject stand to the bounds.

    since: begin of the first window of the run of windows beyond the bound that the newest is beyond; None where it is
    beyond none. away: the same of warn and page alike. broke: windows beyond any of them, of `of`.
    """

    newest: Row
    state: State
    bound: Threshold | None
    since: datetime | None
    away: datetime | None
    broke: int
    of: int

    @property
    def chance(self) -> bool:
        """Whether the newest figure is beyond its bound, and no further than chance explains."""
        return self.state is State.OK and self.bound is not None and self.bound.crossed(self.newest.value)


def runs(rows: Sequence[Row], scene: Scene) -> Mapping[str, list[Row]]:
    """The rows that count of each subject, ascending by window."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if scene.counts(row):
            found[row.subject].append(row)
    return found


def newest(rows: Sequence[Row], scene: Scene) -> list[Row]:
    """The rows that count of the newest window that has one."""
    counted = [row for row in rows if scene.counts(row)]
    last = max((row.begin for row in counted), default=None)
    return [row for row in counted if row.begin == last]


def stands(rows: Sequence[Row], scene: Scene) -> list[Held]:
    """Each subject's newest row, the worst first; of the newest window alone: a subject that has none is left out."""
    found = runs(rows, scene)
    last = max((run[-1].begin for run in found.values()), default=None)
    held = [_held(run, scene) for run in found.values() if run[-1].begin == last]
    return sorted(held, key=lambda one: (WORST.index(one.state), -_distance(one), one.newest.subject))


def beyond(row: Row, bound: Threshold) -> bool:
    """Whether a figure crosses a bound, and not by chance: by its p-value and its interval, where it has them."""
    if not bound.crossed(row.value) or (row.p is not None and row.p > CHANCE):
        return False
    nearest = row.low if bound.rises else row.high
    return nearest is None or bound.crossed(nearest)


def _held(run: Sequence[Row], scene: Scene) -> Held:
    last, monitor = run[-1], scene.monitor
    states = ((State.ALARM, monitor.page), (State.LOOK, monitor.warn))
    crossed = [(state, bound) for state, bound in states if bound is not None and beyond(last, bound)]
    state, bound = crossed[0] if crossed else (State.OK, monitor.warn or monitor.page)
    if bound is None:
        return Held(last, State.UNKNOWN, None, None, None, 0, len(run))
    windows, bounds = [row.begin for row in run], [each for _, each in states if each is not None]
    since = words.since([row.begin for row in run if beyond(row, bound)], windows) if crossed else None
    broke = [row.begin for row in run if any(beyond(row, each) for each in bounds)]
    return Held(last, state, bound, since, words.since(broke, windows), len(broke), len(run))


def _distance(one: Held) -> float:
    """How far on the bad side."""
    value = one.newest.value or 0.0
    return -value if one.bound is not None and not one.bound.rises else value
