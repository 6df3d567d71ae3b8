"""How the newest figures of a monitor's subjects stand to its bounds, the worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from weir.monitor import words
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold
from weir.monitor.verdict import WORST, Scene, State


@dataclass(frozen=True, slots=True)
class Held:
    """How the rows of one subject stand to the bounds.

    since: begin of the first window of the run of windows beyond the bound that the newest is beyond; None where it is
    beyond none. broke: windows beyond it, of `of`.
    """

    newest: Row
    state: State
    bound: Threshold | None
    since: datetime | None
    broke: int
    of: int


def stands(rows: Sequence[Row], scene: Scene) -> list[Held]:
    """Each subject's newest row that counts, the worst first; a subject whose last such row is old is left out.

    Old: not of the newest window of which any row counts.
    """
    by_subject: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if scene.counts(row):
            by_subject[row.subject].append(row)
    if not by_subject:
        return []
    newest = max(run[-1].begin for run in by_subject.values())
    held = [_held(run, scene) for run in by_subject.values() if run[-1].begin == newest]
    return sorted(held, key=lambda one: (WORST.index(one.state), -_distance(one), one.newest.subject))


def _held(run: Sequence[Row], scene: Scene) -> Held:
    newest = run[-1]
    crossed = [
        (state, bound)
        for state, bound in ((State.ALARM, scene.monitor.page), (State.LOOK, scene.monitor.warn))
        if bound is not None and bound.crossed(newest.value)
    ]
    state, bound = crossed[0] if crossed else (State.OK, scene.monitor.warn or scene.monitor.page)
    if bound is None:
        return Held(newest, State.UNKNOWN, None, None, 0, len(run))
    beyond = [row.begin for row in run if bound.crossed(row.value)]
    since = words.since(beyond, [row.begin for row in run]) if crossed else None
    return Held(newest, state, bound, since, len(beyond), len(run))


def _distance(one: Held) -> float:
    """How far on the bad side."""
    value = one.newest.value or 0.0
    return -value if one.bound is not None and not one.bound.rises else value
