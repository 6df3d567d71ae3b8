"""The online store: packed records by view and entity key, in LMDB or in Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weir.core.features import ViewPlan
from weir.edges.features.store.record_layout import Records, Value, layout_of

MAX_KEY_BYTES = 511  # LMDB's limit; Redis has none, and keeps the same keys


@dataclass(frozen=True, slots=True)
class Ask:
    """Features of one view to be read for n keys, which are as `entity_key.encode_key` makes them.

    words: of features that are words, feature -> serialised word -> code, see `serialised.codes_of`.
    """

    view: ViewPlan
    keys: Sequence[bytes]
    words: Mapping[str, Mapping[bytes, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """Records for one view, n of them, in its layout; of a key that comes twice the newest stays."""

    view: ViewPlan
    keys: Sequence[bytes]
    records: Records


@dataclass(frozen=True, slots=True)
class Answer:
    """What the records of one Ask say, in the order of its n keys.

    values: float[n, k], the features asked for, as in FeatureBlock; NaN where null, not in the record, or where there
    is no record.
    event_us: int64[n], 0 where there is none. found: bool[n].
    incomplete: records that lack a feature asked for, or cannot be read; see `layouts.Layouts`.
    """

    values: npt.NDArray[np.floating]
    event_us: npt.NDArray[np.int64]
    found: npt.NDArray[np.bool_]
    incomplete: int = 0

    @staticmethod
    def empty(n: int, view: ViewPlan) -> Answer:
        """That nothing was found for n keys."""
        values = np.full((n, len(view.features)), np.nan, view.value_dtype)
        return Answer(values, np.zeros(n, np.int64), np.zeros(n, bool))


@dataclass(frozen=True, slots=True)
class Row:
    """One record, exactly. values: feature -> (dtype, value), as `Layout.values` gives them."""

    event_us: int
    values: Mapping[str, tuple[str, Value]]


class RecordStore(Protocol):
    """Packed records by (view, key). Any number of processes read and write; every method raises Unavailable.

    Order: a record never takes the place of one with a later event time, whoever writes it and when; of equal times
    the last write stays, so that a replay is harmless. Versions of a view make no difference to that.
    Watermark: the event time up to which all updates are in; it becomes visible with the records of its write or
    after them, never before, and never moves back. 0: nothing was written yet.
    """

    def read_many(self, asks: Sequence[Ask]) -> tuple[list[Answer], int]:
        """One answer for each ask, and the watermark as it was when they were read; one round trip.

        A second one where a record has a layout that was not met before.
        """
        ...

    def read_rows(self, view: str, keys: Sequence[bytes]) -> list[Row | None]:
        """Whole records of n keys, for tools: dear, and exact. None where there is none."""
        ...

    def write_many(self, writes: Sequence[Write], watermark_us: int | None = None, log: str = "") -> int:
        """Write, and move the watermark. Returns how many records were newer than what was there.

        log: from whose events the records were computed; how far it is applied moves with the watermark, see
        `applied_us`.
        """
        ...

    def watermark_us(self) -> int:
        """The watermark; one cheap read."""
        ...

    def applied_us(self, log: str) -> int:
        """The event time up to which the updates of one log of events are in; 0: none are."""
        ...

    def clock_us(self) -> int:
        """The time to which a replay has been released, 0 before `set_clock_us`. Live workers do not look at it."""
        ...

    def set_clock_us(self, clock_us: int) -> None:
        """Release a replay up to a time: the feature worker then applies what happened until then, and no more."""
        ...

    def sample_keys(self, view: ViewPlan, n: int) -> list[bytes]:
        """Up to n keys of a view, going on where the last call ended, and from the start again at the end."""
        ...

    def count(self) -> int | None:
        """How many records there are, of all projects; None where counting takes more than one cheap read."""
        ...

    def delete(self, view: str, keys: Sequence[bytes] | None = None) -> None:
        """Remove some records of a view, or all of them."""
        ...

    def clear(self) -> None:
        """Remove everything of this project, watermark included."""
        ...

    def close(self) -> None:
        """Let go of it; what was written stays."""
        ...


def stored_key(prefix: bytes, key: bytes) -> bytes:
    """What a record lies under: prefix and key, the key by its hash when both together are too long."""
    if len(prefix) + len(key) <= MAX_KEY_BYTES:
        return prefix + key
    return prefix + b"#" + hashlib.blake2b(key, digest_size=32).hexdigest().encode()


def newest_only(write: Write) -> Write:
    """The same write without a key twice: its newest record stays, of equal times the last.

    Raises ValueError when the records are not in the view's layout, or are not one for each key.
    """
    if write.records.layout.id != layout_of(write.view).id or len(write.keys) != len(write.records):
        raise ValueError(f"records for view {write.view.name} are not in its layout, or are not one for each key")
    if len(set(write.keys)) == len(write.keys):
        return write
    order = np.argsort(write.records.event_us, kind="stable")
    last = {write.keys[i]: i for i in order.tolist()}
    return Write(write.view, list(last), write.records.take(list(last.values())))
