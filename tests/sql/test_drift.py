"""Drift as the monitors work it out, against SciPy and worked answers; and windows that hold nothing to compare."""

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm
from weir.core.errors import Refused
from weir.core.grid import UNIT, Grid, grid_of
from weir.edges.bundles.reference import of_numbers
from weir.edges.clickhouse import baselines, monitors, sides
from weir.edges.clickhouse.client import connect
from weir.monitor.baseline import Baseline
from weir.monitor.segment import Segment
from weir.monitor.spec import Asked
from weir.monitor.verdict import Scene
from weir.monitor.verdicts import drift
from weir.recording import tables
from weir.settings import load

from tests.databases import migrated, put
from tests.doubles import histograms, records

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
ASKED = Asked(service=histograms.SERVICE, begin=NOON, end=NOON + HOUR, step_s=3600)
GOLDEN = norm.ppf((np.arange(2000) + 0.5) / 2000), 0.25 + 1.1 * norm.ppf((np.arange(500) + 0.5) / 500)
WORDS = (
    np.repeat(["a", "b", "c", "d"], [1000, 600, 300, 100]).tolist(),
    {"a": 200, "b": 180, "c": 100, "e": 20},
)
GRID = grid_of(GOLDEN[0])


@pytest.fixture
def client(databases):
    with migrated(databases) as settings:
        yield connect(settings.recording)


@pytest.fixture(scope="module")
def golden(databases):
    """A database with the reference and one hour of the worked examples."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        features = {"x": of_numbers(GOLDEN[0], GRID)}
        scores = of_numbers(norm.cdf(GOLDEN[0]).astype(np.float32), UNIT)
        decisions = ["no"] * 1700 + ["yes"] * 300
        histograms.describe(
            client, features=features, categories={"w": WORDS[0]}, score=scores, decisions=decisions, n=2000
        )
        histograms.record(
            client,
            [
                histograms.numbers(NOON + timedelta(minutes=7), "x", GOLDEN[1], GRID),
                histograms.words(NOON, "w", WORDS[1]),
                histograms.words(NOON, "", {"no": 400, "yes": 100}, kind="decision"),
                histograms.numbers(NOON, "", norm.cdf(GOLDEN[1]), UNIT, kind="score"),
            ],
        )
        yield client


def asked(client, name, question=ASKED, **more):
    """A monitor's rows: by a statement without what it does not need, and by the whole one, alike."""
    monitor, question = monitors.named(load(), name), replace(question, **more)
    found = monitors.run(client, monitor, question)
    bound = monitors.parameters(client, monitor, question)
    if sides.needed(monitor.sql, bound)[0] != monitor.sql:
        with pytest.MonkeyPatch.context() as whole:
            whole.setattr(sides, "SIDES", re.compile("(?!)"))
            assert monitors.run(client, monitor, question) == found
    return found


def test_numbers_are_those_of_scipy(golden):
    (row,) = asked(golden, "drift/features")
    found = row.details
    assert (row.subject, row.n, found["base_n"], found["base"]) == ("x", 500, 2000, "reference:d1")
    assert found["ks"] == pytest.approx(0.1025, abs=1.1e-3)
    assert found["ks"] <= 0.1025 <= found["ks_high"]
    assert row.p == pytest.approx(0.00041161149925867145, abs=5e-4)
    assert row.value == pytest.approx(0.0637410400821721, abs=1e-3)  # with half a prediction more in each cell
    assert found["psi_null"] == pytest.approx(9 * (1 / 500 + 1 / 2000))
    assert found["js"] == pytest.approx(0.10775545533793998, abs=1e-3)
    assert found["w1"] == pytest.approx(0.25064723999547306, rel=0.01)
    assert (found["grid_id"], found["smoothing"], found["log_base"]) == ("asinh 0 0.5", 0.5, 2)
    assert found["mean"] == pytest.approx(0.25)


def test_categories_are_those_of_scipy(golden):
    (row,) = asked(golden, "drift/categories")
    found = row.details
    assert (found["chi2"], found["df"]) == (pytest.approx(124.19871794871796, abs=1e-13, rel=1e-13), 4)
    assert row.p == pytest.approx(6.770426301180067e-26, rel=1e-12)
    assert row.value == pytest.approx(0.447183407840841, rel=1e-13)
    assert found["js"] == pytest.approx(0.23145383876576872, rel=1e-13)
    assert (found["new_rate"], found["new_words"]) == (0.04, ["e"])


def test_decisions_and_scores_too(golden):
    (row,) = asked(golden, "drift/decisions")
    chi2, p, df, _ = stats.chi2_contingency([[1700, 300], [400, 100]], correction=False)
    assert (row.details["chi2"], row.details["df"], row.p) == (pytest.approx(chi2), df, pytest.approx(p))
    assert row.details["decision"] == ["no", "yes"]
    assert row.details["share"] == [0.8, 0.2]
    (row,) = asked(golden, "drift/score")
    assert row.details["ks"] == pytest.approx(0.1025, abs=1.1e-3)
    assert row.details["mean"] == pytest.approx(norm.cdf(GOLDEN[1]).mean())


def test_one_feature_has_its_histogram(golden):
    (row,) = asked(golden, "drift/feature", subject="x")
    assert sum(row.details["share"]) == pytest.approx(1)
    assert sum(row.details["base_share"]) == pytest.approx(1)
    assert row.details["q50"] == pytest.approx(0.25, abs=0.05)
    assert asked(golden, "drift/feature", subject="y") == []
    (row,) = asked(golden, "drift/category", subject="w")
    assert row.details["cell"] == ["word a", "word b", "word c", "word d", "word e"]


SHAPES = {
    "normal": lambda random, n: random.normal(0, 1, n),
    "far": lambda random, n: random.normal(40.7, 0.02, n),  # a latitude: narrow, and far from 0
    "lognormal": lambda random, n: random.lognormal(0, 1.5, n),
    "heavy": lambda random, n: random.standard_t(1.5, n),
    "uniform": lambda random, n: random.uniform(-3, 900, n),
    "counts": lambda random, n: random.poisson(4, n).astype(float),
    "flags": lambda random, n: random.binomial(1, 0.1, n).astype(float),
    "zeros": lambda random, n: np.where(random.random(n) < 0.6, 0, random.exponential(20, n)),
    "two": lambda random, n: np.where(random.random(n) < 0.5, random.normal(-5, 1, n), random.normal(9, 0.1, n)),
    "tiny": lambda random, n: random.normal(0, 1e-9, n),
}


def test_any_distribution_is_near_to_scipy_at_any_size_and_shift(client):
    """Of 90 pairs: 10 distributions, 3 sizes, 3 shifts."""
    random, rows, pairs, features = np.random.default_rng(1), [], {}, {}
    for shape, draw in SHAPES.items():
        for n in (100, 1000, 20_000):
            for shift in (0.0, 0.1, 0.5):
                base, name = draw(random, 5000), f"{shape} {n} {shift}"
                live = draw(random, n) + (shift * base.std() if shape not in ("counts", "flags") else round(shift))
                grid = grid_of(base)
                pairs[name], features[name] = (base, live), of_numbers(base, grid)
                rows.append(histograms.numbers(NOON, name, live, grid))
    histograms.describe(client, features=features, n=5000)
    histograms.record(client, rows)
    found = {row.subject: row for row in asked(client, "drift/features")}
    assert found.keys() == pairs.keys()
    off = defaultdict(list)
    for name, (base, live) in pairs.items():
        n = len(live)
        row, exact = found[name].details, stats.ks_2samp(base, live, method="asymp")
        if not name.startswith("two"):  # half of it in a bin or two: ks_high says how much that may hide
            off["ks", n].append(abs(row["ks"] - exact.statistic))
            off["p", n].append(abs(min(exact.pvalue, 1) - found[name].p))
        assert row["ks"] - 1e-12 <= exact.statistic <= row["ks_high"] + 1e-12, name
        spread, w1 = base.std(), stats.wasserstein_distance(base, live)
        off["w1"].append(abs(row["w1"] - w1) / max(w1, 0.1 * spread))
        q = np.unique(np.quantile(base, np.arange(1, 10) / 10))
        cells = [np.bincount(np.searchsorted(q, side), minlength=len(q) + 1) / len(side) for side in (base, live)]
        if name.split()[0] not in ("counts", "flags", "zeros", "two"):  # whose tenths end within a bin
            off["js"].append(abs(row["js"] - jensenshannon(*cells, base=2)))
    for n, most in ((100, 0.025), (1000, 0.016), (20_000, 0.006)):
        assert max(off["ks", n]) < most
    assert np.mean(off["ks", 20_000]) < 1.5e-3
    assert max(off["p", 20_000]) < 0.25
    assert max(off["w1"]) < 0.08
    assert max(off["js"]) < 0.02


def test_any_words_are_scipys(client):
    random, rows, pairs, reference = np.random.default_rng(2), [], {}, {}
    for k in (1, 2, 3, 10, 100, 900):
        for shift in (0.0, 0.3):
            name, names = f"{k} {shift}", [f"w{i}" for i in range(k)]
            shares = random.dirichlet(np.ones(k))
            base = random.multinomial(5000, shares) + 2
            live = random.multinomial(800, (1 - shift) * shares + shift * random.dirichlet(np.ones(k)))
            pairs[name] = base, live
            reference[name] = np.repeat(names, base).tolist()
            rows.append(histograms.words(NOON, name, {word: int(c) for word, c in zip(names, live, strict=True) if c}))
    histograms.describe(client, categories=reference, n=5000)
    histograms.record(client, [row | {"n": sum(count for _, count in row["words"])} for row in rows])
    sizes = {name: int(base.sum()) for name, (base, _) in pairs.items()}
    for name, size in sizes.items():
        client.command(
            "ALTER TABLE baselines UPDATE n = {size:UInt64} WHERE name = {name:String}",
            parameters={"size": size, "name": name},
            settings={"mutations_sync": 1},
        )
    for row in asked(client, "drift/categories"):
        table = np.array(pairs[row.subject])
        chi2, p, df, _ = stats.chi2_contingency(table, correction=False)
        assert row.details["df"] == df
        assert row.details["chi2"] == pytest.approx(chi2, rel=1e-10, abs=1e-10)
        assert row.p == pytest.approx(p, rel=1e-8, abs=2e-14)
        shares = [side / side.sum() for side in table]
        assert row.details["js"] == pytest.approx(jensenshannon(*shares, base=2), abs=1e-7)


def test_windows_that_say_little(client):
    """No rows, one row, all missing, constant, infinite, ten thousand words, and inputs without a reference."""
    words = [f"word {number}" for number in range(3000) for _ in range(3)]
    features = {"x": of_numbers(GOLDEN[0], GRID), "still": of_numbers(np.full(2000, 7.0), grid_of(np.full(2000, 7.0)))}
    features["never"] = of_numbers(np.full(2000, np.nan), Grid())
    histograms.describe(client, features=features, categories={"many": words, "w": WORDS[0]}, n=2000)
    still = features["still"].grid
    many = {f"word {number}": 1 for number in range(1000)}
    histograms.record(
        client,
        [
            histograms.numbers(NOON, "x", [0.5], GRID),
            histograms.numbers(NOON + HOUR, "x", [np.nan] * 200, GRID),
            histograms.numbers(NOON + 2 * HOUR, "x", [np.inf] * 90 + [-np.inf] * 5 + [1e300] * 5, GRID),
            histograms.numbers(NOON, "still", np.full(300, 7.0), still),
            histograms.numbers(NOON + HOUR, "still", np.full(300, 7.5), still),
            histograms.numbers(NOON, "never", [np.nan] * 40, Grid()),
            histograms.numbers(NOON + HOUR, "never", [1.0] * 40, Grid()),
            histograms.numbers(NOON, "new", GOLDEN[1], Grid()),
            histograms.words(NOON, "many", many, rest=9000),
            histograms.words(NOON, "w", {}, missing=100),
            histograms.words(NOON, "new", {"a": 5}),
        ],
    )
    rows = {(row.subject, row.begin.hour): row for row in asked(client, "drift/features", end=NOON + 9 * HOUR)}
    assert {hour for _, hour in rows} == {12, 13, 14}
    assert rows["x", 12].n == 1
    assert 0.2 < rows["x", 12].p <= 1
    gone = rows["x", 13]
    assert (gone.details["ks"], gone.details["missing_rate"], gone.p) == (None, 1.0, 0.0)
    assert gone.value > 5
    assert rows["x", 14].details["above_rate"] == 0.95
    assert rows["x", 14].value > 3
    assert rows["still", 12].value == pytest.approx(0, abs=1e-3)
    assert rows["still", 12].p == 1
    assert rows["still", 13].details["ks"] == 1
    assert rows["still", 13].details["above_rate"] == 1
    assert rows["never", 12].value == pytest.approx(0, abs=1e-3)
    assert rows["never", 13].value > 5
    new = rows["new", 12]
    assert (new.value, new.p, new.details["base"], new.details["base_n"]) == (None, None, "", 0)
    said = {row.subject: row for row in asked(client, "drift/categories")}
    assert said["many"].details["cells"] > 1000
    assert said["many"].details["new_rate"] is None
    assert said["many"].value is not None
    assert (said["w"].details["missing_rate"], said["w"].p < 1e-9) == (1.0, True)
    assert (said["new"].value, said["new"].details["base"]) == (None, "")


def test_versions_whose_grids_differ_are_compared_all_the_same(client):
    random = np.random.default_rng(4)
    one, two = random.normal(0, 1, 20_000), random.normal(0.2, 1.3, 20_000)
    grids = {"d1": Grid(center=0.0, scale=0.5), "d2": Grid(center=0.75, scale=2.0)}
    for digest, grid in grids.items():
        histograms.describe(client, digest, features={"x": of_numbers(one, grid)}, n=len(one))
    histograms.record(
        client,
        [
            histograms.numbers(NOON, "x", one, grids["d1"]),
            histograms.numbers(NOON, "x", two, grids["d2"], digest="d2", version="2", variant="challenger"),
        ],
    )
    pair = {"segment": Segment(version="2"), "baseline": "pair", "base_version": "1"}
    (row,) = asked(client, "drift/features", **pair, base_begin=NOON, base_end=NOON + HOUR)
    exact = stats.ks_2samp(one, two, method="asymp")
    assert row.details["ks"] == pytest.approx(exact.statistic, abs=0.01)
    assert row.details["w1"] == pytest.approx(stats.wasserstein_distance(one, two), rel=0.05)
    assert (row.n, row.details["base_n"]) == (20_000, 20_000)
    assert "version 1" in row.details["base"]
    (both,) = asked(client, "drift/features")
    assert (both.n, both.details["base"]) == (40_000, "reference:d2")


def test_a_season_is_compared_with_its_like(client):
    """Warm noons and cold nights: the day against all hours has moved, against noons it has not."""
    random = np.random.default_rng(5)
    rows = []
    for day in range(28):
        for hour in range(24):
            at = NOON - timedelta(days=28 - day) - timedelta(hours=12) + hour * HOUR
            rows.append(histograms.numbers(at, "x", random.normal(10 * np.sin(hour / 24 * np.pi), 1, 100), GRID))
    rows.append(histograms.numbers(NOON, "x", random.normal(10, 1, 400), GRID))
    histograms.describe(client, features={"x": of_numbers(GOLDEN[0], GRID)}, n=2000)
    histograms.record(client, rows)
    before = {"base_begin": NOON - timedelta(days=28), "base_end": NOON}
    found = {
        season: asked(client, "drift/features", baseline="season", season=season, **before)[0]
        for season in ("hour", "weekday", "hour_of_week")
    }
    assert [found[season].details["base_n"] for season in found] == [2800, 8400, 400]
    assert found["hour"].value < 0.05
    assert found["weekday"].value > 0.5
    assert found["hour_of_week"].value < 0.1
    assert found["hour"].details["base"].startswith("hour of 2025-12-08")
    monitor = monitors.named(load(), "drift/features")
    for season, row in found.items():  # a header says the same, of the 28 days before
        own = replace(monitor, baseline=Baseline.of(f"season {season}"))
        assert monitors.run(client, own, ASKED) == [row]
        assert monitors.run(client, monitor, replace(ASKED, season=season)) == [row]


def test_minutes_and_hours_say_the_same(client):
    random = np.random.default_rng(6)
    histograms.describe(client, features={"x": of_numbers(GOLDEN[0], GRID)}, n=2000)
    values = random.normal(0.1, 1, (60, 50))
    histograms.record(
        client, [histograms.numbers(NOON + timedelta(minutes=i), "x", one, GRID) for i, one in enumerate(values)]
    )
    (hour,) = asked(client, "drift/features")
    minutes = asked(client, "drift/features", step_s=60)
    (half,) = asked(client, "drift/features", step_s=1800, begin=NOON + HOUR / 2)
    assert (hour.n, len(minutes), half.n) == (3000, 60, 1500)
    assert hour.details["ks"] == pytest.approx(stats.ks_2samp(GOLDEN[0], values.reshape(-1)).statistic, abs=5e-3)
    assert half.details["ks"] == pytest.approx(stats.ks_2samp(GOLDEN[0], values[30:].reshape(-1)).statistic, abs=5e-3)


@pytest.mark.parametrize("by", ["tenant", "team"])
def test_segments_are_told_apart(client, by):
    histograms.describe(client, features={"x": of_numbers(GOLDEN[0], GRID)}, n=2000)
    histograms.record(
        client,
        [
            histograms.numbers(NOON, "x", GOLDEN[0], GRID, **{by: "calm"}),
            histograms.numbers(NOON, "x", GOLDEN[0] + 3, GRID, **{by: "moved"}),
        ],
    )
    (calm,) = asked(client, "drift/features", segment=Segment(**{by: "calm"}))
    (moved,) = asked(client, "drift/features", segment=Segment(**{by: "moved"}))
    assert (calm.value < 1e-3, moved.value > 2) == (True, True)


def test_views_that_are_stale(client):
    ages = np.array([30.0] * 60 + [7200.0] * 30 + [np.nan] * 10)
    statuses = {"present": 60, "stale": 25, "unavailable": 5, "not_found": 10}
    histograms.record(
        client,
        [
            histograms.numbers(NOON, "recent", ages, Grid(scale=60.0), kind="age"),
            histograms.words(NOON, "recent", statuses, kind="status"),
        ],
    )
    (row,) = asked(client, "drift/stale")
    found = row.details
    assert (row.subject, row.n, row.value, found["not_found"], found["unavailable"]) == ("recent", 100, 0.3, 0.1, 0.05)
    assert found["age_p50"] == pytest.approx(30, abs=4)
    assert found["age_p95"] == pytest.approx(7200, rel=0.06)


def test_a_captured_window_is_compared_with_and_never_changes(client):
    histograms.describe(client, features={"x": of_numbers(GOLDEN[0] + 9, GRID)}, categories={"w": WORDS[0]}, n=2000)
    rows = [histograms.numbers(NOON - HOUR, "x", GOLDEN[0], GRID), histograms.numbers(NOON, "x", GOLDEN[1], GRID)]
    rows += [
        histograms.words(NOON - HOUR, "w", {"a": 1000, "b": 600, "c": 300, "d": 100}),
        histograms.words(NOON, "w", WORDS[1]),
    ]
    histograms.record(client, rows)
    held = baselines.capture(client, "before", histograms.SERVICE, NOON - HOUR, NOON, "me")
    assert (held["predictions"], held["names"], held["by"]) == (2000, 2, "me")
    assert [one["id"] for one in baselines.listed(client)] == ["before"]
    (row,) = asked(client, "drift/features", baseline="before")
    assert row.details["ks"] == pytest.approx(0.1025, abs=1.1e-3)
    assert row.details["base"] == "before"
    monitor = monitors.named(load(), "drift/features")
    frozen = replace(monitor, baseline=Baseline.of("frozen before"))
    assert monitors.run(client, frozen, ASKED) == [row]
    assert monitors.run(client, frozen, replace(ASKED, baseline="reference")) == monitors.run(client, monitor, ASKED)
    (row,) = asked(client, "drift/categories", baseline="before")
    assert (row.details["chi2"], row.details["new_words"]) == (pytest.approx(124.19871794871796), ["e"])
    (row,) = asked(client, "drift/features", baseline="nobody took this")
    assert (row.value, row.details["base"]) == (None, "")
    frozen = replace(monitor, baseline=Baseline.of("frozen nobody.took.this"))
    (row,) = rows = monitors.run(client, frozen, ASKED)
    assert (row.value, row.details["base"]) == (None, "")
    scene = Scene(service=histograms.SERVICE, monitor=frozen, begin=NOON, end=NOON + HOUR, step_s=3600)
    assert "none of this was captured as nobody.took.this" in drift.inputs(rows, scene).sentence
    for name, begin in (("before", NOON), ("season", NOON), ("a b", NOON), ("empty", NOON - WEEK)):
        with pytest.raises(Refused):
            baselines.capture(client, name, histograms.SERVICE, begin, begin + HOUR, "me")


def test_the_exact_test_is_scipys(client):
    offsets = list(range(600))
    rows = records.predictions(0, offsets)
    put(client, "predictions", tables.predictions(rows, histograms.LOG, np.arange(600), records.names))
    begin = datetime.fromtimestamp(records.BASE_MS / 1000, UTC)
    question = Asked(
        service=records.SERVICE, begin=begin + timedelta(seconds=300), end=begin + timedelta(seconds=600), step_s=300
    )
    found = asked(client, "drift/exact", question, base_begin=begin, base_end=begin + timedelta(seconds=200))
    values = {name: np.array(offsets, float) + at for at, name in enumerate(records.INPUTS)}
    values[records.INPUTS[-1]][::5] = np.nan
    assert {row.subject for row in found} == set(records.INPUTS)
    for row in found:
        live, base = values[row.subject][300:], values[row.subject][:200]
        exact = stats.ks_2samp(live[~np.isnan(live)], base[~np.isnan(base)], method="asymp")
        assert row.value == pytest.approx(exact.statistic, abs=2e-6)
        assert row.p == pytest.approx(exact.pvalue, abs=2e-3)
