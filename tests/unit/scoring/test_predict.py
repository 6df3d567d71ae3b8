"""A micro-batch from bytes to bytes, with the real codec and a real model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count, pairwise

import numpy as np
import pyarrow as pa
import pytest
from weir.core.batch import MODEL_RUN, ClosedBy, MicroBatch
from weir.core.chunk import CHUNK_RANGE, Chunk, LogPartition, Partition
from weir.core.clock import EventClock, WallClock
from weir.core.features import FeatureBlock, ServicePlan, Status, ViewPlan
from weir.core.rejects import Reason, Stage
from weir.core.signature import Band, Dtype, Input, Policy, Signature, Source, Task
from weir.edges.bundles.opened import Opened
from weir.scoring.batch_record import Worker
from weir.scoring.batches import EncodedBatch, Spent
from weir.scoring.identity import prediction_ids, text
from weir.scoring.output import Output
from weir.scoring.predict import Scorer, Service
from weir.scoring.route import Route
from weir.scoring.variant import Variant
from weir.wire.decode import Decoder
from weir.wire.encode import Encoder

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, WITH_FEATURES, expected, opened_bundle, spoken_graph, tiny_bundle
from tests.doubles.records import packed_texts

MAX_BYTES = 2000
NOW_MS = tiny.AT_MS + 1000
SPENT = Spent(batch_id=2**62 - 1, number=3, cpu_s=0.5, produce_s=0.01, idle_s=2.0)
LOG = "Qtm5Nj9yRKG8O3DFxbLLyA"
REQUESTS = Encoder(tiny.requests_contract())
WRITTEN = ("predictions", "dead_letters", "ledger", "batches")
OUT = {name: tiny.written_contract(name, 50 + i) for i, name in enumerate(WRITTEN)}
READ = {name: Decoder(contract, lambda schema_id: None) for name, contract in OUT.items()}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened_bundle(tiny_bundle(tmp_path_factory.mktemp("bundle")))


OUTPUT = Output(
    worker=Worker(
        service="tiny",
        worker="tests:1",
        provider="CPUExecutionProvider",
        runtime_id="0a1b2c3d4e5f",
        on_gpu=False,
    ),
    digest="abc",
    encode_predictions=Encoder(OUT["predictions"]).frames,
    encode_dead_letters=Encoder(OUT["dead_letters"]).frames,
    encode_ledger=Encoder(OUT["ledger"]).frames,
    encode_batch=Encoder(OUT["batches"]).record,
)


def variant_of(opened: Opened, name: str = "champion", **more: object) -> Variant:
    known = {"known_good": opened.known_good, "known_values": opened.known_values}
    parts = {"bundle": opened.bundle, "run": opened.model.run, **known}
    return Variant(name, **{**parts, **more})


def service_of(opened: Opened, *variants: Variant, **more: object) -> Service:
    """A service of these variants, in equal shares; by default of one, the champion."""
    decoder = Decoder(tiny.requests_contract(signature=opened.bundle.signature), lambda schema_id: None)
    variants = variants or (variant_of(opened),)
    parts = {
        "decode": partial(decoder.decode, max_bytes=MAX_BYTES),
        "variants": variants,
        "route": Route(tuple(variant.name for variant in variants), (1.0,) * len(variants)),
        "clock": WallClock(lambda: NOW_MS / 1000),
        "max_failed": 100,
    }
    return Service(**{**parts, **more})


@pytest.fixture
def scorer(opened: Opened) -> Scorer:
    return Scorer(service_of(opened))


def chunk_of(partition: int, first: int, values: list[bytes | None], *, holes: bool = False) -> Chunk:
    """holes: every second offset of the log is missing, as after compaction."""
    step = 2 if holes else 1
    offsets = first + np.arange(len(values), dtype=np.int64) * step
    return Chunk(
        source=Partition("weir.requests.tiny", partition),
        first=first,
        last=int(offsets[-1]),
        values=pa.array(values, pa.large_binary()),
        keys=pa.array([f"key-{offset}".encode() for offset in offsets], pa.large_binary()),
        offsets=offsets,
        oldest_ms=NOW_MS - 500,
        newest_ms=NOW_MS,
        fetched_at_s=0.0,
        log=LOG,
    )


def score(scorer: Scorer, *chunks: Chunk) -> EncodedBatch:
    ticks: Iterator[int] = count()
    batch = MicroBatch(chunks, ClosedBy.ROWS, wait_s=0.25)

    def tick() -> float:
        return next(ticks) * 0.001

    return OUTPUT.encode(scorer.score(batch, tick=tick), SPENT, wall_ms=NOW_MS, tick=tick)


def test_a_batch_has_a_record_of_what_it_held_and_took(scorer: Scorer, opened: Opened) -> None:
    good, letters = REQUESTS.encode(tiny.rows(300)), [b"", b"no frame"]
    chunks = chunk_of(2, 1000, good), chunk_of(0, 7, [*letters, *good[:10]])
    scored = score(scorer, *chunks)
    (record,) = read("batches", OUTPUT.encode_batches([scored]))
    assert (record["batch_id"], record["number"], record["worker"]) == (2**62 - 1, 3, "tests:1")
    assert (record["provider"], record["runtime_id"]) == ("CPUExecutionProvider", "0a1b2c3d4e5f")
    assert record["digests"] == f'["{opened.bundle.short_digest}"]'
    assert np.frombuffer(record["runs"], MODEL_RUN).tolist() == [(310, 1000)]
    assert (record["rows"], record["scored"], record["rejected"]) == (312, 310, 2)
    assert (record["closed_by"], record["source_log"], record["source_topic"]) == ("rows", LOG, "weir.requests.tiny")
    assert record["bytes_in"] == sum(map(len, [*good, *letters, *good[:10]]))
    written = [value for one in scored.written for value in (one.predictions, one.dead_letters)]
    assert record["bytes_out"] == sum(len(value) for values in written for value in values.to_pylist())
    assert {name: record[f"{name}_us"] for name in ("wait", "cpu", "produce", "idle", "gpu")} == {
        "wait": 250_000,
        "cpu": 500_000,
        "produce": 10_000,
        "idle": 2_000_000,
        "gpu": None,
    }
    assert {record[f"{stage}_us"] for stage in ("decode", "lookup", "assemble", "run", "encode")} == {1000}
    assert np.frombuffer(record["contract_ids"], "<i4").tolist() == [REQUESTS.contract.schema_id]
    ranges = np.frombuffer(record["ranges"], CHUNK_RANGE).tolist()
    assert ranges == [(2, 1000, 1299), (0, 7, 18)]
    assert {row["batch_id"] for one in scored.written for row in read("predictions", one.predictions)} == {2**62 - 1}


def test_an_answer_says_which_of_its_inputs_are_defaults(scorer: Scorer, opened: Opened) -> None:
    """Of the tiny signature only `gift` has one."""
    rows = tiny.rows(20)
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    gift = opened.bundle.signature.names.index("gift")
    said = [row["defaulted"] for row in read("predictions", scored.written[0].predictions)]
    assert said == [bytes([1 << gift]) if row["gift"] is None else b"" for row in rows.to_pylist()]
    whole = tiny.changed(rows, gift=True)
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(whole)))
    assert {row["defaulted"] for row in read("predictions", scored.written[0].predictions)} == {b""}


def test_each_answer_names_the_contract_that_its_request_was_written_with(opened: Opened) -> None:
    other = replace(REQUESTS.contract, schema_id=REQUESTS.contract.schema_id + 1)
    texts = {one.schema_id: one.schema for one in (REQUESTS.contract, other)}
    decoder = Decoder(REQUESTS.contract, texts.get)
    scorer = Scorer(service_of(opened, decode=partial(decoder.decode, max_bytes=MAX_BYTES)))
    values = [
        value
        for pair in zip(REQUESTS.encode(tiny.rows(5)), Encoder(other).encode(tiny.rows(5)), strict=True)
        for value in pair
    ]
    scored = score(scorer, chunk_of(0, 0, [*values, b"x"]))
    ids = [row["contract_id"] for row in read("predictions", scored.written[0].predictions)]
    assert ids == [REQUESTS.contract.schema_id, other.schema_id] * 5
    (record,) = read("batches", OUTPUT.encode_batches([scored]))
    assert np.frombuffer(record["contract_ids"], "<i4").tolist() == sorted(set(ids))


def read(name: str, values) -> list[dict]:
    decoded = READ[name].decode(values, 10**6)
    assert not len(decoded.rejects)
    return decoded.rows.to_pylist()


def floats(value: bytes) -> list[float]:
    return np.frombuffer(value, "<f4").tolist()


def test_a_clean_batch_is_scored_as_the_model_says(scorer: Scorer, opened: Opened) -> None:
    rows = tiny.rows(300)
    scored = score(scorer, chunk_of(2, 1000, REQUESTS.encode(rows)))
    found = read("predictions", scored.written[0].predictions)
    matrix = tiny.matrix(rows)
    scores = np.array([row["score"] for row in found])
    np.testing.assert_allclose(scores, expected(matrix), atol=1e-6)
    assert [floats(row["features"]) for row in found] == matrix.tolist()
    assert [row["decision"] for row in found] == ["positive" if value >= 0.5 else "negative" for value in scores]
    for name in ("request_id", "event_time", "tenant", "team", "traceparent"):
        assert [row[name] for row in found] == rows.column(name).to_pylist(), name
    assert [row["source_offset"] for row in found] == list(range(1000, 1300))
    ids = prediction_ids(LogPartition(LOG, "weir.requests.tiny", 2), np.arange(1000, 1300), tiny.AT_MS + np.arange(300))
    assert [row["prediction_id"] for row in found] == text(ids).to_pylist()
    head = found[0]
    assert [head[f"source_{name}"] for name in ("log", "topic", "partition")] == [LOG, "weir.requests.tiny", 2]
    said = [head[name] for name in ("service", "model", "version", "digest", "variant")]
    assert said == ["tiny", "tiny-logistic", "1", opened.bundle.short_digest, "champion"]
    assert {row["batch_id"] for row in found} == {2**62 - 1}
    assert {row["contract_id"] for row in found} == {REQUESTS.contract.schema_id}
    assert (head["feature_age_s"], head["feature_status"]) == (b"", b"")
    assert len(scored.written[0].dead_letters) == 0
    assert (scored.stats.scored, len(scored.stats.rejects)) == (300, 0)


def test_every_kind_of_bad_record_becomes_a_dead_letter_with_its_own_bytes(scorer: Scorer) -> None:
    bad = tiny.one_of_each(REQUESTS, MAX_BYTES)
    values: list[bytes | None] = list(REQUESTS.encode(tiny.rows(100)))
    places = [3, 17, 18, 40, 55, 56, 77, 99]
    for place, record in zip(places, bad, strict=True):
        values[place] = record.value
    scored = score(scorer, chunk_of(1, 5000, values))
    letters = read("dead_letters", scored.written[0].dead_letters)
    assert [(row["stage"], row["reason"]) for row in letters] == [(record.stage, record.reason) for record in bad]
    assert [row["value"] for row in letters] == [record.value for record in bad]
    assert [row["key"] for row in letters] == [f"key-{5000 + place}".encode() for place in places]
    assert [row["source_offset"] for row in letters] == [5000 + place for place in places]
    assert {(row["source_topic"], row["source_partition"]) for row in letters} == {("weir.requests.tiny", 1)}
    assert all(row["detail"] for row in letters)
    found = read("predictions", scored.written[0].predictions)
    kept = [i for i in range(100) if i not in places]
    assert [row["source_offset"] for row in found] == [5000 + i for i in kept]
    scores = expected(tiny.matrix(tiny.rows(100)))[kept]
    np.testing.assert_allclose([row["score"] for row in found], scores, atol=1e-6)


def test_each_chunk_gets_what_came_of_its_own_records(scorer: Scorer) -> None:
    """Chunks of several partitions, two of one, one with holes, one all bad, rejects at both ends of each."""
    chunks, first = [], 0
    for partition, start, size, holes in ((0, 100, 7, False), (3, 0, 5, True), (0, 107, 1, False), (2, 9, 6, False)):
        values: list[bytes | None] = list(REQUESTS.encode(tiny.rows(size, first=first)))
        values[0] = None if partition != 2 else b"?"
        values[-1] = values[-1][:-1] if values[-1] else None
        chunks.append(chunk_of(partition, start, values, holes=holes))
        first += size
    chunks.append(chunk_of(1, 40, [b"", None, b"\x00\x00\x00\x00\x07"]))
    scored = score(scorer, *chunks)
    assert len(scored.written) == len(chunks)
    total = 0
    for chunk, written, one in zip(chunks, scored.written, scored.entries, strict=True):
        found, letters = read("predictions", written.predictions), read("dead_letters", written.dead_letters)
        ((partition, values),) = OUTPUT.encode_entries([one], 1)
        (entry,) = read("ledger", values)
        assert partition == chunk.source.partition
        assert {(row["source_topic"], row["source_partition"]) for row in found + letters} == {chunk.source}
        assert sorted(row["source_offset"] for row in found + letters) == chunk.offsets.tolist()
        assert [row["source_offset"] for row in found] == sorted(row["source_offset"] for row in found)
        by_offset = dict(zip(chunk.offsets.tolist(), chunk.values.to_pylist(), strict=True))
        assert all(row["value"] == by_offset[row["source_offset"]] for row in letters)
        assert (entry["role"], entry["source_topic"], entry["source_partition"]) == ("scorer", *chunk.source)
        assert (entry["first"], entry["last"], entry["read"]) == (chunk.first, chunk.last, len(chunk))
        assert (entry["scored"], entry["rejected"]) == (len(found), len(letters))
        assert (entry["worker"], entry["service"]) == ("tests:1", "tiny")
        total += len(found)
    requests = [row["request_id"] for written in scored.written for row in read("predictions", written.predictions)]
    assert requests == [f"request-{i}" for i in (1, 2, 3, 4, 5, 8, 9, 10, 14, 15, 16, 17)]
    assert (scored.stats.scored, len(scored.stats.rejects)) == (total, sum(map(len, chunks)) - total)


def test_a_replay_in_other_batches_gives_the_same_predictions(scorer: Scorer) -> None:
    values = REQUESTS.encode(tiny.rows(64))
    whole = score(scorer, chunk_of(0, 500, values))
    parts = [score(scorer, chunk_of(0, 500 + a, values[a:b])) for a, b in pairwise((0, 1, 20, 64))]
    key = ("prediction_id", "request_id", "score", "decision", "features", "source_offset")
    one = [[row[name] for name in key] for row in read("predictions", whole.written[0].predictions)]
    many = [[row[name] for name in key] for part in parts for row in read("predictions", part.written[0].predictions)]
    assert one == many


def test_each_row_names_the_version_that_answered_it_and_is_decided_by_its_threshold(opened, tmp_path) -> None:
    """Two versions, of other inputs, in one batch of two partitions; the answers stand in record order."""
    wide = opened_bundle(tiny_bundle(tmp_path, WITH_FEATURES))
    strict = replace(wide.bundle, version="2", signature=replace(WITH_FEATURES, threshold=0.9))
    challenger = Variant("challenger", strict, wide.model.run, wide.known_good, lookup=Features())
    scorer = Scorer(service_of(opened, variant_of(opened), challenger))
    rows = tiny.changed(tiny.rows(300), event_time=tiny.AT_MS, shop=3)
    values = REQUESTS.encode(rows)
    scored = score(scorer, chunk_of(0, 0, values[:200]), chunk_of(1, 0, values[200:]))
    found = [row for written in scored.written for row in read("predictions", written.predictions)]
    assert [row["request_id"] for row in found] == rows.column("request_id").to_pylist()
    assert dict(scored.stats.rows) == Counter(row["variant"] for row in found)
    assert min(scored.stats.rows.values()) > 100
    versions = {"champion": (opened.bundle, 4, 0.5), "challenger": (strict, 7, 0.9)}
    for row in found:
        bundle, width, threshold = versions[row["variant"]]
        assert (row["model"], row["version"], row["digest"]) == (bundle.name, bundle.version, bundle.short_digest)
        assert len(floats(row["features"])) == width
        assert row["decision"] == ("positive" if row["score"] >= threshold else "negative")
    for version in versions:
        assert {row["decision"] for row in found if row["variant"] == version} == {"positive", "negative"}


def test_a_route_over_other_variants_than_the_service_has_is_a_mistake(opened) -> None:
    with pytest.raises(ValueError, match="challenger"):
        Scorer(service_of(opened, route=Route(("challenger",))))


def test_a_batch_of_nothing_but_bad_records_still_enters_the_ledger(scorer: Scorer) -> None:
    scored = score(scorer, chunk_of(0, 0, [b"", b"junk", None]))
    assert len(scored.written[0].predictions) == 0
    ((_, values),) = OUTPUT.encode_entries(scored.entries, 1)
    (entry,) = read("ledger", values)
    assert (entry["read"], entry["scored"], entry["rejected"]) == (3, 0, 3)


def test_neighbours_enter_the_ledger_as_one_and_others_each_for_themselves(scorer: Scorer) -> None:
    good = REQUESTS.encode(tiny.rows(6))
    batches = [(0, 10, 4), (1, 10, 2), (0, 14, 6), (1, 12, 1), (0, 30, 3)]
    stretches = [
        one
        for partition, first, rows in batches
        for one in score(scorer, chunk_of(partition, first, [None, *good[1:rows]])).entries
    ]
    entries = [(partition, *read("ledger", values)) for partition, values in OUTPUT.encode_entries(stretches, 7)]
    names = ("first", "last", "read", "scored", "rejected")
    told = [(partition, *(row[name] for name in names)) for partition, row in entries]
    assert told == [(0, 10, 19, 10, 8, 2), (1, 10, 12, 3, 1, 2), (0, 30, 32, 3, 2, 1)]


@pytest.mark.parametrize("time_ms", [-1, 4_102_444_800_000, 2**62])
def test_an_event_time_outside_the_calendar_is_rejected_and_moves_no_clock(opened, time_ms: int) -> None:
    scorer = Scorer(service_of(opened, clock=EventClock()))
    rows = tiny.rows(3)
    times = pa.array([tiny.AT_MS, time_ms, tiny.AT_MS + 1]).cast(tiny.MS)
    rows = rows.set_column(1, "event_time", times)
    rows = rows.set_column(5, "deadline", pa.array([None, None, tiny.AT_MS + 5], tiny.MS))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["reason"]) == (1, Reason.OUT_OF_RANGE)
    assert str(time_ms) in letter["detail"]
    assert scored.stats.scored == 2


def test_an_event_time_of_zero_is_missing_and_a_request_without_a_name_is_answered(scorer: Scorer) -> None:
    """0 is what a producer writes that sets no time; a name is the caller's own affair."""
    rows = tiny.rows(3)
    rows = rows.set_column(1, "event_time", pa.array([0, 1, tiny.AT_MS]).cast(tiny.MS))
    rows = rows.set_column(0, "request_id", pa.array(["a", "b", ""]))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["stage"], letter["reason"]) == (0, Stage.VALIDATE, Reason.MISSING)
    assert "event_time = 0" in letter["detail"]
    found = read("predictions", scored.written[0].predictions)
    assert [(row["source_offset"], row["request_id"]) for row in found] == [(1, "b"), (2, "")]


@pytest.mark.parametrize("time_ms", [-1, tiny.AT_MS * 1000])
def test_a_deadline_that_nobody_can_mean_is_rejected(scorer: Scorer, time_ms: int) -> None:
    """Microseconds for milliseconds would be a deadline that never comes."""
    rows = tiny.rows(2).set_column(5, "deadline", pa.array([None, time_ms], tiny.MS))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["reason"]) == (1, Reason.OUT_OF_RANGE)
    assert letter["detail"] == f"deadline = {time_ms} ms since 1970"


def test_a_deadline_is_met_up_to_its_last_millisecond(scorer: Scorer) -> None:
    rows = tiny.rows(3).set_column(5, "deadline", pa.array([NOW_MS, NOW_MS - 1, None], tiny.MS))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["reason"], letter["detail"]) == (1, Reason.PAST_DEADLINE, "1 ms late")


def test_a_score_that_is_not_a_number_is_a_dead_letter(opened) -> None:
    def run(matrix: np.ndarray) -> np.ndarray:
        scores = opened.model.run(matrix)
        scores[1] = np.nan
        return scores

    scorer = Scorer(service_of(opened, variant_of(opened, run=run)))
    values: list[bytes | None] = [b"", *REQUESTS.encode(tiny.rows(3))]
    scored = score(scorer, chunk_of(0, 0, values))
    letters = read("dead_letters", scored.written[0].dead_letters)
    assert [(row["source_offset"], row["stage"], row["reason"]) for row in letters] == [
        (0, Stage.DECODE, Reason.EMPTY),
        (2, Stage.PREDICT, Reason.MODEL_FAILED),
    ]
    assert letters[1]["detail"] == "score = nan"
    assert [row["source_offset"] for row in read("predictions", scored.written[0].predictions)] == [1, 3]


def test_an_id_names_the_request_whichever_variant_answers(opened) -> None:
    scorer = Scorer(service_of(opened, variant_of(opened), variant_of(opened, "challenger")))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(tiny.rows(200))))
    found = read("predictions", scored.written[0].predictions)
    assert {row["variant"] for row in found} == {"champion", "challenger"}
    for row in found:
        at = np.array([row["source_offset"]])
        made = prediction_ids(LogPartition(LOG, "weir.requests.tiny", 0), at, tiny.AT_MS + at)
        assert text(made).to_pylist() == [row["prediction_id"]]


PLAN = ServicePlan(
    "weir",
    "tiny_v1",
    (
        ViewPlan("customer_recent", ("customer",), ("spend_7d", "visits_7d"), ("float32", "float32"), 3600.0),
        ViewPlan("shop_recent", ("shop",), ("returns_1d",), ("float32",), 86_400.0),
    ),
)


class Features:
    """Customers ending in 0 have no record; shop None has none; those of shop 4 are two hours old."""

    plan = PLAN

    def __init__(self) -> None:
        self.asked_at_us: list[int] = []

    def read(self, keys, now_us: int) -> FeatureBlock:
        self.asked_at_us.append(now_us)
        customers, shops = keys["customer"].to_pylist(), keys["shop"].to_pylist()
        known = zip(customers, shops, strict=True)
        found = np.array([[not name.endswith("0"), shop is not None] for name, shop in known])
        values = np.array(
            [
                [float(name.split("-")[1]), 2.0, -1.0 if shop is None else float(shop)]
                for name, shop in zip(customers, shops, strict=True)
            ],
            np.float32,
        )
        values[~found[:, [0, 0, 1]]] = np.nan
        age_us = np.array([[5_000_000, 7_200_000_000 if shop == 4 else 1_000_000] for shop in shops])
        return FeatureBlock(
            values, np.where(found, tiny.AT_MS * 1000 - age_us, 0), found.reshape(-1, 2), 7, 9, incomplete=5
        )


def test_features_their_ages_and_their_absence(tmp_path) -> None:
    opened = opened_bundle(tiny_bundle(tmp_path, WITH_FEATURES))
    lookup = Features()
    scorer = Scorer(service_of(opened, variant_of(opened, lookup=lookup)))
    rows = tiny.rows(40)
    rows = tiny.changed(rows, event_time=tiny.AT_MS)
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(rows)))
    found = {row["source_offset"]: row for row in read("predictions", scored.written[0].predictions)}
    letters = {row["source_offset"]: row for row in read("dead_letters", scored.written[0].dead_letters)}
    for i, row in enumerate(rows.to_pylist()):
        if row["shop"] is None or row["shop"] == 4:
            reason = Reason.FEATURE_MISSING if row["shop"] is None else Reason.FEATURE_STALE
            assert (letters[i]["stage"], letters[i]["reason"]) == (Stage.ASSEMBLE, reason)
            assert letters[i]["detail"] == "shop_recent__returns_1d"
            continue
        nobody = row["customer"].endswith("0")
        values = np.frombuffer(found[i]["features"], "<f4")
        spend, visits = (np.nan, 1.0) if nobody else (float(row["customer"].split("-")[1]), 2.0)
        np.testing.assert_array_equal(values[4:], np.array([spend, visits, row["shop"]], np.float32))
        assert np.frombuffer(found[i]["feature_age_s"], "<i4").tolist() == [-1 if nobody else 5, 1]
        assert list(found[i]["feature_status"]) == [Status.NOT_FOUND if nobody else Status.PRESENT, Status.PRESENT]
        assert found[i]["score"] == pytest.approx(expected(values[None], WITH_FEATURES)[0], abs=1e-6)
    assert len(found) + len(letters) == 40
    assert (scored.stats.cache_hits, scored.stats.cache_lookups, scored.stats.incomplete_records) == (7, 9, 5)
    assert lookup.asked_at_us == [NOW_MS * 1000]
    assert (
        sum(n for (view, _), n in scored.stats.feature_status.items() if view == "shop_recent") == scored.stats.scored
    )
    assert scored.stats.feature_oldest_s == {"customer_recent": 5.0, "shop_recent": 1.0}


THREE = replace(SIGNATURE, task=Task.MULTICLASS, threshold=None, classes=("early", "on time", "late"))


def answers(opened: Opened, rows: pa.RecordBatch) -> list[dict]:
    """Predictions of requests, as written."""
    scored = score(Scorer(service_of(opened)), chunk_of(0, 0, REQUESTS.encode(rows)))
    return read("predictions", scored.written[0].predictions)


def test_a_multiclass_model_gives_class_and_outputs_and_words_stay_as_they_were(tmp_path) -> None:
    opened = opened_bundle(tiny_bundle(tmp_path, THREE))
    rows = tiny.rows(300)
    found = answers(opened, rows)
    outputs = np.array([floats(row["outputs"]) for row in found])
    np.testing.assert_allclose(outputs, expected(tiny.matrix(rows), THREE), atol=1e-6)
    assert [row["decision"] for row in found] == [THREE.classes[i] for i in outputs.argmax(axis=1)]
    assert [row["score"] for row in found] == outputs.max(axis=1).tolist()
    assert len({row["decision"] for row in found}) > 1
    assert [row["texts"] for row in found] == [packed_texts([word]) for word in rows["channel"].to_pylist()]


def test_a_word_that_the_model_does_not_know_stays_as_it_was(tmp_path) -> None:
    lenient = replace(SIGNATURE.inputs[3], on_missing=Policy.USE)
    signature = replace(SIGNATURE, inputs=(*SIGNATURE.inputs[:3], lenient))
    opened = opened_bundle(tiny_bundle(tmp_path, signature))
    rows = pa.concat_batches([tiny.changed(tiny.rows(2), channel=word) for word in ("Fax ✆", None, "web")])
    found = read(
        "predictions", score(Scorer(service_of(opened)), chunk_of(0, 0, REQUESTS.encode(rows))).written[0].predictions
    )
    words = ["Fax ✆", "Fax ✆", None, None, "web", "web"]
    assert [row["texts"] for row in found] == [packed_texts([word]) for word in words]
    assert np.isnan([floats(row["features"])[3] for row in found]).tolist() == [True] * 4 + [False] * 2


def test_a_regression_decides_by_bands_or_not_at_all(tmp_path) -> None:
    bands = (Band(name="low"), Band(name="middle", start=0.4), Band(name="high", start=0.5))
    rows = tiny.rows(300)
    for number, signature in enumerate(
        (
            replace(SIGNATURE, task=Task.REGRESSION, threshold=None, bands=bands),
            replace(SIGNATURE, task=Task.REGRESSION, threshold=None),
            replace(SIGNATURE, threshold=None, bands=bands),
            replace(SIGNATURE, classes=("stays", "leaves")),
        )
    ):
        opened = opened_bundle(tiny_bundle(tmp_path / str(number), signature))
        found = read(
            "predictions",
            score(Scorer(service_of(opened)), chunk_of(0, 0, REQUESTS.encode(rows))).written[0].predictions,
        )
        scores = np.array([row["score"] for row in found])
        names, cuts = signature.decisions, np.array(signature.cuts, np.float32)
        assert [row["decision"] for row in found] == [names[int((cuts <= value).sum())] for value in scores]
        assert {row["outputs"] for row in found} == {b""}


def test_two_variants_of_different_tasks_answer_one_batch(opened: Opened, tmp_path) -> None:
    other = opened_bundle(tiny_bundle(tmp_path, THREE, version="2"))
    both = variant_of(opened, "champion"), variant_of(other, "three")
    rows = tiny.rows(200)
    scored = score(Scorer(service_of(opened, *both)), chunk_of(0, 0, REQUESTS.encode(rows)))
    found = read("predictions", scored.written[0].predictions)
    assert [row["source_offset"] for row in found] == list(range(200))
    assert Counter((row["variant"], len(row["outputs"])) for row in found).keys() == {("champion", 0), ("three", 12)}
    assert {row["decision"] for row in found if row["variant"] == "champion"} <= {"negative", "positive"}
    assert {row["decision"] for row in found if row["variant"] == "three"} <= set(THREE.classes)


def test_a_row_of_which_one_output_is_no_number_is_rejected(tmp_path) -> None:
    opened = opened_bundle(tiny_bundle(tmp_path, THREE))

    def run(matrix: np.ndarray) -> np.ndarray:
        outputs = opened.model.run(matrix).copy()
        outputs[1, 2] = np.inf
        return outputs

    scorer = Scorer(service_of(opened, variant_of(opened, run=run)))
    scored = score(scorer, chunk_of(0, 0, REQUESTS.encode(tiny.rows(3))))
    assert [row["source_offset"] for row in read("predictions", scored.written[0].predictions)] == [0, 2]
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["reason"], letter["detail"]) == (1, Reason.MODEL_FAILED, "score = inf")


REMARK = Input(name="remark", source=Source.REQUEST, ref="remark", dtype=Dtype.STRING, on_missing=Policy.USE)
SPOKEN = replace(SIGNATURE, inputs=(*SIGNATURE.inputs, REMARK))


def spoken(folder, signature: Signature = SPOKEN) -> Opened:
    """The tiny model, but 1 more for "red" before the sigmoid, and an error for "black"."""
    return opened_bundle(tiny_bundle(folder, signature, model=spoken_graph(signature)))


def remarked(words: list[str | None]) -> pa.RecordBatch:
    return tiny.rows(len(words)).append_column("remark", pa.array(words, pa.string()))


@pytest.mark.parametrize("words", [["red", "blue", None, "", "Zürich ✈", "red"], [None, None], ["red"]])
def test_texts_reach_the_model_and_stand_in_the_answer(tmp_path, words: list[str | None]) -> None:
    opened, rows = spoken(tmp_path), remarked(words)
    requests = Encoder(tiny.requests_contract(signature=SPOKEN))
    scored = score(Scorer(service_of(opened)), chunk_of(0, 0, requests.encode(rows)))
    found = read("predictions", scored.written[0].predictions)
    raw = np.log(expected(tiny.matrix(rows)) / (1 - expected(tiny.matrix(rows))))
    wanted = 1 / (1 + np.exp(-(raw + [word == "red" for word in words])))
    np.testing.assert_allclose([row["score"] for row in found], wanted, atol=1e-6)
    channels = rows.column("channel").to_pylist()
    assert [row["texts"] for row in found] == [packed_texts(both) for both in zip(channels, words, strict=True)]
    recorded = [floats(row["features"])[4] for row in found]
    assert [None if np.isnan(value) else value for value in recorded] == [None if w is None else 0.0 for w in words]


def test_a_text_on_which_the_model_raises_stands_alone(tmp_path) -> None:
    opened = spoken(tmp_path)
    words = ["red", "black", None, "blue", "black", "white"]
    requests = Encoder(tiny.requests_contract(signature=SPOKEN))
    scored = score(Scorer(service_of(opened)), chunk_of(0, 0, requests.encode(remarked(words))))
    letters = read("dead_letters", scored.written[0].dead_letters)
    assert [(row["source_offset"], row["reason"]) for row in letters] == [(1, "model_failed"), (4, "model_failed")]
    assert [row["source_offset"] for row in read("predictions", scored.written[0].predictions)] == [0, 2, 3, 5]


def test_a_text_that_is_required_and_missing_is_rejected(tmp_path) -> None:
    required = replace(SPOKEN, inputs=(*SIGNATURE.inputs, replace(REMARK, on_missing=Policy.REJECT)))
    requests = Encoder(tiny.requests_contract(signature=required))
    scored = score(
        Scorer(service_of(spoken(tmp_path, required))), chunk_of(0, 0, requests.encode(remarked(["", None])))
    )
    (letter,) = read("dead_letters", scored.written[0].dead_letters)
    assert (letter["source_offset"], letter["reason"], letter["detail"]) == (1, Reason.MISSING, "remark")
