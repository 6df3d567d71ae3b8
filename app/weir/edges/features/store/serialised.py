"""Words and times as records keep them: Feast's Value messages, without Feast.

A Value is a tag and what it stands for: of a string the length and the UTF-8, of a time seconds since 1970 as a varint.
Source: feast/protos/feast/types/Value.proto (string_val = 2, unix_timestamp_val = 8 in a oneof); Protocol Buffers,
encoding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

_STRING_TAG: Final = b"\x12"
_TIME_TAG: Final = b"\x40"
NOT_A_TIME: Final = -(1 << 63)  # of pandas, which Feast takes for a number of seconds


def codes_of(words: Sequence[str]) -> dict[bytes, float]:
    r"""Each word as it is kept -> its position.

    >>> codes_of(("", "web"))
    {b'\x12\x00': 0.0, b'\x12\x03web': 1.0}
    """
    return {_STRING_TAG + _varint(len(word.encode())) + word.encode(): float(code) for code, word in enumerate(words)}


def code(kept: bytes | None, codes: Mapping[bytes, float]) -> float:
    """The code of a word as it is kept; NaN for null, and for a word that has none."""
    return math.nan if kept is None else codes.get(kept, math.nan)


def seconds(kept: bytes | None) -> float:
    r"""A time as it is kept, seconds since 1970; NaN for null, for what is no time, and for what Feast makes of NaT.

    >>> seconds(b"\x40\xac\x02"), seconds(None)
    (300.0, nan)
    """
    if kept is None or kept[:1] != _TIME_TAG:
        return math.nan
    number = 0
    for place, octet in enumerate(kept[1:11]):
        number |= (octet & 0x7F) << (7 * place)
    signed = number - (1 << 64) if number >> 63 else number
    return math.nan if signed == NOT_A_TIME else float(signed)


def _varint(number: int) -> bytes:
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)
