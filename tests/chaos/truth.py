"""What was sent, and what must come of it: made from the requests themselves, never asked of the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from weir.core.signature import Signature

from tests import bundles
from tests import tiny_requests as tiny
from tests.chaos.log import Log

BAD_BEGINS = -1
Floats = npt.NDArray[np.float32]
SCHEMA = tiny.rows(64).schema  # of enough rows that every column has a value, and so a type


@dataclass
class Answers:
    """What the log's requests must come to, one entry an offset, ordered by partition and offset.

    number: int64[n], row of `Truth.rows()`, or below 0 for one that must be rejected; letter: its (stage, reason).
    """

    log: Log
    partition: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    letters: dict[tuple[int, int], tuple[str, str, bytes | None]]


def _none_wrong(rows: pa.Table, _values: Floats, _status: list[dict[str, str]]) -> npt.NDArray[np.bool_]:
    return np.zeros(len(rows), np.bool_)


def _never(rows: pa.Table, _stage: str, _reason: str) -> npt.NDArray[np.bool_]:
    return np.zeros(len(rows), np.bool_)


@dataclass
class Truth:
    """Every request by its bytes. Requests may be sent twice: each has its own offset, and its own answer.

    What a good request comes to may depend on when it is scored, if it uses features.
    wrong_features: (requests, feature values float32[n, f], status by view) -> which of the rows contradict themselves.
    may_turn_away: (requests, stage, reason) -> which may be dead letters for that.
    """

    signature: Signature = bundles.SIGNATURE
    wrong_features: Callable[[pa.Table, Floats, list[dict[str, str]]], npt.NDArray[np.bool_]] = _none_wrong
    may_turn_away: Callable[[pa.Table, str, str], npt.NDArray[np.bool_]] = _never
    kinds: dict[bytes | None, int] = field(default_factory=dict)  # value -> number
    sent: Counter[bytes | None] = field(default_factory=Counter)  # how often the broker took it
    outcomes: dict[str, tuple[str, float]] = field(default_factory=dict)  # prediction id -> last (label, observed)
    bad_outcomes: Counter[bytes] = field(default_factory=Counter)
    _batches: list[pa.RecordBatch] = field(default_factory=list)
    _times: list[npt.NDArray[np.int64]] = field(default_factory=list)
    _begins: list[int] = field(default_factory=list)
    _letters: list[tuple[str, str]] = field(default_factory=list)
    _rows: int = 0

    def expect(self, rows: pa.RecordBatch, values: list[bytes]) -> None:
        """Good requests, as columns and as bytes."""
        self.kinds.update(zip(values, range(self._rows, self._rows + len(values)), strict=True))
        self._batches.append(rows.cast(SCHEMA))
        self._times.append(rows["event_time"].cast(pa.int64()).to_numpy())
        self._begins.append(self._rows)
        self._rows += len(values)

    def expect_letter(self, value: bytes | None, stage: str, reason: str) -> None:
        """A request that must be rejected."""
        if value not in self.kinds:
            self._letters.append((stage, reason))
            self.kinds[value] = -len(self._letters)

    def rows(self) -> pa.Table:
        """All good requests that were made, by number."""
        return pa.Table.from_batches(self._batches, schema=SCHEMA).combine_chunks()

    def event_ms(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Event times of good requests by number: int64[m]."""
        batch = np.searchsorted(np.array(self._begins), numbers, side="right") - 1
        found = [self._times[b][n - self._begins[b]] for b, n in zip(batch.tolist(), numbers.tolist(), strict=True)]
        return np.array(found, np.int64)

    def delivered(self, value: bytes | None) -> None:
        self.sent[value] += 1

    @property
    def total(self) -> int:
        return self.sent.total()

    def missing_from(self, log: Log) -> int:
        """Requests that the broker took and the log has not; more often sent than found counts each time."""
        held = Counter(value for records in log.partitions.values() for value in records.values)
        return (self.sent - held).total()

    def answers(self, log: Log) -> Answers:
        """What every record of the request log must come to. A record that nobody made is a KeyError."""
        numbers = [np.array([self.kinds[value] for value in log.partitions[p].values], np.int64) for p in log.order]
        offsets = [log.partitions[p].offsets for p in log.order]
        partition = np.repeat(np.array(log.order, np.int32), [len(found) for found in offsets])
        number, offset = np.concatenate(numbers), np.concatenate(offsets)
        letters = {}
        for index in np.flatnonzero(number < 0).tolist():
            stage, reason = self._letters[-number[index] + BAD_BEGINS]
            source, place = int(partition[index]), int(offset[index])
            letters[source, place] = (stage, reason, log.value(source, place))
        return Answers(log, partition, offset, number, letters)


def matrix(rows: pa.Table) -> npt.NDArray[np.float32]:
    """What the model gets for good rows: float32[n, 4]."""
    channel = pa.compute.index_in(rows["channel"], pa.array(tiny.CHANNELS))
    gift = rows["gift"].cast(pa.float32()).fill_null(0.0)
    columns = [rows["amount"], rows["items"], gift, channel]
    return np.column_stack([column.to_numpy().astype(np.float32) for column in columns])
