"""The columnar feature read held to Feast's own get_online_features, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.core.features import FeatureBlock, ServicePlan
from weir.edges.features import plan as feature_plan
from weir.edges.features.reader import FeatureReader
from weir.edges.features.repository import feature_service, feature_store
from weir.edges.features.store.entity_key import decode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_store import RecordStore
from weir.settings import Settings

UNKNOWN = "weir-canary"  # an entity that nobody writes: missing values are compared too
PRESENT = 1  # of Feast's FieldStatus


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One value that the two reads do not agree on. what: "value", "status" or "event time"."""

    column: str
    keys: tuple[str | int, ...]
    what: str
    ours: float
    feast: float


@dataclass(frozen=True, slots=True)
class Mismatches:
    """What was compared. found: records. moved: those that were written in between, and prove nothing."""

    rows: int
    found: int
    values: int
    moved: int
    differing: tuple[Mismatch, ...]


class FeatureCanary:
    """Both ways to read one feature service, side by side. Slow, so it belongs in a process of its own."""

    def __init__(self, settings: Settings, service: str) -> None:
        whole = feature_plan.load(settings, service)
        self.plan = whole.reading(whole.readable)
        self._records = open_store(settings, self.plan.project)
        # a cached record may rightly be older than the store's, so nothing is served from the cache
        self._reader = FeatureReader(
            self.plan, self._records, max_keys=settings.features.cache_max_keys, ttl_us=0, revalidate_on_watermark=False
        )
        self._feast: Any = feature_store(settings)  # Feast has no types
        self._service = feature_service(self._feast, service)

    def close(self) -> None:
        """Let go of the store."""
        self._records.close()

    def compare(self, sample: Mapping[str, pa.Array]) -> Mismatches:
        """Read n entity rows both ways. sample: every join key of the service, no nulls. Raises Unavailable."""
        ours = self._reader.read(sample, 0)
        names = list(sample)
        values = [sample[name].to_pylist() for name in names]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        theirs = self._ask_feast(rows)
        again = self._reader.read(sample, 0)
        moved = _moved(self.plan, ours, again)
        found = [
            fault
            for at, column in enumerate(self.plan.columns)
            for fault in self._column(at, column, theirs[column], ours, moved, rows)
        ]
        return Mismatches(len(rows), int(ours.found.sum()), ours.values.size, int(moved.sum()), tuple(found))

    def sample(self, n: int) -> dict[str, pa.Array]:
        """About n entity rows made of keys that the store holds, and one of keys that nobody has."""
        return sample_rows(self.plan, self._records, n)

    def _ask_feast(self, rows: list[dict[str, Any]]) -> dict[str, tuple[npt.NDArray[Any], ...]]:
        response = self._feast.get_online_features(
            features=self._service, entity_rows=rows, full_feature_names=True
        ).proto
        out: dict[str, tuple[npt.NDArray[Any], ...]] = {}
        for name, result in zip(response.metadata.feature_names.val, response.results, strict=True):
            kinds = [value.WhichOneof("val") for value in result.values]
            values = [
                np.nan if kind in (None, "null_val") else getattr(value, kind)
                for kind, value in zip(kinds, result.values, strict=True)
            ]
            event_us = [moment.seconds * 1_000_000 + moment.nanos // 1000 for moment in result.event_timestamps]
            if name in self.plan.columns:
                out[name] = (
                    np.array(values, np.float32),
                    np.array(event_us, np.int64),
                    np.array([status == PRESENT for status in result.statuses]),
                )
        return out

    def _column(
        self,
        at: int,
        column: str,
        theirs: tuple[npt.NDArray[Any], ...],
        ours: FeatureBlock,
        moved: npt.NDArray[np.bool_],
        rows: Sequence[Mapping[str, Any]],
    ) -> list[Mismatch]:
        number = _view_of(self.plan)[at]
        view = self.plan.views[number]
        faults = []
        for what, mine, feast in (
            ("value", ours.values[:, at], theirs[0]),
            ("event time", ours.event_us[:, number], theirs[1]),
            ("status", ours.found[:, number], theirs[2]),
        ):
            same = (mine == feast) | ((mine != mine) & (feast != feast))  # noqa: PLR0124 - NaN is not itself
            for row in np.flatnonzero(~same & ~moved[:, number]).tolist():
                keys = tuple(rows[row][key] for key in view.join_keys)
                faults.append(Mismatch(column, keys, what, float(mine[row]), float(feast[row])))
        return faults


def compare(settings: Settings, sample: Mapping[str, pa.Array], service: str) -> Mismatches:
    """Compare once; see FeatureCanary, which is cheaper when there is more than one sample."""
    canary = FeatureCanary(settings, service)
    try:
        return canary.compare(sample)
    finally:
        canary.close()


def sample_rows(plan: ServicePlan, store: RecordStore, n: int) -> dict[str, pa.Array]:
    """Join keys of up to n rows, from keys that the store holds, and one more row of unknown ones.

    Keys of the views are laid side by side; where views share a join key the one with more join keys decides, so that
    its combinations are real ones.
    """
    columns: dict[str, list[Any]] = {}
    nobody: dict[str, str | int] = {}
    for view in sorted(plan.views, key=lambda view: len(view.join_keys)):
        keys = [parts for key in store.sample_keys(view, n) if (parts := decode_key(view, key)) is not None]
        for at, (name, dtype) in enumerate(zip(view.join_keys, view.key_types, strict=True)):
            nobody[name] = UNKNOWN if dtype == "STRING" else -1
            if keys:
                columns[name] = [keys[i % len(keys)][at] for i in range(n)]
            columns.setdefault(name, [nobody[name]] * n)
    return {name: pa.array([*values, nobody[name]]) for name, values in columns.items()}


def _view_of(plan: ServicePlan) -> list[int]:
    return [number for number, view in enumerate(plan.views) for _ in view.features]


def _moved(plan: ServicePlan, before: FeatureBlock, after: FeatureBlock) -> npt.NDArray[np.bool_]:
    """bool[n, v]: the record was written between two reads."""
    changed: npt.NDArray[np.bool_] = (before.event_us != after.event_us) | (before.found != after.found)
    for at, number in enumerate(_view_of(plan)):
        one, two = before.values[:, at], after.values[:, at]
        changed[:, number] |= (one != two) & ~(np.isnan(one) & np.isnan(two))
    return changed
