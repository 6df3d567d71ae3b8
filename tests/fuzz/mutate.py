"""Ways to spoil bytes: blind ones, and those that know what an Avro decoder trusts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

# What a decoder meets rarely: bounds of 32 and 64 bits, numbers that end nowhere, wrong branches, text that is none,
# and the mark that Weir's decoder puts behind records.
TOKENS: Final = (
    b"\x00",
    b"\x01",
    b"\x02",
    b"\x03",
    b"\x04",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\x80" * 9 + b"\x01",
    b"\x80" * 9 + b"\x02",
    b"\x80" * 12,
    b"\xff" * 9 + b"\x01",
    b"\xff" * 9 + b"\x7f",
    b"\xff" * 12,
    b"\xfe\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x10",
    b"\x80\x80\x80\x80\x40",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x80\x00",
    b"\x82\x80\x00",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xc3\x28",
    b"\x00\x00\xc0\x7f",
    b"\x00\x00\x80\xff",
    b"weir:end",
    b"weir:en",
    b"eir:end",
    b"\x00\x00\x00\x00\x07",
    b"\x00\x00\x00\x00\x08",
)

_FEW: Final = bytes((0, 1, 2, 4, 128, 255)[octet % 6] for octet in range(256))

T = TypeVar("T")
Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def spoilt(random: Random, good: bytes, others: Sequence[bytes]) -> bytes:
    """`good` after one to four mutations. others: where splices come from."""
    for _ in range(_pick(random, (1, 1, 1, 2, 3, 4))):
        good = _pick(random, MUTATIONS)(random, good, others)
    return good


def noise(random: Random, most: int) -> bytes:
    """Up to `most` random bytes, small ones and 0xff more often."""
    size = _to(random, most)
    return random.randbytes(size) if random.random() < 0.5 else random.randbytes(size).translate(_FEW)


def _pick(random: Random, among: Sequence[T]) -> T:
    """As `random.choice`, in a third of its time."""
    return among[int(random.random() * len(among))]


def _to(random: Random, most: int) -> int:
    """0 to `most`, both possible."""
    return int(random.random() * (most + 1))


def _flip(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    if not good:
        return good
    out = bytearray(good)
    for _ in range(_pick(random, (1, 1, 2, 8))):
        out[_to(random, len(out) - 1)] ^= 1 << _to(random, 7)
    return bytes(out)


def _set(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    at, token = _to(random, len(good)), _pick(random, TOKENS)
    return good[:at] + token + good[at + len(token) :]


def _insert(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    at = _to(random, len(good))
    return good[:at] + _pick(random, TOKENS) + good[at:]


def _replace_one(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    """A token in the place of a single byte: a length or a branch that becomes another."""
    at = _to(random, len(good))
    return good[:at] + _pick(random, TOKENS) + good[at + 1 :]


def _cut(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    return good[: _to(random, len(good))]


def _append(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    return good + _pick(random, TOKENS) if random.random() < 0.5 else noise(random, 24)


def _delete(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    lo, hi = sorted((_to(random, len(good)), _to(random, len(good))))
    return good[:lo] + good[hi:]


def _repeat(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    lo, hi = sorted((_to(random, len(good)), _to(random, len(good))))
    return good[:hi] + good[lo:hi] * _pick(random, (1, 1, 2, 5)) + good[hi:]


def _splice(random: Random, good: bytes, others: Sequence[bytes]) -> bytes:
    other = _pick(random, others)
    return good[: _to(random, len(good))] + other[_to(random, len(other)) :]


def _noise(random: Random, good: bytes, _: Sequence[bytes]) -> bytes:
    return good[: _pick(random, (0, 1, 5))] + noise(random, 120)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip,
    _flip,
    _set,
    _insert,
    _replace_one,
    _replace_one,
    _cut,
    _append,
    _delete,
    _repeat,
    _splice,
    _noise,
)
