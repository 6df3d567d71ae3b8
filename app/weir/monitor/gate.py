"""The gate: which windows are complete, so that a figure about them may be said.

A window of event time is complete when
(a) for every partition with predictions in it, the offsets from the least of them to the greatest are covered by the
    ledger without a gap and each that held a record has its answer; a fault between them and the next predictions of
    other windows, or between the windows around one without predictions, may be of the window, too, and holds it back;
(b) every partition's newest recorded event time has passed the window's end, or the partition is idle: all that its log
    holds is read, answered and recorded.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from weir.core.chunk import LogPartition
from weir.core.standing import Cover, Standing

Faults = Mapping[LogPartition, Sequence[tuple[int, int]]]
Bounds = Mapping[LogPartition, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Window:
    """A window with predictions. covers: of them, by partition. why: what holds it back; empty when it is complete.

    early: it is spoken of all the same, and again once it is complete.
    """

    begin: datetime
    covers: tuple[Cover, ...]
    why: str
    early: bool = False

    @property
    def complete(self) -> bool:
        """Whether a figure about it may be said."""
        return not self.why


def windows(
    covers: Mapping[datetime, Sequence[Cover]],
    standings: Sequence[Standing],
    faults: Faults,
    bounds: Bounds,
    *,
    step: timedelta,
    now: datetime,
    lateness: timedelta,
) -> list[Window]:
    """Every window with predictions, in order.

    covers: by the windows' begin. faults: runs of offsets (first, last), ascending. bounds: first offset and end (last
    + 1) of each partition that the log of requests has; a partition of another log is of an earlier one, and ended.
    lateness: how far beyond a window's end event times have to be, or the time where a partition is idle.
    """
    begins = sorted(covers)
    suspect = _suspect(begins, covers, faults)
    standing = {one.source: one for one in standings}
    found = []
    for begin in begins:
        due = begin + step + lateness
        why = "" if due <= now else "it has not ended"
        why = why or _unpassed(due, standing, bounds) or _uncovered(covers[begin], standing)
        if not why and begin in suspect:
            source, (first, last) = suspect[begin]
            why = f"offsets {first} to {last} of partition {source.partition} are not accounted for"
        found.append(Window(begin, tuple(sorted(covers[begin])), why))
    return found


def scored(covers: Mapping[datetime, Sequence[Cover]], standings: Sequence[Standing]) -> list[Window]:
    """Windows of the time of the scoring, in order. They are held back until the ledger covers what was scored.

    covers: by the windows' begin, what was scored or rejected in each.
    """
    standing = {one.source: one for one in standings}
    return [Window(at, merged(covers[at]), _uncovered(covers[at], standing)) for at in sorted(covers)]


def spans(windows: Sequence[Window], count: int, step: timedelta) -> list[Window]:
    """The same windows, each with all that comes before it in a span of `count` windows which it ends.

    It covers what they cover, and is held back by whatever holds one of them back.
    """
    found = []
    for place, window in enumerate(windows):
        since = window.begin - (count - 1) * step
        span = [one for one in windows[max(0, place - count + 1) : place + 1] if one.begin >= since]
        why = next((one.why for one in reversed(span) if one.why), "")
        found.append(Window(window.begin, merged(cover for one in span for cover in one.covers), why))
    return found


def merged(covers: Iterable[Cover]) -> tuple[Cover, ...]:
    """From the first to the last offset of each partition."""
    found: dict[LogPartition, Cover] = {}
    for one in covers:
        known = found.get(one.source, one)
        found[one.source] = Cover(one.source, min(known.first, one.first), max(known.last, one.last))
    return tuple(sorted(found.values()))


def _unpassed(due: datetime, standing: Mapping[LogPartition, Standing], bounds: Bounds) -> str:
    """Which partition may still bring records of before `due`; empty: none."""
    for source, (begin, end) in bounds.items():
        seen = standing.get(source)
        if seen is not None and seen.newest is not None and seen.newest >= due:
            continue
        read = max(begin, seen.last_covered + 1 if seen is not None else begin)
        if read < end or (seen is not None and seen.waiting):
            return f"partition {source.partition} is recorded to {seen.newest if seen and seen.newest else 'nowhere'}"
    return ""


def _uncovered(covers: Sequence[Cover], standing: Mapping[LogPartition, Standing]) -> str:
    """Which partition has answers of which the ledger says nothing yet; empty: none."""
    for cover in covers:
        if cover.source not in standing or cover.last > standing[cover.source].last_covered:
            return f"the ledger does not cover offset {cover.last} of partition {cover.source.partition} yet"
    return ""


def _suspect(
    begins: Sequence[datetime], covers: Mapping[datetime, Sequence[Cover]], faults: Faults
) -> dict[datetime, tuple[LogPartition, tuple[int, int]]]:
    """Windows that a fault may be of, with the first such fault."""
    found: dict[datetime, tuple[LogPartition, tuple[int, int]]] = {}
    mine = _by_source(begins, covers)
    for source, runs in faults.items():
        lasts, own = [last for _, last in runs], mine.get(source, {})
        ends = sorted({end for cover in own.values() for end in (cover.first, cover.last)})
        before: tuple[int, int] | None = None  # fault of the latest window with predictions of this partition
        empty: list[datetime] = []  # windows without, since then
        for begin in begins:
            cover = own.get(begin)
            if cover is None:
                empty.append(begin)
                continue
            first, last = _reach(cover, ends)
            at = bisect_left(lasts, first)
            fault = runs[at] if at < len(runs) and runs[at][0] <= last else None
            if fault is not None:
                found.setdefault(begin, (source, fault))
                if before is not None:
                    for other in empty:
                        found.setdefault(other, (source, before))
            before, empty = fault, []
    return found


def _by_source(
    begins: Sequence[datetime], covers: Mapping[datetime, Sequence[Cover]]
) -> dict[LogPartition, dict[datetime, Cover]]:
    found: dict[LogPartition, dict[datetime, Cover]] = {}
    for begin in begins:
        for cover in covers[begin]:
            found.setdefault(cover.source, {})[begin] = cover
    return found


def _reach(cover: Cover, ends: Sequence[int]) -> tuple[int, int]:
    """First and last offset that may be of a window: what adjoins, and all up to other windows' predictions.

    ends: first and last offsets of all windows' predictions, ascending. What lies between was rejected or is a fault.
    """
    before, behind = bisect_left(ends, cover.first), bisect_right(ends, cover.last)
    first = ends[before - 1] + 1 if before else cover.first
    last = ends[behind] - 1 if behind < len(ends) else cover.last
    return min(first, cover.first - 1), max(last, cover.last + 1)
