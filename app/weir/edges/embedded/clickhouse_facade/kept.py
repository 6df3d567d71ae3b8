"""What was found out about texts, for when they come again: dashboards and monitors ask the same ones over and over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, those that were used last. May be used by many threads.

    most: of what the values are said to weigh together.

    >>> kept = Kept[str, int](10)
    >>> kept.put("a", 1, 6)
    >>> kept.put("b", 2, 6)
    >>> kept.get("a"), kept.get("b")
    (None, 2)
    """

    def __init__(self, most: int) -> None:
        self._most, self._weight = most, 0
        self._known: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value; None where there is none, or none any more."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep a value; one that alone weighs more than all may is not kept."""
        if weight > self._most:
            return
        with self._lock:
            self._weight += weight - self._known.pop(key, (value, 0))[1]
            self._known[key] = value, weight
            while self._weight > self._most:
                self._weight -= self._known.popitem(last=False)[1][1]
