"""One look after the other at all services: every monitor over every window that is due, each result written once.

A window is computed in four steps: ask ClickHouse, judge, write the measurements, write the changes of alerts and the
actions that they carry. Whoever goes on after a crash finds the last window cut short, at most: he writes what its
measurements carry and nobody has written, and the measurements that it lacks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, Final

import structlog
from clickhouse_connect.driver import Client

from weir.agents.monitor.books import Books, NotHeld
from weir.agents.monitor.cells import Cells
from weir.agents.monitor.figures import Figures, noted
from weir.agents.monitor.heard import Ends, Heard
from weir.agents.monitor.pace import Pace
from weir.agents.monitor.past import Past
from weir.agents.monitor.seen import Seen, waits, windows_of
from weir.agents.monitor.trouble import Troubles, said
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import gate as facts
from weir.edges.clickhouse import monitors, reports
from weir.edges.clickhouse.joined import Joined, joining
from weir.monitor import assess, gate
from weir.monitor import due as dues
from weir.monitor.action import RETRAIN, Action
from weir.monitor.alert import Note, Transition, Watched
from weir.monitor.assess import Found
from weir.monitor.baseline import Against
from weir.monitor.due import Covers, Due
from weir.monitor.judge import Bounds
from weir.monitor.left import Left, Work
from weir.monitor.measurement import Key, Measurement
from weir.monitor.spec import Monitor
from weir.settings import Settings
from weir.telemetry import MonitorFailed, ServiceMonitored, Telemetry, WindowsMeasured

FIRST: Final = datetime.fromtimestamp(0, UTC)  # of the times that ClickHouse has
RUN: Final = 200  # windows that one question is about, and one write: they are in memory together
SEASONS: Final = 4  # of them where each is a question, with a season of its own before it
RUN_ROWS: Final = 5_000_000  # predictions, where one window has no more: ClickHouse holds them joined, some 400 MB

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Rounds:
    """Goes on from what the books hold. One thread at a time.

    monitors: those that there are, by name. connect: a client of ClickHouse. bounds: first offset and end of each
    partition of a service's requests. notes: what people have said of alerts since it was last asked. holds: whether
    this worker is the active one; asked before each write. calibrated: bounds of a service by monitor and subject,
    where there are others than its monitors' own. tell: hears of changes of alerts once they are written; of the last
    ones again, where a worker goes on from another that may not have told them. now: the wall's. monotonic_s: for
    pauses. worker: its name. owners: who looks after each service, and so after what no file of a monitor says.
    tells_past: whether `tell` hears each change about the time before a monitor was first asked, or what is still so
    once its service is done. gone: why nobody asks any more about what an alert is about, given the monitors and the
    time; empty where somebody does. left: what it goes on from; None: the books are asked.
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
    tells_past: bool = False
    gone: Callable[[Client, Watched, Mapping[str, Monitor], datetime], str] = lambda *_: ""
    left: Left | None = None
    _heard: Heard = field(default_factory=Heard)
    _ends: Ends = field(default_factory=Ends)
    _before: dict[Work, Mapping[datetime, Covers]] = field(default_factory=dict)
    _pace: Pace = field(default_factory=Pace)
    _past: Past = field(default_factory=Past)
    _refused: dict[str, str] = field(default_factory=dict)
    _cells: Cells = field(default_factory=Cells)
    _figures: Figures = field(init=False)
    _troubles: Troubles = field(init=False)
    _session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self._figures = Figures(self.calibrated, self.now, self.worker)
        self._troubles = Troubles(self.settings.monitoring)

    def look(self) -> int:
        """One round; how many windows it computed. A service that nothing can be asked of does not hold up the others.

        Raises Unavailable when ClickHouse or Kafka does not answer: what was due is due in the next round. Raises
        NotHeld when another worker has become the active one.
        """
        client = self.connect()
        known = self.monitors()
        left = self.left or self._go_on(client, known)
        self._hear(client, known, left)
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
            self.tell(self._past.still(left, service))
        self.tell(self._past.still(left))
        return computed

    # ---- going on

    def _go_on(self, client: Client, known: Mapping[str, Monitor]) -> Left:
        """Find out where the worker before this one stopped, and finish the window that it was at."""
        self._ends = Ends()
        run = RUN * timedelta(seconds=max((one.window_s for one in known.values()), default=0))
        left, found = self.books.left(client, FIRST, run)
        untold = left.untold(found)
        unproposed = left.unproposed(found)
        self._write((), untold, unproposed, self._told(untold, left))
        for change in untold:
            left.changed(change)
        left.proposed.update(one.action_id for one in unproposed)
        self.tell(self._told(left.lately(found, untold), left))
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
        self._figures.calibrate(client, work.service)
        if not what.covers:
            return
        item = Due(gate.Window(begin, tuple(sorted(what.covers)), ""), what)
        windows, error = self._figures.of(client, work, monitor, [item], None, left)
        if error is not None:
            log.warning("the last window could not be looked at again", reason=said(error), **work._asdict())
            left.windows[work][begin] = replace(what, covers=frozenset())  # so that it is due
        self._put(left, [one for found in windows for one in found if one.measurement.key not in written])

    def _hear(self, client: Client, known: Mapping[str, Monitor], left: Left) -> None:
        """What people say of alerts, and that nothing more will be heard of some, as changes of these."""
        now = self.now()
        gone = lambda watched: self.gone(client, watched, known, now)  # noqa: E731
        ends = self._ends.found(left, gone, _ms(now), self.monotonic_s())
        for changes in chain(self._heard.changes(self.notes(), left, _ms(now)), ends):
            self._write((), changes)
            for change in changes:
                left.changed(change)

    # ---- one service

    def _service(self, client: Client, service: str, known: Mapping[str, Monitor], left: Left) -> int:
        bounds = self.bounds(service)
        meaning = reports.meaning(client, service)
        owner = self.owners().get(service, "")
        mine = [
            replace(one, owner=one.owner or owner, action=one.action or self._action(one))
            for one in known.values()
            if meaning.task in one.tasks and one.is_of(service) and not one.on_demand
        ]
        of = monitors.meaning(client, service)
        self._figures.calibrate(client, service)
        if self.holds():
            self._cells.keep(client, service, meaning.task, self.monotonic_s())
        positive = meaning.labels[1] if len(meaning.labels) == 2 else ""
        self._pace.look(client, service, positive, mine, self.monotonic_s())
        computed, waiting, behind = 0, 0, timedelta(0)
        for step_s in sorted({one.window_s for one in mine}):
            works = {Work(service, one.name, step_s): one for one in mine if one.window_s == step_s}
            back = max(one.looks_back for one in works.values()) - 1
            seen = windows_of(client, service, works, step_s, back, bounds, left, self.settings.monitoring, self.now())
            left.forget(works, seen.since)
            waiting = max(waiting, sum(not window.complete for window in seen.windows))
            behind = max(behind, seen.newest - seen.complete_to)
            with joining(client, self._session, service, works.values()) as joined:
                computed += self._works(client, works, seen, of, left, joined)
        self.telemetry.emit(
            ServiceMonitored(service=service, waiting=waiting, behind_s=max(0.0, behind.total_seconds()))
        )
        return computed

    def _action(self, monitor: Monitor) -> str:
        """What the settings have an alert of a monitor propose; a monitor's own header says it otherwise."""
        named = self.settings.monitoring.monitor_retrain.replace(",", " ").split()
        return RETRAIN if any(fnmatchcase(monitor.name, one) for one in named) else ""

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
            if not self._troubles.rests(work, now_s) and self._pace.is_turn(work, monitor, seen.newest, now_s):
                due[work] = self._due(work, monitor, seen, left)
        computed = 0
        for place in range(max(map(len, due.values()), default=0)):
            for work in [work for work, runs in due.items() if place < len(runs)]:
                if not self._run(client, work, works[work], due[work][place], of, left, joined, first=place == 0):
                    del due[work]
                    continue
                computed += len(due[work][place])
        self._pace.looked(due, seen.newest)
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
        at_once = RUN
        if monitor.baseline.against is Against.SEASON:  # two that fail beside each other may answer one by one
            at_once = 1 if self._troubles.fails(work) else SEASONS
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
        figures, error = self._figures.of(client, work, monitor, run, of, left, joined)
        found = [one for window in figures for one in window]
        if error is None and (self._troubles.over(work) or first):
            again = assess.recovery(monitor, self._figures.computed(work, run[0]), left)
            found += [noted(left, one) for one in again]
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

    def _failed(self, work: Work, monitor: Monitor, first: Due, error: Exception, left: Left) -> None:
        """Leave a monitor alone for a while; after some failures in a row a measurement says so, and its alert."""
        self.telemetry.emit(MonitorFailed(service=work.service, monitor=work.monitor))
        if self._troubles.failed(work, error, self.monotonic_s()):
            told = assess.failure(monitor, said(error), self._figures.computed(work, first), left)
            self._put(left, [noted(left, told)])

    # ---- writing

    def _put(self, left: Left, found: Sequence[Found]) -> None:
        """Write figures, then the changes of alerts and the actions that they carry."""
        changes = [change for one in found for change in one.changes]
        told = self._told(changes, left)
        actions = [action for one in found for action in one.actions]
        self._write([one.measurement for one in found], changes, actions, told)
        for change in changes:
            left.changed(change)

    def _told(self, changes: Sequence[Transition], left: Left) -> Sequence[Transition]:
        """Those to tell at once."""
        return changes if self.tells_past else self._past.now(changes, left)

    def _write(
        self,
        found: Sequence[Measurement],
        changes: Sequence[Transition],
        actions: Sequence[Action] = (),
        told: Sequence[Transition] | None = None,
    ) -> None:
        """Measurements first: they carry the rest, so that whoever goes on can write it.

        told: of the changes, those to tell at once; all where it is None.
        """
        if (found or changes or actions) and not self.holds():
            raise NotHeld
        try:
            self.books.measured(found)
            self.books.changed(changes)
            self.books.proposed(actions)
            self.tell(changes if told is None else told)
        except Unavailable:
            self.left = None  # what of it was written, the books will say
            raise


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
