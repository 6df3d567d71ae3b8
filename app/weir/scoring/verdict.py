"""Which rows of a batch break a rule, and which of their values the signature's default stands in for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from weir.core.beside import Table, values_at
from weir.core.rejects import Reason, Rejects, Stage


class Verdict:
    """The first rule that each row breaks.

    excused: bool[n, k], values that are said to be missing: a NaN there is no caller's number.
    defaulted: bool[n, k], values for which the default stands; bool[n, 0] where there is none.
    """

    def __init__(self, n: int, names: tuple[str, ...], keys: Sequence[str]) -> None:
        """names: of the matrix's columns. keys: of the columns behind them, which no matrix has."""
        self._names = (*names, *keys)
        self._column = np.full(n, -1, np.int32)
        self._rule = np.full(n, -1, np.int32)  # as many rules as columns and reasons
        self._rules: list[tuple[Stage, Reason]] = []
        self.excused = np.zeros((n, len(names)), np.bool_)
        self.defaulted = np.zeros((n, 0), np.bool_)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """bool[n], rows that break none."""
        return self._rule < 0

    def set(self, where: npt.NDArray[np.bool_], stage: Stage, reason: Reason, column: int) -> None:
        """The rows that break a rule, bool[n], by a value of this column; what they broke before stands."""
        fresh = where & self.usable
        self._rules.append((stage, reason))
        self._rule[fresh], self._column[fresh] = len(self._rules) - 1, column

    def set_all(self, where: npt.NDArray[np.bool_], stage: Stage, reason: Reason) -> None:
        """The same by values of any column. where: bool[n, k]; the first that is true names the cause."""
        fresh = where.any(axis=1) & self.usable
        self._rules.append((stage, reason))
        self._rule[fresh], self._column[fresh] = len(self._rules) - 1, where.argmax(axis=1)[fresh]

    def excuse(self, where: npt.NDArray[np.bool_], column: int) -> None:
        """Values of a column, bool[n], that are said to be missing."""
        self.excused[where, column] = True

    def default(self, where: npt.NDArray[np.bool_], columns: int | npt.NDArray[np.intp] | None = None) -> None:
        """Note that defaults were taken there. where: bool[n] or bool[n, c], of one column, of some, or of all."""
        if not where.any():
            return
        if not self.defaulted.shape[1]:
            self.defaulted = np.zeros(self.excused.shape, np.bool_)
        at = slice(None) if columns is None else columns
        self.defaulted[:, at] |= where

    def rejects(self, matrix: npt.NDArray[np.float32], tables: Mapping[int, Table]) -> Rejects:
        """The rows that break a rule, by their numbers in the batch, with the value where it is out of range."""
        rows = np.flatnonzero(self._rule >= 0).astype(np.int32)
        rules = [self._rules[rule] for rule in self._rule[rows]]
        details = tuple(
            f"{self._names[column]} = {_shown(matrix[row : row + 1, column], tables.get(column))}"
            if reason is Reason.OUT_OF_RANGE
            else self._names[column]
            for row, column, (_, reason) in zip(rows, self._column[rows].tolist(), rules, strict=True)
        )
        return Rejects(rows, tuple(stage for stage, _ in rules), tuple(reason for _, reason in rules), details)


def _shown(position: npt.NDArray[np.float32], table: Table | None) -> str:
    """One value of a column, with all the digits that it has beside the matrix."""
    return f"{position[0]:g}" if table is None else str(values_at(position, table)[0])
