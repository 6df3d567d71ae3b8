"""Features as read for a micro-batch, and the plan by which they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.breaker import BreakerState


class Status(IntEnum):
    """State of a value read from the online store. The numbers up to 4 are Feast's `FieldStatus`."""

    PRESENT = 1
    NULL = 2
    NOT_FOUND = 3
    STALE = 4  # older than the view's ttl (Feast: OUTSIDE_MAX_AGE), or kept while the store did not answer
    UNAVAILABLE = 5  # the store did not answer, and no earlier answer was kept


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """How one feature view is read.

    join_keys: request columns in the order in which they make the stored key (sorted by name, as Feast does).
    key_types: what each of them holds, "STRING" or "INT64"; all are STRING where none is given.
    features: names within the view, in stored order. dtypes: numpy names ("float32", "int64", ...), same order.
    ttl_s: Feast's `ttl` in seconds, 0 when the view has none.
    """

    name: str
    join_keys: tuple[str, ...]
    features: tuple[str, ...]
    dtypes: tuple[str, ...]
    ttl_s: float
    key_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.key_types:
            object.__setattr__(self, "key_types", ("STRING",) * len(self.join_keys))


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A Feast feature service, resolved: everything the hot path needs, so that it never imports Feast.

    fingerprint: hash of the definitions; a bundle names the one that it was trained on.
    """

    project: str
    service: str
    views: tuple[ViewPlan, ...]
    fingerprint: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Each feature as "view__feature", in the order of FeatureBlock.values."""
        return tuple(f"{view.name}__{feature}" for view in self.views for feature in view.features)


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Feature values for n requests over v views and k features.

    values: float32[n, k], NaN where there is none; column order is `ServicePlan.columns`.
    event_us: int64[n, v], event time of the record, microseconds since the epoch UTC; 0 where there is none.
    found: bool[n, v].
    hits, lookups: cache hits and keys looked up, over all views.
    unavailable: bool[n, v], where the store should have been asked and did not answer in time: what is found there is
    the last answer, of unknown worth since; None when there is none such. store: whether the store is being asked.
    """

    values: npt.NDArray[np.float32]
    event_us: npt.NDArray[np.int64]
    found: npt.NDArray[np.bool_]
    hits: int
    lookups: int
    unavailable: npt.NDArray[np.bool_] | None = None
    store: BreakerState = BreakerState.CLOSED


class Lookup(Protocol):
    """Reads features for a batch. Implemented by edges.feature_reader."""

    plan: ServicePlan

    def read(self, keys: Mapping[str, pa.Array], now_us: int) -> FeatureBlock:
        """keys: join key -> n values (string or int64; null allowed: not found)."""
        ...
