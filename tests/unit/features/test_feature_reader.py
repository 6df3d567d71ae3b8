import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from weir.core.breaker import Breaker
from weir.core.errors import Unavailable
from weir.core.features import ServicePlan, ViewPlan
from weir.edges.features.cache import FeatureCache
from weir.edges.features.lookup_guard import LookupGuard
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.lmdb import LmdbStore
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write

from tests.waiting import WAIT_S

ORIGINS = ViewPlan("origins", ("origin",), ("delay", "n"), ("float32", "float32"), 60.0)
PAIRS = ViewPlan("pairs", ("carrier", "origin"), ("delay",), ("float32",), 60.0)
PLAN = ServicePlan("weir", "s", (ORIGINS, PAIRS))
SECOND_US = 1_000_000


class CountingStore(LmdbStore):
    """An LMDB store that counts the round trips."""

    reads = 0

    def read_many(self, asks):
        self.reads += 1
        return super().read_many(asks)


@pytest.fixture
def store(tmp_path):
    opened = CountingStore(tmp_path, "weir")
    put(opened, {"EWR": (1, 10), "JFK": (2, 20)}, {("UA", "EWR"): 5, ("AA", "JFK"): 6}, 50)
    yield opened
    opened.close()


def put(store, origins, pairs, event_us):
    values = np.array(list(origins.values()), np.float32).reshape(-1, 2)
    one = Write(
        ORIGINS,
        [encode_key((key,)) for key in origins],
        layout_of(ORIGINS).pack_floats(values, np.full(len(origins), event_us)),
    )
    pair_values = np.array(list(pairs.values()), np.float32).reshape(-1, 1)
    two = Write(
        PAIRS,
        [encode_key(key) for key in pairs],
        layout_of(PAIRS).pack_floats(pair_values, np.full(len(pairs), event_us)),
    )
    store.write_many([one, two], event_us)


def reader(store, **options):
    return FeatureReader(
        PLAN, store, **{"max_keys": 100, "ttl_us": SECOND_US, "revalidate_on_watermark": False, **options}
    )


def keys(*rows):
    return {
        "carrier": pa.array([carrier for carrier, _ in rows], pa.string()),
        "origin": pa.array([origin for _, origin in rows], pa.string()),
        "other": pa.array([0] * len(rows)),
    }


def test_values_come_in_plan_order_with_ages_and_what_was_found(store):
    block = reader(store).read(keys(("UA", "EWR"), ("UA", "JFK"), ("XX", "YYY"), ("AA", "JFK")), 0)
    nan = np.nan
    np.testing.assert_array_equal(block.values, np.float32([[1, 10, 5], [2, 20, nan], [nan, nan, nan], [2, 20, 6]]))
    assert block.found.tolist() == [[True, True], [True, False], [False, False], [True, True]]
    assert block.event_us.tolist() == [[50, 50], [50, 0], [0, 0], [50, 50]]
    assert (block.hits, block.lookups) == (0, 3 + 4)


def test_a_null_in_any_part_of_a_key_finds_nothing_and_asks_nobody(store):
    block = reader(store).read(keys(("UA", None), (None, "EWR"), (None, None), ("UA", "EWR")), 0)
    assert block.found.tolist() == [[False, False], [True, False], [False, False], [True, True]]
    assert block.lookups == 2
    assert reader(store).read(keys((None, None)), 0).lookups == 0


def test_all_misses_of_all_views_are_one_round_trip_and_hits_none(store):
    features = reader(store)
    rows = keys(("UA", "EWR"), ("XX", "YYY"), ("AA", "JFK"))
    features.read(rows, 0)
    assert store.reads == 1
    block = features.read(rows, SECOND_US - 1)
    assert (block.hits, block.lookups, store.reads) == (6, 6, 1)
    assert block.found.tolist() == [[True, True], [False, False], [True, True]]


@pytest.mark.parametrize("now", [SECOND_US, -SECOND_US])
def test_an_entry_a_time_to_live_away_is_asked_for_again_whichever_way_the_clock_went(store, now):
    features = reader(store)
    features.read(keys(("UA", "EWR")), 0)
    put(store, {"EWR": (7, 70)}, {}, 60)
    assert features.read(keys(("UA", "EWR")), now // 2).values[0, 0] == 1
    assert features.read(keys(("UA", "EWR")), now).values[0, 0] == 7


def test_a_moved_watermark_makes_everything_be_asked_again_where_that_is_wanted(store):
    exact, lazy = reader(store, revalidate_on_watermark=True), reader(store)
    for features in (exact, lazy):
        features.read(keys(("UA", "EWR")), 0)
    put(store, {"EWR": (7, 70)}, {}, 60)
    assert exact.read(keys(("UA", "EWR")), 0).values[0, 0] == 7
    assert exact.read(keys(("UA", "EWR")), 0).hits == 2
    assert lazy.read(keys(("UA", "EWR")), 0).values[0, 0] == 1


def test_a_batch_with_more_keys_than_the_cache_is_read_in_parts(store):
    features = reader(store, max_keys=2)
    rows = keys(*[("UA", "EWR"), ("AA", "JFK"), ("X", "Y"), ("Z", "W"), ("UA", "JFK")] * 3)
    block = features.read(rows, 0)
    np.testing.assert_array_equal(block.values[:, 0], np.float32([1, 2, np.nan, np.nan, 2] * 3))


def test_dictionary_columns_chunks_and_empty_batches_are_read_too(store):
    features = reader(store)
    origin = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["EWR", "JFK", "EWR"]))
    carrier = pa.chunked_array([["UA"], ["AA", "UA", "UA"]])
    block = features.read({"origin": origin, "carrier": carrier}, 0)
    assert block.values[:3].tolist() == [[1, 10, 5], [2, 20, 6], [1, 10, 5]]
    assert block.lookups == 4
    empty = features.read(keys(), 0)
    assert empty.values.shape == (0, 3)


def test_a_missing_join_key_is_named(store):
    with pytest.raises(ValueError, match="carrier"):
        reader(store).read({"origin": pa.array(["EWR"])}, 0)


def test_integer_and_text_keys_are_different_entities(tmp_path):
    plan = ServicePlan("weir", "s", (ViewPlan("v", ("id",), ("x",), ("int64",), 0.0),))
    store = LmdbStore(tmp_path, "weir")
    layout = layout_of(plan.views[0])
    store.write_many([Write(plan.views[0], [encode_key((7,))], layout.pack({"x": np.array([3])}, np.array([1])))])
    features = FeatureReader(plan, store, max_keys=9, ttl_us=1, revalidate_on_watermark=False)
    assert features.read({"id": pa.array([7, None, 8])}, 0).found.tolist() == [[True], [False], [False]]
    assert features.read({"id": pa.array(["7"])}, 0).found.tolist() == [[False]]
    store.close()


def test_the_cache_grows_to_its_limit_and_gives_up_what_was_not_used_lately():
    cache = FeatureCache(1, 3000)
    for begin in range(0, 6000, 500):
        wanted = list(range(begin, begin + 500))
        slots = cache.find([*wanted, 0])
        new = [key for key, slot in zip([*wanted, 0], slots, strict=True) if slot == 0]
        new = list(dict.fromkeys(new))
        columns = (np.float32(new)[:, None], np.zeros(len(new), np.int64), np.ones(len(new), bool))
        cache.put(new, np.zeros(len(new), np.int64), slots, columns, (0, 0))
    assert 2500 < len(cache) <= 3000
    assert cache.find([0])[0] != 0  # asked for in every batch


def test_a_batch_alone_larger_than_the_cache_is_an_error_of_the_caller():
    cache = FeatureCache(1, 2)
    columns = (np.zeros((3, 1), np.float32), np.zeros(3, np.int64), np.ones(3, bool))
    with pytest.raises(ValueError, match="more keys"):
        cache.put(["a", "b", "c"], np.zeros(3, np.int64), np.zeros(3, np.int64), columns, (0, 0))


def test_reading_and_writing_features_imports_neither_feast_nor_pandas():
    code = (
        "import sys, weir.demo.features.updater, weir.edges.features.reader, weir.edges.features.store.lmdb, "
        "weir.edges.features.store.redis;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'feast', 'pandas', 'sqlalchemy', 'duckdb'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert found.stdout.strip() == "[]"


def test_a_directory_that_was_taken_away_is_no_store_until_it_is_back(store, tmp_path):
    guard = LookupGuard(Breaker(1, 0.0), 1.0, own_thread=False)
    features = reader(store, ttl_us=0, guard=guard)
    asked = keys(("UA", "EWR"), ("XX", "YYY"))
    assert features.read(asked, 0).unavailable is None
    (tmp_path / "data.mdb").rename(tmp_path / "elsewhere")
    away = features.read(keys(("UA", "EWR"), ("ZZ", "ZZZ")), 0)
    assert away.unavailable.all()
    assert (away.found.tolist(), away.values[0].tolist()) == ([[True, True], [False, False]], [1, 10, 5])
    (tmp_path / "elsewhere").rename(tmp_path / "data.mdb")
    assert features.read(asked, 0).unavailable is None


def test_a_key_with_a_null_is_not_asked_and_so_not_unavailable(store):
    features = reader(store, guard=LookupGuard(Breaker(1, 9.0), 1.0, own_thread=False))
    store.read_many = lambda asks: (_ for _ in ()).throw(Unavailable("away", remedy="start it"))
    block = features.read(keys((None, "EWR"), ("UA", None)), 0)
    assert block.unavailable.tolist() == [[True, False], [False, False]]
    assert not block.found.any()
