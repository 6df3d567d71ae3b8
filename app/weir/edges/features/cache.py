"""Records of one feature view, kept in columns: bounded, with a time to live."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

Key = str | int | tuple[str | int, ...]
Slots = npt.NDArray[np.int64]

NOTHING = 0  # the slot that no key has: NaN, not found
EVICT_SHARE = 16  # a full cache gives up a sixteenth at once, so that looking for victims is paid for rarely


class FeatureCache:
    """Slots by key, columns by slot. Absent entities are kept too: asking again would cost as much as a hit is worth.

    A batch first finds its slots, then puts what it fetched. Slots handed out for a batch are pinned while it puts:
    a victim may never be a slot that an earlier key of the same batch was told, or that row would silently get
    another entity's features. Victims are found by second chance (CLOCK).
    """

    def __init__(self, features: int, max_keys: int, dtype: npt.DTypeLike = np.float32) -> None:
        """features: how many. dtype: of their values."""
        if max_keys < 1:
            raise ValueError(f"a cache of {max_keys} keys holds nothing")
        self.max_keys, self._dtype = max_keys, np.dtype(dtype)
        self._slots: dict[Key, int] = {}
        self._keys: list[Key | None] = [None]
        self._free: list[int] = []
        self._hand = 1
        self._columns(features, min(max_keys, 1023) + 1)

    def __len__(self) -> int:
        return len(self._slots)

    def find(self, keys: Sequence[Key]) -> Slots:
        """Slots of n distinct keys, int64[n]; `NOTHING` where a key is not kept."""
        slots = np.fromiter(map(self._slots.get, keys, repeat(NOTHING)), np.int64, len(keys))
        self._used[slots] = True
        return slots

    def fresh(self, slots: Slots, now_us: int, ttl_us: int, mark: int | None) -> npt.NDArray[np.bool_]:
        """Which slots may be used: fetched less than ttl_us away from now, and under this mark (None: any).

        The distance counts in both directions, so that a clock that was set back does not keep entries for ever.
        """
        fresh = np.abs(now_us - self._fetched_us[slots]) < ttl_us
        if mark is not None:
            fresh &= self._mark[slots] == mark
        return np.asarray(fresh & (slots != NOTHING))

    def put(
        self,
        keys: Sequence[Key],
        slots: Slots,
        pinned: Slots,
        columns: tuple[npt.NDArray[np.floating], npt.NDArray[np.int64], npt.NDArray[np.bool_]],
        stamp: tuple[int, int],
    ) -> Slots:
        """Keep what was fetched for m distinct keys; gives their slots, int64[m].

        slots: what `find` said of them; those that had none get one. pinned: every slot that the batch uses.
        columns: values float[m, k], event_us int64[m], found bool[m]. stamp: now_us and mark of the fetch.
        Raises ValueError when the batch alone has more keys than the cache.
        """
        new = np.flatnonzero(slots == NOTHING)
        if len(new):
            slots = slots.copy()
            slots[new] = self._take(len(new), pinned)
            for at, slot in zip(new.tolist(), slots[new].tolist(), strict=True):
                self._slots[keys[at]] = slot
                self._keys[slot] = keys[at]
        self._values[slots], self._event_us[slots], self._found[slots] = columns
        self._fetched_us[slots], self._mark[slots] = stamp
        self._used[slots] = True
        return slots

    def values(self, slots: Slots, out: npt.NDArray[np.floating]) -> None:
        """Copy the values of n slots into out, float[n, k]."""
        out[...] = self._values[slots]

    def event_us(self, slots: Slots) -> npt.NDArray[np.int64]:
        """Event times of n slots; 0 where nothing was found."""
        return self._event_us[slots]

    def found(self, slots: Slots) -> npt.NDArray[np.bool_]:
        """Which of n slots hold a record."""
        return self._found[slots]

    def _columns(self, features: int, capacity: int) -> None:
        self._values = np.full((capacity, features), np.nan, self._dtype)
        self._event_us = np.zeros(capacity, np.int64)
        self._fetched_us = np.zeros(capacity, np.int64)
        self._mark = np.zeros(capacity, np.int64)
        self._found = np.zeros(capacity, bool)
        self._used = np.zeros(capacity, bool)

    def _take(self, n: int, pinned: Slots) -> list[int]:
        room = self.max_keys - len(self._keys) + 1
        fresh = min(room, n - len(self._free))
        if fresh > 0:
            self._free += range(len(self._keys) + fresh - 1, len(self._keys) - 1, -1)
            self._keys += [None] * fresh
            self._grow(len(self._keys))
        if n > len(self._free):
            self._evict(n - len(self._free), pinned)
        taken = self._free[len(self._free) - n :]
        del self._free[len(self._free) - n :]
        return taken

    def _grow(self, needed: int) -> None:
        old = len(self._used)
        if needed <= old:
            return
        small = self._arrays()
        self._columns(self._values.shape[1], min(max(needed, 2 * old), self.max_keys + 1))
        for grown, column in zip(self._arrays(), small, strict=True):
            grown[:old] = column

    def _arrays(self) -> list[npt.NDArray[Any]]:
        """Every column, in one order."""
        return [self._values, self._event_us, self._fetched_us, self._mark, self._found, self._used]

    def _evict(self, needed: int, pinned: Slots) -> None:
        order = np.roll(np.arange(1, len(self._keys)), 1 - self._hand)
        may_go = np.ones(len(self._keys), bool)
        may_go[pinned] = False
        may_go[self._free] = False
        order = order[may_go[order]]
        if len(order) < needed:
            raise ValueError(f"a batch has more keys than the cache holds ({self.max_keys})")
        wanted = min(max(needed, self.max_keys // EVICT_SHARE), len(order))
        unused = order[~self._used[order]][:wanted]
        if len(unused) < wanted:  # the hand went round: everybody's second chance is spent
            self._used[order] = False
            unused = np.concatenate([unused, order[~np.isin(order, unused)][: wanted - len(unused)]])
        else:
            passed = order[: int(np.flatnonzero(order == unused[-1])[0])]
            self._used[passed] = False
        self._hand = int(unused[-1]) % (len(self._keys) - 1) + 1
        for slot in unused.tolist():
            key = self._keys[slot]
            if key is not None:
                del self._slots[key]
            self._keys[slot] = None
        self._free += unused.tolist()
