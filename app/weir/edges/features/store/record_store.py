"""The online store: packed records by view and entity key, in LMDB or in Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from weir.core.features import ViewPlan
from weir.edges.features.store.record_layout import Records, layout_of

MAX_KEY_BYTES = 511  # LMDB's limit; Redis has none, and keeps the same keys


@dataclass(frozen=True, slots=True)
class Ask:
    """Keys to be read from one view, n of them, as `record_layout.encode_key` makes them."""

    view: ViewPlan
    keys: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Write:
    """Records for one view, n of them, in its layout; of a key that comes twice the newest stays."""

    view: ViewPlan
    keys: Sequence[bytes]
    records: Records


@dataclass(frozen=True, slots=True)
class Answer:
    """Records of one Ask in the order of its keys, and which were found, bool[n]. A record that was not is all zero."""

    records: Records
    found: npt.NDArray[np.bool_]


class RecordStore(Protocol):
    """Packed records by (view, key). Any number of processes read and write; every method raises Unavailable.

    Order: a record never takes the place of one with a later event time, whoever writes it and when; of equal times
    the last write stays, so that a replay is harmless. A record under another layout of its view is always replaced.
    Watermark: the event time up to which all updates are in; it becomes visible with the records of its write or
    after them, never before, and never moves back. 0: nothing was written yet.
    """

    def read_many(self, asks: Sequence[Ask]) -> tuple[list[Answer], int]:
        """One answer for each ask, and the watermark as it was when they were read; one round trip."""
        ...

    def write_many(self, writes: Sequence[Write], watermark_us: int | None = None) -> int:
        """Write, and move the watermark. Returns how many records were newer than what was there."""
        ...

    def watermark_us(self) -> int:
        """The watermark; one cheap read."""
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
    """The same write without a key twice: its newest record stays, of equal times the last."""
    if len(set(write.keys)) == len(write.keys):
        return write
    order = np.argsort(write.records["event_us"], kind="stable")
    last = {write.keys[i]: i for i in order.tolist()}
    return Write(write.view, list(last), write.records[list(last.values())])


def to_bytes(write: Write) -> list[bytes]:
    """The records of a write, one bytes each. Raises ValueError when they are not in the view's layout."""
    layout = layout_of(write.view)
    if write.records.dtype != layout.dtype or len(write.keys) != len(write.records):
        raise ValueError(f"records for view {write.view.name} are not in its layout, or are not one for each key")
    raw, size = write.records.tobytes(), layout.size
    return [raw[at : at + size] for at in range(0, len(raw), size)]
