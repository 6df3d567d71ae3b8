"""The demo: the whole system on real flights, from an empty directory to a report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlencode

import numpy as np

from weir.core.errors import Refused, Unavailable
from weir.demo import apart, data, learned, months, plant, season
from weir.demo.flights import HOUR_MS, Flights, Progress
from weir.demo.learned import Learned
from weir.demo.months import Cost, Month
from weir.demo.plant import Plant
from weir.demo.replay import Replay, Tally
from weir.demo.season import Watched
from weir.demo.siblings import SIBLINGS
from weir.demo.signature import SERVICE
from weir.demo.verify import Findings, verify
from weir.edges.clickhouse import client as clickhouse
from weir.edges.embedded.stack import Stack
from weir.edges.features import plan as feature_plan
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_store import RecordStore
from weir.operations.local import Workers, prepare
from weir.settings import Settings

# Every hour of the replay waits for the scorer, and the embedded broker holds each fetch for the whole of its waiting
# time. Nobody waits for the others' fetches: events are sent ahead, the record may follow, and each fetch costs CPU.
PROMPT = {"WEIR_FETCH_WAIT_MAX_MS": "2", "WEIR_BATCH_MAX_WAIT_MS": "0"}
PATIENT = {"WEIR_FETCH_WAIT_MAX_MS": "500", "WEIR_BLOCK_MAX_WAIT_S": "5"}
FIRST_TEST_DAY = np.datetime64("2013-07-01T04:00", "ms")  # midnight in New York; training ends before it
BURST_ROWS = 200_000
SIDE_BY_SIDE_ROWS = 10_000  # the last flights, about which all services are asked
COUNTS = (
    "SELECT count() + (SELECT count() FROM dead_letters) FROM predictions",
    "SELECT count() FROM outcomes FINAL",
    "SELECT sum(read) FROM ledger",
)
LOCKSTEP = "about twice as fast"
SHOWN = timedelta(days=30)
RECORDED_S = 180.0  # the recorder follows at tens of thousands of rows a second
PATIENCE_S = 300.0  # of writes: on a busy machine one may take longer than a worker elsewhere waits


@dataclass
class Run:
    """What a demo run did and found.

    tallies: by service, the first one first. flights: of the replay. alone: those of them that the first service alone
    was asked about. watched, months: of these. cost: of all that the first service was asked. plants: faults in it.
    learners: what they would have said of all flights that their service was asked about.
    """

    tallies: dict[str, Tally]
    findings: Findings
    flights: int
    alone: int
    burst_rows: int
    cache_hit_rate: float
    cache_hit_rate_burst: float
    watched: Watched
    months: list[Month]
    cost: Cost
    seconds: dict[str, float] = field(default_factory=dict)
    plants: tuple[Plant, ...] = ()
    learners: tuple[Learned, ...] = ()


class Stopwatch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside, added to what the phase has taken before."""
        began = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began


def run(
    settings: Settings,
    flights_wanted: int,
    progress: Progress,
    say: Callable[[str], None],
    plants: tuple[Plant, ...] = (),
    keep: Callable[[Run, Stack], None] | None = None,
) -> Run:
    """Run the demo. flights_wanted: requests of the lockstep replay, from 1 July on. plants: faults to put into it.

    keep: called at the end, while everything still runs; what was found, and the stack.
    Raises Unavailable, Refused.
    """
    patience = {"sink_budget_s": PATIENCE_S, "redrive_settle_s": 2 * PATIENCE_S}
    # The past is replayed: time is of the events.
    settings = settings.having(clock="event", **patience, **_broker(settings, say))
    watch = Stopwatch()
    with watch.phase("setup"):
        flights = plant.into(data.load(settings, progress), plants)
    with watch.phase("train"):
        bundles = apart.build(settings, progress)
    own = _apart(settings)
    with Stack(own, report=say) as stack:
        with watch.phase("setup"):
            workers, replay = _start(stack, bundles[SERVICE], say)
        try:
            done = _Play(stack, workers, replay, flights, bundles, watch, progress, say).run(flights_wanted)
        finally:
            replay.close()
        done = replace(done, plants=plants)
        if keep is not None:
            keep(done, stack)
    shutil.rmtree(own.paths.home)  # a run that failed leaves its logs
    return done


def window(stack: Stack) -> str:
    """The query of a console's address that shows the last SHOWN of the replay: it is long past."""
    client = clickhouse.connect(stack.settings.recording)
    newest = client.query("SELECT max(newest) FROM gate_minutes").result_rows[0][0]
    return "?" + urlencode({"from": f"{newest - SHOWN:%Y-%m-%dT%H:%MZ}", "to": f"{newest:%Y-%m-%dT%H:%MZ}"})


def _broker(settings: Settings, say: Callable[[str], None]) -> dict[str, str]:
    """The broker of a lockstep replay, unless WEIR_EMBEDDED_BROKER names one."""
    if "embedded_broker" in settings.embedded.model_fields_set:
        return {}
    say(f"broker: Tansu, where a replay in lockstep is {LOCKSTEP}; WEIR_EMBEDDED_BROKER=kafka takes Apache Kafka")
    return {"embedded_broker": "tansu"}


def _apart(settings: Settings) -> Settings:
    """The same with an empty home: a replay of 2013 has no place among the rows and features that are kept."""
    (settings.paths.home / "demo").mkdir(parents=True, exist_ok=True)
    home = Path(mkdtemp(prefix="replay-", dir=settings.paths.home / "demo"))
    own = settings.having(home=home, online_store="lmdb")  # bundles and jars stay where they are
    feature_plan.path(own).parent.mkdir()
    shutil.copy(feature_plan.path(settings), feature_plan.path(own))
    return own


def _open_empty(settings: Settings) -> RecordStore:
    """The online store. Raises Refused when somebody's features are in it, Unavailable."""
    store = open_store(settings)
    views = [view for plan in feature_plan.load_all(settings) for view in plan.views]
    if store.watermark_us() or any(store.sample_keys(view, 1) for view in views):
        store.close()
        raise Refused(
            "the online store holds features, and a replay of the past must begin without any",
            where=settings.features.online_store,
            remedy="set WEIR_ONLINE_STORE=lmdb for the demo, or empty it yourself with `weir apply --clear`",
        )
    return store


def _start(stack: Stack, bundle: Path, say: Callable[[str], None]) -> tuple[Workers, Replay]:
    prepare(stack)
    store = _open_empty(stack.settings)
    workers = Workers(stack)
    workers.start("scorer", "--bundle", str(bundle), **PROMPT)
    workers.start("features", **PATIENT)
    workers.start("recorder", **PATIENT)
    workers.wait_ready(say)
    return workers, Replay(stack.settings, store, workers.check)


@dataclass(frozen=True, slots=True)
class _Play:
    """What is done on a running stack. bundles: by service."""

    stack: Stack
    workers: Workers
    replay: Replay
    flights: Flights
    bundles: dict[str, Path]
    watch: Stopwatch
    progress: Progress
    say: Callable[[str], None]

    def run(self, wanted: int) -> Run:
        """Replay that many flights, from 1 July on, and check the record."""
        at = self.flights.requests["event_time"].to_numpy().astype("datetime64[ms]")
        first = int(np.searchsorted(at, FIRST_TEST_DAY))
        rows = min(wanted, len(at) - first)
        alone = _alone(self.flights, first, rows)
        with self.watch.phase("setup"):
            self.replay.warm_up(self.flights, self._hour(first) - 1, self.progress)
        with self.watch.phase("replay"):
            self.replay.run(self.flights, first, alone, self.progress)
        replay_cache = _cache(self.workers)
        with self.watch.phase("monitors"):  # before the burst, which is nobody's season
            watched, by_month = self._monitors(first, alone)
        with self.watch.phase("burst"):
            chosen = first + np.resize(np.arange(alone), BURST_ROWS)
            last_ms = (self._hour(first + alone - 1) + 1) * HOUR_MS
            self.replay.burst(self.flights, chosen, last_ms, self.progress)
        all_cache = _cache(self.workers)
        if rows > alone:
            with self.watch.phase("side_by_side"):
                self._side_by_side(first + alone, rows - alone)
        with self.watch.phase("record"):
            _await_recorded(self.stack, self.workers, self.replay.tallies.values(), self.progress)
        with self.watch.phase("verify"):
            asked = {name: self.bundles[name] for name, tally in self.replay.tallies.items() if tally.produced}
            findings = verify(self.stack.settings, asked, self.flights, first, rows, self.progress)
        with self.watch.phase("monitors"):
            cost = months.cost(self.stack.settings, clickhouse.connect(self.stack.settings.recording), SERVICE)
        with self.watch.phase("learners"):
            learners = learned.replayed(self.stack.settings, asked, self.flights, first, rows, self.progress)
        burst_cache = (all_cache[0] - replay_cache[0], all_cache[1] - replay_cache[1])
        return Run(
            self.replay.tallies,
            findings,
            rows,
            alone,
            BURST_ROWS,
            _share(all_cache),
            _share(burst_cache),
            watched,
            by_month,
            cost,
            {**self.watch.seconds, "total": self.watch.total},
            learners=tuple(learners),
        )

    def _hour(self, row: int) -> int:
        return int(self.flights.requests["clock_hour"][row].as_py())

    def _monitors(self, first: int, rows: int) -> tuple[Watched, list[Month]]:
        """What the monitor worker finds in the requests [first, first + rows), and their months."""
        _await_recorded(self.stack, self.workers, self.replay.tallies.values(), self.progress)
        settings, client = self.stack.settings, clickhouse.connect(self.stack.settings.recording)
        self.progress(0, 2, "monitors")
        found = season.watch(settings, client)
        self.progress(1, 2, "monitors")
        begin, end = (self.flights.requests["event_time"][row].as_py() for row in (first, first + rows - 1))
        by_month = months.by_month(settings, client, SERVICE, begin, end)
        self.progress(2, 2, "monitors")
        return found, by_month

    def _side_by_side(self, first: int, rows: int) -> None:
        """Ask every service about the same flights, each hour of them at once."""
        workers = Workers(self.stack)
        for sibling in SIBLINGS:
            bundle, more = str(self.bundles[sibling.service]), {"WEIR_SERVICE": sibling.service}
            workers.start("scorer", "--bundle", bundle, name=f"scorer-{sibling.service}", **more, **PROMPT)
        workers.wait_ready(self.say)
        self.replay.read_on()
        self.replay.run(self.flights, first, rows, self.progress, SIBLINGS)


def _alone(flights: Flights, first: int, rows: int) -> int:
    """How many of the requests [first, first + rows) the first service is asked alone: up to the end of an hour."""
    hours = flights.requests["clock_hour"].to_numpy()
    last = first + rows - min(SIDE_BY_SIDE_ROWS, rows // 2) - 1
    return min(rows, int(np.searchsorted(hours, hours[last], "right")) - first)


def _cache(workers: Workers) -> tuple[float, float]:
    name = "weir_cache_lookups_total"
    return workers.metric("scorer", name, result="hit"), workers.metric("scorer", name)


def _share(hits: tuple[float, float]) -> float:
    return hits[0] / hits[1] if hits[1] else 0.0


def _await_recorded(stack: Stack, workers: Workers, tallies: Collection[Tally], progress: Progress) -> None:
    """Until ClickHouse holds an answer to every request, and every outcome. Raises Unavailable: it takes too long."""
    client = clickhouse.connect(stack.settings.recording)
    counts = "SELECT " + ", ".join(f"({ask})" for ask in COUNTS)
    read, outcomes = sum(tally.read for tally in tallies), sum(tally.outcomes for tally in tallies)
    wanted = (read, outcomes, read)
    deadline = time.monotonic() + RECORDED_S
    while True:
        found: tuple[Any, ...] = tuple(client.query(counts).result_rows[0])
        progress(int(found[0]), read, "rows recorded")
        if all(int(have) >= want for have, want in zip(found, wanted, strict=True)):
            return
        if time.monotonic() > deadline:
            workers.check()
            raise Unavailable(
                f"ClickHouse holds {found} of {wanted} answers, outcomes and records after {RECORDED_S:.0f} s",
                where=stack.settings.recording.clickhouse_url,
                remedy=f"read the recorder's log in {stack.settings.paths.home / 'logs'}",
            )
        time.sleep(0.1)
