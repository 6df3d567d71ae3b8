"""What float32 does not hold: texts, and numbers of more digits. A matrix has their positions, a table the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Table: TypeAlias = Sequence[str] | npt.NDArray[np.number[Any]]  # of numbers float64 or int64
Tables: TypeAlias = Mapping[int, Table]  # by column of the matrix, ascending

NO_TABLES: Final[Tables] = MappingProxyType({})


def values_at(positions: npt.NDArray[np.floating], table: Table) -> npt.NDArray[Any]:
    """The values at n positions: object[n], float64[n] or int64[n].

    For what is no position, such as NaN, an infinity, or one past the end, an empty text, NaN, or 0.

    >>> values_at(np.array([1, np.nan], np.float32), ["a", "b"]).tolist()
    ['b', '']
    >>> values_at(np.array([0, 9, np.inf, -np.inf], np.float32), np.array([2**60])).tolist()
    [1152921504606846976, 0, 0, 0]
    """
    there = (positions >= 0) & (positions < len(table))  # NaN is not
    return _ended(table)[np.where(there, positions, len(table)).astype(np.int64)]


def with_last(table: Table, value: str | float) -> Table:
    """The table with a value behind its own.

    >>> with_last(["a"], "b"), with_last(np.array([2**60]), 7).tolist()
    (['a', 'b'], [1152921504606846976, 7])
    """
    if isinstance(table, np.ndarray):
        return np.append(table, np.array([value], table.dtype))
    return [*table, str(value)]


def _ended(table: Table) -> npt.NDArray[Any]:
    """The table as an array, and behind it what stands for no value."""
    if isinstance(table, np.ndarray):
        return np.append(table, np.array([np.nan if table.dtype == np.float64 else 0], table.dtype))
    return np.array([*table, ""], object)
