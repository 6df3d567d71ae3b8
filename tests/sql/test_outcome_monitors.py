"""Figures against what came true: scikit-learn's and numpy's, of outcomes in any order, with what windows can lack."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.signature import Task
from weir.edges.clickhouse import monitors, reports, results
from weir.edges.clickhouse.client import connect
from weir.monitor.spec import Asked
from weir.recording import tables
from weir.settings import load

from tests.databases import migrated, put
from tests.doubles import records
from tests.sql.test_outcomes import nano, replaced
from tests.sql.test_reports import (
    CONTENTS,
    DELIVERIES,
    LOG,
    OUTCOMES,
    PREDICTIONS,
    WORTH,
    Delivered,
    deliver,
    predict,
    winner,
)

DAY = datetime(2013, 7, 1, tzinfo=UTC)  # of records.BASE_MS
DAY_S = 86_400
EXACT = 1e-9
CLIP = 1e-7  # of chances, in log loss
FILES = monitors.files(load())


@pytest.fixture(scope="module")
def client(databases):
    """A client of a database that the tests of this module share; each begins with empty tables."""
    with migrated(databases) as of:
        yield connect(of.recording)


@pytest.fixture(autouse=True)
def _empty(client):
    empty(client)
    results.make(client, {records.SERVICE: WORTH})


def empty(client):
    for table in ("predictions", "outcomes", "outcome_changes", "outcome_kept", "outcome_deliveries", "bundles"):
        client.command(f"TRUNCATE TABLE {table}")


def said(task=Task.BINARY, classes=("negative", "positive")):
    """What the bundle means, as monitors ask for it."""
    words = reports.words_of(task, [] if task is Task.REGRESSION else [classes])
    positive = classes[1] if task is Task.BINARY else ""
    listed = {"labels": list(classes), "words": list(words), "meant": list(words.values())}
    return listed | {"positive": positive, "threshold": 0.5, "flagging": [positive]}


def ask(client, name, of=None, step_s=DAY_S, begin=DAY, days=1):
    asked = Asked(service=records.SERVICE, begin=begin, end=begin + timedelta(days=days), step_s=step_s)
    return monitors.run(client, FILES[f"outcome/{name}"], asked, of or said())


def one(client, name, of=None):
    (row,) = ask(client, name, of)
    return row


def by_subject(client, name, of=None):
    return {row.subject: row for row in ask(client, name, of)}


@pytest.fixture
def hashes(client):
    """Which content wins of equal revision and time, by its place in CONTENTS."""
    deliver(client, [Delivered(at, "request_id", 0, records.BASE_MS, at) for at in range(len(CONTENTS))])
    ranks = client.query("SELECT toString(bitAnd(rank, toUInt256(toUInt128(-1)))) FROM outcomes ORDER BY request_id")
    return [int(rank) for (rank,) in ranks.result_rows]


@given(predictions=PREDICTIONS, deliveries=DELIVERIES, seed=st.integers(0, 2**32 - 1), merged=st.booleans())
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_figure_is_that_of_the_whole_truth(client, hashes, predictions, deliveries, seed, merged):
    """Early, late, shuffled, repeated, corrected out of order, withdrawn; by either id."""
    empty(client)
    chance = Random(seed)
    log = deliveries + [one for one in deliveries if chance.random() < 0.3]
    chance.shuffle(log)
    early = chance.randint(0, len(log))
    deliver(client, log[:early])
    predict(client, predictions)
    deliver(client, log[early:])
    if merged:
        client.command("OPTIMIZE TABLE outcomes FINAL")
    truth = [winner(offset, name, deliveries, hashes) for offset, (_, _, name) in enumerate(predictions)]
    scores = np.array([eighths / 8 for _, eighths, _ in predictions])
    of_two(client, scores, [None if came is None else came.label for came in truth])
    of_numbers(client, scores, [None if came is None else came.observed for came in truth])
    known = [(score, came) for score, came in zip(scores, truth, strict=True) if came is not None]
    worth = [nano((came.a or 0.0 if score >= 0.5 else 0.0) + (came.observed or 0.0) / 7) for score, came in known]
    rows = ask(client, "value")
    total = float(sum(worth, Decimal(0)))
    assert sum(row.details["total"] for row in rows) == pytest.approx(total, rel=EXACT, abs=EXACT)
    assert sum(row.n for row in rows) == len(known)
    assert {row.details["predictions"] for row in ask(client, "decisions")} == {len(scores)}
    assert one(client, "auc").details["maturity"] == len(known) / len(scores)


def of_two(client, scores, labels):
    from sklearn.metrics import brier_score_loss, f1_score, log_loss, precision_score, recall_score, roc_auc_score

    meant = {"0": 0, "negative": 0, "1": 1, "positive": 1}
    counts = np.array([label in meant for label in labels], bool)
    truth = np.array([meant[label] for label in labels if label in meant])
    p, flagged = scores[counts], scores[counts] >= 0.5
    area, loss, figures = one(client, "auc"), one(client, "log_loss"), by_subject(client, "decisions")
    assert (area.n, loss.n) == (len(truth), len(truth))
    expected = {
        "auc": (area.value, roc_auc_score(truth, p) if len(set(truth.tolist())) == 2 else None),
        "log loss": (loss.value, log_loss(truth, np.clip(p, CLIP, 1 - CLIP), labels=[0, 1]) if len(p) else None),
        "brier": (loss.details["brier"], brier_score_loss(truth, p, labels=[0, 1], pos_label=1) if len(p) else None),
        "precision": (figures["precision"].value, precision_score(truth, flagged) if flagged.any() else None),
        "recall": (figures["recall"].value, recall_score(truth, flagged) if truth.any() else None),
        "f1": (figures["f1"].value, f1_score(truth, flagged) if truth.any() or flagged.any() else None),
        "alert rate": (figures["alert_rate"].value, np.mean(scores >= 0.5)),
    }
    check(expected)


def of_numbers(client, scores, observed):
    from sklearn.metrics import r2_score

    counts = np.array([value is not None for value in observed], bool)
    y, p = np.array([value for value in observed if value is not None]), scores[counts]
    figures, r2 = by_subject(client, "error"), one(client, "r2")
    off = p - y
    varies = len(set(y.tolist())) > 1
    check(
        {
            "mae": (figures["mae"].value, np.mean(np.abs(off)) if len(y) else None),
            "rmse": (figures["rmse"].value, np.sqrt(np.mean(off**2)) if len(y) else None),
            "bias": (figures["bias"].value, np.mean(off) if len(y) else None),
            "r2": (r2.value, r2_score(y, p) if varies else None),
        }
    )


def check(expected):
    for name, (found, figure) in expected.items():
        assert found == (None if figure is None else pytest.approx(figure, rel=EXACT, abs=EXACT)), name


N = 4000


def recorded(client, scores, *, decided=None, labels=None, observed=None, outputs=None, times_s=None, received_ms=0):
    """N predictions over the day, each 20 s, and an outcome for each."""
    n = len(scores)
    at = DAY.timestamp() + (np.arange(n) * (DAY_S // n) if times_s is None else np.asarray(times_s))
    event = pa.array((at * 1000).astype(np.int64)).cast(records.MS)
    rows = replaced(records.predictions(0, list(range(n))), score=np.asarray(scores, np.float32))
    rows = rows.set_column(rows.schema.get_field_index("event_time"), "event_time", event)
    rows = rows.set_column(rows.schema.get_field_index("scored_at"), "scored_at", event)
    decisions = np.where(np.asarray(scores) >= 0.5, "positive", "negative") if decided is None else decided
    table = tables.predictions(replaced(rows, decision=list(decisions)), LOG, np.arange(n), records.names)
    if outputs is not None:
        names, shares = outputs
        pairs = [list(zip(names, map(float, row), strict=True)) for row in shares.astype(np.float32)]
        column = pa.array(pairs, pa.map_(pa.string(), pa.float32()))
        table = table.set_column(table.schema.get_field_index("outputs"), "outputs", column)
    put(client, "predictions", table)
    came = records.outcomes([f"r0-{i}" for i in range(n)], [0.0] * n, by="request_id", observed=observed)
    if labels is not None:
        came = replaced(came, label=list(labels))
    put(client, "outcomes", tables.outcomes(came, OUTCOMES, np.arange(n), received_ms))
    return np.arange(n) * (DAY_S // n) // 3600 if times_s is None else np.asarray(times_s) // 3600


def student(blocks):
    from scipy.stats import t

    return t.ppf(0.975, blocks - 1)


def by_hand(residual, block):
    """Variance of a sum of residuals by rows, and by blocks of them."""
    sums = np.bincount(block, residual)
    return np.sum(residual**2), np.sum(sums**2) * len(sums) / (len(sums) - 1)


@pytest.fixture
def together():
    """Scores and truth of rows that go together by the hour: some hours are harder than the model knows."""
    chance = np.random.default_rng(7)
    hour = np.arange(N) * (DAY_S // N) // 3600
    odds, shift = chance.normal(-0.5, 1.5, N), chance.normal(0, 0.8, 24)
    scores = (1 / (1 + np.exp(-odds))).astype(np.float32)
    truth = (chance.random(N) < 1 / (1 + np.exp(-(0.7 * odds + shift[hour] + 0.2)))).astype(int)
    return scores, truth


def test_intervals_of_means_allow_for_what_goes_together(client, together):
    scores, truth = together
    block = recorded(client, scores, labels=np.array(["0", "1"])[truth])
    p = scores.astype(float)
    loss = -np.log(np.where(truth == 1, p, 1 - p))
    for_rows, for_blocks = by_hand(loss - loss.mean(), block)
    found = one(client, "log_loss")
    assert found.details["blocks"] == 24
    assert found.details["design_effect"] == pytest.approx(for_blocks / for_rows, rel=1e-6)
    assert for_blocks > 2 * for_rows
    half = student(24) * np.sqrt(for_blocks) / N
    assert (found.low, found.high) == pytest.approx((loss.mean() - half, loss.mean() + half), rel=1e-4)


def test_the_interval_of_an_area_is_delongs_by_rows_or_by_blocks(client, together):
    scores, truth = together
    block = recorded(client, scores, labels=np.array(["0", "1"])[truth])
    p = scores.astype(float)
    wins = (p[truth == 1][:, None] > p[truth == 0]) + 0.5 * (p[truth == 1][:, None] == p[truth == 0])
    area, of_pos, of_neg = wins.mean(), wins.mean(1), wins.mean(0)
    for_rows = of_pos.var(ddof=1) / len(of_pos) + of_neg.var(ddof=1) / len(of_neg)
    part = np.empty(N)
    part[truth == 1], part[truth == 0] = (of_pos - area) / len(of_pos), (of_neg - area) / len(of_neg)
    variance = max(for_rows, by_hand(part, block)[1])
    found = one(client, "auc")
    assert found.value == pytest.approx(area, rel=EXACT)
    assert found.details["design_effect"] == pytest.approx(variance / for_rows, rel=1e-6)
    half = student(24) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((area - half, area + half), abs=0.1 * half)


def test_calibration_by_tenths_and_its_slope(client, together):
    from sklearn.linear_model import LogisticRegression

    scores, truth = together
    recorded(client, scores, labels=np.array(["0", "1"])[truth])
    p = scores.astype(float)
    rows = by_subject(client, "calibration")
    for tenth in range(10):
        mine = np.floor(p * 10).astype(int) == tenth
        found = rows[f"positive/{tenth / 10:g}"]
        assert (found.n, found.value) == (mine.sum(), pytest.approx(truth[mine].mean(), rel=EXACT))
        assert found.details["chance"] == pytest.approx(p[mine].mean(), rel=EXACT)
        assert found.low < found.value < found.high
    odds = np.log(p / (1 - p))
    fit = LogisticRegression(C=1e12, tol=1e-10).fit(odds[:, None], truth)
    slope = by_subject(client, "calibration_slope")
    assert slope["slope"].value == pytest.approx(fit.coef_[0, 0], abs=1e-3)
    assert slope["intercept"].value == pytest.approx(fit.intercept_[0], abs=1e-3)
    assert slope["slope"].low < slope["slope"].value < slope["slope"].high < 1


def test_several_classes(client):
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    chance, names = np.random.default_rng(2), ("a", "b", "c", "never")
    shares = chance.dirichlet((3, 2, 1), N).astype(np.float32)
    truth = (shares.cumsum(1) < chance.random((N, 1))).sum(1).clip(0, 2)
    decided, labels = np.array(names)[shares.argmax(1)], np.array(names)[truth]
    recorded(client, shares.max(1), decided=decided, labels=labels, outputs=(names[:3], shares))
    of = said(Task.MULTICLASS, names)
    figures = by_subject(client, "accuracy", of)
    expected = {
        "accuracy": accuracy_score(labels, decided),
        "macro_f1": f1_score(labels, decided, average="macro"),
        "weighted_f1": f1_score(labels, decided, average="weighted"),
    }
    for name, figure in expected.items():
        assert figures[name].value == pytest.approx(figure, rel=EXACT)
        assert figures[name].low < figure < figures[name].high
        assert figures[name].high - figures[name].low < 0.1
    loss = one(client, "log_loss", of)
    chances = np.clip(shares.astype(float), CLIP, 1 - CLIP)
    assert loss.value == pytest.approx(-np.mean(np.log(chances[np.arange(N), truth])), rel=EXACT)
    squares = ((shares.astype(float) - np.eye(3)[truth]) ** 2).sum(1).mean()
    assert loss.details["brier"] == pytest.approx(squares, rel=EXACT)
    matrix = confusion_matrix(labels, decided, labels=names[:3])
    cells = by_subject(client, "confusion", of)
    for i, came in enumerate(names[:3]):
        for j, name in enumerate(names[:3]):
            cell = cells[f"{came}/{name}"]
            assert (cell.details["times"], cell.n) == (matrix[i, j], matrix[i].sum())
    per_class = by_subject(client, "calibration", of)
    mine = np.floor(shares[:, 1].astype(float) * 10 + 1e-6).astype(int) == 3
    assert per_class["b/0.3"].value == pytest.approx((truth[mine] == 1).mean(), rel=EXACT)


def test_numbers_by_their_size_and_with_quantiles(client):
    chance = np.random.default_rng(4)
    scores = chance.lognormal(2, 1, N).astype(np.float32)
    observed = scores * chance.uniform(0.5, 1.6, N)
    shares = np.outer(scores, [0.6, 1.5]).astype(np.float32)
    recorded(client, scores, observed=observed.tolist(), outputs=(("0.1", "q0.9"), shares))
    of = said(Task.REGRESSION)
    covered = by_subject(client, "coverage", of)
    for name, asked, column in (("0.1", 0.1, 0), ("0.9", 0.9, 1)):
        assert covered[name].value == pytest.approx(np.mean(observed <= shares[:, column]), rel=EXACT)
        assert covered[name].details["asked"] == asked
    spans = by_subject(client, "error_by_value", of)
    mine = (scores >= 5) & (scores < 10)
    assert spans["5"].value == pytest.approx(np.mean((scores - observed)[mine]), rel=EXACT)
    assert spans["5"].details["mae"] == pytest.approx(np.mean(np.abs(scores - observed)[mine]), rel=EXACT)


ANY = ("auc", "log_loss", "decisions", "accuracy", "calibration", "calibration_slope", "confusion", "error")
ANY = (*ANY, "error_by_value", "r2", "coverage", "value", "maturity", "waiting", "arrivals")


def test_a_window_without_rows_has_no_figure(client):
    assert {name: ask(client, name) for name in ANY} == {name: [] for name in ANY}


def test_one_row_gives_a_figure_and_no_interval(client):
    recorded(client, [0.75], labels=["1"], observed=[2.0])
    for name in ("log_loss", "decisions", "accuracy", "calibration", "confusion", "error", "error_by_value", "value"):
        for row in ask(client, name):
            assert row.value is not None or row.n == 0, (name, row)
            assert (row.low, row.high) == (None, None), (name, row)
    assert one(client, "auc").value is None
    assert one(client, "r2").value is None
    assert {row.value for row in ask(client, "calibration_slope")} == {None}


@pytest.mark.parametrize("label", ["0", "1"])
def test_one_class_has_no_area_and_no_slope(client, label):
    recorded(client, np.linspace(0.1, 0.9, 50), labels=[label] * 50)
    row = one(client, "auc")
    assert (row.value, row.low, row.n) == (None, None, 50)
    assert {row.value for row in ask(client, "calibration_slope")} == {None}
    assert one(client, "log_loss").value > 0
    figures = by_subject(client, "decisions")
    assert (figures["recall"].value is None) == (label == "0")


def test_scores_that_do_not_vary_rank_nothing(client):
    recorded(client, [0.3] * 100, labels=["0", "1"] * 50, observed=[0.3] * 100)
    assert one(client, "auc").value == 0.5
    assert {row.value for row in ask(client, "calibration_slope")} == {None}
    assert by_subject(client, "decisions")["precision"].value is None  # nothing is flagged
    assert one(client, "r2").value is None
    assert by_subject(client, "error")["mae"].value == pytest.approx(0, abs=1e-7)


def test_scores_that_are_no_number_are_counted_and_in_no_figure(client):
    scores = np.array([0.1, 0.9, np.inf, -np.inf, np.nan, 0.4])
    recorded(client, scores, labels=["0", "1", "1", "0", "1", "0"], observed=[1.0] * 6)
    row = one(client, "auc")
    assert (row.value, row.n, row.details["unusable"]) == (1.0, 3, 3)
    loss = one(client, "log_loss")
    assert (loss.n, loss.details["unusable"]) == (3, 3)
    assert loss.value == pytest.approx(-np.mean(np.log(np.float32([0.9, 0.9, 0.6]).astype(float))), rel=1e-6)
    assert by_subject(client, "error")["mae"].n == 3
    assert sum(row.n for row in ask(client, "calibration")) == 3
    assert sum(row.n for row in ask(client, "error_by_value")) == 3


def test_outcomes_of_predictions_that_there_are_not_yet(client):
    """They are told as unmatched; once the prediction comes they count."""
    received = int(DAY.timestamp() * 1000) + 5000
    came = records.outcomes(["r0-0", "r0-7"], [1.0, 1.0], by="request_id")
    put(client, "outcomes", tables.outcomes(came, OUTCOMES, np.arange(2), received))
    assert ask(client, "log_loss") == []
    assert by_subject(client, "arrivals")["unmatched"].value == 2
    put(client, "predictions", tables.predictions(records.predictions(0, [0]), LOG, np.arange(1), records.names))
    assert by_subject(client, "arrivals")["unmatched"].value == 1
    assert one(client, "log_loss").n == 1
    assert by_subject(client, "waiting")["early"].value == 1


def test_arrivals_that_are_odd_are_counted_though_parts_are_merged(client):
    put(
        client,
        "predictions",
        tables.predictions(records.predictions(0, [0, 1, 2, 3, 4]), LOG, np.arange(5), records.names),
    )
    received = int(DAY.timestamp() * 1000) + 5000

    def come(request, label=1.0, revision=0, at_ms=records.BASE_MS, **columns):
        row = records.outcomes([request], [label], by="request_id", at_ms=at_ms, revision=revision, **columns)
        put(client, "outcomes", tables.outcomes(row, OUTCOMES, np.arange(1), received))

    come("r0-0")  # once, as it should
    come("r0-1"), come("r0-1")  # repeated
    come("r0-2", revision=1), come("r0-2", 0.0)  # corrected, out of order
    come("r0-3"), come("r0-3", 0.0)  # conflicting: two things at one moment
    come("r0-4")
    withdrawn = records.outcomes(["r0-4"], [1.0], by="request_id", revision=2, withdrawn=True)
    put(client, "outcomes", tables.outcomes(withdrawn, OUTCOMES, np.arange(1), received))
    for merged in (False, True):
        if merged:
            client.command("OPTIMIZE TABLE outcomes FINAL")
            client.command("OPTIMIZE TABLE outcome_deliveries FINAL")
        rows = by_subject(client, "arrivals")
        counts = {kind: row.value for kind, row in rows.items()}
        assert counts == {"repeated": 1, "corrected": 2, "conflicting": 1, "withdrawn": 1, "unmatched": 0}
        assert {(row.n, row.details["deliveries"]) for row in rows.values()} == {(5, 9)}


def test_late_waiting_and_overdue(client):
    """Hourly windows; what comes is known after ten minutes, one after three hours, one never."""
    n = 8
    at = np.arange(n) * 400  # within an hour
    event = DAY.timestamp() + at
    rows = records.predictions(0, [*range(n), n])
    times = pa.array((np.append(event, DAY.timestamp() + 5 * 3600) * 1000).astype(np.int64)).cast(records.MS)
    for name in ("event_time", "scored_at"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, times)
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(n + 1), records.names))
    for i in range(1, n):
        row = records.outcomes([f"r0-{i}"], [1.0], by="request_id")
        delay_s = 3 * 3600 if i == 1 else 600
        put(client, "outcomes", tables.outcomes(row, OUTCOMES, np.arange(1), int((event[i] + delay_s) * 1000)))
    found = {row.subject: row for row in ask(client, "waiting", step_s=3600) if row.begin == DAY}
    counts = {kind: row.value for kind, row in found.items()}
    assert counts == {"early": 0, "late": 1, "overdue": 1, "waiting": 1, "withdrawn": 0}
    ages = {row.subject: row for row in ask(client, "maturity", step_s=3600) if row.begin == DAY}
    assert {age: row.value for age, row in ages.items()} == {"1h": 6 / 8, "3h": 7 / 8}
    assert ages["1h"].details["delay_p50_s"] == pytest.approx(600)


AGES = """
    INSERT INTO predictions (prediction_id, request_id, service, digest, score, event_time, scored_at, feature_status,
                             feature_age_s, outputs)
    SELECT generateUUIDv4(), toString(number), 'flight-delay', 'd', number % 8 / 8 AS s,
           toDateTime64('2013-07-01 00:00:00', 3, 'UTC') + 60 * number AS at, at,
           map('shop', if(number % 5 = 4, 'not_found', if(number % 5 = 3, 'stale', 'present')), 'free', 'present'),
           map('shop', toInt32([10, 50, 90, 250, 0][1 + number % 5]), 'free', toInt32(120)),
           if({many:UInt8}, map('positive', s, 'negative', 1 - s), map())
    FROM numbers(400)
"""
CAME = """
    INSERT INTO outcomes (service, request_id, label, observed, revision, occurred_at, received_at, log_id, log_offset)
    SELECT 'flight-delay', toString(number), if(number % 3 = 0, '1', '0'), number % 7, 1, now64(3), now64(3), 'l',
           number
    FROM numbers(300)
"""
SPANS = ("to 1/4 of its limit", "to 1/2 of its limit", "to its limit", "beyond twice its limit", "not found")


@pytest.mark.parametrize("task", list(Task))
def test_loss_is_told_by_the_age_of_features_against_their_limits(client, task):
    many = task is Task.MULTICLASS
    for name, text in (("age-rows", AGES), ("age-truth", CAME)):
        given = {"insert_deduplication_token": f"{name} {task}"}
        client.command(text, parameters={"many": int(many)} if text is AGES else {}, settings=given)
    client.command(
        "INSERT INTO bundles (digest, service, views, ttl_s, written_at, role, task, classes) VALUES"
        " ('d', 'flight-delay', ['shop', 'free'], [100, 0], now64(3), 'scorer', 'binary', ['negative', 'positive'])",
        settings={"insert_deduplication_token": f"age-bundle {task}"},
    )
    rows = by_subject(client, "loss_by_age", said(task, () if task is Task.REGRESSION else ("negative", "positive")))
    n = np.arange(300)
    p, hit = (n % 8) / 8, n % 3 == 0
    chance = np.clip(np.where(hit, p, 1 - p), CLIP, 1 - CLIP)
    loss = abs(p - n % 7) if task is Task.REGRESSION else -np.log(chance)
    assert set(rows) == {"free/1 to 10 min", *(f"shop/{span}" for span in SPANS)}
    for place, span in enumerate(SPANS):
        row = rows[f"shop/{span}"]
        assert (row.n, row.details["predictions"], row.details["maturity"]) == (60, 80, 0.75)
        assert row.value == pytest.approx(loss[n % 5 == place].mean(), rel=EXACT if task is Task.REGRESSION else 1e-6)
        assert row.details["more"] == pytest.approx(row.value - rows[f"shop/{SPANS[0]}"].value, abs=EXACT)
        assert (row.details["limit_s"], row.details["stale"]) == (100, float(place == 3))
        assert row.low < row.value < row.high
    assert rows["free/1 to 10 min"].value == pytest.approx(loss.mean(), rel=1e-6)
