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
from weir.core.times import impossible
from weir.edges.features.repository import view_plan
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import encode_key, layout_of
from weir.edges.features.store.record_store import Ask, RecordStore, Write
from weir.settings import load

FIELD = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int32_val",
    "int64": "int64_val",
    "bool": "bool_val",
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


class PackedOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast has no types
    """The `online_store` block of feature_store.yaml: Weir's home directory, and "lmdb" or a redis:// URL."""

    type: Literal["weir.edges.features.feast_online_store.PackedOnlineStore"] = (
        "weir.edges.features.feast_online_store.PackedOnlineStore"
    )
    home: str
    store: str


class PackedOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast has no types
    """One record per view and entity, which the scorer reads as columns (`feature_reader`) and Feast as protobuf rows.

    An entity that was never written is NOT_FOUND, as in Feast's SQLite store.
    """

    _records: RecordStore | None = None
    _versioned_read_supported: bool | None = False  # else Feast imports every store there is to find out

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows of a view; an older event never takes the place of a newer one.

        Raises Unavailable; Refused for an event time that cannot be: its record would stay for good.
        """
        view = view_plan(table)
        n, k = len(data), len(view.features)
        nulls = np.ones((n, k), bool)
        columns = {name: np.zeros(n, dtype) for name, dtype in zip(view.features, view.dtypes, strict=True)}
        for i, (_, values, _, _) in enumerate(data):
            for j, (name, dtype) in enumerate(zip(view.features, view.dtypes, strict=True)):
                value = values.get(name)
                if value is not None and value.WhichOneof("val") not in (None, "null_val"):
                    columns[name][i] = getattr(value, FIELD[dtype])
                    nulls[i, j] = False
        event_us = np.array([_micros(event_time) for _, _, event_time, _ in data], np.int64)
        if (wrong := impossible(event_us // 1000)).any():
            raise Refused(
                f"{int(wrong.sum())} rows of {view.name} have an event time that is not between 1970 and 2100",
                where=f"the first: {data[int(np.flatnonzero(wrong)[0])][2]}",
                remedy="see in which unit the times are; nothing of these rows was written",
            )
        records = layout_of(view).pack(columns, event_us, nulls)
        self.records(config).write_many([Write(view, [_key(row[0]) for row in data], records)])
        if progress:
            progress(n)

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Rows of a view in the order of the keys; (None, None) where there is none. Raises Unavailable."""
        view = view_plan(table)
        layout = layout_of(view)
        answers, _ = self.records(config).read_many([Ask(view, [_key(key) for key in entity_keys])])
        records, found = answers[0].records, answers[0].found
        nulls = layout.nulls(records)
        wanted = [
            (i, name, FIELD[view.dtypes[i]])
            for i, name in enumerate(view.features)
            if requested_features is None or name in requested_features
        ]
        rows: list[tuple[datetime | None, dict[str, Value] | None]] = []
        for number in range(len(entity_keys)):
            if not found[number]:
                rows.append((None, None))
                continue
            values = {
                name: Value() if nulls[number, i] else Value(**{field: records[f"f{i}"][number].item()})
                for i, name, field in wanted
            }
            rows.append((EPOCH + timedelta(microseconds=int(records["event_us"][number])), values))
        return rows

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Remove the records of views that are gone; the others need no preparation."""
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


def _key(key: EntityKey) -> bytes:
    """The stored key of an entity key, its parts sorted by join key as in ViewPlan.join_keys."""
    parts = sorted(zip(key.join_keys, key.entity_values, strict=True), key=lambda part: part[0])
    return encode_key([getattr(value, value.WhichOneof("val") or "string_val") for _, value in parts])


def _micros(moment: datetime) -> int:
    """Microseconds since the epoch; Feast hands over naive times in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)
