"""Features as read for a micro-batch, and the plan by which they are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
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


NUMBERS = ("float32", "float64", "int32", "int64", "bool")  # dtypes, as numpy names them
WHOLE = ("int32", "int64", "bool")  # those without fractions
WORD, TIME = "String", "UnixTimestamp"  # dtypes that a model reads as a code and as an age, as Feast names them
LONG = frozenset(("float64", "int32", "int64", TIME))  # of more digits than float32 has
REQUEST_KEYS = ("STRING", "INT64")  # types of a join key that a request can carry


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """One feature view, or those of its features that are read.

    join_keys: request columns in the order in which they make the stored key (sorted by name, as Feast does).
    key_types: what each of them holds, "STRING" or "INT64"; all are STRING where none is given.
    features: names within the view. dtypes: of NUMBERS, or Feast's own name for what is no number: WORD, TIME,
    "Array(String)" and the like.
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

    @property
    def value_dtype(self) -> np.dtype[np.floating]:
        """What its values are read as: float32, or float64 where one of them has more digits."""
        return np.dtype(np.float64 if LONG.intersection(self.dtypes) else np.float32)

    def only(self, features: Iterable[str]) -> ViewPlan:
        """The same view with these of its features, in this order."""
        dtypes = dict(zip(self.features, self.dtypes, strict=True))
        names = tuple(features)
        return replace(self, features=names, dtypes=tuple(dtypes[name] for name in names))


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A Feast feature service, resolved: everything the hot path needs, so that it never imports Feast."""

    project: str
    service: str
    views: tuple[ViewPlan, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Each feature as "view__feature", in the order of FeatureBlock.values."""
        return tuple(f"{view.name}__{feature}" for view in self.views for feature in view.features)

    @property
    def dtypes(self) -> dict[str, str]:
        """The dtype of each column, as the views name them."""
        return dict(zip(self.columns, (dtype for view in self.views for dtype in view.dtypes), strict=True))

    @property
    def value_dtype(self) -> np.dtype[np.floating]:
        """What all its values together are read as."""
        return np.result_type(np.float32, *(view.value_dtype for view in self.views))

    @property
    def readable(self) -> tuple[str, ...]:
        """The columns that are numbers, of views whose keys a request can carry."""
        return tuple(
            f"{view.name}__{feature}"
            for view in self.views
            if set(view.key_types) <= set(REQUEST_KEYS)
            for feature, dtype in zip(view.features, view.dtypes, strict=True)
            if dtype in NUMBERS
        )

    @property
    def fingerprint(self) -> str:
        """Hash of all on which the values of these columns depend by definition: names, types, keys, ttl. 64 hex.

        That of `reading(...)` stays the same whatever else the views or the service get or lose.
        """
        text = json.dumps([self.project, [asdict(view) for view in self.views]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def reading(self, columns: Iterable[str]) -> ServicePlan:
        """The plan of these columns alone, views and features in the order in which they are first named.

        Raises ValueError naming columns that the service does not have, or that no model can read.
        """
        wanted = tuple(dict.fromkeys(columns))
        dtypes = self.dtypes
        if unknown := [column for column in wanted if column not in dtypes]:
            there = ", ".join(self.columns)
            raise ValueError(f"feature service {self.service} has no {', '.join(unknown)}; it has {there}")
        readable = (*NUMBERS, WORD, TIME)
        if others := [f"{column} is {dtypes[column]}" for column in wanted if dtypes[column] not in readable]:
            what = f"a model reads numbers, words and times, and of feature service {self.service} {', '.join(others)}"
            raise ValueError(what)
        views = {view.name: view for view in self.views}
        chosen: dict[str, list[str]] = {}
        for column in wanted:
            view, _, feature = column.partition("__")
            chosen.setdefault(view, []).append(feature)
        return replace(self, views=tuple(views[name].only(features) for name, features in chosen.items()))


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Feature values for n requests over v views and k features.

    values: float[n, k], NaN where there is none; column order is `ServicePlan.columns`. Of a word its code, NaN for one
    that has none; of a time seconds since 1970. Where one has more digits than float32 all are float64, which has whole
    numbers up to 2**53; else float32.
    event_us: int64[n, v], event time of the record, microseconds since the epoch UTC; 0 where there is none.
    found: bool[n, v].
    hits, lookups: cache hits and keys looked up, over all views. incomplete: records that were read and lack a feature
    asked for, since they were written under another version of their view.
    unavailable: bool[n, v], where the store should have been asked and did not answer in time: what is found there is
    the last answer, of unknown worth since; None when there is none such. store: whether the store is being asked.
    """

    values: npt.NDArray[np.floating]
    event_us: npt.NDArray[np.int64]
    found: npt.NDArray[np.bool_]
    hits: int
    lookups: int
    unavailable: npt.NDArray[np.bool_] | None = None
    store: BreakerState = BreakerState.CLOSED
    incomplete: int = 0


class Lookup(Protocol):
    """Reads features for a batch. Implemented by edges.features.reader."""

    plan: ServicePlan

    def read(self, keys: Mapping[str, pa.Array], now_us: int) -> FeatureBlock:
        """keys: join key -> n values (string or int64; null allowed: not found)."""
        ...
