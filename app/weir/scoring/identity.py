"""Prediction ids and sticky hashes, as columns: the same request gives the same id and the same variant, always."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.chunk import LogPartition

_HEX = np.frombuffer(b"".join(f"{byte:02x}".encode() for byte in range(256)), np.uint16)  # two characters a byte
_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))  # hex digits of a UUID, with a dash between the groups


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A bijection of 64-bit integers whose every output bit depends on every input bit.

    Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (the splitmix64 finaliser).
    """
    x = values + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def prediction_ids(
    place: LogPartition, offsets: npt.NDArray[np.int64], event_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """UUIDv7 of the answers to n requests: uint8[n, 16], big-endian as UUIDs are written.

    48 bits of event time in milliseconds, then 74 bits of a hash of (log, partition, offset), so that whoever scores
    the request makes the same id, again or beside the one who answers it, and the id alone tells its time. Source:
    RFC 9562, section 5.7.

    >>> ids = prediction_ids(LogPartition("log", "t", 0), np.array([7]), np.array([1_372_636_800_000]))
    >>> text(ids).to_pylist()[0][:15]
    '013f9787-6400-7'
    """
    return ids(np.array([seed(place)], np.uint64), offsets, event_ms)


@cache
def seed(place: LogPartition) -> tuple[int, int]:
    """What tells the ids of one partition of a log from those of all others: 128 bits, as two integers."""
    digest = hashlib.blake2b(f"{place.log}\0{place.partition}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def ids(
    seeds: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64], event_ms: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint8]:
    """See prediction_ids; seeds: uint64[n, 2], or [1, 2] where all rows share one."""
    keys = offsets.astype(np.uint64)
    high = mix(keys ^ seeds[:, 0])
    low = mix(keys + seeds[:, 1])
    top = (event_ms.astype(np.uint64) << np.uint64(16)) | np.uint64(0x7000) | (high & np.uint64(0x0FFF))
    bottom = np.uint64(1 << 63) | (low >> np.uint64(2))
    return np.stack([top, bottom], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16)


def text(ids: npt.NDArray[np.uint8]) -> pa.StringArray:
    """The usual 36 characters of each id, without a loop over rows. ids: uint8[n, 16]."""
    n = len(ids)
    digits = _HEX[ids].view(np.uint8).reshape(n, 32)
    out = np.full((n, 36), ord("-"), np.uint8)
    for dashes, (begin, end) in enumerate(_GROUPS):
        out[:, begin + dashes : end + dashes] = digits[:, begin:end]
    offsets = np.arange(n + 1, dtype=np.int32) * 36
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(out))


def sticky(keys: pa.StringArray, salt: str) -> npt.NDArray[np.float64]:
    """A stable number in [0, 1) for each key, salted so that experiments do not share their buckets; null is like "".

    keys: n strings. A polynomial hash over the bytes, then `mix`; float64[n].
    """
    if not len(keys):
        return np.empty(0, np.float64)  # Arrow may give an empty array no buffers
    filled = keys.fill_null("")
    _, offset_buffer, data = filled.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[filled.offset : filled.offset + len(filled) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    begin, end = int(offsets[0]), int(offsets[-1])
    raw = np.frombuffer(data, np.uint8)[begin:end] if data is not None else np.empty(0, np.uint8)
    place = np.arange(end - begin) - np.repeat(offsets[:-1] - begin, lengths)
    weights = mix(np.arange(int(lengths.max(initial=0)) + 1, dtype=np.uint64))
    terms = (raw.astype(np.uint64) + np.uint64(1)) * weights[place]
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    sums = running[offsets[1:] - begin] - running[offsets[:-1] - begin]
    seed = np.frombuffer(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "<u8")[0]
    return (mix(sums ^ seed) >> np.uint64(11)).astype(np.float64) / float(1 << 53)
