"""Asks ClickHouse what pages show, as its reader: eight questions at a time, and the same one once in two seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar, cast

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.errors import Refused, Unavailable, WeirError
from weir.core.reference import About
from weir.core.signature import Task
from weir.edges.clickhouse import monitors, reports, sql_files
from weir.edges.clickhouse.client import connect, settable, url_of
from weir.edges.clickhouse.rights import RECIPE, only_reads
from weir.monitor.parameters import MEANING
from weir.monitor.segment import EVERYTHING, FILTERS, Segment
from weir.monitor.spec import Asked, Monitor, Row
from weir.operations import glance
from weir.settings import Settings
from weir.web.console.view import View

T = TypeVar("T")

CLIENTS: Final = 8  # questions at a time: more of them only wait for each other
ANSWER_S: Final = 12.0  # for one answer; shorter than a page waits, so that it can say who is late
SAME_S: Final = 2.0  # for which an answer is given again, as to the panels of one page
MEANING_S: Final = 15.0  # for which what a service's bundle means is not asked again
FILES_S: Final = 2.0  # for which files of monitors are not read again
PROBE_S: Final = 2.0  # after so long without an answer ClickHouse is knocked at first
OPENS_S: Final = 5.0  # within which it opens, also while it is at work
ZONE: Final = "session_timezone"
UTC_NAMES: Final = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Zulu")
AWAY: Final = "start it (`weir up`, `docker compose up clickhouse`); scoring goes on, and the recorder catches up"


class Asker:
    """Questions of pages. May be used by many threads."""

    def __init__(
        self, settings: Settings, answer_s: float = ANSWER_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self._answer_s = answer_s
        self._now = now
        self._pool = ThreadPoolExecutor(CLIENTS, "asking")
        self._turns = threading.BoundedSemaphore(CLIENTS)
        self._lock, self._door = threading.Lock(), threading.Lock()
        self._kept: dict[Any, tuple[float, float, Future[Any]]] = {}  # since and until when
        self._client: Client | None = None
        self._unbounded: tuple[str, ...] = ()
        self._answered_at = -PROBE_S
        self._away: tuple[float, Unavailable] | None = None
        self._beside: list[Asker] = []

    def meet(self) -> tuple[str, ...]:
        """Reach ClickHouse for the first time; the limits that its reader lacks. Raises Unavailable, Refused."""
        self._reached()
        return self._unbounded

    def beside(self) -> Asker:
        """Another, whose questions wait for none of this one's; closed with it."""
        self._beside.append(Asker(self.settings, self._answer_s, self._now))
        return self._beside[-1]

    def close(self) -> None:
        """Ask nothing more."""
        for each in self._beside:
            each.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    # what monitors say

    def monitors(self) -> Mapping[str, Monitor]:
        """Every monitor that can be read, by name."""
        return self.once(("monitors",), FILES_S, lambda: monitors.known(self.settings)[0])

    def monitor(self, name: str) -> Monitor:
        """One of them. Raises Refused."""
        found = self.monitors().get(name)
        return found if found is not None else monitors.named(self.settings, name)

    def asked(self, name: str, view: View, **more: Any) -> Asked:
        """What a monitor is asked of a view: as `weir monitors run` asks it, without filters that it does not obey.

        more: fields of Asked instead of the view's.
        """
        monitor = self.monitor(name)
        filters = {each: value for each, value in view.segment.filters.items() if each in monitor.filters}
        plain: dict[str, Any] = {
            "service": view.service,
            "begin": view.begin,
            "end": view.end,
            "step_s": view.step_s,
            "segment": Segment(**filters),
        }
        return Asked(**{**plain, **more})

    def unsplit(self, name: str, view: View) -> tuple[str, ...]:
        """Filters of the view that this monitor does not obey: its panel says so."""
        obeyed = self.monitor(name).filters
        return tuple(each for each in FILTERS if each in view.segment.filters and each not in obeyed)

    def rows(self, name: str, view: View, **more: Any) -> list[Row]:
        """A monitor's rows. more: fields of Asked, such as subject or step_s. Raises Unavailable, Refused."""
        return self._rows(self.monitor(name), self.asked(name, view, **more))

    def of(self, monitor: Monitor, **asked: Any) -> list[Row]:
        """The same of what no view says. asked: fields of Asked; filters that it does not obey are left out."""
        segment: Segment = asked.pop("segment", EVERYTHING)
        obeyed = Segment(**{name: value for name, value in segment.filters.items() if name in monitor.filters})
        return self._rows(monitor, Asked(segment=obeyed, **asked))

    def table(self, name: str, view: View, **more: Any) -> pa.Table:
        """The same as its columns. Raises Unavailable, Refused."""
        monitor, asked = self.monitor(name), self.asked(name, view, **more)
        of = self._meaning(monitor, asked.service)
        return self.ask(lambda client: monitors.table(client, monitor, asked, of))

    def bound(self, name: str, view: View, **more: Any) -> dict[str, Any]:
        """What the parameters of a monitor's SQL are for a view. Raises Unavailable, Refused."""
        monitor, asked = self.monitor(name), self.asked(name, view, **more)
        of = self._meaning(monitor, asked.service)
        return self.ask(lambda client: monitors.parameters(client, monitor, asked, of))

    def meaning(self, service: str) -> Mapping[str, Any]:
        """What a service's bundle means, as parameters. Raises Unavailable, Refused."""
        return self.once(("meaning", service), MEANING_S, lambda: self.ask(lambda c: monitors.meaning(c, service)))

    def task(self, service: str) -> Task | None:
        """What a service's model predicts; None of one that nothing is known of. Raises Unavailable, Refused."""
        told = self.once(("told", service), MEANING_S, lambda: self.ask(lambda c: reports.told(c, service)))
        return Task(told.task) if told is not None else None

    def inputs(self, service: str) -> Mapping[str, About]:
        """What is known of the inputs of a service's model. Raises Unavailable, Refused."""
        return self.once(("inputs", service), MEANING_S, lambda: self.ask(lambda c: reports.inputs(c, service)))

    def _rows(self, monitor: Monitor, asked: Asked) -> list[Row]:
        def run() -> list[Row]:
            of = self._meaning(monitor, asked.service)
            return self.ask(lambda client: monitors.run(client, monitor, asked, of, once=self._same))

        return list(self.once(("rows", monitor.sha256, asked), SAME_S, run))

    def _same(self, key: Any, make: Callable[[], T]) -> T:
        return self.once(key, SAME_S, make)

    def _meaning(self, monitor: Monitor, service: str) -> Mapping[str, Any] | None:
        return self.meaning(service) if monitor.parameters.keys() & MEANING else None

    # other questions

    def sql(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of sql/<name>.sql. Raises Unavailable, Refused."""
        key = ("sql", name, _frozen(parameters))
        return list(self.once(key, SAME_S, lambda: self.ask(lambda client: sql_files.rows(client, name, **parameters))))

    def services(self) -> tuple[str, ...]:
        """Services that are recorded or announced by a scorer, sorted. Raises Unavailable, Refused."""

        def look(client: Client) -> tuple[str, ...]:
            recorded = {str(row["service"]) for row in sql_files.rows(client, "ledger/services")}
            return tuple(sorted(recorded | glance.announced(client)))

        return self.once(("services",), FILES_S, lambda: self.ask(look))

    def all(self, *questions: Callable[[], Any]) -> list[Any]:
        """Answers to several at a time, in order. Raises what the first of them raises."""
        return [future.result() for future in [self._pool.submit(each) for each in questions]]

    def ask(self, question: Callable[[Client], T]) -> T:
        """An answer, one of CLIENTS at a time.

        Raises Unavailable, at once while ClickHouse is known to be away; Refused, also where it takes too long.
        """
        with self._turns:
            client, began = self._reached(), self._now()
            try:
                answer = question(client)
            except Unavailable as error:
                if self._is_only_slow(client, self._now() - began):
                    what = f"ClickHouse takes longer than {self._answer_s:g} s over it"
                    raise Refused(what, remedy="choose a shorter range, or ask again") from error
                away = Unavailable(error.what.partition(": Error HTTP")[0], where=error.where, remedy=error.remedy)
                self._missed(away)
                raise away from error
            self._answered_at, self._away = self._now(), None
            return answer

    def once(self, key: Any, for_s: float, make: Callable[[], T], *, kept_s: float = 0.0) -> T:
        """What `make` gives, made once in for_s seconds, however many ask meanwhile. Raises what it raises.

        kept_s: for which it is kept, where others may ask for the same and take what is older.
        """
        now = self._now()
        with self._lock:
            began, _, future = self._kept.get(key, (0.0, 0.0, None))
            mine = future is None or (future.done() and now - began > for_s)
            if mine:
                self._kept = {each: kept for each, kept in self._kept.items() if not kept[2].done() or now <= kept[1]}
                future = Future()
                self._kept[key] = (now, now + max(for_s, kept_s), future)
        assert future is not None
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
                with self._lock:
                    self._kept.pop(key, None)
        return cast(T, future.result())

    # how ClickHouse is reached

    def _reached(self) -> Client:
        """A client of ClickHouse, which has just answered or is knocked at."""
        if self._now() - self._answered_at < PROBE_S and self._client is not None:
            return self._client
        with self._door:  # one knocks; the others take what it found
            if self._away is not None and self._now() - self._away[0] < PROBE_S:
                raise self._away[1]
            try:
                if self._client is None:
                    self._client, self._unbounded = connected(reader(self.settings), self._answer_s)
                elif self._now() - self._answered_at >= PROBE_S:
                    _knock(self._client)
            except Unavailable as error:
                self._missed(error)
                raise
            self._answered_at, self._away = self._now(), None
            return self._client

    def _is_only_slow(self, client: Client, took_s: float) -> bool:
        """Whether ClickHouse goes on answering others, and took too long over this question alone."""
        if took_s < self._answer_s:
            return False
        try:
            _knock(client)
        except Unavailable:
            return False
        return True

    def _missed(self, error: Unavailable) -> None:
        self._answered_at, self._away = -PROBE_S, (self._now(), error)


def reader(settings: Settings) -> Settings:
    """The settings with ClickHouse's reader as the user, whose password is the other's where it has none."""
    password = settings.recording.clickhouse_reader_password
    if not password.get_secret_value():
        password = settings.recording.clickhouse_password
    return settings.having(clickhouse_user=settings.recording.clickhouse_reader, clickhouse_password=password)


def connected(settings: Settings, answer_s: float) -> tuple[Client, tuple[str, ...]]:
    """A client of the settings' user, and the limits that it lacks.

    Raises Unavailable; Refused where the user may do more than read, or times would be read in another zone than UTC.
    """
    client = connect(settings.recording, timeout_s=answer_s)
    try:
        unbounded = only_reads(client, settings.recording.clickhouse_user)
        _reads_utc(client, settings)
    except WeirError:
        client.close()
        raise
    return client, unbounded


def _reads_utc(client: Client, settings: Settings) -> None:
    """Raises Refused."""
    if not settable(client, {ZONE: "UTC"}) and (zone := str(client.server_tz)) not in UTC_NAMES:
        what = f"times would be read in {zone}: {settings.recording.clickhouse_user} may not say that they are UTC"
        remedy = f"let it change session_timezone, as {RECIPE} does, or let the server's time zone be UTC"
        raise Refused(what, where=settings.recording.clickhouse_url, remedy=remedy)


def _knock(client: Client) -> None:
    """Raises Unavailable where nobody opens in time. The driver knocks four times."""
    if not client.ping(timeout=OPENS_S / 4):
        raise Unavailable("ClickHouse does not answer", where=url_of(client), remedy=AWAY)


def _frozen(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in parameters.items())
