"""Features and join keys of every type that Feast knows: written and read back through Feast as through its SQLite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.repo_config import RegistryConfig, RepoConfig
from feast.types import (
    Array,
    Bool,
    Bytes,
    Float32,
    Float64,
    Int32,
    Int64,
    Json,
    Map,
    Set,
    String,
    Struct,
    UnixTimestamp,
    Uuid,
)
from feast.types import Decimal as FeastDecimal
from weir.core.errors import Refused
from weir.core.features import ServicePlan
from weir.edges.features.feast_online_store import PackedOnlineStore
from weir.edges.features.reader import FeatureReader
from weir.edges.features.repository import view_plan

AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
LATER = datetime(2027, 1, 1, tzinfo=UTC)
FEATURES = {  # type, two values
    "float32": (Float32, [1.5, None]),
    "float64": (Float64, [0.1, -1e300]),
    "int32": (Int32, [-(2**31), 2**31 - 1]),
    "int64": (Int64, [2**53 + 1, -(2**63)]),
    "bool": (Bool, [True, False]),
    "text": (String, ["", "é\0€" * 1000]),
    "bytes": (Bytes, [b"\xff\0", b""]),
    "time": (UnixTimestamp, [AT, LATER]),
    "uuid": (Uuid, [str(UUID(int=7)), str(UUID(int=2**127))]),
    "decimal": (FeastDecimal, [Decimal("1.10"), Decimal("-3")]),
    "json": (Json, ['{"a": [1, null]}', "{}"]),
    "map": (Map, [{"a": 1, "b": "x"}, {}]),
    "struct": (Struct({"name": String, "age": Int64}), [{"name": "x", "age": 3}, {"name": "", "age": 0}]),
    "floats": (Array(Float32), [[1.5, -0.0], []]),
    "doubles": (Array(Float64), [[0.1], [1e300, 2.0]]),
    "ints": (Array(Int64), [[2**53 + 1], [1, 2]]),
    "bools": (Array(Bool), [[True, False], [False]]),
    "texts": (Array(String), [["a", ""], ["b"]]),
    "many_bytes": (Array(Bytes), [[b"a", b""], [b"b"]]),
    "times": (Array(UnixTimestamp), [[AT, LATER], [AT]]),
    "set": (Set(String), [{"a"}, {"b"}]),
}
KEYS = {
    "text": (String, ValueType.STRING, ["", "é\0*", "k" * 2000, "k" * 1999 + "l"]),
    "int64": (Int64, ValueType.INT64, [0, -1, 2**53 + 1, 2**63 - 1]),
    "int32": (Int32, ValueType.INT32, [0, -1, 1, 2**31 - 1]),
    "bytes": (Bytes, ValueType.BYTES, [b"a", b"b", b"\xff\0", b"a" * 600]),
    "double": (Float64, ValueType.DOUBLE, [1.2, 1.5, -1.2, 1e300]),
    "float": (Float32, ValueType.FLOAT, [1.25, 1.5, -1.25, 1e30]),
    "bool": (Bool, ValueType.BOOL, [True, False]),
    "time": (UnixTimestamp, ValueType.UNIX_TIMESTAMP, [AT, LATER]),
}


def feast_over(home, online_store):
    config = RepoConfig(
        project="types",
        provider="local",
        registry=RegistryConfig(path=str(home / "registry.db")),
        online_store=online_store,
        repo_path=home,
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


@pytest.fixture
def ours(store_settings):
    home = store_settings.paths.home
    home.mkdir(parents=True, exist_ok=True)
    feast = feast_over(
        home,
        {
            "type": "weir.edges.features.feast_online_store.PackedOnlineStore",
            "home": str(home),
            "store": store_settings.features.online_store,
        },
    )
    yield feast
    records(feast).clear()
    records(feast).close()


@pytest.fixture
def sqlite(tmp_path):
    return feast_over(tmp_path, {"type": "sqlite", "path": str(tmp_path / "online.db")})


def records(feast):
    online = feast._get_provider().online_store
    assert isinstance(online, PackedOnlineStore)
    return online.records(feast.config)


def view_of(tmp_path, schema, entities):
    source = FileSource(name="nowhere", path=str(tmp_path / "nowhere.parquet"), timestamp_field="event_timestamp")
    pd.DataFrame({"event_timestamp": [AT]}).to_parquet(source.path)
    return FeatureView(name="all", entities=entities, schema=schema, source=source, ttl=timedelta(days=1))


ID = Entity(name="id", join_keys=["id"], value_type=ValueType.INT64)


def test_features_of_every_type_come_back_as_from_feasts_own_store(ours, sqlite, tmp_path):
    schema = [Field(name="id", dtype=Int64)] + [Field(name=name, dtype=dtype) for name, (dtype, _) in FEATURES.items()]
    columns = {name: pd.Series([*values, None], dtype=object) for name, (_, values) in FEATURES.items()}
    rows = pd.DataFrame({"id": [1, 2, 3], **columns, "event_timestamp": [AT] * 3})
    asked = {"features": [f"all:{name}" for name in FEATURES], "entity_rows": [{"id": i} for i in (3, 2, 1, 4)]}
    found = []
    for feast in (ours, sqlite):
        feast.apply([ID, view_of(tmp_path, schema, [ID])])
        feast.write_to_online_store("all", rows)
        found.append(by_name(feast.get_online_features(**asked)))
    assert found[0] == found[1]
    block = read(ours, "all__int32", [1, 2, 3, 4])
    np.testing.assert_array_equal(block.values[:, 0], np.float64([-(2**31), 2**31 - 1, np.nan, np.nan]))
    assert block.found[:, 0].tolist() == [True, True, True, False]


def test_a_list_with_a_null_in_it_ends_as_in_feasts_own_store(ours, sqlite, tmp_path):
    """Whether Feast makes a value of it is Feast's own affair; what it makes comes back."""
    for dtype, value in ((Array(String), ["a", None]), (Array(Float32), [1.5, None]), (Array(Int64), [1, None])):
        schema = [Field(name="id", dtype=Int64), Field(name="listed", dtype=dtype)]
        rows = pd.DataFrame({"id": [1], "listed": [value], "event_timestamp": [AT]})
        found = []
        for feast in (ours, sqlite):
            feast.apply([ID, view_of(tmp_path, schema, [ID])])
            try:
                feast.write_to_online_store("all", rows)
            except TypeError as error:
                found.append(str(error))
                continue
            found.append(by_name(feast.get_online_features(features=["all:listed"], entity_rows=[{"id": 1}])))
        assert found[0] == found[1]


def by_name(response):
    """Protobuf values and statuses of each column: what Feast makes of them is its own."""
    return {
        name: ([value.SerializeToString(deterministic=True) for value in result.values], list(result.statuses))
        for name, result in zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True)
    }


def read(feast, column, ids):
    """The same record as the scorer reads it."""
    plan = ServicePlan("types", "s", (view_plan(feast.get_feature_view("all")),)).reading([column])
    reader = FeatureReader(plan, records(feast), max_keys=99, ttl_us=1, revalidate_on_watermark=False)
    return reader.read({"id": pa.array(ids)}, 0)


@pytest.mark.parametrize("kind", KEYS)
def test_entities_of_every_key_type_are_told_apart(ours, tmp_path, kind):
    dtype, value_type, keys = KEYS[kind]
    entity = Entity(name="k", join_keys=["k"], value_type=value_type)
    schema = [Field(name="k", dtype=dtype), Field(name="n", dtype=Int32)]
    ours.apply([entity, view_of(tmp_path, schema, [entity])])
    numbers = list(range(len(keys)))
    rows = pd.DataFrame({"k": pd.Series(keys, dtype=object), "n": numbers, "event_timestamp": [AT] * len(keys)})
    ours.write_to_online_store("all", rows)
    response = ours.get_online_features(features=["all:n"], entity_rows=[{"k": key} for key in keys])
    assert response.to_dict()["n"] == numbers


def test_entities_of_several_keys_are_told_apart_whatever_their_types(ours, tmp_path):
    entities = [
        Entity(name="a", join_keys=["a"], value_type=ValueType.STRING),
        Entity(name="b", join_keys=["b"], value_type=ValueType.DOUBLE),
        Entity(name="c", join_keys=["c"], value_type=ValueType.INT64),
    ]
    schema = [
        Field(name="a", dtype=String),
        Field(name="b", dtype=Float64),
        Field(name="c", dtype=Int64),
        Field(name="n", dtype=Int32),
    ]
    ours.apply([*entities, view_of(tmp_path, schema, entities)])
    keys = [{"a": a, "b": b, "c": c} for a in ("", "1", "1 d") for b in (1.2, 1.5) for c in (1, 11)]
    rows = pd.DataFrame([{**key, "n": i, "event_timestamp": AT} for i, key in enumerate(keys)])
    ours.write_to_online_store("all", rows)
    response = ours.get_online_features(features=["all:n"], entity_rows=keys)
    assert response.to_dict()["n"] == list(range(len(keys)))


@pytest.mark.parametrize("moment", [datetime(1969, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)])
def test_an_event_time_that_cannot_be_is_refused(ours, tmp_path, moment):
    schema = [Field(name="id", dtype=Int64), Field(name="n", dtype=Int32)]
    ours.apply([ID, view_of(tmp_path, schema, [ID])])
    with pytest.raises(Refused, match="between 1970 and 2100"):
        ours.write_to_online_store("all", pd.DataFrame({"id": [1], "n": [1], "event_timestamp": [moment]}))


def test_a_row_without_its_key_is_refused_and_not_taken_for_the_empty_one(ours, tmp_path):
    entity = Entity(name="k", join_keys=["k"], value_type=ValueType.STRING)
    ours.apply([entity, view_of(tmp_path, [Field(name="k", dtype=String), Field(name="n", dtype=Int32)], [entity])])
    row = pd.DataFrame({"k": [None], "n": [1], "event_timestamp": [AT]})
    with pytest.raises(Refused, match="has no k"):
        ours.write_to_online_store("all", row)
