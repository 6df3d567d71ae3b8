"""Spans of time as people write them: 30s, 5m, 1h, 28d."""

from __future__ import annotations

import re
from typing import Final

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
WRITTEN: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
EXAMPLE: Final = "a whole number and one of s, m, h, d, w, such as 5m"


def seconds(text: str) -> int:
    """A span as whole seconds, at least one.

    Raises ValueError.

    >>> seconds("5m"), seconds("28d")
    (300, 2419200)
    """
    found = WRITTEN.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no span of time: write {EXAMPLE}")
    return int(found[1]) * UNITS_S[found[2]]


def written(span_s: int) -> str:
    """The shortest way to write whole seconds; none at all is 0s.

    >>> written(300), written(86_400), written(90)
    ('5m', '1d', '90s')
    """
    if not span_s:
        return "0s"
    unit = next(unit for unit in reversed(UNITS_S) if span_s % UNITS_S[unit] == 0)
    return f"{span_s // UNITS_S[unit]}{unit}"
