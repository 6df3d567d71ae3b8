"""Monitors of health and of the ledger against the same figures from the rows; golden requests are in none of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from weir.core import golden
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import monitors, reports, results
from weir.edges.clickhouse.client import connect
from weir.monitor.segment import Segment
from weir.monitor.spec import Asked
from weir.recording import tables
from weir.settings import load

from tests.databases import migrated, put
from tests.doubles import records

BEGIN = datetime(2013, 7, 1, 12, tzinfo=UTC)  # of records.BASE_MS
LOG = LogPartition("log", "weir.predictions", 0)
HOURS = Asked(service=records.SERVICE, begin=BEGIN, end=BEGIN + timedelta(hours=4), step_s=3600)
N, GOLDEN = 9000, 40  # rows, one a second; of them so many golden, at the end
TOOK_MS = np.random.default_rng(3).lognormal(4, 1, N).astype(np.int64)
WRONG = 5
SPANS = [(first, first + 99) for first in range(0, N, 100)]


@pytest.fixture(scope="module")
def client(databases):
    """Of a database with N predictions of two tenants and two versions, their batches, letters and ledger."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        rows = records.predictions(0, list(range(N)))
        at = np.arange(N)
        changed = {
            "scored_at": pa.array(records.BASE_MS + 1000 * at + TOOK_MS).cast(records.MS),
            "tenant": [("acme", "other")[offset % 2] for offset in at],
            "version": [("1", "2")[int(offset % 3 == 0)] for offset in at],
            "request_id": names(rows.column("score").to_pylist()),
        }
        for name, values in changed.items():
            rows = rows.drop_columns([name]).append_column(name, values)
        for first in (0, 5000):  # in two blocks, as the views see them
            part = rows.slice(first, 5000 if first == 0 else N)
            put(client, "predictions", tables.predictions(part, LOG, at[first : first + len(part)], records.names))
        put(client, "batches", tables.batches(records.batches(0, SPANS), LOG, np.arange(len(SPANS))))
        put(client, "bundles", tables.bundles(records.bundles(), LOG, np.arange(1)))
        put(client, "dead_letters", tables.dead_letters(records.dead_letters(0, [N, N + 1]), LOG, np.arange(2)))
        put(client, "ledger", tables.ledger(records.ledger(0, SPANS[:50] + SPANS[51:]), LOG, np.arange(len(SPANS) - 1)))
        results.make(client, {records.SERVICE: ""})
        yield client


def names(scores):
    """Names of the requests: the last are golden, WRONG of them with another score than was answered."""
    found = [f"r-{offset}" for offset in range(N - GOLDEN)]
    for offset in range(N - GOLDEN, N):
        score = scores[offset] + (0.25 if offset >= N - WRONG else 0.0)
        decision = "positive" if (offset * 7919) % 997 >= 500 else "negative"
        found.append(golden.name(records.DIGEST, offset, score, 1e-6, decision, str(offset)))
    return found


def ask(client, name, asked=HOURS):
    return monitors.run(client, monitors.files(load())[name], asked)


def test_traffic_is_what_the_rows_say(client):
    rows = ask(client, "health/traffic")
    real = np.arange(N - GOLDEN)
    assert [row.n for row in rows] == np.bincount(real // 3600).tolist()
    for row, hour in zip(rows, range(3), strict=True):
        took = TOOK_MS[: N - GOLDEN][real // 3600 == hour]
        for name, q in (("p50_ms", 50), ("p95_ms", 95)):
            exact = np.percentile(took, q, method="inverted_cdf")
            assert row.details[name] == pytest.approx(exact, rel=0.046), name
        assert row.value == pytest.approx(np.percentile(took, 99, method="inverted_cdf"), rel=0.046)
        assert row.details["mean_ms"] == pytest.approx(took.mean(), rel=1e-12)


@pytest.mark.parametrize("segment", [Segment(), Segment(tenant="acme"), Segment(version="2", tenant="other")])
def test_minutes_and_hours_are_the_same_traffic(client, segment):
    asked = replace(HOURS, segment=segment)
    hours, minutes = ask(client, "health/rate", asked), ask(client, "health/rate", replace(asked, step_s=60))
    assert sum(row.n for row in hours) == sum(row.n for row in minutes) > 0
    at = np.arange(N - GOLDEN)
    chosen = {"acme": at % 2 == 0, "other": at % 2 == 1, "": at >= 0}[segment.tenant] & (
        (at % 3 == 0) if segment.version else True
    )
    assert sum(row.n for row in hours) == chosen.sum()
    decided = sum(row.details["decisions"].get("positive", 0) for row in hours)
    assert decided == (chosen & ((at * 7919) % 997 >= 500)).sum()


def test_the_share_within_a_limit_counts_bins_that_end_before_it(client):
    rows = {row.subject: row for row in ask(client, "health/within", replace(HOURS, step_s=7200)) if row.begin == BEGIN}
    took = TOOK_MS[:7200]
    for limit in (10, 50, 100, 1000):
        assert (took <= limit / 1.1).mean() <= rows[str(limit)].value <= (took <= limit).mean()
    assert [row.subject for row in ask(client, "health/within", replace(HOURS, subject="50"))] == ["50"] * 3


def test_stages_errors_and_lag_are_of_batches(client):
    stages = ask(client, "health/stages")
    assert {row.subject for row in stages} == {"wait", "decode", "lookup", "assemble", "run", "encode"}
    assert sum(row.details["share"] for row in stages if row.begin == BEGIN) == pytest.approx(1)
    assert all(row.value == 0.1 for row in stages)  # records.batches: as many microseconds as rows
    assert [row.value for row in ask(client, "health/lag")] == [99.0, 99.0, 99.0]
    assert [(row.value, row.n) for row in ask(client, "health/errors")] == [(0.0, 3600), (0.0, 3600), (0.0, 1800)]


def test_features_are_as_fresh_as_their_statuses_say(client):
    rows = [row for row in ask(client, "health/features", replace(HOURS, step_s=14_400))]
    real = np.arange(N - GOLDEN)
    assert {row.subject: row.n for row in rows} == dict.fromkeys(records.VIEWS, len(real))
    assert {row.value for row in rows} == {(real % 3 == 0).mean()}
    assert rows[0].details["p50_age_s"] == 60


def test_letters_are_counted_by_reason_and_the_ledger_by_offsets(client):
    letters = client.query("SELECT min(rejected_at), max(rejected_at) FROM dead_letters").result_rows[0]
    hour = letters[0].replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    asked = replace(HOURS, begin=hour, end=hour + timedelta(hours=2))
    assert sum(row.value for row in ask(client, "health/rejected", asked)) == 2
    complete = ask(client, "ledger/complete")
    assert [(row.value, row.n) for row in complete] == [(0.0, 3600), (100.0, 3600), (0.0, 1800)]
    wide = replace(HOURS, begin=BEGIN - timedelta(days=1), end=BEGIN + timedelta(days=1), step_s=86_400)
    assert sum(row.value for row in ask(client, "ledger/strips", wide)) == 100
    assert sum(row.value for row in ask(client, "ledger/totals", wide)) == 0


def test_a_wrong_answer_to_a_golden_request_is_counted_and_no_statistic_has_one(client):
    rows = ask(client, "health/golden", replace(HOURS, step_s=14_400))
    assert [(row.value, row.n) for row in rows] == [(WRONG, GOLDEN)]
    assert rows[0].details["worst"] == pytest.approx(0.25)
    assert golden.are_golden(pa.array([rows[0].details["example"]])).all()
    found = reports.report(client, reports.Asked(service=records.SERVICE), reports.meaning(client, records.SERVICE))
    assert found[0]["n"] == N - GOLDEN
    assert client.query("SELECT count() FROM results").result_rows == [(N - GOLDEN,)]
