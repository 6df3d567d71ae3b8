"""What learners that live say of themselves, followed from the topic of their snapshots: the newest of each.

A learner that learns writes a state every second, and compaction takes its time: read from the end backwards, the
newest of all is found within few records.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from weir.agents.learner import files
from weir.agents.learner.books import Book, Journal
from weir.core.chunk import Partition
from weir.core.errors import Refused
from weir.edges.kafka.follower import Follower
from weir.edges.kafka.logs import bounds_of
from weir.learn import history
from weir.learn.days import Day, Part
from weir.learn.learner import Learner
from weir.learn.onnx_linear import digest_of
from weir.settings import Settings

FIRST: Final = 64  # records that are read from the end at first, and four times as many with each further step
MOST: Final = 4096  # records from the end, in which a learner that has written nothing for long is not found
READ_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that it has answered with. digest: its name. learned: outcomes in it."""

    digest: str
    since: datetime
    learned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The newest of a learner. Times UTC.

    digest: names what it answers with; empty of a model without snapshots. learned: outcomes in it; good: those of its
    last good state. stop: guard, what, evidence, or None. figures: by who answers, over the same `requests`. blind:
    requests in no figure. left: outcomes that came while it was stopped. days: closed ones, the newest last. compared:
    what they say, the fields of Comparison; None before any. drifts: of the champion; incident: one that lasts, or
    None. about: model, window, versions, columns, classes. states: earlier ones, the newest last.
    """

    name: str
    service: str
    digest: str
    learned: int
    good: int
    stop: Mapping[str, Any] | None
    figures: Mapping[str, Mapping[str, float]]
    requests: int
    blind: int
    left: int
    days: tuple[Day, ...]
    compared: Mapping[str, Any] | None
    drifts: Sequence[Mapping[str, Any]]
    incident: Mapping[str, Any] | None
    at: datetime
    about: Mapping[str, Any]
    states: tuple[Kept, ...]


class States:
    """The newest state of each learner. May be used by many threads: one reads, the others wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._log, self._begin, self._end = "", 0, 0  # of what is read
        self._book: Book | None = None
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._told: dict[str, State] = {}

    def look(self, wanted: Collection[str] = ()) -> dict[str, State]:
        """By name. wanted: names that are worth reading further back for. Raises Unavailable, Refused."""
        with self._lock:
            self._read(wanted)
            return dict(self._told)

    def waiting(self) -> int | None:
        """Outcomes on Kafka that no worker has read yet; None where none has read any. Raises Unavailable, Refused."""
        names = self._settings.kafka.names
        journal = Journal(Book(self._settings, names.labelled))
        try:
            read = journal.last_read()
        finally:
            journal.close()
        if read is None:
            return None
        ends = {
            f"{at.log}/{at.partition}": bounds for at, bounds in bounds_of(self._settings.kafka, names.outcomes).items()
        }
        upto: Mapping[str, int] = read["upto"]
        return sum(max(0, end - max(first, upto.get(name, first))) for name, (first, end) in ends.items())

    def _read(self, wanted: Collection[str]) -> None:
        topic = self._settings.kafka.names.learner_snapshots
        self._book = self._book or Book(self._settings, topic)
        ((source, (first, end)),) = bounds_of(self._settings.kafka, topic).items()
        if source.log != self._log:
            self._log, self._begin, self._end = source.log, end, end
            self._rows, self._told = {}, {}
        self._take(max(self._end, end - MOST), end)
        self._end, step = end, FIRST
        lowest = max(first, end - MOST)
        while self._begin > lowest and (not self._rows or set(wanted) - self._rows.keys()):
            before = max(lowest, self._begin - step)
            self._take(before, self._begin)
            self._begin, step = before, 4 * step

    def _take(self, begin: int, end: int) -> None:
        """Records [begin, end): the newest of a learner counts, whatever the order in which they are read."""
        if begin >= end:
            return
        assert self._book is not None
        source = Partition(self._settings.kafka.names.learner_snapshots, 0)
        with Follower(self._settings.kafka, {source: begin}) as reader:
            records = [one for one in reader.read_until(end, READ_S) if one.offset < end and one.value]
        found = self._book.decoded([one.value for one in records])
        newest: dict[str, Mapping[str, Any]] = {row["learner"]: row for _, row in found}
        for name, row in newest.items():
            if name not in self._rows or row["at"] >= self._rows[name]["at"]:
                self._rows[name], self._told[name] = row, state_of(row)


def declared(settings: Settings) -> tuple[dict[str, Learner], dict[str, list[Refused]]]:
    """The learners of the project by name, and what is wrong with files that are none."""
    found, refused = files.looked(settings)
    return found, {path.stem: faults for path, faults in refused.items()}


def state_of(row: Mapping[str, Any]) -> State:
    """What a row of learner_snapshots/v1.avsc says. Raises ValueError where it has states that are none."""
    figures, about, held = (json.loads(row[name]) for name in ("figures", "about", "held"))
    found, evidence = figures.get("found") or {}, held.get("evidence") or {}
    return State(
        name=row["learner"],
        service=row["service"],
        digest=row["digest"],
        learned=row["learned"],
        good=row["outcomes"],
        stop=json.loads(row["stop"]),
        figures=figures["of"],
        requests=figures["n"],
        blind=figures["blind"],
        left=figures["left"],
        days=tuple(_day(one) for one in evidence.get("closed", ())),
        compared=found.get("compared"),
        drifts=found.get("drifts", ()),
        incident=found.get("incident"),
        at=datetime.fromtimestamp(row["at"] / 1000, UTC),
        about=about,
        states=_states(row["states"], len(about["columns"])) if row["states"] else (),
    )


def _day(said: Sequence[Any]) -> Day:
    begin_ms, requests, known, sums = said
    return Day(begin_ms, requests, known, {name: Part(float(requests), of) for name, of in sums.items()})


def _states(content: bytes, columns: int) -> tuple[Kept, ...]:
    return tuple(
        Kept(digest_of(one.kept), datetime.fromtimestamp(one.since_ms / 1000, UTC), one.seen.count)
        for one in history.load(content, columns).states
    )
