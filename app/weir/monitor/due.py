"""Which windows of a monitor are due: complete and not computed, or computed before all that they cover had come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from weir.core.standing import Cover
from weir.monitor.gate import Window

Covers = frozenset[Cover]
OLDER: Final = 2.0  # outcomes that go on coming make a window anew each time that its age has grown so many times


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was last computed of a window.

    covers: offsets of its predictions; none where the computation failed. outcomes: offsets of their outcomes; None
    where they play no part. age: of the window's end then, by the newest event. revision: of its figures. early: it
    was not complete.
    """

    covers: Covers
    outcomes: Covers | None = None
    age: timedelta = timedelta(0)
    revision: int = 0
    early: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A window that is to be computed. what: what will be known of it then."""

    window: Window
    what: Done


def due(
    windows: Sequence[Window],
    done: Mapping[datetime, Done],
    outcomes: Mapping[datetime, Sequence[Cover]] | None,
    before: Mapping[datetime, Covers],
    *,
    step: timedelta,
    newest: datetime,
) -> list[Due]:
    """Windows to compute, in order.

    outcomes: offsets of the outcomes of each window's predictions; None for a monitor that asks for none. before: the
    same at the last look: outcomes that have stopped coming are waited for no longer. newest: newest event recorded.
    """
    found = []
    for window in windows:
        if not window.complete:
            continue
        begin, last = window.begin, done.get(window.begin)
        came = None if outcomes is None else frozenset(outcomes.get(begin, ()))
        what = Done(
            covers=frozenset(window.covers),
            outcomes=came,
            age=max(newest - begin - step, timedelta(0)),
            revision=last.revision + 1 if last else 0,
            early=window.early,
        )
        if last is None or _differs(what, last) or _newer(came, last, before.get(begin), what.age):
            found.append(Due(window, what))
    return found


def _differs(what: Done, last: Done) -> bool:
    """Whether predictions have come, or all that the ledger lacked."""
    return last.covers != what.covers or (last.early and not what.early)


def _newer(came: Covers | None, last: Done, before: Covers | None, age: timedelta) -> bool:
    """Whether outcomes have come, and either no more come, or the window has grown a good deal older."""
    return came is not None and came != last.outcomes and (before == came or age > OLDER * last.age)


def runs(items: Sequence[Due], step: timedelta, most: int, rows: int) -> list[list[Due]]:
    """Due windows in runs that one question answers: neighbours, `most` of them at most.

    rows: predictions of a run at most, by their offsets; a window that has more is alone.
    """
    found: list[list[Due]] = []
    held = 0
    for item in items:
        run, mine = found[-1] if found else [], sum(cover.last - cover.first + 1 for cover in item.window.covers)
        if run and len(run) < most and held + mine <= rows and run[-1].window.begin + step == item.window.begin:
            run.append(item)
            held += mine
        else:
            found.append([item])
            held = mine
    return found
