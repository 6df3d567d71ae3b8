"""Outcomes that come next: in a backlog they are read and looked up while those before them are learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver import Client

from weir.agents.learner import joining
from weir.agents.learner.books import Outcomes
from weir.agents.learner.entries import SAID
from weir.agents.learner.joining import Looked, Wanted

OUTCOMES: Final = 8192  # of a round
WAIT_S: Final = 0.1  # for the first of them
MANY: Final = 1024  # outcomes of a round, behind which there are likely more


@dataclass(frozen=True, slots=True)
class Came:
    """What was read. records: whether anything was. said, gone: see joining.said. upto: behind it, see Outcomes.

    looked: service -> what is recorded of its outcomes, in their order.
    """

    records: bool
    upto: Mapping[str, int]
    said: pa.Table = field(default_factory=SAID.empty_table)
    gone: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    looked: Mapping[str, Looked] = field(default_factory=dict)


class Ahead:
    """Reads on. One thread at a time; what it reads ahead, a thread of its own reads. Raises Unavailable, Refused."""

    def __init__(self, outcomes: Outcomes, wanted: Mapping[str, Wanted], connect: Callable[[], Client]) -> None:
        self._outcomes, self._wanted, self._connect = outcomes, wanted, connect
        self._pool = ThreadPoolExecutor(1, "outcomes")
        self._next: Future[Came] | None = None

    def take(self) -> Came:
        """Those that have come; of none it waits a moment for the first."""
        coming, self._next = self._next, None
        came = self._read() if coming is None else coming.result()
        if came.said.num_rows >= MANY:
            self._next = self._pool.submit(self._read)
        return came

    def close(self) -> None:
        """Read no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._outcomes.close()

    def _read(self) -> Came:
        found = self._outcomes.read(OUTCOMES, WAIT_S)
        upto = dict(self._outcomes.upto)
        if found is None:
            return Came(False, upto)
        said, gone = joining.said(*found, self._wanted)
        services = pc.unique(said.column("service")).to_pylist()
        if not services:
            return Came(True, upto, said, gone)
        with closing(self._connect()) as client:
            looked = {
                service: joining.looked(
                    client, service, self._wanted[service], said.filter(pc.equal(said.column("service"), service))
                )
                for service in services
            }
        return Came(True, upto, said, gone, looked)
