"""What the packed columns of predictions mean: from the log and from ClickHouse, never from files of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa
import structlog
from clickhouse_connect.driver import Client
from typing_extensions import override

from weir.agents.recorder import late_counts
from weir.core.bundle_names import BundleNames
from weir.core.chunk import Partition
from weir.core.decoded import Decoded
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import bundle_names
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse.blocks import ClickHouseBlocks
from weir.edges.kafka.log_reader import LogReader
from weir.recording import bundles, naming, tables
from weir.settings import Settings
from weir.telemetry import PredictionsUnnamed, Telemetry

ASK_AGAIN_S: Final = 1.0  # a stranger's digests must not cost a question each
LATE_S: Final = 5.0  # between two tries to name what was recorded without
READ_S: Final = 5.0  # the log of bundles is a few records; rows are not held up for more


class KnownNames(naming.Names):
    """Implements recording.naming.Names.

    A scorer says what its columns mean before its first prediction, and the log keeps that for ever. So a digest that
    is new here is in the log; one that is nowhere is recorded packed, and named once somebody says what it means.
    """

    def __init__(self, settings: Settings, decode: Callable[[Sequence[bytes]], Decoded], telemetry: Telemetry) -> None:
        self._settings, self._decode, self._telemetry = settings, decode, telemetry
        self._log = LogReader(settings.kafka, Partition(settings.kafka.names.bundles, 0))
        self._store = ClickHouseBlocks(settings, f"{socket.gethostname()}:{os.getpid()}")
        self._lock = threading.Lock()
        self._known: dict[str, BundleNames] = {}
        self._lacking: dict[str, float] = {}  # digest -> monotonic time at which rows of it were last met
        self._looked = False  # has the table been asked what an earlier recorder left?
        self._asked_s: dict[str, float] = {}  # digest -> monotonic time at which it was last asked about

    def of(self, digests: Sequence[str]) -> Mapping[str, BundleNames]:
        """See Names. Raises Unavailable when ClickHouse does not answer within the sink's budget."""
        with self._lock:
            due_s = time.monotonic() - ASK_AGAIN_S
            if any(self._asked_s.get(digest, due_s) <= due_s for digest in digests if digest not in self._known):
                self._ask(digests)
            return {digest: self._known[digest] for digest in digests if digest in self._known}

    @override
    def lack(self, rows: Mapping[str, int]) -> None:
        self._telemetry.emit(PredictionsUnnamed(rows=sum(rows.values())))
        with self._lock:
            new = rows.keys() - self._lacking.keys()
            self._lacking |= dict.fromkeys(rows, time.monotonic())
        if new:
            structlog.get_logger(__name__).error(
                "predictions are recorded without names: no scorer has said what their features are called",
                digests=sorted(new)[:10],
                topic=self._settings.kafka.names.bundles,
            )

    async def name_late(self) -> None:
        """Name what was recorded without names, as soon as they are known; for ever."""
        log = structlog.get_logger(__name__)
        while True:
            try:
                for digest in await asyncio.to_thread(self.name_lacking):
                    log.info("predictions that were recorded without names have them now", digest=digest)
            except (Unavailable, Refused) as error:  # recording notices by itself, and has a budget to wait
                log.warning("predictions could not be named", reason=str(error))
            await asyncio.sleep(LATE_S)

    def name_lacking(self) -> list[str]:
        """Digests whose rows have got their names. Raises Unavailable, Refused; the next call tries again.

        The table says which rows lack names. A digest is asked about until none of its rows can be named, and until
        every block that was shaped without its names is in or given up.
        """
        with self._lock:
            lacking = dict(self._lacking)
        if self._looked and not lacking:
            return []
        asked_s = time.monotonic()
        client = clickhouse.connect(self._settings.recording)
        unnamed = bundle_names.unnamed(client).keys()
        with self._lock:
            if not self._known.keys() >= unnamed:
                self._ask(unnamed)
            known = {digest: self._known[digest] for digest in unnamed if digest in self._known}
        done, refused = self._name_each(client, known.values())
        unknown = unnamed - known.keys()
        waiting = unknown | set(done) | refused.keys()
        shaped_s = asked_s - 2 * self._settings.kafka.sink_budget_s  # an insert is tried for one such budget
        with self._lock:
            for digest, met_s in lacking.items():
                if digest not in waiting and self._lacking[digest] == met_s < shaped_s:
                    del self._lacking[digest]
            for digest in unknown:
                self._lacking.setdefault(digest, asked_s)
        self._looked = True
        for error in refused.values():
            raise error
        return done

    def _ask(self, digests: Iterable[str]) -> None:
        """Everything that has been said of bundles. digests: because of which it is asked."""
        self._asked_s |= dict.fromkeys(digests, time.monotonic())
        self._known |= clickhouse.retry(self._recorded, self._settings.kafka.sink_budget_s)
        try:
            values = self._log.read(READ_S)
        except (Unavailable, Refused) as error:
            structlog.get_logger(__name__).warning("the log of bundles could not be read", reason=str(error))
            return
        rows = self._decode(values).rows
        unreadable = tables.check_bundles(rows)
        kept = rows.filter(
            pa.array([row not in set(unreadable.record.tolist()) for row in range(len(rows))], pa.bool_())
        )
        self._known |= {names.digest: names for names in bundles.of(kept)}

    def _recorded(self) -> dict[str, BundleNames]:
        return bundle_names.read(clickhouse.connect(self._settings.recording))

    def _name_each(self, client: Client, described: Iterable[BundleNames]) -> tuple[list[str], dict[str, Refused]]:
        """Digests whose rows were counted and named, and those of which ClickHouse refused it.

        These must not hold up the others.
        """
        done: list[str] = []
        refused: dict[str, Refused] = {}
        for names in described:
            try:
                counted = late_counts.count(client, self._store, self._settings.kafka.names.predictions, names)
                if bundle_names.name(client, names, counted):
                    done.append(names.digest)
            except Refused as error:
                refused[names.digest] = error
        return done, refused
