"""Features for a micro-batch: cached columns first, one read of the online store for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.breaker import Breaker, BreakerState
from weir.core.features import WORD, FeatureBlock, ServicePlan
from weir.edges.features import plan as feature_plan
from weir.edges.features.cache import NOTHING, FeatureCache, Key, Slots
from weir.edges.features.lookup_guard import LookupGuard
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.open import is_local, open_store
from weir.edges.features.store.record_store import Answer, Ask, RecordStore
from weir.edges.features.store.serialised import codes_of
from weir.settings import Settings

T = TypeVar("T")


class FeatureReader:
    """core.features.Lookup over a record store. One thread at a time.

    ttl_us: how old a cached record may be, by the clock that `read` is given. revalidate_on_watermark: also ask the
    store again for whatever was read before its watermark last moved. That makes reads exact in a replay by event
    time, where one step of the features stands for an hour; in live running the watermark moves all the time, and the
    time to live alone bounds how old a value may be.
    words: of columns that are words, column -> the words whose position is read; of any other word NaN is.
    guard: bounds the time that the store may take, and stops asking one that does not answer; what was read before is
    then served as unavailable, however old. Without a guard a store that does not answer raises.
    """

    def __init__(
        self,
        plan: ServicePlan,
        store: RecordStore,
        *,
        max_keys: int,
        ttl_us: int,
        revalidate_on_watermark: bool,
        guard: LookupGuard | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.plan = plan
        self._store = store
        self._max_rows = max_keys
        self._ttl_us = ttl_us
        self._revalidate = revalidate_on_watermark
        self._guard = guard
        self._caches = [FeatureCache(len(view.features), max_keys, view.value_dtype) for view in plan.views]
        self._words = [
            {
                feature: codes_of((words or {}).get(f"{view.name}__{feature}", ()))
                for feature, dtype in zip(view.features, view.dtypes, strict=True)
                if dtype == WORD
            }
            for view in plan.views
        ]
        self._incomplete = 0  # in the batch that is being read
        ends = np.cumsum([0, *(len(view.features) for view in plan.views)]).tolist()
        self._spans = [slice(begin, end) for begin, end in pairwise(ends)]

    @staticmethod
    def of(
        settings: Settings,
        service: str,
        columns: Iterable[str] | None = None,
        words: Mapping[str, Sequence[str]] | None = None,
    ) -> FeatureReader:
        """A reader of these columns of a feature service, or of all that are numbers, as the settings say.

        words: see FeatureReader.
        Raises Refused: the service was not applied, lacks a column, or no model can read one. Raises Unavailable.
        """
        if columns is None:
            columns = feature_plan.load(settings, service).readable
        plan = feature_plan.load_columns(settings, service, columns)
        breaker = Breaker(settings.features.lookup_failures, settings.features.lookup_retry_s)
        return FeatureReader(
            plan,
            open_store(settings, plan.project),
            max_keys=settings.features.cache_max_keys,
            ttl_us=int(settings.features.cache_ttl_s * 1e6),
            revalidate_on_watermark=settings.scoring.clock == "event",
            guard=LookupGuard(breaker, settings.features.lookup_budget_ms / 1000, own_thread=not is_local(settings)),
            words=words,
        )

    def close(self) -> None:
        """Let go of the store."""
        if self._guard is not None:
            self._guard.close()
        self._store.close()

    def read(self, keys: Mapping[str, pa.Array], now_us: int) -> FeatureBlock:
        """Features of n requests. Raises ValueError when a join key is not in `keys`; without a guard also Unavailable.

        keys: join key -> n values, string or integer; a null in any part of a key is "not found". now_us: time by
        which cached records age, microseconds; wall or event time, but always the same one.
        """
        missing = {name for view in self.plan.views for name in view.join_keys} - keys.keys()
        if missing:
            raise ValueError(f"join keys are missing: {', '.join(sorted(missing))}")
        n = len(next(iter(keys.values())))
        block = FeatureBlock(
            np.empty((n, len(self.plan.columns)), self.plan.value_dtype),
            np.empty((n, len(self.plan.views)), np.int64),
            np.empty((n, len(self.plan.views)), bool),
            0,
            0,
        )
        away = np.zeros((n, len(self.plan.views)), bool)
        self._incomplete = 0
        hits = lookups = 0
        if self._guard is not None:
            self._guard.begin()
        for begin in range(0, n, self._max_rows):  # so that a batch never has more keys than a cache
            rows = slice(begin, min(begin + self._max_rows, n))
            part = {name: column.slice(begin, rows.stop - begin) for name, column in keys.items()}
            part_hits, part_lookups = self._read(part, now_us, rows, block, away)
            hits, lookups = hits + part_hits, lookups + part_lookups
        if self._guard is not None:
            self._guard.end()
        state = BreakerState.CLOSED if self._guard is None else self._guard.state
        return replace(
            block,
            hits=hits,
            lookups=lookups,
            store=state,
            unavailable=away if away.any() else None,
            incomplete=self._incomplete,
        )

    def _read(
        self, keys: Mapping[str, pa.Array], now_us: int, rows: slice, block: FeatureBlock, away: npt.NDArray[np.bool_]
    ) -> tuple[int, int]:
        mark = self._ask(self._store.watermark_us) if self._revalidate else None
        unknown = self._revalidate and mark is None  # nobody can say whether anything kept is still the newest
        codes = _Codes(keys)
        wanted: list[_Wanted] = []
        hits = lookups = 0
        for view, cache in zip(self.plan.views, self._caches, strict=True):
            distinct = codes.of(view.join_keys)
            slots = cache.find(distinct.keys)
            fresh = cache.fresh(slots, now_us, self._ttl_us, mark)
            stale = np.arange(len(slots)) if unknown else np.flatnonzero(~fresh)
            absent = [distinct.keys[i] for i in stale.tolist()]
            wanted.append(_Wanted(distinct, slots, stale, absent))
            lookups += len(slots)
            hits += len(slots) - len(stale)
        fetched = self._fetch(wanted, now_us)
        for number, (want, cache, span) in enumerate(zip(wanted, self._caches, self._spans, strict=True)):
            slots = np.append(want.slots, NOTHING)[want.distinct.codes]
            cache.values(slots, block.values[rows, span])
            block.event_us[rows, number] = cache.event_us(slots)
            block.found[rows, number] = cache.found(slots)
            if not fetched:
                away[rows, number] = want.unanswered()
        return hits, lookups

    def _ask(self, call: Callable[[], T]) -> T | None:
        return call() if self._guard is None else self._guard.ask(call)

    def _fetch(self, wanted: list[_Wanted], now_us: int) -> bool:
        """Put into the caches what is not fresh in them; False when the store does not answer."""
        asking = [number for number, want in enumerate(wanted) if want.absent]
        if not asking:
            return True
        asks = [
            Ask(
                self.plan.views[number],
                [encode_key(key if isinstance(key, tuple) else (key,)) for key in wanted[number].absent],
                self._words[number],
            )
            for number in asking
        ]
        answered = self._ask(lambda: self._store.read_many(asks))
        if answered is None:
            return False
        self._put(wanted, asking, answered, now_us)
        return True

    def _put(self, wanted: list[_Wanted], asking: list[int], answered: tuple[list[Answer], int], now_us: int) -> None:
        answers, mark = answered
        for number, answer in zip(asking, answers, strict=True):
            want = wanted[number]
            self._incomplete += answer.incomplete
            columns = (answer.values, answer.event_us, answer.found)
            want.slots[want.stale] = self._caches[number].put(
                want.absent, want.slots[want.stale], want.slots, columns, (now_us, mark)
            )


@dataclass(frozen=True, slots=True)
class _Distinct:
    """Distinct keys of a batch, and for each row the position of its key; `len(keys)` where a part is null."""

    keys: list[Key]
    codes: npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One view's share of a batch: slots by distinct key, which of them must be fetched, and their keys."""

    distinct: _Distinct
    slots: Slots
    stale: npt.NDArray[np.int64]
    absent: list[Key]

    def unanswered(self) -> npt.NDArray[np.bool_]:
        """Rows whose key was to be fetched; a row with a null in its key has none."""
        due = np.zeros(len(self.slots) + 1, bool)
        due[self.stale] = True
        rows: npt.NDArray[np.bool_] = due[self.distinct.codes]
        return rows


class _Codes:
    """Dictionary encoding of join key columns, once for each column and combination that views share."""

    def __init__(self, columns: Mapping[str, pa.Array]) -> None:
        self._columns = columns
        self._known: dict[tuple[str, ...], _Distinct] = {}

    def of(self, join_keys: tuple[str, ...]) -> _Distinct:
        known = self._known.get(join_keys)
        if known is None:
            known = self._one(join_keys[0]) if len(join_keys) == 1 else self._several(join_keys)
            self._known[join_keys] = known
        return known

    def _one(self, name: str) -> _Distinct:
        column = self._columns[name]
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if isinstance(column, pa.DictionaryArray):  # its values may repeat, or not occur at all
            column = column.dictionary_decode()
        encoded = column.dictionary_encode()
        indices, distinct = encoded.indices, encoded.dictionary.to_pylist()
        if indices.null_count:
            indices = indices.fill_null(len(distinct))
        return _Distinct(distinct, indices.to_numpy())

    def _several(self, names: tuple[str, ...]) -> _Distinct:
        parts = [self.of((name,)) for name in names]
        code = np.zeros(len(parts[0].codes), np.int64)
        null = np.zeros(len(code), bool)
        for part in parts:
            code = code * (len(part.keys) + 1) + part.codes
            null |= part.codes == len(part.keys)
        distinct, codes = np.unique(code, return_inverse=True)
        columns: list[list[Key]] = []
        for part in reversed(parts):
            padded: list[Key] = [*part.keys, ""]  # the last one stands for null, and is dropped below
            columns.append([padded[i] for i in (distinct % len(padded)).tolist()])
            distinct = distinct // (len(part.keys) + 1)
        keys: list[Key] = list(zip(*reversed(columns), strict=True))
        if null.any():
            keep = np.setdiff1d(codes, codes[null])
            place = np.full(len(keys) + 1, len(keep))
            place[keep] = np.arange(len(keep))
            return _Distinct([keys[i] for i in keep.tolist()], place[codes])
        return _Distinct(keys, codes)
