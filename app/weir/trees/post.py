"""What becomes of a tree ensemble's sums: base values, transforms, and what the graph does behind the operator.

Each is a value that says what is done to the columns of a row, m of them; `post_code` writes it as
instructions.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Add:
    """Add a constant to each column, or one to all."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Multiply:
    """Multiply each column by a constant, or all by one."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Divide:
    """Divide all columns by a number."""

    by: float


@dataclass(frozen=True, slots=True)
class Complement:
    """One column p becomes two, 1 - p and p."""


@dataclass(frozen=True, slots=True)
class Opposite:
    """One column x becomes two, -x and x."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """1 / (1 + exp(-x)) of each column."""


@dataclass(frozen=True, slots=True)
class Softmax:
    """exp(x) of each column, divided by their sum."""


@dataclass(frozen=True, slots=True)
class Take:
    """Some of the columns, by their numbers."""

    columns: tuple[int, ...]


Step = Add | Multiply | Divide | Complement | Opposite | Logistic | Softmax | Take


def width(columns: int, steps: tuple[Step, ...]) -> int:
    """How many columns there are after the steps.

    >>> width(1, (Complement(), Take((1,))))
    1
    """
    for step in steps:
        if isinstance(step, Complement | Opposite):
            columns = 2
        elif isinstance(step, Take):
            columns = len(step.columns)
    return columns


def widest(columns: int, steps: tuple[Step, ...]) -> int:
    """How many columns there are at most on the way."""
    return max(width(columns, steps[:i]) for i in range(len(steps) + 1))


def transformed(columns: int, steps: tuple[Step, ...]) -> int:
    """How many columns the steps take an exponential of, a column counted as often as that is done.

    >>> transformed(3, (Softmax(), Take((1,)), Logistic()))
    4
    """
    return sum(width(columns, steps[:i]) for i, step in enumerate(steps) if isinstance(step, Logistic | Softmax))
