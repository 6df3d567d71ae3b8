"""Outcomes joined to predictions: AUC against scikit-learn, value against exact sums, ages of features."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import outcomes
from weir.recording import tables

from tests.doubles import records
from tests.sql.databases import put

LOG = LogPartition("log", "weir.predictions", 0)
OUTCOMES = LogPartition("log", "weir.outcomes", 0)


def replaced(rows, **columns):
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    return rows


def scored(client, scores, decisions, variant="champion"):
    rows = replaced(
        records.predictions(0, list(range(len(scores))), variant),
        score=np.asarray(scores, np.float32),
        decision=decisions,
    )
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(len(rows)), records.names))


def came_true(client, offsets, labels, received_ms=records.BASE_MS, at_ms=records.BASE_MS):
    ids = [records.prediction_id(0, offset) for offset in offsets]
    rows = records.outcomes(ids, [float(label) for label in labels], at_ms=at_ms)
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(len(rows)), received_ms))


@pytest.mark.parametrize(
    ("kind", "n"), [("continuous", 20_000), ("tied", 5_000), ("one in a thousand", 20_000), ("two", 2)]
)
def test_auc_equals_scikit_learns(client, kind, n):
    from sklearn.metrics import roc_auc_score

    chance = np.random.default_rng(n)
    labels = (chance.random(n) < (0.001 if "thousand" in kind else 0.2)).astype(float)
    labels[:2] = [0, 1]
    scores = chance.beta(2, 5, n) * 0.7 + 0.2 * labels
    if kind == "tied":
        scores = np.round(scores, 2)
        scores[scores < 0.1] = np.where(chance.random((scores < 0.1).sum()) < 0.5, 0.0, -0.0)
    scores = scores.astype(np.float32)
    scored(client, scores, ["positive"] * n)
    came_true(client, range(n), labels)
    (found,) = outcomes.performance(client, records.SERVICE)
    assert found.auc is not None
    assert abs(found.auc - roc_auc_score(labels, scores)) < 1e-12
    assert (found.scored, found.joined) == (n, n)


def label_of(client):
    (found,) = client.query("SELECT label FROM outcomes_latest").result_rows
    return found[0]


@pytest.mark.parametrize("merged", [False, True])
def test_an_old_outcome_that_comes_again_undoes_no_correction(client, merged):
    first, corrected = records.BASE_MS, records.BASE_MS + 86_400_000
    came_true(client, [0], [1], received_ms=1, at_ms=first)
    came_true(client, [0], [0], received_ms=2, at_ms=corrected)
    came_true(client, [0], [1], received_ms=3, at_ms=first)  # redelivered
    if merged:
        client.command("OPTIMIZE TABLE outcomes FINAL")
    assert label_of(client) == 0.0
    came_true(client, [0], [1], received_ms=4, at_ms=corrected)  # of equal times the last received
    assert label_of(client) == 1.0
    came_true(client, [0], [0], received_ms=2, at_ms=corrected)  # a block that is repeated late
    assert label_of(client) == 1.0


@pytest.mark.parametrize("merged", [False, True])
def test_what_is_asked_of_the_latest_outcomes_is_asked_after_corrections(client, merged):
    """Whatever column a condition is on, a corrected outcome does not come back."""
    corrected = records.BASE_MS + 1
    came_true(client, range(4), [1, 1, 0, 0], received_ms=1)
    came_true(client, [1, 2], [0, 1], received_ms=2, at_ms=corrected)
    if merged:
        client.command("OPTIMIZE TABLE outcomes FINAL")
    ids = {offset: records.prediction_id(0, offset) for offset in range(4)}

    def found(condition):
        sql = f"SELECT toString(prediction_id), label FROM outcomes_latest WHERE {condition}"
        return dict(client.query(sql).result_rows)

    assert found("true") == {ids[0]: 1.0, ids[1]: 0.0, ids[2]: 1.0, ids[3]: 0.0}
    assert found("label = 1") == {ids[0]: 1.0, ids[2]: 1.0}
    assert found(f"occurred_at < fromUnixTimestamp64Milli({corrected})") == {ids[0]: 1.0, ids[3]: 0.0}
    assert found(f"prediction_id = '{ids[1]}'") == {ids[1]: 0.0}
    assert found(f"prediction_id = '{ids[1]}' AND label = 1") == {}
    assert found(f"prediction_id IN ('{ids[2]}', '{ids[3]}') AND log_offset > 0") == {ids[2]: 1.0, ids[3]: 0.0}


def test_the_latest_outcomes_have_every_column_of_their_table(client):
    names = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
    kept, shown = (
        client.query(
            names + "AND default_kind != 'MATERIALIZED' ORDER BY position", parameters={"table": table}
        ).result_rows
        for table in ("outcomes", "outcomes_latest")
    )
    assert kept == shown


def test_value_counts_the_last_outcome_and_only_joined_rows(client):
    decisions = ["positive", "positive", "negative", "negative", "negative", "positive"]
    scored(client, [0.9, 0.8, 0.2, 0.1, 0.3, 0.7], decisions)
    came_true(client, [0, 1, 2], [1, 0, 0])
    came_true(client, [2, 3], [1, 0], received_ms=records.BASE_MS + 1)  # 2 is corrected
    came_true(client, [2], [0], received_ms=records.BASE_MS - 1)  # and an old message comes late
    came_true(client, [1], [0])  # 1 is repeated
    came_true(client, [50], [1])  # 50 was never scored
    (found,) = outcomes.performance(client)
    assert (found.scored, found.joined, found.caught, found.missed, found.false_alerts) == (6, 4, 1, 1, 1)
    assert found.value_nusd == (-50 - 7) * 10**9
    assert found.auc == 0.75
    assert outcomes.received(client) == outcomes.Received(received=5, joined=4, orphans=1)


@given(
    money=st.lists(
        st.tuples(*[st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1]))] * 2),
        min_size=1,
        max_size=30,
    ),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_of_money_do_not_wrap(client, money, seed):
    """Against Python's integers, over all that a column can hold."""
    n, chance = len(money), np.random.default_rng(seed)
    positive, labels = chance.random(n) < 0.5, chance.random(n) < 0.5
    for table in ("predictions", "outcomes"):
        client.command(f"TRUNCATE TABLE {table}")
    scored(client, [0.5] * n, np.where(positive, "positive", "negative").tolist())
    ids = [records.prediction_id(0, offset) for offset in range(n)]
    missed, false_alert = (pa.array(column, pa.int64()) for column in zip(*money, strict=True))
    rows = replaced(
        records.outcomes(ids, labels.astype(float).tolist()), missed_nusd=missed, false_alert_nusd=false_alert
    )
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(n), records.BASE_MS))
    (found,) = outcomes.performance(client)
    assert found.value_nusd == sum(
        (0 if label else alert) if decided else (missed if label else 0)
        for (missed, alert), decided, label in zip(money, positive, labels, strict=True)
    )


def test_of_two_outcomes_received_together_the_later_record_wins(client):
    scored(client, [0.9], ["positive"])
    came_true(client, [0, 0, 0], [1, 1, 0])
    came_true(client, [0], [1])
    client.command("OPTIMIZE TABLE outcomes FINAL")
    (found,) = outcomes.performance(client)
    assert (found.caught, found.false_alerts) == (1, 0)


def test_variants_shadows_and_windows_stand_apart(client):
    """Two variants share the requests, a shadow sees them all: an outcome joins both an answer and its shadow."""
    scored(client, [0.9, 0.1], ["positive", "negative"])
    rows = records.predictions(1, [0, 1], "challenger")
    scores = {"score": np.array([0.2, 0.8], np.float32), "decision": ["negative", "positive"]}
    put(client, "predictions", tables.predictions(replaced(rows, **scores), LOG, np.arange(2), records.names))
    for partition in (0, 1):
        beside = records.shadows(partition, [0, 1], scores=[0.6, 0.4])
        put(client, "shadows", tables.shadows(beside, LOG, np.arange(2), records.names))
        ids = [records.prediction_id(partition, offset) for offset in (0, 1)]
        put(client, "outcomes", tables.outcomes(records.outcomes(ids, [1.0, 0.0]), OUTCOMES, np.arange(2), 0))
    found = {(row.role, row.variant): (row.joined, row.auc) for row in outcomes.performance(client, records.SERVICE)}
    assert found == {
        ("answer", "champion"): (2, 1.0),
        ("answer", "challenger"): (2, 0.0),
        ("shadow", "wider"): (4, 1.0),
    }
    second = datetime.fromtimestamp(records.BASE_MS / 1000 + 1, UTC)
    assert [(row.scored, row.auc) for row in outcomes.performance(client, begin=second)] == [
        (1, None),
        (1, None),
        (2, None),
    ]
    assert outcomes.performance(client, end=datetime(2013, 1, 1, tzinfo=UTC)) == []


def test_a_feature_from_the_future_is_seen(client):
    rows = records.predictions(0, list(range(9)))
    ages = np.array([[60, 60]] * 9, "<i4")
    status = np.array([[1, 1]] * 9, "u1")
    ages[3] = [-1, -5]
    status[3] = [3, 1]  # not found has no age; present from the future is leakage
    status[4] = [4, 2]
    ages[5] = [-1, 60]
    status[5] = [5, 1]  # unavailable has no age either
    rows = replaced(
        rows, feature_age_s=[row.tobytes() for row in ages], feature_status=[row.tobytes() for row in status]
    )
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(9), records.names))
    first, second = outcomes.feature_ages(client, records.SERVICE)
    assert (first.view, second.view) == records.VIEWS
    assert (first.from_the_future, first.not_found, first.stale, first.present) == (0, 1, 1, 6)
    assert first.unavailable == 1
    assert (second.from_the_future, second.nulls, second.youngest_s) == (1, 1, -5)


def test_what_is_recorded_reads_back_as_it_was(client):
    rows = records.predictions(2, [0, 1, 5])
    log = LogPartition("log", "weir.predictions", 2)
    put(client, "predictions", tables.predictions(rows, log, np.array([7, 8, 9]), records.names))
    sql = "SELECT * EXCEPT recorded_at FROM predictions ORDER BY source_offset"
    found = client.query_arrow(sql, use_strings=True).to_pylist()[2]
    assert {name: found[name] for name in ("request_id", "digest", "log_offset", "log_partition", "traceparent")} == {
        "request_id": "r2-5",
        "digest": records.DIGEST,
        "log_offset": 9,
        "log_partition": 2,
        "traceparent": "",
    }
    row = client.query(
        "SELECT prediction_id, features, feature_age_s, feature_status, event_time FROM predictions "
        "WHERE source_offset = 5"
    ).first_row
    assert str(row[0]) == records.prediction_id(2, 5)
    features = row[1]
    assert list(features) == list(records.INPUTS)
    assert list(features.values())[:3] == [5.0, 6.0, 7.0]
    assert np.isnan(features["plane_age"])
    assert row[2] == {"origin_recent": 60, "plane_recent": 60}
    assert row[3] == {"origin_recent": "present", "plane_recent": "present"}
    assert row[4].timestamp() * 1000 == records.BASE_MS + 5000
    assert client.query(
        "SELECT max(abs(dateDiff('millisecond', UUIDv7ToDateTime(prediction_id), event_time))) FROM predictions"
    ).first_row == (0,)
