"""Count and sum per entity over a sliding window, kept by adding what enters and subtracting what leaves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Table:
    """Arrays indexed by entity number that grow with the entities; the last element belongs to `keys.NONE` (-1).

    touched: which entities changed since the last `take_touched`.
    """

    def __init__(self, columns: int) -> None:
        self.cells = np.zeros((columns, 64))
        self._touched = np.zeros(64, bool)

    def fit(self, entities: int) -> None:
        """Make room for that many entities."""
        capacity = self.cells.shape[1]
        if entities < capacity:
            return
        while capacity <= entities:
            capacity *= 2
        cells = np.zeros((self.cells.shape[0], capacity))
        touched = np.zeros(capacity, bool)
        old = self.cells.shape[1] - 1
        cells[:, :old], touched[:old] = self.cells[:, :old], self._touched[:old]
        self.cells, self._touched = cells, touched

    def touch(self, ids: npt.NDArray[np.int64]) -> None:
        """Mark entities as changed."""
        self._touched[ids] = True

    def take_touched(self) -> npt.NDArray[np.int64]:
        """Numbers of the changed entities, ascending; none is changed afterwards."""
        ids = np.flatnonzero(self._touched[:-1])
        self._touched[:] = False
        return ids


def slide(
    table: Table,
    count: int,
    total: int | None,
    entering: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]],
    leaving: tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]],
) -> None:
    """Move one window of `table`: row `count` holds how many events, row `total` (if any) the sum of their values.

    entering, leaving: entity numbers and values of the events. Sums are float64: exact for whole numbers below 2**53,
    and set back to 0 when the window is empty, so that rounding of other values cannot pile up.
    """
    for (ids, values), sign in ((entering, 1.0), (leaving, -1.0)):
        if len(ids) == 0:
            continue
        table.touch(ids)
        np.add.at(table.cells[count], ids, sign)
        if total is not None:
            np.add.at(table.cells[total], ids, values * sign)
            if sign < 0:
                table.cells[total][ids[table.cells[count][ids] == 0]] = 0.0


def smoothed(
    total: npt.NDArray[np.float64], count: npt.NDArray[np.float64], prior: float, weight: float
) -> npt.NDArray[np.float64]:
    """Mean drawn towards `prior` as if `weight` events of that value had been seen.

    Source: additive smoothing (m-estimate), Cestnik 1990, Estimating probabilities.

    >>> smoothed(np.array([0.0, 30.0]), np.array([0.0, 5.0]), 12.0, 5.0).tolist()
    [12.0, 9.0]
    """
    smooth: npt.NDArray[np.float64] = (total + prior * weight) / (count + weight)
    return smooth
