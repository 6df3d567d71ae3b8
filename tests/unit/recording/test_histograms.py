"""Histograms of a block against counting row by row."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.core import golden
from weir.core import reference as references
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.core.features import Status
from weir.core.grid import AGES, UNIT, Grid, bins
from weir.core.reference import Numbers, Reference, Words
from weir.recording import histograms, naming

from tests.doubles import records
from tests.doubles.recording import counted

LOG = LogPartition("log", "weir.predictions", 0)
INPUTS = ("amount", "channel", "remark", "exact", "account")
CHANNELS = ("web", "app", "shop")
NORMAL = Reference(
    n=3,
    features={
        "amount": Numbers(Grid(center=2.0, scale=0.5, lo=1.0, hi=30.0)),
        "exact": Numbers(Grid(center=0.0, scale=8.0)),
        "account": Numbers(Grid(center=2.0**50, scale=4.0, lo=2.0**50, hi=2.0**50 + 5)),
    },
    categories={"channel": Words({"web": 2, "app": 1}), "remark": Words({"": 1}, rest=2, whole=False)},
    score=Numbers(UNIT),
    classes={"early": Numbers(UNIT)},
)
NAMES = BundleNames(
    records.DIGEST,
    INPUTS,
    ("recent",),
    ("early", "late"),
    ("channel", "remark"),
    ("exact",),
    ("account",),
    categories={"channel": CHANNELS},
    reference=references.dump(NORMAL),
)


class Known(naming.Names):
    def of(self, digests):
        return {records.DIGEST: NAMES} if records.DIGEST in digests else {}

    def lack(self, rows):
        raise AssertionError


def row(seed, minute, tenant, odd):
    random = np.random.default_rng(seed)
    amount = [random.normal(2, 9), np.nan, np.inf, -np.inf][odd]
    code = [0.0, 1.0, 2.0, np.nan][random.integers(4)]
    return {
        "minute": minute,
        "tenant": tenant,
        "team": ["", "red"][random.integers(2)],
        "features": np.array([amount, code, 0, np.nan if odd == 1 else 5, 2.0**50], np.float32),
        "exact": float(random.normal()),
        "account": int(2**50 + random.integers(-3, 9)),
        "texts": [None if np.isnan(code) else CHANNELS[int(code)], [None, "", "hello", "x" * 300][random.integers(4)]],
        "score": np.float32(random.random()),
        "decision": ["early", "late"][random.integers(2)],
        "outputs": random.random(2).astype(np.float32),
        "age": int(random.integers(-5, 100000)),
        "status": int(random.integers(1, 6)),
    }


ROWS = st.lists(
    st.builds(row, st.integers(0, 2**31), st.integers(0, 3), st.sampled_from(["a", "b"]), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)


def batch(rows, digest=records.DIGEST):
    n = len(rows)
    same = {"service": "s", "digest": digest, "version": "1", "variant": "champion"}
    packed = {
        "features": [one["features"].tobytes() for one in rows],
        "feature_age_s": [np.array([one["age"]], "<i4").tobytes() for one in rows],
        "feature_status": [np.array([one["status"]], "i1").tobytes() for one in rows],
        "outputs": [one["outputs"].tobytes() for one in rows],
        "texts": [records.packed_texts(one["texts"]) for one in rows],
        "doubles": [np.array([one["exact"]], "<f8").tobytes() for one in rows],
        "longs": [np.array([one["account"]], "<i8").tobytes() for one in rows],
    }
    return pa.RecordBatch.from_pydict(
        {
            **{name: [word] * n for name, word in same.items()},
            **{name: [one[name] for one in rows] for name in ("tenant", "team")},
            "request_id": [one.get("request_id", "r") for one in rows],
            "event_time": pa.array([60_000 * one["minute"] + 59_999 for one in rows], pa.int64()).cast(records.MS),
            "score": pa.array([one["score"] for one in rows], pa.float32()),
            "decision": [one["decision"] for one in rows],
            **{name: pa.array(values, pa.binary()) for name, values in packed.items()},
        }
    )


def by_rows(rows):
    """(kind, name, tenant, team, minute) -> what is counted, row by row."""
    found = {}

    def note(one, kind, name, what):
        found.setdefault((kind, name, one["tenant"], one["team"], one["minute"]), Counter()).update(["n", *what])

    def number(one, kind, name, value, grid):
        outside = [which for which, out in (("below", grid.lo), ("above", grid.hi)) if out is not None]
        passed = {"below": lambda: value < grid.lo, "above": lambda: value > grid.hi}
        missing = ["missing"] if np.isnan(value) else []
        where = int(bins(np.array([value]), grid)[0])
        note(one, kind, name, [*missing, *(which for which in outside if passed[which]()), where])

    for one in rows:
        amount, code, _, other, _ = one["features"].tolist()
        number(one, "feature", "amount", amount, NORMAL.features["amount"].grid)
        number(one, "feature", "exact", np.nan if np.isnan(other) else one["exact"], NORMAL.features["exact"].grid)
        number(one, "feature", "account", one["account"], NORMAL.features["account"].grid)
        note(one, "category", "channel", ["missing" if np.isnan(code) else f"word {CHANNELS[int(code)]}"])
        remark = one["texts"][1]
        note(one, "category", "remark", ["missing" if remark is None else "word " if remark == "" else "rest"])
        number(one, "score", "", float(one["score"]), UNIT)
        note(one, "decision", "", [f"word {one['decision']}"])
        for name, share in zip(NAMES.outputs, one["outputs"].tolist(), strict=True):
            number(one, "class", name, share, UNIT)
        unread = one["status"] in (Status.NOT_FOUND, Status.UNAVAILABLE)
        number(one, "age", "recent", np.nan if unread else one["age"], AGES)
        note(one, "status", "recent", [f"word {Status(one['status']).name.lower()}"])
    return found


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_a_block_is_counted_as_its_rows_are_one_by_one(rows):
    made = histograms.of(batch(rows), LOG, 7, Known())
    found = {
        (kind, name, tenant, team, window // 60): kept
        for (kind, name, _, tenant, team, window), kept in counted([made]).items()
    }
    assert found == by_rows(rows)
    assert set(made["log_offset"].to_pylist()) == {7}


@given(ROWS)
@settings(max_examples=20, deadline=None)
def test_sums_are_those_of_the_finite_values(rows):
    made = histograms.of(batch(rows), LOG, 0, Known())
    chosen = made.filter(pa.compute.equal(made["name"], "amount"))
    values = np.array([one["features"][0] for one in rows], np.float64)
    assert np.isclose(sum(chosen["total"].to_pylist()), values[np.isfinite(values)].sum())


def test_rows_that_have_no_names_are_not_counted():
    rows = [row(seed, 0, "a", 0) for seed in range(5)]
    assert len(histograms.of(batch(rows, digest="ffffffffffff"), LOG, 0, Known())) == 0
    short = batch(rows)
    assert len(
        histograms.of(short.set_column(short.schema.names.index("longs"), "longs", short["doubles"]), LOG, 0, Known())
    )


def test_golden_requests_are_not_counted():
    rows = [row(seed, 0, "a", 0) for seed in range(5)]
    asked = [one | {"request_id": golden.name(records.DIGEST, 0, 0.5, 0.0, "late", "x")} for one in rows[:2]]
    made, fewer = histograms.of(batch(rows + asked), LOG, 7, Known()), histograms.of(batch(rows), LOG, 7, Known())
    assert made.equals(fewer)
    assert len(histograms.of(batch(asked), LOG, 7, Known())) == 0


def test_new_words_are_counted_by_name_up_to_a_hundred_of_a_block():
    one = row(1, 0, "a", 0)
    reference = Reference(n=1, categories={"remark": Words({"known": 1})}, score=Numbers(UNIT))
    names = BundleNames(records.DIGEST, ("remark",), (), (), ("remark",), reference=references.dump(reference))

    class Other(Known):
        def of(self, digests):
            return {records.DIGEST: names}

    words = ["known", "new", "new", *(f"w{number}" for number in range(500)), "x" * 300]
    rows = batch([one | {"texts": [word], "features": np.zeros(1, np.float32)} for word in words])
    nothing = pa.array([b""] * len(words), pa.binary())
    for name in ("feature_age_s", "feature_status", "outputs", "doubles", "longs"):
        rows = rows.set_column(rows.schema.names.index(name), name, nothing)
    made = histograms.of(rows, LOG, 0, Other())
    (mine,) = [line for line in made.to_pylist() if line["kind"] == "category"]
    kept = dict(mine["words"])
    assert (kept["known"], kept["new"], len(kept)) == (1, 2, 101)
    assert mine["n"] == len(words) == sum(kept.values()) + mine["rest"]


def test_two_thousand_inputs_and_minutes_that_lie_years_apart():
    inputs = tuple(f"f{number}" for number in range(2000))
    reference = Reference(n=0, features={name: Numbers(Grid()) for name in inputs}, score=Numbers(UNIT))
    names = BundleNames(records.DIGEST, inputs, records.VIEWS, reference=references.dump(reference))

    class Wide(Known):
        def of(self, digests):
            return {records.DIGEST: names}

    rows = records.predictions(0, [0, 1, 100_000_000], inputs=2000)
    made = histograms.of(rows, LOG, 0, Wide())
    assert len(made) == 2 * (2000 + 2 + 2 * len(records.VIEWS))
    assert sum(made.filter(pa.compute.equal(made["kind"], "feature"))["n"].to_pylist()) == 2000 * 3
