"""One look after the other at all services: every monitor over every window that is due, each result written once.

A window is computed in four steps: ask ClickHouse, judge, write the measurements, write the changes of alerts and the
actions that they carry. Whoever goes on after a crash finds the last window cut short, at most: he writes what its
measurements carry and nobody has written, and the measurements that it lacks.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from clickhouse_connect.driver import Client

from weir.agents.monitor.books import Books, NotHeld
from weir.agents.monitor.cells import Cells
from weir.agents.monitor.seen import Seen, waits, windows_of
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import estimates, monitors, reports, slos
from weir.edges.clickhouse import gate as facts
from weir.edges.clickhouse.joined import Joined, joining
from weir.monitor import alert_course, assess, gate, telling
from weir.monitor import due as dues
from weir.monitor.action import Action
from weir.monitor.alert import AlertState, Note, Transition
from weir.monitor.assess import Computed, Found
from weir.monitor.burn import BurnMonitor
from weir.monitor.due import Covers, Due
from weir.monitor.judge import Bounds
from weir.monitor.left import Left, Work, covered_of
from weir.monitor.measurement import Key, Measurement
from weir.monitor.spec import Against, Asked, Monitor, Row
from weir.settings import Settings
from weir.telemetry import MonitorFailed, ServiceMonitored, Telemetry, WindowsMeasured

FIRST: Final = datetime.fromtimestamp(0, UTC)  # of the times that ClickHouse has
RUN: Final = 200  # windows that one question is about, and one write: they are in memory together
RUN_ROWS: Final = 5_000_000  # predictions, where one window has no more: ClickHouse holds them joined, some 400 MB

DOUBLINGS: Final = 20  # of the pause after a failure; what comes behind is longer than the longest pause
# Errors that say what, where and what to do; of others the log has the place in the code.
FORESEEN: Final = (Refused, Unavailable)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Trouble:
    """A monitor of a service that fails. failures: in a row. again_s: monotonic time of the next try."""

    failures: int = 0
    again_s: float = 0.0


@dataclass(slots=True)
class Rounds:
    """Goes on from what the books hold. One thread at a time.

    monitors: those that there are, by name. connect: a client of ClickHouse. bounds: first offset and end of each
    partition of a service's requests. notes: what people have said of alerts since it was last asked. holds: whether
    this worker is the active one; asked before each write. calibrated: bounds of a service by monitor and subject,
    where there are others than its monitors' own. tell: hears of changes of alerts once they are written; of the last
    ones again, where a worker goes on from another that may not have told them. now: the wall's. monotonic_s: for
    pauses. worker: its name. owners: who looks after each service, and so after what no file of a monitor says.
    left: what it goes on from; None: the books are asked.
    """

    settings: Settings
    telemetry: Telemetry
    books: Books
    monitors: Callable[[], Mapping[str, Monitor]]
    connect: Callable[[], Client]
    bounds: Callable[[str], gate.Bounds]
    notes: Callable[[], Iterable[Note]]
    holds: Callable[[], bool]
    calibrated: Callable[[Client, str], Mapping[str, Mapping[str, Bounds]]]
    tell: Callable[[Sequence[Transition]], None]
    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]
    worker: str
    owners: Callable[[], Mapping[str, str]] = dict
    left: Left | None = None
    _bounds: dict[str, Mapping[str, Mapping[str, Bounds]]] = field(default_factory=dict)
    _notes: list[Note] = field(default_factory=list)
    _looked_at: set[tuple[str, str]] = field(default_factory=set)
    _unheard: list[Note] = field(default_factory=list)
    _before: dict[Work, Mapping[datetime, Covers]] = field(default_factory=dict)
    _trouble: dict[Work, Trouble] = field(default_factory=dict)
    _looked: dict[Work, datetime] = field(default_factory=dict)
    _newest: dict[Work, datetime] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _cells: Cells = field(default_factory=Cells)
    _session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def look(self) -> int:
        """One round; how many windows it computed. A service that nothing can be asked of does not hold up the others.

        Raises Unavailable when ClickHouse or Kafka does not answer: what was due is due in the next round. Raises
        NotHeld when another worker has become the active one.
        """
        client = self.connect()
        known = self.monitors()
        left = self.left or self._go_on(client, known)
        self._hear(left)
        computed = 0
        for service in facts.services(client):
            try:
                computed += self._service(client, service, known, left)
                self._refused.pop(service, None)
            except Refused as error:
                self.telemetry.emit(MonitorFailed(service=service, monitor=""))
                if self._refused.get(service) != str(error):
                    self._refused[service] = str(error)
                    log.error("a service is not monitored", service=service, reason=str(error))
        return computed

    # ---- going on

    def _go_on(self, client: Client, known: Mapping[str, Monitor]) -> Left:
        """Find out where the worker before this one stopped, and finish the window that it was at."""
        run = RUN * timedelta(seconds=max((one.window_s for one in known.values()), default=0))
        left, found = self.books.left(client, FIRST, run)
        untold = left.untold(found)
        unproposed = left.unproposed(found)
        self._write((), untold, unproposed)
        for change in untold:
            left.changed(change)
        left.proposed.update(one.action_id for one in unproposed)
        self.tell(left.lately(found, untold))
        if left.last is not None and left.last[0].monitor in known:
            work, begin = left.last
            mine = [one for one in found if one.begin_ms == _ms(begin)]
            newest = max((one.revision for one in mine), default=0)
            written = frozenset(one.key for one in mine if one.revision == newest)
            self._finish(client, known[work.monitor], left, written)
        self.left = left
        return left

    def _finish(self, client: Client, monitor: Monitor, left: Left, written: frozenset[Key]) -> None:
        """Write what the last window lacks; one whose query failed is due anyway."""
        assert left.last is not None
        work, begin = left.last
        what = left.windows[work][begin]
        self._bounds[work.service] = self.calibrated(client, work.service)
        if not what.covers:
            return
        item = Due(gate.Window(begin, tuple(sorted(what.covers)), ""), what)
        windows, error = self._figures(client, work, monitor, [item], None, left)
        if error is not None:
            log.warning("the last window could not be looked at again", reason=_said(error), **work._asdict())
            left.windows[work][begin] = replace(what, covers=frozenset())  # so that it is due
        self._put(left, [one for found in windows for one in found if one.measurement.key not in written])

    def _hear(self, left: Left) -> None:
        """What people say of alerts, as changes of these."""
        new, at_ms = list(self.notes()), _ms(self.now())
        self._notes += new
        self._unheard += new
        left.silences = tuple(telling.in_force(self._notes, at_ms))
        for key, watched in left.watched.items():
            memory = left.alert(key)
            if memory.state not in (AlertState.PENDING, AlertState.FIRING):
                continue
            changes: list[Transition] = []
            for note in self._unheard:
                memory, said = alert_course.acknowledged(memory, watched, note)
                changes += said
            memory, said = alert_course.silenced(memory, watched, left.silences, at_ms)
            changes += said
            self._write((), changes)
            for change in changes:
                left.changed(change)
        self._unheard.clear()  # only now: whoever could not write hears them again

    # ---- one service

    def _service(self, client: Client, service: str, known: Mapping[str, Monitor], left: Left) -> int:
        bounds = self.bounds(service)
        meaning = reports.meaning(client, service)
        owner = self.owners().get(service, "")
        mine = [
            replace(one, owner=one.owner or owner)
            for one in known.values()
            if meaning.task in one.tasks and one.is_of(service) and not one.on_demand
        ]
        of = monitors.meaning(client, service)
        self._bounds[service] = self.calibrated(client, service)
        if self.holds():
            self._cells.keep(client, service, meaning.task, self.monotonic_s())
        computed, waiting, behind = 0, 0, timedelta(0)
        for step_s in sorted({one.window_s for one in mine}):
            works = {Work(service, one.name, step_s): one for one in mine if one.window_s == step_s}
            back = max(one.looks_back for one in works.values()) - 1
            seen = windows_of(client, service, works, step_s, back, bounds, left, self.settings.monitoring, self.now())
            waiting = max(waiting, sum(not window.complete for window in seen.windows))
            behind = max(behind, seen.newest - seen.complete_to)
            with joining(client, self._session, service, works.values()) as joined:
                computed += self._works(client, works, seen, of, left, joined)
        self.telemetry.emit(
            ServiceMonitored(service=service, waiting=waiting, behind_s=max(0.0, behind.total_seconds()))
        )
        return computed

    def _works(
        self,
        client: Client,
        works: Mapping[Work, Monitor],
        seen: Seen,
        of: Mapping[str, Any],
        left: Left,
        joined: Joined,
    ) -> int:
        """What is due of monitors that have windows of one length. A failure is one's own: the others go on.

        Run by run, so that those that ask about the same time share what is joined for it.
        """
        now_s = self.monotonic_s()
        due: dict[Work, list[list[Due]]] = {}
        for work, monitor in works.items():
            trouble = self._trouble.get(work)
            if (trouble is None or now_s >= trouble.again_s) and self._is_turn(work, monitor, seen):
                due[work] = self._due(work, monitor, seen, left)
        computed = 0
        for place in range(max(map(len, due.values()), default=0)):
            for work in [work for work, runs in due.items() if place < len(runs)]:
                if not self._run(client, work, works[work], due[work][place], of, left, joined, first=place == 0):
                    del due[work]
                    continue
                computed += len(due[work][place])
        self._looked.update(dict.fromkeys(due, seen.newest))
        return computed

    def _due(self, work: Work, monitor: Monitor, seen: Seen, left: Left) -> list[list[Due]]:
        """Its windows that are due, in runs."""
        done = left.windows.get(work, {})
        floor = max(min(done) if done else seen.first, seen.since)
        windows = [one for one in seen.open_to(monitor) if one.begin >= floor]
        step = timedelta(seconds=work.step_s)
        outcomes = seen.outcomes_of(monitor) if waits(monitor) else None
        items = dues.due(windows, done, outcomes, self._before.get(work, {}), step=step, newest=seen.newest)
        if outcomes is not None:
            self._before[work] = {begin: frozenset(covers) for begin, covers in outcomes.items()}
        at_once = 1 if monitor.baseline is Against.SEASON else RUN  # each window has a season of its own before it
        return dues.runs(items, step, at_once, RUN_ROWS)

    def _run(
        self,
        client: Client,
        work: Work,
        monitor: Monitor,
        run: Sequence[Due],
        of: Mapping[str, Any],
        left: Left,
        joined: Joined,
        *,
        first: bool,
    ) -> bool:
        """Ask about neighbouring windows, judge and write; whether there is an answer.

        first: whether it is the monitor's first run of this round.
        """
        figures, error = self._figures(client, work, monitor, run, of, left, joined)
        found = [one for window in figures for one in window]
        if error is None and (self._trouble.pop(work, None) is not None or first):
            again = assess.recovery(monitor, self._computed(work, run[0]), left)
            found += [self._known(left, one) for one in again]
        self._put(left, found)
        if error is not None:
            self._failed(work, monitor, run[len(figures)], error, left)
            return False
        self.telemetry.emit(
            WindowsMeasured(
                service=work.service,
                monitor=work.monitor,
                windows=len(run),
                again=sum(item.what.revision > 0 for item in run),
            )
        )
        return True

    def _is_turn(self, work: Work, monitor: Monitor, seen: Seen) -> bool:
        """Whether its cadence has passed, in event time; where no events come, it is always its turn."""
        cadence = timedelta(seconds=monitor.cadence_s or (work.step_s if waits(monitor) else 0))
        looked, still = self._looked.get(work), self._newest.get(work) == seen.newest
        self._newest[work] = seen.newest
        return looked is None or still or seen.newest >= looked + cadence

    def _figures(
        self,
        client: Client,
        work: Work,
        monitor: Monitor,
        run: Sequence[Due],
        of: Mapping[str, Any] | None,
        left: Left,
        joined: Joined | None = None,
    ) -> tuple[list[list[Found]], Exception | None]:
        """Figures of each window of a run, up to the first that has none because of an error, and that error.

        Raises Unavailable when it is ClickHouse that does not answer.
        """
        windows: list[list[Found]] = []
        at, rule = self.now(), assess.rule_of(monitor, self._bounds.get(work.service, {}).get(monitor.name))
        try:
            by_window = defaultdict(list)
            for row in self._ask(client, work, monitor, run, of, joined):
                by_window[row.begin].append(row)
            for item in run:
                what = replace(self._computed(work, item), at=at)  # the same of all that is written at once
                found = assess.of_rows(monitor, rule, by_window[item.window.begin], what, left)
                windows.append([self._known(left, one) for one in found])
        except Exception as error:  # whatever it is, it is this monitor's: the others go on
            if isinstance(error, Unavailable) and not client.ping():
                raise
            return windows, error
        return windows, None

    def _ask(
        self,
        client: Client,
        work: Work,
        monitor: Monitor,
        run: Sequence[Due],
        of: Mapping[str, Any] | None,
        joined: Joined | None = None,
    ) -> list[Row]:
        end = run[-1].window.begin + timedelta(seconds=work.step_s)
        asked = Asked(service=work.service, begin=run[0].window.begin, end=end, step_s=work.step_s)
        if isinstance(monitor, BurnMonitor):
            return slos.burns(client, monitor, asked, of)
        if monitor.name == estimates.MONITOR.name:
            return estimates.rows(client, asked)
        if monitor.own and (looked := (work.service, monitor.sha256)) not in self._looked_at:
            monitors.check(client, monitor, work.service)  # it is not Weir's, and may not have been checked
            self._looked_at.add(looked)
        return monitors.run(client, monitor, asked, of, joined.table(monitor, asked) if joined else None)

    def _failed(self, work: Work, monitor: Monitor, first: Due, error: Exception, left: Left) -> None:
        """Leave a monitor alone for a while; after some failures in a row a measurement says so, and its alert."""
        limits, trouble = self.settings.monitoring, self._trouble.setdefault(work, Trouble())
        trouble.failures += 1
        pause_s = min(limits.monitor_retry_max_s, limits.monitor_every_s * 2 ** min(trouble.failures, DOUBLINGS))
        trouble.again_s = self.monotonic_s() + pause_s
        self.telemetry.emit(MonitorFailed(service=work.service, monitor=work.monitor))
        log.error(
            "a monitor failed",
            reason=_said(error),
            failures=trouble.failures,
            again_s=pause_s,
            exc_info=None if isinstance(error, FORESEEN) else error,
            **work._asdict(),
        )
        if trouble.failures == limits.monitor_failures:
            said = assess.failure(monitor, _said(error), self._computed(work, first), left)
            self._put(left, [self._known(left, said)])

    # ---- judging and writing

    def _computed(self, work: Work, item: Due) -> Computed:
        what = item.what
        return Computed(
            work=work,
            begin=item.window.begin,
            covers=tuple(map(covered_of, sorted([*what.covers, *(what.outcomes or ())]))),
            revision=what.revision,
            age=what.age,
            early=what.early,
            at=self.now(),
            worker=self.worker,
        )

    def _known(self, left: Left, found: Found) -> Found:
        left.measured(found.measurement, found.alert)
        left.proposed.update(one.action_id for one in found.actions)
        return found

    def _put(self, left: Left, found: Sequence[Found]) -> None:
        """Write figures, then the changes of alerts and the actions that they carry."""
        changes = [change for one in found for change in one.changes]
        self._write([one.measurement for one in found], changes, [action for one in found for action in one.actions])
        for change in changes:
            left.changed(change)

    def _write(
        self, found: Sequence[Measurement], changes: Sequence[Transition], actions: Sequence[Action] = ()
    ) -> None:
        """Measurements first: they carry the rest, so that whoever goes on can write it."""
        if (found or changes or actions) and not self.holds():
            raise NotHeld
        try:
            self.books.measured(found)
            self.books.changed(changes)
            self.books.proposed(actions)
            self.tell(changes)
        except Unavailable:
            self.left = None  # what of it was written, the books will say
            raise


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, FORESEEN) else f"{type(error).__name__}: {error}"


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
