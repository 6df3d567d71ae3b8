"""Feast's online store over packed records: push, materialize and get_online_features work on what the scorer reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from feast import Entity, FeatureView
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from weir.core.errors import Refused
from weir.core.features import NUMBERS, ViewPlan
from weir.core.times import impossible
from weir.edges.features.repository import view_plan
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import RecordStore, Row, Write
from weir.settings import load

FIELD = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int32_val",
    "int64": "int64_val",
    "bool": "bool_val",
}
TAKES = {
    "float32": {"float_val", "double_val", "int32_val", "int64_val"},
    "float64": {"float_val", "double_val", "int32_val", "int64_val"},
    "int32": {"int32_val", "int64_val"},
    "int64": {"int32_val", "int64_val"},
    "bool": {"bool_val"},
}
NULL = (None, "null_val")  # of a Value's oneof
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Entry = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


class PackedOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast has no types
    """The `online_store` block of feature_store.yaml: Weir's home directory, and "lmdb" or a redis:// URL."""

    type: Literal["weir.edges.features.feast_online_store.PackedOnlineStore"] = (
        "weir.edges.features.feast_online_store.PackedOnlineStore"
    )
    home: str
    store: str


class PackedOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast has no types
    """One record per view and entity, which the scorer reads as columns (`reader`) and Feast as protobuf rows.

    Features and join keys of every type that Feast knows are kept; a model reads those that are numbers. An entity
    that was never written is NOT_FOUND, as in Feast's SQLite store.
    """

    _records: RecordStore | None = None
    _versioned_read_supported: bool | None = False  # else Feast imports every store there is to find out

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Entry], progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows of a view; an older event never takes the place of a newer one.

        Raises Unavailable; Refused for a key with a null, a value of a foreign type, and an event time that cannot be:
        its record would stay for good.
        """
        view = view_plan(table)
        event_us = np.array([_micros(event_time) for _, _, event_time, _ in data], np.int64)
        if (wrong := impossible(event_us // 1000)).any():
            raise Refused(
                f"{int(wrong.sum())} rows of {view.name} have an event time that is not between 1970 and 2100",
                where=f"the first: {data[int(np.flatnonzero(wrong)[0])][2]}",
                remedy="see in which unit the times are; nothing of these rows was written",
            )
        columns: dict[str, Any] = {}
        nulls = np.ones((len(data), len(view.features)), bool)
        for j, (name, dtype) in enumerate(zip(view.features, view.dtypes, strict=True)):
            values = [values.get(name) for _, values, _, _ in data]
            nulls[:, j] = [value is None or value.WhichOneof("val") in NULL for value in values]
            present = [None if null else value for null, value in zip(nulls[:, j].tolist(), values, strict=True)]
            columns[name] = (
                _numbers(view, name, dtype, present)
                if dtype in NUMBERS
                else [b"" if value is None else value.SerializeToString() for value in present]
            )
        keys = []
        for entity, *_ in data:
            key = _key(entity)
            if key is None:
                raise Refused(
                    f"a row for feature view {view.name} has no {', '.join(view.join_keys)}",
                    remedy="leave rows out whose entity is not known; nothing of these rows was written",
                )
            keys.append(key)
        self.records(config).write_many([Write(view, keys, layout_of(view).pack(columns, event_us, nulls))])
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Rows of a view in the order of the keys; (None, None) where there is none. Raises Unavailable."""
        view = view_plan(table)
        wanted = view.features if requested_features is None else requested_features
        keys = [_key(key) for key in entity_keys]
        known = [key for key in keys if key is not None]
        rows = iter(self.records(config).read_rows(view.name, known))
        return [_entry(next(rows) if key is not None else None, wanted) for key in keys]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Remove the records of views that Feast is told to delete; the others need no preparation."""
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Remove every record of these views."""
        for table in tables:
            self.records(config).delete(table.name)

    def records(self, config: RepoConfig) -> RecordStore:
        """The record store underneath, opened on first use. Raises Refused, Unavailable."""
        if self._records is None:
            home, store = config.online_store.home, config.online_store.store
            if "$" in home + store:
                raise Refused(
                    "feature_store.yaml names a variable that is not set",
                    where=f"{home}, {store}",
                    remedy="use `weir apply`, or export WEIR_HOME and WEIR_ONLINE_STORE",
                )
            settings = load(home=Path(home), online_store=store)
            self._records = open_store(settings, config.project)
        return self._records


def _key(entity: EntityKey) -> bytes | None:
    """The stored key of an entity, its parts sorted by join key as in ViewPlan.join_keys; None where one is null."""
    parts = sorted(zip(entity.join_keys, entity.entity_values, strict=True), key=lambda part: part[0])
    kinds = [value.WhichOneof("val") for _, value in parts]
    if any(kind in NULL for kind in kinds):
        return None
    return encode_key([getattr(value, kind) for (_, value), kind in zip(parts, kinds, strict=True)])


def _numbers(view: ViewPlan, name: str, dtype: str, values: Sequence[Value | None]) -> np.ndarray[Any, Any]:
    """A column of numbers, 0 where None. Raises Refused for a value that its type cannot hold."""
    kinds = [None if value is None else str(value.WhichOneof("val")) for value in values]
    if foreign := {kind for kind in kinds if kind is not None} - TAKES[dtype]:
        what = f"feature {name} of view {view.name} is {dtype}, and a row has {', '.join(sorted(foreign))}"
        raise Refused(what, remedy="write the type that the view declares")
    found = [False if kind is None else getattr(value, kind) for kind, value in zip(kinds, values, strict=True)]
    try:
        return np.array(found, dtype)
    except OverflowError as error:
        what = f"feature {name} of view {view.name} is {dtype}: {error}"
        raise Refused(what, remedy="declare the view with Int64, or write smaller numbers") from error


def _entry(row: Row | None, wanted: Sequence[str]) -> tuple[datetime | None, dict[str, Value] | None]:
    if row is None:
        return None, None
    values = {name: _value(*row.values[name]) if name in row.values else Value() for name in wanted}
    return EPOCH + timedelta(microseconds=row.event_us), values


def _value(dtype: str, value: int | float | bool | bytes | None) -> Value:
    if value is None:
        return Value()
    kept = Value()
    if isinstance(value, bytes):
        kept.ParseFromString(value)
    else:
        setattr(kept, FIELD[dtype], value)
    return kept


def _micros(moment: datetime) -> int:
    """Microseconds since the epoch; Feast hands over naive times in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)
