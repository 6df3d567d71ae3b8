"""A figure along the windows of a page: a window without a row is a gap, and what is not complete is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from weir.monitor.spec import Row
from weir.monitor.verdict import Scene


def times(scene: Scene) -> list[int]:
    """Begin of every window, seconds since 1970."""
    return list(range(seconds(scene.begin), seconds(scene.end), scene.step_s))


def along(rows: Iterable[Row], scene: Scene, pick: Callable[[Row], float | None]) -> list[float | None]:
    """A figure of each window, None where no row has one. rows: one a window."""
    found = {seconds(row.begin): pick(row) for row in rows}
    return [found.get(at) for at in times(scene)]


def held(rows: Sequence[Row], scene: Scene) -> list[list[int]]:
    """Spans that are not complete, or whose outcomes are not mature: [from, to], seconds since 1970."""
    young = [row.begin for row in rows if not scene.is_mature(row)]
    old = [row.begin for row in rows if scene.is_mature(row)]
    after = [begin for begin in young if not old or begin > max(old)]  # one that came early makes no gap in the middle
    begins = [*after[:1], *([scene.complete_to] if scene.complete_to is not None else [])]
    first = max(min(begins), scene.begin) if begins else scene.end
    return [[seconds(first), seconds(scene.end)]] if first < scene.end else []


def share_held(rows: Sequence[Row], scene: Scene) -> float | None:
    """From which share of a line's width on its windows are not complete; None where all of them are."""
    spans, (begin, end) = held(rows, scene), (seconds(scene.begin), seconds(scene.end))
    return (spans[0][0] - begin) / (end - begin) if spans else None


def seconds(time: datetime) -> int:
    """Since 1970."""
    return int(time.timestamp())


def by_subject(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each subject, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return found


def newest(rows: Sequence[Row], scene: Scene) -> list[Row]:
    """Rows of the newest window of which any counts; of the newest of all where none does."""
    begins = {row.begin for row in rows if scene.counts(row)} or {row.begin for row in rows}
    return [row for row in rows if row.begin == max(begins)] if begins else []


def number(row: Row, name: str) -> float | None:
    """A number among a row's details; None where there is none."""
    value = row.details.get(name)
    return finite(float(value)) if isinstance(value, int | float) else None


def finite(value: float | None) -> float | None:
    """The value, None for one that is infinite or no number."""
    return value if value is not None and -float("inf") < value < float("inf") else None
