"""Events of one kind in time order, entered into the statistics as the clock passes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]  # int64 or float64, by the column's name
Move = tuple[npt.NDArray[Any], npt.NDArray[Any]]
BEGIN = np.iinfo(np.int64).min // 2  # before every event, with room to subtract a window


@dataclass(frozen=True, slots=True)
class Step:
    """What one advance of the clock moves.

    entering: events that enter, in time order. leaving: for each window, the events that leave it.
    skip: bool[windows, n], late events that a window must not count since they had passed it already; None: none such.
    """

    entering: Columns
    leaving: list[Columns]
    skip: npt.NDArray[np.bool_] | None

    def moves(self, window: int, key: str, value: str) -> tuple[Move, Move]:
        """Columns `key` and `value` of the events that enter one window, and of those that leave it."""
        ids, values = self.entering[key], self.entering[value]
        if self.skip is not None:
            ids, values = ids[~self.skip[window]], values[~self.skip[window]]
        return (ids, values), (self.leaving[window][key], self.leaving[window][value])


class EventLog:
    """A sorted log with one moving head (what has entered) and a tail for each window (what has left it).

    Columns are int64 or float64 arrays, the time `t` (microseconds) among them. Events may be added in any order; one
    that is older than the clock enters with the next step, and only into windows that still hold its time.
    """

    def __init__(self, columns: Mapping[str, type[np.generic]], windows_us: tuple[int, ...]) -> None:
        self.clock = BEGIN
        self._columns = {name: np.empty(1024, dtype) for name, dtype in {"t": np.int64, **columns}.items()}
        self._windows = windows_us
        self._tails = [0] * len(windows_us)
        self._head = self._end = 0
        self._late: list[Columns] = []

    @property
    def has_late(self) -> bool:
        """Whether events wait that are older than the clock."""
        return bool(self._late)

    def add(self, columns: Columns) -> None:
        """Take events in; nothing is counted before `advance`."""
        t = columns["t"]
        if len(t) == 0:
            return
        if len(t) > 1 and (t[1:] < t[:-1]).any():
            columns = _pick(columns, np.argsort(t, kind="stable"))
            t = columns["t"]
        if t[0] <= self.clock:
            late = int(np.searchsorted(t, self.clock, "right"))
            self._late.append(_pick(columns, slice(None, late)))
            columns = _pick(columns, slice(late, None))
            t = columns["t"]
            if len(t) == 0:
                return
        self._reserve(len(t))
        end = self._end + len(t)
        in_order = self._end == self._head or t[0] >= self._columns["t"][self._end - 1]
        for name, column in self._columns.items():
            column[self._end : end] = columns[name]
        self._end = end
        if not in_order:
            self._sort(self._head)

    def advance(self, clock: int) -> Step:
        """Move the clock forward, to `clock` inclusive: time t is in the window w when clock - w < t <= clock."""
        before, self.clock = self.clock, clock
        head = self._head + int(np.searchsorted(self._columns["t"][self._head : self._end], clock, "right"))
        entering: Columns = {name: column[self._head : head] for name, column in self._columns.items()}
        skip = None
        self._head = head
        if self._late:
            late = {name: np.concatenate([part[name] for part in self._late]) for name in self._columns}
            self._late = []
            entering = {name: np.concatenate([late[name], entering[name]]) for name in late}
            entering = _pick(entering, np.argsort(entering["t"], kind="stable"))
            past = np.array([before - window for window in self._windows], np.int64).reshape(-1, 1)
            skip = entering["t"][None, :] <= past
            self._insert_entered(late)
            t = self._columns["t"][: self._head]
            self._tails = [int(np.searchsorted(t, before - window, "right")) for window in self._windows]
        leaving: list[Columns] = []
        for number, window in enumerate(self._windows):
            tail = self._tails[number]
            end = tail + int(np.searchsorted(self._columns["t"][tail : self._head], clock - window, "right"))
            leaving.append({name: column[tail:end] for name, column in self._columns.items()})
            self._tails[number] = end
        return Step(entering, leaving, skip)

    def _insert_entered(self, late: Columns) -> None:
        n = len(late["t"])
        self._reserve(n)
        for name, column in self._columns.items():
            column[self._head + n : self._end + n] = column[self._head : self._end].copy()
            column[self._head : self._head + n] = late[name]
        self._head += n
        self._end += n
        self._sort(0, self._head)

    def _sort(self, start: int, stop: int | None = None) -> None:
        part = slice(start, self._end if stop is None else stop)
        order = np.argsort(self._columns["t"][part], kind="stable")
        for column in self._columns.values():
            column[part] = column[part][order]

    def _reserve(self, more: int) -> None:
        capacity = len(self._columns["t"])
        if self._end + more <= capacity:
            return
        gone = min(self._tails, default=self._head)  # before every tail: nobody reads it again
        live = self._end - gone
        while live + more > capacity // 2:
            capacity *= 2
        for name, column in self._columns.items():
            moved = np.empty(capacity, column.dtype)
            moved[:live] = column[gone : self._end]
            self._columns[name] = moved
        self._head, self._end = self._head - gone, live
        self._tails = [tail - gone for tail in self._tails]


def _pick(columns: Columns, which: slice | npt.NDArray[np.int64]) -> Columns:
    return {name: column[which] for name, column in columns.items()}
