"""What a learner worker reads and writes on Kafka: outcomes, the log of what is learned, and snapshots."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import structlog

from weir.agents.learner.entries import Entry
from weir.core.chunk import Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.kafka.follower import Follower, Record
from weir.edges.kafka.keyed_producer import KeyedProducer
from weir.edges.kafka.log_reader import LogReader
from weir.edges.kafka.logs import bounds_of
from weir.edges.kafka.producer import Producer
from weir.edges.schemas.contracts import contract_of
from weir.edges.schemas.registry import Registry
from weir.settings import Settings
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

MAX_RECORD_BYTES: Final = 4_194_304  # max_message_bytes of these topics
READ_S: Final = 60.0
LOOK_S: Final = 0.05

log = structlog.get_logger(__name__)


class NotHeld(Exception):
    """Another worker has written: what is gone on from must be read anew."""


class Book:
    """Writes records of one topic, and reads them. One thread at a time. Raises Unavailable, Refused."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self.settings, self.topic = settings.kafka, topic
        registry = Registry(settings.registry)
        contract = contract_of(settings, registry, topic)
        self.decoder, self.encoder = Decoder(contract, registry.schema_text), Encoder(contract)

    def decoded(self, values: Sequence[bytes]) -> list[tuple[int, dict[str, Any]]]:
        """Rows of those records that are some, times as milliseconds, each with the number of its record."""
        decoded = self.decoder.decode(values, MAX_RECORD_BYTES)
        rows = decoded.rows
        columns = [each.cast(pa.int64()) if pa.types.is_timestamp(each.type) else each for each in rows.columns]
        plain = pa.RecordBatch.from_arrays(columns, names=rows.schema.names).to_pylist()
        return list(zip(decoded.origin.tolist(), plain, strict=True))


class Journal:
    """The log of labelled outcomes: what it holds, read from an offset on, and written at its end."""

    def __init__(self, book: Book) -> None:
        """Asks how far it goes: log (its id), first, end."""
        self._book, self._source = book, Partition(book.topic, 0)
        ((source, (self.first, self.end)),) = bounds_of(book.settings, book.topic).items()
        self.log, self.offset = source.log, self.first  # offset: of the next entry that is read
        self._follower: Follower | None = None
        self._producer: Producer | None = None

    def close(self) -> None:
        """Read and write no more; what was written is delivered."""
        if self._follower is not None:
            self._follower.close()
        if self._producer is not None:
            self._producer.close()

    def begin(self, offset: int) -> None:
        """Read from there on, or from the first entry that there is."""
        self.offset = max(self.first, offset)
        self._follower = Follower(self._book.settings, {self._source: self.offset})

    def read(self, most: int = 100, timeout_s: float = LOOK_S) -> list[Entry]:
        """Entries that come next. Those that are none are passed over."""
        if self._follower is None:
            self.begin(self.first)
            assert self._follower is not None
        records = self._follower.read(most, timeout_s)
        if not records:
            return []
        self.offset = records[-1].offset + 1
        found = self._book.decoded([one.value for one in records])
        return [one for number, row in found if (one := _entry(row, records[number].offset)) is not None]

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, durably."""
        if self._producer is None:
            self._producer = Producer(self._book.settings, "weir-learner")
        self._producer.write(self._book.topic, 0, [self._book.encoder.record(one.row()) for one in entries])
        self._producer.flush()

    def last_read(self) -> Mapping[str, Any] | None:
        """Columns of the newest entry that says how far outcomes are read; None where there is none."""
        step, begin = 64, self.end
        while begin > self.first:
            begin = max(self.first, self.end - step)
            with Follower(self._book.settings, {self._source: begin}) as reader:
                records = reader.read_until(self.end, READ_S)
            rows = [row for _, row in self._book.decoded([one.value for one in records])]
            for row in reversed(rows):
                if row["kind"] == "read":
                    columns: Mapping[str, Any] = json.loads(row["columns"])
                    return columns
            step *= 8
        return None


def _entry(row: Mapping[str, Any], offset: int) -> Entry | None:
    """None where a record is no entry: it is void to whoever reads the log."""
    try:
        return Entry.of(row, offset)
    except ValueError as error:
        log.error("a record of the log of labelled outcomes is passed over", reason=str(error))
        return None


class Outcomes:
    """Outcomes, read on from where the log of what is learned says."""

    def __init__(self, book: Book, upto: Mapping[str, int]) -> None:
        self._book = book
        found = bounds_of(book.settings, book.topic)
        self._names = {
            Partition(source.topic, source.partition): f"{source.log}/{source.partition}" for source in found
        }
        places = {
            Partition(source.topic, source.partition): max(first, upto.get(f"{source.log}/{source.partition}", first))
            for source, (first, _) in found.items()
        }
        self.upto = {self._names[source]: offset for source, offset in places.items()}
        self._follower = Follower(book.settings, places)

    def close(self) -> None:
        """Read no more."""
        self._follower.close()

    def read(self, most: int, timeout_s: float) -> tuple[pa.RecordBatch, Any] | None:
        """Rows of contract outcomes that have come, and when, int64[n]; None: none. `upto` is behind them then."""
        records: list[Record] = self._follower.read(most, timeout_s)
        if not records:
            return None
        for one in records:
            self.upto[self._names[one.source]] = one.offset + 1
        decoded = self._book.decoder.decode([one.value for one in records], MAX_RECORD_BYTES)
        return decoded.rows, np.array([one.at_ms for one in records], np.int64)[decoded.origin]


class Snapshots:
    """The newest state of each learner."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._producer: KeyedProducer | None = None

    def read(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The newest of each, by service and name."""
        values = LogReader(self._book.settings, Partition(self._book.topic, 0)).read(READ_S)
        return {(row["service"], row["learner"]): row for _, row in self._book.decoded(values)}

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write some, durably."""
        if self._producer is None:
            self._producer = KeyedProducer(self._book.settings, "weir-learner")
        for row in rows:
            self._producer.write(self._book.topic, f"{row['service']}/{row['learner']}", self._book.encoder.record(row))
        self._producer.flush()


def written(journal: Journal, entry: Entry, fold: Callable[[Entry], None]) -> None:
    """Write an entry and read until it has been read again, each entry of the log by `fold`.

    Raises NotHeld where another has been written before it: what stands there under its number is void. Raises
    Unavailable where it is not read in time.
    """
    journal.write([entry])
    deadline_s = time.monotonic() + READ_S
    while True:
        found = journal.read()
        for one in found:  # all of them: what others say stands behind it, too, and is not read again
            fold(one)
        first = next((one for one in found if one.number == entry.number), None)
        if first is not None and first.worker != entry.worker:
            raise NotHeld
        if first is not None:
            return
        if time.monotonic() > deadline_s:
            raise Unavailable("what was written is not read again", where=journal.log, remedy="see the broker's log")


def check_log(log: str, found: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    """Raises Refused for states that go on in another log: that one's outcomes are gone.

    found: snapshots by service and learner. One without a state, of arrays or under a seal, begins anew anyway.
    """
    for (service, name), row in found.items():
        if row["log"] != log and (row["answering"] or row["good"]):
            raise Refused(
                f"the state of learner {name} of {service} goes on in a log of labelled outcomes that is gone",
                remedy="make the topic of snapshots anew, too: learners then begin with what comes",
            )
