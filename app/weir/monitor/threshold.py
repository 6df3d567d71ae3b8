"""A bound that a figure is held to: an operator and a number."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
WRITTEN: Final = re.compile(r"(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")
EXAMPLE: Final = "one of > >= < <= and a number, such as > 0.1"


@dataclass(frozen=True, slots=True)
class Threshold:
    """What is said of a figure: `> 0.1`.

    >>> Threshold.of("> 0.1").crossed(0.2), Threshold.of("< 0.68").crossed(0.7)
    (True, False)
    """

    sign: str
    bound: float

    @classmethod
    def of(cls, text: str) -> Threshold:
        """As a header says it. Raises ValueError."""
        found = WRITTEN.fullmatch(text.strip())
        if not found or not math.isfinite(float(found[2])):
            raise ValueError(f"{text!r} is no bound: write {EXAMPLE}")
        return cls(found[1], float(found[2]))

    @property
    def rises(self) -> bool:
        """Whether large figures cross it."""
        return self.sign in (">", ">=")

    def crossed(self, value: float | None) -> bool:
        """Whether it is true of a figure; of none and of NaN it never is."""
        return value is not None and OPERATORS[self.sign](value, self.bound)

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"
