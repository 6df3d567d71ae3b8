"""Figures of those who answered the same requests, by the day of the request, UTC: what comparisons are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 86_400_000
LOG_LOSS, BRIER, AUC, ACCURACY = "log_loss", "brier", "auc", "accuracy"
SQUARED, ABSOLUTE = "squared_error", "absolute_error"
VALUE = "value"
GOOD: Final = frozenset({AUC, ACCURACY, VALUE})  # better where it is greater


@dataclass(frozen=True, slots=True)
class Part:
    """One figure of a day. weight: what its sums are over: requests, or 1 of what is no sum. sums: by who answers."""

    weight: float
    sums: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Day:
    """One day. known: outcomes that were known before its first request. figures: by name, first the one that decides.

    A figure that the day has none of is left out.
    """

    begin_ms: int
    requests: int
    known: int
    figures: Mapping[str, Part]
