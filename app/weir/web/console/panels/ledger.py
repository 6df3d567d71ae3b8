"""Is the data complete: a strip for each partition, by when its offsets were read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Final

from weir.core.numbers import span, whole
from weir.monitor.spec import Row
from weir.monitor.verdict import State, Verdict
from weir.operations.balance import Behind, Lost
from weir.operations.overview import Overview
from weir.web.console.asking import Asker
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "Is the data complete?"
MONITOR: Final = "ledger/strips"
LEAST: Final = 1 / 160  # of a strip's width: a gap is never too narrow to be seen
COMPLETE, LATE, GAP, NOTHING = "complete", "late", "gap", "nothing"


@dataclass(frozen=True, slots=True)
class Strip:
    """A partition. runs: (begin, length, kind), in windows. state: how it stands, in a word or two."""

    topic: str
    partition: int
    read: int
    runs: Sequence[tuple[float, float, str]]
    state: tuple[State, str]


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    names = [view.service] if view.service else list(asker.services())
    found, *answers = asker.all(
        lambda: glimpse(asker, view), *(partial(asker.rows, MONITOR, view, service=name) for name in names)
    )
    strips = {name: _strips(rows, name, found, view) for name, rows in zip(names, answers, strict=True)}
    return Panel(
        name="ledger",
        question=QUESTION,
        verdict=verdict(found),
        template="ledger.html",
        context={
            "strips": {name: of for name, of in strips.items() if of},
            "windows": len(view.times),
            "middle": view.begin + (view.end - view.begin) / 2,
            "lost": found.balance.lost,
        },
        note=f"Offsets by when they were read, in windows of {span(view.step_s)}. What a window lacks holds figures of "
        "it back: none is shown or alerted on as if it were whole.",
        monitor=MONITOR,
    )


def verdict(found: Overview) -> Verdict:
    """How many partitions lack something."""
    lost, late = found.balance.lost, found.balance.behind
    if not lost and not late:
        return Verdict(found.balance.verdict.state, "Every partition is complete, as far as it was read.")
    said = []
    if lost:
        offsets = sum(one.missing for one in lost)
        said.append(f"{whole(offsets)} offsets are missing, of {_partitions(len(lost))}")
    if late:
        said.append(f"{_partitions(len(late))} {'is' if len(late) == 1 else 'are'} behind")
    return Verdict(State.ALARM if lost else State.LOOK, f"{'; '.join(said)}. All else is complete.")


def _partitions(count: int) -> str:
    return f"{count} {'partition' if count == 1 else 'partitions'}"


def _strips(rows: Sequence[Row], service: str, found: Overview, view: View) -> list[Strip]:
    by: dict[tuple[str, int, str], dict[datetime, Row]] = defaultdict(dict)
    for row in rows:
        topic, partition, log = row.subject.rsplit("/", 2)
        by[topic, int(partition), log][row.begin] = row
    late = {(one.topic, one.partition): one for one in found.balance.behind if one.service == service}
    lost = {(one.topic, one.partition): one for one in found.balance.lost if one.service == service}
    return [
        Strip(
            topic,
            partition,
            sum(row.n for row in windows.values()),
            _runs(windows, late.get((topic, partition)), view),
            _state(lost.get((topic, partition)), late.get((topic, partition)), windows.values()),
        )
        for (topic, partition, _), windows in sorted(by.items())
    ]


def _state(lost: Lost | None, late: Behind | None, rows: Iterable[Row]) -> tuple[State, str]:
    if lost:
        return State.ALARM, f"{whole(lost.missing)} missing"
    if gaps := round(sum(row.value or 0 for row in rows)):
        return State.ALARM, f"{whole(gaps)} missing"
    return (State.LOOK, f"{span(late.late_s)} behind") if late else (State.OK, "complete")


def _runs(windows: dict[datetime, Row], late: Behind | None, view: View) -> list[tuple[float, float, str]]:
    """Windows of one kind beside each other, as one. Between two of a partition in which nothing came it was idle."""
    rows = {int(begin.timestamp()): row for begin, row in windows.items()}
    first, last = min(rows), max(rows)
    kinds = []
    for at in view.times:
        if at in rows:
            kinds.append(GAP if rows[at].value else COMPLETE)
        elif first < at < last:
            kinds.append(COMPLETE)
        else:
            kinds.append(LATE if late and at > last else NOTHING)
    runs, place = [], 0
    for kind, group in groupby(kinds):
        length = len(list(group))
        runs.append((float(place), max(length, LEAST * len(kinds)) if kind == GAP else float(length), kind))
        place += length
    return runs
