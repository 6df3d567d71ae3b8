"""Rows that are led to a node of a model of trees: to either side of what it asks, as near as can be, and with NaN.

Rows that are made at random meet the upper nodes of a tree. A lower one that were read wrongly would be met by few or
none: a threshold one float32 off, a NaN on the other side, children exchanged, another weight in a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.trees.ensemble import Floats, Ints
from weir.trees.graph import Plan

DEEP: Final = 512  # nodes above one; a node below more is not led to
INF: Final = np.float32(np.inf)


@dataclass(slots=True)
class _Open:
    """What the nodes above m nodes leave of each of k features: values above `low`, up to `high`. float32[m, k].

    nan: bool[m], whether a row comes to its node with NaN in what that asks for. reached: bool[m], whether with any
    value.
    """

    low: Floats
    high: Floats
    nan: npt.NDArray[np.bool_]
    reached: npt.NDArray[np.bool_]


class Paths:
    """The way to every node of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._ensemble = ensemble = plan.ensemble
        self.nodes = len(ensemble.feature)
        used, self._feature = np.unique(ensemble.feature, return_inverse=True)
        self._columns = used if plan.columns is None else plan.columns[used]
        self._parent = np.full(self.nodes, -1, np.int32)
        self._is_right = np.zeros(self.nodes, np.bool_)
        for children, right in ((ensemble.left, False), (ensemble.right, True)):
            inner = np.flatnonzero(children >= 0)
            self._parent[children[inner]], self._is_right[children[inner]] = inner, right

    def rows(self, golden: Floats, nodes: Ints, rng: np.random.Generator) -> Floats:
        """float32[n, w]: of golden rows, float32[g, w], up to three that come to each of these nodes.

        One goes left there and one goes right, by values that differ by one float32, and one has NaN. A side to which
        no value leads has none. Beside sets above it a row may come elsewhere: what is no member is not looked for.
        """
        room = self._room(nodes, rng)
        nodes, nan = nodes[room.reached], room.nan[room.reached]
        low, high = room.low[room.reached], room.high[room.reached]
        base = golden[rng.integers(0, len(golden), len(nodes))]
        base[:, self._columns] = _within(base[:, self._columns], low, high)
        at, column = np.arange(len(nodes)), self._feature[nodes]
        value = self._asked(nodes, rng)
        with np.errstate(over="ignore"):
            above = np.nextafter(value, INF)
        low, high = low[at, column], high[at, column]
        sides = (
            (value, (value > low) & (value <= high)),
            (above, (above > low) & (above <= high)),
            (np.full(len(nodes), np.nan, np.float32), nan),
        )
        return np.concatenate([self._having(base, column, *side) for side in sides])

    def _having(self, base: Floats, column: Any, value: Floats, which: npt.NDArray[np.bool_]) -> Floats:
        made = base[which]
        made[np.arange(len(made)), self._columns[column[which]]] = value[which]
        return made

    def _room(self, nodes: Ints, rng: np.random.Generator) -> _Open:
        """What every node above these leaves."""
        shape = len(nodes), len(self._columns)
        room = _Open(
            np.full(shape, -INF),
            np.full(shape, INF),
            np.ones(len(nodes), np.bool_),
            np.ones(len(nodes), np.bool_),
        )
        at, below = np.arange(len(nodes)), nodes
        for _ in range(DEEP):
            inner = self._parent[below] >= 0
            at, below = at[inner], below[inner]
            if not len(at):
                break
            self._pass(room, nodes, at, below, rng)
            below = self._parent[below]
        room.reached[at] = False
        room.reached &= (room.low < room.high).all(axis=1)
        return room

    def _pass(self, room: _Open, nodes: Ints, at: Any, below: Ints, rng: np.random.Generator) -> None:
        """Take away what does not go from the parent of a node `below` to that."""
        ensemble, above, right = self._ensemble, self._parent[below], self._is_right[below]
        column, value, one_of = self._feature[above], self._asked(above, rng), ensemble.is_set[above]
        high = np.where(right, INF, value)  # of a set: to its left by a member, and to its right by whatever comes
        low = np.where(right & ~one_of, value, -INF)
        member = one_of & ~right
        low[member] = np.nextafter(value[member], -INF)
        room.low[at, column] = np.maximum(room.low[at, column], low)
        room.high[at, column] = np.minimum(room.high[at, column], high)
        room.nan[at] &= (column != self._feature[nodes[at]]) | (right == ensemble.nan_right[above])

    def _asked(self, nodes: Ints, rng: np.random.Generator) -> Floats:
        """float32 for each node: its threshold, or any one of its members; NaN where it has none."""
        ensemble = self._ensemble
        value = ensemble.threshold[nodes].astype(np.float32)
        sets = np.flatnonzero(ensemble.is_set[nodes])
        start, end = ensemble.member_start[nodes[sets]], ensemble.member_start[nodes[sets] + 1]
        chosen = start + (rng.random(len(sets)) * (end - start)).astype(np.int32)
        known = np.append(ensemble.members, np.float32(np.nan))
        value[sets] = known[np.where(start < end, chosen, len(known) - 1)]
        return value


def _within(values: Floats, low: Floats, high: Floats) -> Floats:
    """Values, float32[m, k], above `low` and up to `high`: others are replaced by the nearest on a side that ends."""
    bounded = (low > -INF) | (high < INF)
    outside = bounded & ~((values > low) & (values <= high))
    with np.errstate(over="ignore"):
        return np.where(outside, np.where(high < INF, high, np.nextafter(low, INF)), values)
