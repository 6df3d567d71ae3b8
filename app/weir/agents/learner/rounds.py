"""One round after the other: outcomes in, entries of the log out; what the log has, learners learn.

A learner learns nothing but what it has read from the log, so that its state is a function of the log: killed anywhere,
another goes on from the newest snapshot and comes to the same bits. Two that both believe to be the active one do no
harm: of entries with one number the first counts.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from clickhouse_connect.driver import Client

from weir.agents.learner import clock, files, joining, kept
from weir.agents.learner.actions import Actions
from weir.agents.learner.ahead import Ahead, Came
from weir.agents.learner.alerts import Alerts
from weir.agents.learner.books import READ_S, Book, Journal, Outcomes, Snapshots, check_log, written
from weir.agents.learner.entries import SAID, Entry
from weir.agents.learner.joining import Looked, Wanted
from weir.agents.learner.kept import Kept
from weir.agents.learner.memory import Memory
from weir.core.errors import Refused, Unavailable
from weir.learn.learner import Learner
from weir.settings import Settings

RETRY_S: Final = 1.0  # between two looks for the predictions of outcomes that wait
RETRIED: Final = 4096  # of those, at once
LOOK_S: Final = 10.0  # between two looks at the files of learners
CLOCK_S: Final = 60.0  # between two looks at another clock

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Open:
    """What an active worker holds."""

    journal: Journal
    ahead: Ahead
    snapshots: Snapshots
    memory: Memory
    learners: list[Kept]
    wanted: Mapping[str, Wanted]
    declared: Mapping[str, Learner]

    def close(self) -> None:
        """Let go of all."""
        self.journal.close()
        self.ahead.close()


@dataclass(slots=True)
class Rounds:
    """Goes on from what the log and the snapshots hold. One thread at a time.

    connect: a client of ClickHouse. now_ms: the wall's clock. monotonic_s: for pauses. told: hears of each state that
    was written, as a row of learner_snapshots/v1.avsc, with its learner and when the newest outcome in it came.
    actions, alerts: where what learners find is written, both or none.
    """

    settings: Settings
    connect: Callable[[], Client]
    now_ms: Callable[[], int]
    monotonic_s: Callable[[], float] = time.monotonic
    told: Callable[[Kept, Mapping[str, Any], int], None] = lambda _kept, _row, _at_ms: None
    actions: Actions | None = None
    alerts: Alerts | None = None
    worker: str = field(default_factory=lambda: uuid.uuid4().hex)
    opened: Open | None = None
    _published_s: float = 0.0
    _retried_s: float = 0.0
    _looked_s: float = 0.0
    _agreed_s: float = float("-inf")
    _said: set[str] = field(default_factory=set)
    _books: dict[str, Book] = field(default_factory=dict)
    _snapshots: Snapshots | None = None

    def close(self) -> None:
        """Forget all: the next round begins with what is written."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None
        for forget in (one.forget for one in (self.actions, self.alerts) if one is not None):
            forget()

    def round(self) -> int:
        """Outcomes that were learned. Raises Unavailable, Refused; NotHeld where another worker writes, too.

        After any of them what it held is gone, and the next round opens it anew.
        """
        try:
            if self.opened is None or self._other_files(self.opened):
                self.close()
                self.opened = self._open()
            learned = self._step(self.opened)
            self._publish(self.opened)
            if self.actions is not None:
                self.actions.take([(one.learner, one.proposal) for one in self.opened.learners], self.now_ms())
        except BaseException:
            self.close()
            raise
        return learned

    # ---- opening

    def _open(self) -> Open:
        names = self.settings.kafka.names
        snapshots = self._snapshots or Snapshots(self._book(names.learner_snapshots))
        self._snapshots, found = snapshots, snapshots.read()
        declared = self._declared()
        learners, wanted = self._learners(self.connect(), declared, found)
        journal, memory = Journal(self._book(names.labelled)), Memory()
        try:
            check_log(journal.log, found)
            last = journal.last_read()
            goes_on = [one.live.held.next.offset for one in learners]
            journal.begin(journal.first if last is None else min([last["begin"], *goes_on]))
            began = journal.offset
            self._catch_up(journal, memory, learners)
            for one in [each for each in learners if each.upgrade is not None]:
                one.upgraded(self.now_ms())
            ahead = Ahead(Outcomes(self._book(names.outcomes), memory.upto), wanted, self.connect)
        except BaseException:
            journal.close()
            raise
        log.info("learners go on", learners=[one.learner.name for one in learners], entries=journal.end - began)
        return Open(journal, ahead, snapshots, memory, learners, wanted, declared)

    def _book(self, topic: str) -> Book:
        """How records of a topic are read and written; asked of the registry once."""
        if topic not in self._books:
            self._books[topic] = Book(self.settings, topic)
        return self._books[topic]

    def _declared(self) -> Mapping[str, Learner]:
        found, refused = files.looked(self.settings)
        for error in (one for faults in refused.values() for one in faults):
            self._say(f"a file is no learner: {error}")
        return found

    def _learners(
        self, client: Client, declared: Mapping[str, Learner], found: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> tuple[list[Kept], dict[str, Wanted]]:
        """Those that fit what is recorded, and what they want of each service."""
        every_ms = round(1000 * self.settings.monitoring.learner_publish_s)
        key = self.settings.monitoring.learner_key.get_secret_value().encode()
        learners: list[Kept] = []
        wanted: dict[str, Wanted] = {}
        for one in declared.values():
            try:
                learner, wants, why = kept.opened(client, one, every_ms, found.get((one.service, one.name)), key)
            except Refused as error:
                self._say(f"learner {one.name} does not learn: {error}")
                continue
            if why:
                log.info("a learner begins with what the log has", learner=one.name, reason=why)
            before = wanted.get(one.service)
            inputs = tuple(dict.fromkeys((*(before.inputs if before else ()), *wants.inputs)))
            wanted[one.service] = Wanted(wants.task, wants.classes, wants.words, inputs)
            learners.append(learner)
        return learners, wanted

    def _say(self, what: str) -> None:
        if what not in self._said:
            log.error("a learner cannot be used", reason=what)
        self._said.add(what)

    def _catch_up(self, journal: Journal, memory: Memory, learners: Sequence[Kept]) -> None:
        """Read the log to its end."""
        deadline_s = self.monotonic_s() + READ_S
        while journal.offset < journal.end:
            entries = journal.read()
            for entry in entries:
                _fold(memory, learners, entry)
            if entries:
                deadline_s = self.monotonic_s() + READ_S
            elif self.monotonic_s() > deadline_s:
                raise Unavailable(
                    "the log of labelled outcomes cannot be read to its end", remedy="see the broker's log"
                )

    def _other_files(self, opened: Open) -> bool:
        """Whether there is something to open: files say something else than they did, or one that did not fit does."""
        if self.monotonic_s() - self._looked_s < LOOK_S:
            return False
        self._looked_s = self.monotonic_s()
        if self._declared() != opened.declared:
            return True
        there = {one.learner.name for one in opened.learners}
        return any(self._fits(one) for name, one in opened.declared.items() if name not in there)

    def _fits(self, learner: Learner) -> bool:
        """Whether it fits what is recorded by now."""
        try:
            kept.opened(self.connect(), learner, 0, None)
        except (Refused, Unavailable):
            return False
        return True

    # ---- a round

    def _step(self, opened: Open) -> int:
        for entry in opened.journal.read(timeout_s=0.0):  # what people have said
            _fold(opened.memory, opened.learners, entry)
        came = opened.ahead.take()
        at_ms = self.now_ms()
        if came.records and self.monotonic_s() - self._agreed_s >= CLOCK_S:
            clock.check(self.connect(), at_ms)
            self._agreed_s = self.monotonic_s()
        new, future = clock.by_now(came.said, at_ms)
        retry = self._due(opened, came.gone)
        if not came.records and not retry.num_rows:
            return 0
        both, old = pa.concat_tables([retry, new]), retry.num_rows
        learned, waits, client = 0, [], self.connect()
        for service in pc.unique(both.column("service")).to_pylist():
            places = pc.equal(both.column("service"), service)
            mine, wanted = both.filter(places), opened.wanted[service]
            of = self._looked(client, service, wanted, retry, came)
            found = joining.joined(client, service, wanted, mine, of, opened.memory, at_ms)
            if found.rows is not None:
                learned += found.rows.num_rows
                self._write(opened, joining.entries_of(service, wanted, found.rows, opened.memory, at_ms, self.worker))
            fresh = pa.array(range(both.num_rows)).filter(places.combine_chunks()).to_numpy() >= old
            waits.append(mine.filter(pa.array(found.waits & fresh)))
            future += found.ahead
        if future:
            log.warning("clocks are apart: outcomes or requests are from the future", count=future)
        early = pa.concat_tables(waits) if waits else SAID.empty_table()
        if came.records or learned:
            upto = dict(came.upto)
            read = opened.memory.read_entry(opened.journal.offset, early, came.gone, upto, at_ms, self.worker)
            self._write(opened, [read])
        return learned

    def _looked(self, client: Client, service: str, wanted: Wanted, retry: pa.Table, came: Came) -> Looked:
        """What is recorded of a service's outcomes: of those that waited, and of those that came."""
        waited = retry.filter(pc.equal(retry.column("service"), service))
        new = came.looked.get(service)
        if new is not None and not waited.num_rows:
            return new
        old = joining.looked(client, service, wanted, waited)
        return old if new is None else old.before(new)

    def _due(self, opened: Open, gone: pa.Array) -> pa.Table:
        """Outcomes that wait, where it is time to look for their predictions again; of many some, in turns.

        Without those that are withdrawn.
        """
        if self.monotonic_s() - self._retried_s < RETRY_S:
            return SAID.empty_table()
        self._retried_s = self.monotonic_s()
        waiting = opened.memory.without(gone)
        waiting = waiting.filter(
            pc.is_in(waiting.column("service"), value_set=pa.array(list(opened.wanted), pa.string()))
        )
        turns = max(1, -(-waiting.num_rows // RETRIED))
        turn = int(self._retried_s / RETRY_S) % turns
        return waiting.slice(turn * RETRIED, RETRIED)

    def _write(self, opened: Open, entries: Sequence[Entry]) -> None:
        """One after the other: where one is void, those behind it would count without it."""
        for one in entries:
            written(opened.journal, one, lambda entry: _fold(opened.memory, opened.learners, entry))

    def _publish(self, opened: Open) -> None:
        """Write what was found, and then the states that have changed, where it is time."""
        at_ms = self.now_ms()
        if self.actions is not None:  # before a state that they are in: whoever goes on from it does not find them
            self.actions.write([each for one in opened.learners for each in one.news(opened.journal.log)])
        if self.alerts is not None:
            self.alerts.check(opened.learners, at_ms)
        now_s = self.monotonic_s()
        changed = [one for one in opened.learners if one.changed and now_s - one.written_s >= one.pause_s]
        if not changed or now_s - self._published_s < self.settings.monitoring.learner_publish_s:
            return
        latest = opened.memory.latest_ms
        rows = [one.row(opened.journal.log, at_ms, self.worker) for one in changed]
        opened.snapshots.write(rows)
        for one, row in zip(changed, rows, strict=True):
            kept.to_folder(self.settings.paths.home / "learners" / one.learner.service, row)
            one.changed, one.written_s = False, now_s
            self.told(one, row, latest.get(one.learner.service, at_ms))
        self._published_s = now_s


def _fold(memory: Memory, learners: Sequence[Kept], entry: Entry) -> None:
    if memory.fold(entry):
        for one in learners:
            one.take(entry)
