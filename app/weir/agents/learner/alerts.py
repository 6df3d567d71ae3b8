"""The alert of a learner that has stopped: it fires until the learner goes on, as the topic of alerts has it.

What is written there is compared with what is so, so that a worker that was killed in between leaves nothing out. The
monitor worker, which people's notes come to, acknowledges and silences these as it does its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from clickhouse_connect.driver import Client

from weir.agents.learner.books import READ_S, Book
from weir.agents.learner.kept import Kept
from weir.core.chunk import Partition
from weir.core.errors import Unavailable
from weir.edges.bundles.owners import owners
from weir.edges.clickhouse import measurements, sql_files
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.logs import log_of
from weir.edges.kafka.producer import Producer
from weir.learn.learner import MONITOR
from weir.learn.run import Stop
from weir.monitor import alert_course
from weir.monitor.alert import AlertState, Note, Severity, Transition, Watched
from weir.monitor.alert_course import Holds, Memory, Reading
from weir.monitor.telling import in_force
from weir.settings import Settings

RUNBOOK: Final = "learner"
AT_ONCE: Final = Holds()
TRIES: Final = 5
GOES_ON: Final = "the learner goes on"
GONE: Final = "the learner is gone: it has no file any more"

log = structlog.get_logger(__name__)


def watched(settings: Settings, service: str, learner: str) -> Watched:
    """What the alert of a learner is about."""
    owner = owners(settings).get(service, "")
    return Watched(
        service=service, monitor=MONITOR, subject=learner, owner=owner, cause=f"learner {learner}", runbook=RUNBOOK
    )


def _watched_in(row: Mapping[str, Any]) -> Watched:
    return Watched(**{one.name: row[one.name] for one in fields(Watched)})


class Alerts:
    """Those of the learners of a worker. One thread at a time. Raises Unavailable, Refused.

    connect: a client of ClickHouse. tell: hears of what was written.
    """

    def __init__(
        self, settings: Settings, connect: Callable[[], Client], tell: Callable[[Sequence[Transition]], None]
    ) -> None:
        self._settings, self._connect, self._tell = settings, connect, tell
        self._topic = settings.kafka.names.alerts
        self._book: Book | None = None
        self._producer: Producer | None = None
        self._firing: dict[str, Stop | None] | None = None  # by key; None: why is not known
        self._watched: dict[str, Watched] = {}  # of what is written, by key

    def forget(self) -> None:
        """Another may write from here on: what is written is read again."""
        self._firing = None

    def check(self, learners: Sequence[Kept], at_ms: int) -> None:
        """Write what has become of the alerts of these learners, and of those that have no file any more, and tell it.

        at_ms: now.
        """
        about = {one.learner.name: watched(self._settings, one.learner.service, one.learner.name) for one in learners}
        if self._firing is None:
            self._firing = {key: None for key, one in self._memories().items() if one.state is AlertState.FIRING}
        for one in learners:
            of, stop = about[one.learner.name], one.live.now.good.stop
            fires = of.key in self._firing
            known = self._firing.get(of.key)
            again = fires and stop is not None and known not in (None, stop)
            if fires == (stop is not None) and not again:
                continue
            readings: list[Stop | None] = [None, stop] if again else [stop]
            for each in readings:
                self._change(of, each, at_ms, GOES_ON)
        here = {one.key for one in about.values()}  # of which a file may be put aside for a moment, to be written
        for key in [key for key in self._firing if key not in here and self._is_gone(key)]:
            self._change(self._watched[key], None, at_ms, GONE)
        self._firing = {
            about[one.learner.name].key: stop for one in learners if (stop := one.live.now.good.stop) is not None
        }

    def _is_gone(self, key: str) -> bool:
        """Whether the learner of an alert has no file any more: one that is wrong is being written."""
        folder, of = self._settings.paths.learners_dir, self._watched.get(key)
        return of is not None and folder.is_dir() and not (folder / f"{of.subject}.yaml").exists()

    def _change(self, of: Watched, stop: Stop | None, at_ms: int, calm: str) -> None:
        """calm: what is said where it has not stopped."""
        for _ in range(TRIES):
            changes = self._next(of, stop, at_ms, calm)
            if not changes:
                return
            self._write(changes)
            if self._memories().get(of.key, Memory()) == Memory.of(changes[-1].memory):
                break  # else somebody has acknowledged it in the same moment, under the same number: the first counts
        else:
            what = f"others write of the alert of learner {of.subject} all the time"
            raise Unavailable(what, where=self._topic, remedy="see who writes there beside the monitor worker")
        if stop is not None:
            said = {"guard": stop.guard, "reason": stop.what, "evidence": dict(stop.evidence), "kept": stop.outcomes}
            log.error("a learner has stopped", learner=of.subject, **said)
        self._tell(changes)

    def _next(self, of: Watched, stop: Stop | None, at_ms: int, calm: str) -> tuple[Transition, ...]:
        before = self._memories().get(of.key, Memory())
        begin_ms = max(at_ms, before.ends_ms + 1)
        sentence = calm if stop is None else f"learner {of.subject} has stopped: {stop.what}"
        reading = Reading(
            begin_ms=begin_ms,
            end_ms=begin_ms,
            severity=None if stop is None else Severity.TICKET,
            sentence=sentence,
            evidence={} if stop is None else asdict(stop),
        )
        notes = [Note.of(row) for row in sql_files.rows(self._connect(), "alerts/notes")]
        silences = in_force(notes, round(datetime.now(UTC).timestamp() * 1000))
        return alert_course.after(before, of, reading, AT_ONCE, silences)[1]

    def _memories(self) -> dict[str, Memory]:
        """What every alert of a learner remembers: what is recorded comes from ClickHouse, what is not from the log."""
        client, found = self._connect(), dict[str, Memory]()
        place = measurements.recorded(client).get((self._topic, log_of(self._settings.kafka, self._topic)))
        for row in sql_files.rows(client, "measurements/alerts"):
            if row["monitor"] == MONITOR:
                found[row["key"]] = Memory.of(json.loads(row["memory"]))
                self._watched[row["key"]] = _watched_in(row)
        self._book = self._book or Book(self._settings, self._topic)
        reader = LogReader(self._settings.kafka, Partition(self._topic, 0), None if place is None else place[0] + 1)
        for _, row in self._book.decoded(reader.read(READ_S)):
            if row["monitor"] == MONITOR:
                said, before = Memory.of(json.loads(row["memory"])), found.get(row["key"], Memory())
                self._watched[row["key"]] = _watched_in(row)
                found[row["key"]] = said if said.number > before.number else before  # of one number the first counts
        return found

    def _write(self, changes: Sequence[Transition]) -> None:
        self._book = self._book or Book(self._settings, self._topic)
        self._producer = self._producer or Producer(self._settings.kafka, "weir-learner")
        self._producer.write(self._topic, 0, [self._book.encoder.record(one.row()) for one in changes])
        self._producer.flush()
