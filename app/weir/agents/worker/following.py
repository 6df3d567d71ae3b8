"""Follows the states of a learner in the log, in a thread beside whatever scores with them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from weir.agents.worker.learned import Learned
from weir.core.chunk import Partition
from weir.core.errors import WeirError
from weir.edges.kafka.follower import Follower
from weir.edges.kafka.logs import bounds_of
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.decode import Decoder

AT_ONCE: Final = 100
RECENT: Final = 256  # records from the end that are looked at first: a log that is seldom compacted has many thousands
LOOK_S: Final = 0.5  # that a look waits for the next state; it comes as soon as there is one
WAITS: Final = 10  # looks without a record, behind which the end of what was there counts as reached
AGAIN_S: Final = 5.0  # after a failure
CLOSE_S: Final = 2.0  # that whoever stops waits for the thread, which a broker that is away holds up for longer
FIRST_S: Final = 10.0  # that a start waits for the newest state
MAX_RECORD_BYTES: Final = 4_194_304  # max_message_bytes of the topic
TAKEN: Final = ("digest", "about", "answering", "at")

log = structlog.get_logger(__name__)


class Following:
    """The thread. It ends with `close`, or with the process."""

    def __init__(self, settings: Settings, learned: Learned) -> None:
        self._settings, self._learned = settings, learned
        self._decoder: Decoder | None = None
        self._first, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="learner-states", daemon=True)

    def start(self) -> Self:
        """Begin, and wait for the newest state for a while: without it the bundle's own answers."""
        self._thread.start()
        if not self._first.wait(FIRST_S):
            log.warning("no state of the learner was read yet", learner=self._learned.of.name, **self._serving())
        return self

    def close(self) -> None:
        """Follow no more. A thread that waits for the broker ends by itself, or with the process."""
        self._over.set()
        self._thread.join(CLOSE_S)

    def _serving(self) -> dict[str, str]:
        return {"serving": self._learned.now().state}

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._read()
            except WeirError as error:
                self._first.set()
                log.warning("states of the learner are not read", reason=str(error), **self._serving())
                self._over.wait(AGAIN_S)

    def _read(self) -> None:
        """Offer what is in the log, and what comes, until closed. Raises Unavailable, Refused."""
        topic = self._settings.kafka.names.learner_snapshots
        ((_, (first, end)),) = bounds_of(self._settings.kafka, topic).items()
        recent = max(first, end - RECENT)
        if not self._read_from(recent, end, whole=recent == first):
            self._read_from(first, end, whole=True)

    def _read_from(self, begin: int, end: int, *, whole: bool) -> bool:
        """The same from an offset on. False at the end of what was there, where none of it is this learner's.

        whole: nothing stands before, so that it is followed all the same.
        """
        source = Partition(self._settings.kafka.names.learner_snapshots, 0)
        with Follower(self._settings.kafka, {source: begin}) as follower:
            newest: Mapping[str, Any] | None = None
            offset, waited, behind = begin, 0, True
            while not self._over.is_set():
                records = follower.read(AT_ONCE, LOOK_S)
                offset = records[-1].offset + 1 if records else offset
                newest = self._newest([one.value for one in records]) or newest
                waited = 0 if records else waited + 1
                if behind:  # of what was there only the newest need be offered
                    behind = offset < end and waited < WAITS
                    if behind:
                        continue
                    if newest is None and not whole:
                        return False
                if newest is not None:
                    self._learned.offer(newest)
                    newest = None
                if not self._first.is_set():
                    log.info("follows the states of a learner", learner=self._learned.of.name, **self._serving())
                    self._first.set()
        return True

    def _newest(self, values: list[bytes]) -> dict[str, Any] | None:
        """The last of some records that is this learner's; None where none is."""
        if not values:
            return None
        if self._decoder is None:
            registry, topic = Registry(self._settings.registry), self._settings.kafka.names.learner_snapshots
            self._decoder = Decoder(contract_of(self._settings, registry, topic), registry.schema_text)
        rows = self._decoder.decode(values, MAX_RECORD_BYTES).rows
        mine = pc.and_(
            pc.equal(rows["service"], self._learned.service), pc.equal(rows["learner"], self._learned.of.name)
        )
        rows = rows.filter(mine)
        if not len(rows):
            return None
        last = rows.slice(len(rows) - 1)
        found = {name: last[name][0].as_py() for name in TAKEN[:-1]}
        return found | {"at": last["at"].cast(pa.int64())[0].as_py()}
