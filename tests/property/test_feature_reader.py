"""Whatever is cached, evicted or refetched: a row never gets another entity's features, nor any older than allowed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core.features import ServicePlan, ViewPlan
from weir.edges.features.cache import NOTHING, FeatureCache
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write

TTL_US = 10
ONE = ViewPlan("one", ("a",), ("own", "version"), ("float32", "float32"), 0.0)
TWO = ViewPlan("two", ("a", "n"), ("own",), ("float64",), 0.0)
PLAN = ServicePlan("weir", "s", (ONE, TWO))
ENTITIES = 12

batches = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.one_of(st.none(), st.integers(0, ENTITIES)), st.one_of(st.none(), st.integers(-1, 2))),
            max_size=20,
        ),
        st.integers(0, 15),  # how far the clock moves
        st.lists(st.integers(0, ENTITIES - 1), max_size=4, unique=True),  # entities written before the batch
        st.booleans(),  # whether the watermark moves
    ),
    max_size=12,
)


def name(entity):
    return None if entity is None else f"e{entity}"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = LmdbStore(tmp_path_factory.mktemp("store"), "weir")
    yield opened
    opened.close()


@given(batches, st.integers(1, 9), st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_row_gets_its_own_entity_and_nothing_older_than_allowed(store, steps, max_keys, revalidate):
    store.clear()
    reader = FeatureReader(PLAN, store, max_keys=max_keys, ttl_us=TTL_US, revalidate_on_watermark=revalidate)
    now, watermark, versions = 1000, 1, {}
    written_at: dict[int, list[tuple[int, int]]] = {}  # entity -> (now, version)
    for rows, passed, changed, moves in steps:
        now += passed
        watermark += moves
        for entity in changed:
            versions[entity] = versions.get(entity, 0) + 1
            written_at.setdefault(entity, []).append((now, versions[entity]))
        write(store, {entity: versions[entity] for entity in changed}, watermark if moves else None)
        a = pa.array([name(entity) for entity, _ in rows], pa.string())
        n = pa.array([number for _, number in rows], pa.int64())
        block = reader.read({"a": a, "n": n}, now)
        assert 0 <= block.hits <= block.lookups
        for row, (entity, number) in enumerate(rows):
            history = written_at.get(entity, [])
            own, version = block.values[row, :2]
            # what the store held at any moment within the time to live; all of it, where the watermark decides
            since = now if revalidate and changed and moves else now - TTL_US
            allowed = [seen for _, seen in history[-1:]] + [
                seen for (_, seen), (until, _) in pairwise(history) if until > since
            ]
            if not history or history[0][0] > since:
                allowed.append(None)
            if block.found[row, 0]:
                assert own == entity
                assert version in allowed
                assert block.event_us[row, 0] == version
            else:
                assert entity is None or None in allowed
                assert np.isnan(block.values[row, :2]).all()
                assert block.event_us[row, 0] == 0
            if block.found[row, 1]:
                assert block.values[row, 2] == entity * 10 + number
            elif entity is not None and number in (0, 1) and history and not written_recently(history, since):
                raise AssertionError("a record that is in the store was not found")


def written_recently(history, since):
    return history[0][0] > since


def write(store, versions, watermark):
    if not versions:
        store.write_many([], watermark)
        return
    values = np.array([[entity, version] for entity, version in versions.items()], np.float32)
    event_us = values[:, 1].astype(np.int64)
    one = Write(ONE, [encode_key((name(entity),)) for entity in versions], layout_of(ONE).pack_floats(values, event_us))
    pairs = [(entity, number) for entity in versions for number in (0, 1)]
    own = np.array([entity * 10 + number for entity, number in pairs], np.float64)
    two = Write(
        TWO,
        [encode_key((name(entity), number)) for entity, number in pairs],
        layout_of(TWO).pack({"own": own}, np.repeat(event_us, 2)),
    )
    store.write_many([one, two], watermark)


@given(st.lists(st.lists(st.integers(0, 40), unique=True, max_size=16), max_size=40), st.integers(16, 24))
@settings(max_examples=150, deadline=None)
def test_a_slot_holds_what_was_put_under_its_key_however_much_is_evicted(batches, capacity):
    cache = FeatureCache(1, capacity)
    for now, keys in enumerate(batches):
        slots = cache.find(keys)
        held = slots != NOTHING
        values = np.empty((len(keys), 1), np.float32)
        cache.values(slots, values)
        np.testing.assert_array_equal(values[held, 0], np.array(keys, np.float32)[held])
        absent = np.flatnonzero(~held)
        fetched = np.array([keys[i] for i in absent], np.float32)[:, None]
        columns = (fetched, np.full(len(absent), now), np.ones(len(absent), bool))
        slots[absent] = cache.put([keys[i] for i in absent], slots[absent], slots, columns, (now, 0))
        cache.values(slots, values)
        np.testing.assert_array_equal(values[:, 0], keys)
        assert len(cache) <= capacity
        assert len(set(slots.tolist())) == len(keys)
