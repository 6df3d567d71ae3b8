"""Against any interleaving of failures, a value used is either fresh or reported as stale or unavailable."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core.breaker import Breaker, BreakerState
from weir.core.errors import Unavailable
from weir.core.features import ServicePlan, Status, ViewPlan
from weir.core.signature import Input, Policy, Signature, Source
from weir.edges.features.lookup_guard import LookupGuard
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write
from weir.scoring.assemble import Assembler

CACHE_TTL_US = 10
VIEW_TTL_S = 40
FAILURES, RETRY_S = 2, 5
VIEW = ViewPlan("view", ("a",), ("own", "version"), ("float32", "float32"), VIEW_TTL_S)
PLAN = ServicePlan("weir", "s", (VIEW,))
SIGNATURE = Signature(
    inputs=tuple(
        Input(name=f"view__{name}", source=Source.FEATURE, ref=f"view__{name}", on_missing=Policy.USE)
        for name in VIEW.features
    )
)
ENTITIES = 6

entities = st.integers(0, ENTITIES - 1)
steps = st.lists(
    st.tuples(
        st.lists(st.one_of(st.none(), entities), max_size=8),  # rows of the batch
        st.integers(0, 15),  # how far the clock of features moves
        st.integers(0, 4),  # and the monotonic one, seconds
        st.lists(entities, max_size=3, unique=True),  # entities written before the batch
        st.booleans(),  # whether the store answers
    ),
    max_size=25,
)


class Flaky(LmdbStore):
    """An LMDB store that answers when it is told to, and counts how often it was asked."""

    well = True
    asked = 0

    def read_many(self, asks):
        self.look()
        return super().read_many(asks)

    def watermark_us(self):
        self.look()
        return super().watermark_us()

    def look(self):
        self.asked += 1
        if not self.well:
            raise Unavailable("told to fail", remedy="nothing")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    opened = Flaky(tmp_path_factory.mktemp("store"), "weir")
    yield opened
    opened.close()


def write(store: Flaky, changed: dict[int, int], event_us: int) -> None:
    values = np.array([[entity, version] for entity, version in changed.items()], np.float32).reshape(-1, 2)
    keys = [encode_key((f"e{entity}",)) for entity in changed]
    records = layout_of(VIEW).pack_floats(values, np.full(len(changed), event_us))
    store.write_many([Write(VIEW, keys, records)], event_us)


@given(steps, st.integers(1, 9), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_value_is_fresh_or_said_not_to_be(store, batches, max_keys, revalidate):
    store.clear()
    monotonic_s, now_us = 0.0, 1000
    breaker = Breaker(FAILURES, RETRY_S)
    guard = LookupGuard(breaker, 1.0, own_thread=False, now_s=lambda: monotonic_s)
    reader = FeatureReader(
        PLAN, store, max_keys=max_keys, ttl_us=CACHE_TTL_US, revalidate_on_watermark=revalidate, guard=guard
    )
    assembler = Assembler(SIGNATURE, PLAN)
    history: dict[int, list[tuple[int, int]]] = {}  # entity -> (written at, version)
    in_a_row = 0
    opened_s = -1.0
    for rows, passed, seconds, changed, well in batches:
        now_us, monotonic_s = now_us + passed, monotonic_s + seconds
        for entity in changed:
            history.setdefault(entity, []).append((now_us, len(history.get(entity, [])) + 1))
        write(store, {entity: history[entity][-1][1] for entity in changed}, now_us)
        store.well, store.asked = well, 0
        may_ask = in_a_row < FAILURES or monotonic_s - opened_s >= RETRY_S
        block = reader.read({"a": pa.array([None if e is None else f"e{e}" for e in rows], pa.string())}, now_us)
        assert may_ask or not store.asked  # an open breaker spares the store
        away = np.zeros(len(rows), bool) if block.unavailable is None else block.unavailable[:, 0]
        if may_ask and well:
            assert not away.any()  # and one that is not open gives what there is
        if store.asked:
            in_a_row, opened_s = (0, opened_s) if well else (in_a_row + 1, monotonic_s)
        assert (breaker.state is BreakerState.OPEN) == (in_a_row >= FAILURES and (store.asked > 0 or not may_ask))
        at_ms = now_us // 1000 + 1  # requests come after what is in the store
        requests = pa.RecordBatch.from_pydict({"event_time": pa.array([at_ms] * len(rows), pa.timestamp("ms", "UTC"))})
        built = assembler.build(requests, block)
        for row, entity in enumerate(rows):
            own, version = block.values[row]
            written = history.get(entity, [])
            status = built.status[row, 0]
            assert (status in (Status.STALE, Status.UNAVAILABLE)) == bool(away[row])  # the view's own ttl is far off
            if not block.found[row, 0]:
                assert np.isnan(own)
                assert built.age_s[row, 0] == -1
                assert status == (Status.UNAVAILABLE if away[row] else Status.NOT_FOUND)
                continue
            assert own == entity
            event_us = dict((number, at) for at, number in written)[version]
            assert block.event_us[row, 0] == event_us  # its true age, however it was kept
            if status == Status.PRESENT:
                newer = [at for at, number in written if number > version]
                assert not newer or newer[0] > now_us - CACHE_TTL_US


@given(st.lists(st.tuples(st.sampled_from(["ask", "fail", "succeed"]), st.integers(0, 3)), max_size=40))
def test_the_breaker_lets_one_trial_through_after_each_pause(events):
    breaker, now_s, failed_s, in_a_row = Breaker(FAILURES, RETRY_S), 0, 0, 0
    for what, passed in events:
        now_s += passed
        allowed = breaker.allows(now_s)
        assert allowed == (in_a_row < FAILURES or now_s - failed_s >= RETRY_S)
        if not allowed or what == "ask":
            continue
        if what == "fail":
            breaker.failed(now_s)
            failed_s, in_a_row = now_s, in_a_row + 1
        else:
            breaker.succeeded()
            in_a_row = 0
        assert (breaker.state is BreakerState.OPEN) == (in_a_row >= FAILURES)
