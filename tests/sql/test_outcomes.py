"""Outcomes joined to predictions: which one wins, what figures say of them, ages of features."""

import itertools
import json
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from weir.core.chunk import LogPartition
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import reports, results, sql_files
from weir.recording import tables

from tests.databases import put
from tests.doubles import records

LOG = LogPartition("log", "weir.predictions", 0)
OUTCOMES = LogPartition("log", "weir.outcomes", 0)
COSTS = """
    multiIf(decision = 'negative' AND label = '1', attributes['missed'],
            decision = 'positive' AND label = '0', attributes['false_alert'], 0)
"""


def replaced(rows, **columns):
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    return rows


def scored(client, scores, decisions, variant="champion", partition=0):
    rows = replaced(
        records.predictions(partition, list(range(len(scores))), variant),
        score=np.asarray(scores, np.float32),
        decision=decisions,
    )
    put(client, "predictions", tables.predictions(rows, LOG, np.arange(len(rows)), records.names))


def came_true(client, offsets, labels, by="prediction_id", partition=0, received_ms=0, **columns):
    name = {
        "prediction_id": lambda at: records.prediction_id(partition, at),
        "request_id": lambda at: f"r{partition}-{at}",
    }
    rows = records.outcomes([name[by](at) for at in offsets], [float(label) for label in labels], by=by, **columns)
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(len(rows)), received_ms))


def report(client, by=reports.By.ALL, **asked):
    rows = reports.binary(client, reports.Asked(service=records.SERVICE, by=by, **asked))
    return [SimpleNamespace(**row) for row in rows]


@pytest.mark.parametrize(
    ("kind", "n"), [("continuous", 20_000), ("tied", 5_000), ("one in a thousand", 20_000), ("two", 2)]
)
def test_figures_of_two_classes_are_scikit_learns(client, kind, n):
    from sklearn.metrics import precision_score, recall_score, roc_auc_score

    chance = np.random.default_rng(n)
    labels = (chance.random(n) < (0.001 if "thousand" in kind else 0.2)).astype(float)
    labels[:2] = [0, 1]
    scores = chance.beta(2, 5, n) * 0.7 + 0.2 * labels
    if kind == "tied":
        scores = np.round(scores, 2)
        scores[scores < 0.1] = np.where(chance.random((scores < 0.1).sum()) < 0.5, 0.0, -0.0)
    scores = scores.astype(np.float32)
    flagged = scores >= 0.4
    scored(client, scores, np.where(flagged, "positive", "negative").tolist())
    came_true(client, range(n), labels)
    results.make(client, {records.SERVICE: ""})
    (found,) = report(client)
    assert found.auc == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)
    if flagged.any():
        assert found.precision == pytest.approx(precision_score(labels, flagged), rel=1e-12)
    assert found.recall == pytest.approx(recall_score(labels, flagged), rel=1e-12)
    assert (found.n, found.outcomes, found.waiting, found.value, found.unread) == (n, n, 0, None, 0)


def latest(client):
    """Labels in the order of the requests."""
    found = client.query("SELECT label FROM results WHERE has_outcome ORDER BY source_offset").result_rows
    return [label for (label,) in found]


FACTS = [  # (label, by which id, columns), from the least to the greatest
    ("1", "prediction_id", {"at_ms": records.BASE_MS}),
    ("0", "request_id", {"at_ms": records.BASE_MS + 1}),
    ("1", "request_id", {"at_ms": records.BASE_MS, "revision": 1}),
    ("0", "prediction_id", {"at_ms": records.BASE_MS - 1, "revision": 2}),
]


@pytest.mark.parametrize("came_by", [(), ("prediction_id",), ("request_id",), ("prediction_id", "request_id")])
def test_the_join_by_an_id_that_nobody_used_is_left_out_and_ranks_where_there_is_no_choice(client, came_by):
    scored(client, [0.9] * 3, ["positive"] * 3)
    for at, by in enumerate(came_by):
        came_true(client, [at, at + 1], [at, at], by=by, at_ms=records.BASE_MS + at)
    values = [None, None, None]
    for at, _ in enumerate(came_by):  # the later one wins where both say something of a prediction
        values[at : at + 2] = [30.0 * at] * 2
    found = client.query("SELECT observed FROM results ORDER BY source_offset").result_rows
    assert [value for (value,) in found] == values
    plan = [line for (line,) in client.query("EXPLAIN header = 1 SELECT sum(observed) FROM results").result_rows]
    assert any("rank" in line for line in plan) == (len(came_by) == 2)
    joins = [line for line in plan if "Join conditions: " in line]
    assert {name for name in ("prediction_id", "request_id") if any(name in line for line in joins)} == set(came_by)


def test_the_outcome_of_a_prediction_is_looked_for_in_its_hour(client):
    came_true(client, range(3), [1] * 3)
    one = f"prediction_id = '{records.prediction_id(0, 1)}'"
    key = client.query(f"EXPLAIN indexes = 1 SELECT label FROM outcomes FINAL WHERE {one}").result_rows
    assert any("toStartOfHour(UUIDv7ToDateTime(prediction_id)) in [" in line for (line,) in key)


def test_the_greatest_revision_wins_then_the_latest_time_and_never_arrival(client):
    orders = list(itertools.permutations(range(len(FACTS))))  # of each prediction another one
    scored(client, [0.9] * len(orders), ["positive"] * len(orders))
    for count in range(len(FACTS)):
        for offset, order in enumerate(orders):
            label, by, columns = FACTS[order[count]]
            came_true(client, [offset], [label], by=by, received_ms=count, **columns)
        assert latest(client) == [FACTS[max(order[: count + 1])][0] for order in orders]
    client.command("OPTIMIZE TABLE outcomes FINAL")
    came_true(client, range(len(orders)), ["1"] * len(orders), received_ms=9)  # old ones are delivered again
    assert latest(client) == ["0"] * len(orders)


@pytest.mark.parametrize("ids", [("prediction_id", "request_id"), ("prediction_id",) * 2, ("request_id",) * 2])
def test_of_equals_the_same_one_wins_in_any_order(client, ids):
    scored(client, [0.9, 0.8], ["positive"] * 2)
    for offset, turn in ((0, (0, 1)), (1, (1, 0))):
        for which in turn:
            came_true(client, [offset], [which], by=ids[which])
    one, other = latest(client)
    assert one == other


def test_what_is_withdrawn_is_in_no_figure_until_a_later_one_says_so(client):
    scored(client, [0.9, 0.1], ["positive", "negative"])
    results.make(client, {records.SERVICE: COSTS})
    came_true(client, [0, 1], [0, 1])
    assert report(client)[0].value == Decimal(-57)
    came_true(client, [0], [0], by="request_id", withdrawn=True, revision=1)
    (found,) = report(client)
    assert (found.outcomes, found.waiting, found.value, found.false_alerts) == (1, 0.5, Decimal(-50), 0)
    assert client.query("SELECT count() FROM results WHERE NOT has_outcome AND notEmpty(attributes)").first_row == (0,)
    came_true(client, [0], [1], revision=2)
    assert report(client)[0].outcomes == 2


def test_an_attribute_that_is_not_said_is_zero_or_no_value_and_a_correction_is_the_whole_outcome(client):
    guarded = "if(mapContains(attributes, 'saved'), attributes['saved'], NULL)"
    scored(client, [0.9] * 3, ["positive"] * 3)
    rows = records.outcomes([records.prediction_id(0, at) for at in range(3)], [1.0] * 3)
    said = pa.array([[("saved", 8.0)], [("saved", 5.0)], []], records.AMOUNTS)
    rows = rows.set_column(rows.schema.get_field_index("attributes"), "attributes", said)
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(3), 0))
    came_true(client, [1], [1], revision=1)  # says other amounts, not that one
    for formula, values in (("attributes['saved'] + 1", [9, 1, 1]), (guarded, [8, None, None])):
        results.make(client, {records.SERVICE: formula})
        view = results.view_of(records.SERVICE)
        found = client.query(f"SELECT value FROM {view} ORDER BY source_offset").result_rows
        assert [value for (value,) in found] == values
        (told,) = report(client)
        assert (told.outcomes, told.value, told.unvalued) == (3, sum(filter(None, values)), values.count(None))


def test_an_outcome_by_request_is_that_of_every_prediction_of_the_service_that_answers_it(client):
    rows = replaced(records.predictions(0, [0, 1, 2]), request_id=["same", "same", "other"])
    foreign = replaced(records.predictions(1, [0]), request_id=["same"], service=["another"])
    for batch in (rows, foreign):
        put(client, "predictions", tables.predictions(batch, LOG, np.arange(len(batch)), records.names))
    batch = records.outcomes(["same"], [1.0], by="request_id")
    put(client, "outcomes", tables.outcomes(batch, OUTCOMES, np.arange(1), 0))
    found = client.query("SELECT toString(prediction_id) FROM outcomes_latest").result_rows
    assert {name for (name,) in found} == {records.prediction_id(0, 0), records.prediction_id(0, 1)}


@pytest.mark.parametrize("by", ["prediction_id", "request_id"])
@pytest.mark.parametrize("merged", [False, True])
def test_what_is_asked_of_the_latest_outcomes_is_asked_after_corrections(client, merged, by):
    """Whatever column a condition is on, a corrected outcome does not come back."""
    scored(client, [0.5] * 4, ["positive"] * 4)
    came_true(client, range(4), [1, 1, 0, 0], by=by)
    corrected = records.BASE_MS + 1
    came_true(client, [1, 2], [0, 1], by=by, at_ms=corrected)
    if merged:
        client.command("OPTIMIZE TABLE outcomes FINAL")
    ids = {offset: records.prediction_id(0, offset) for offset in range(4)}

    def found(condition):
        sql = f"SELECT toString(prediction_id), label FROM outcomes_latest WHERE {condition}"
        return dict(client.query(sql).result_rows)

    assert found("true") == {ids[0]: "1", ids[1]: "0", ids[2]: "1", ids[3]: "0"}
    assert found("label = '1'") == {ids[0]: "1", ids[2]: "1"}
    assert found(f"occurred_at < fromUnixTimestamp64Milli({corrected})") == {ids[0]: "1", ids[3]: "0"}
    assert found(f"prediction_id = '{ids[1]}'") == {ids[1]: "0"}
    assert found(f"prediction_id = '{ids[1]}' AND label = '1'") == {}
    assert found("request_id = 'r0-2'") == {ids[2]: "1"}
    assert found(f"prediction_id IN ('{ids[2]}', '{ids[3]}') AND received_at >= 0") == {ids[2]: "1", ids[3]: "0"}


def test_results_have_every_column_of_predictions_and_shadows(client):
    names = """
        SELECT name, type FROM system.columns
        WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED')
    """
    for table, view in (("predictions", "results"), ("shadows", "shadow_results")):
        kept, shown = (
            client.query(names + "ORDER BY position", parameters={"table": name}).result_rows for name in (table, view)
        )
        assert kept == shown[: len(kept)]
        assert [name for name, _ in shown[len(kept) :]][:4] == ["has_outcome", "label", "observed", "attributes"]


def test_value_counts_the_last_outcome_and_only_joined_rows(client):
    decisions = ["positive", "positive", "negative", "negative", "negative", "positive"]
    scored(client, [0.9, 0.8, 0.2, 0.1, 0.3, 0.7], decisions)
    later = records.BASE_MS + 1
    came_true(client, [0, 1, 2], [1, 0, 0])
    came_true(client, [2, 3], [1, 0], at_ms=later)  # 2 is corrected
    came_true(client, [2], [0])  # and an old message comes late
    came_true(client, [1], [0])  # 1 is repeated
    came_true(client, [50], [1])  # 50 was never scored
    came_true(client, [60], [1], by="request_id")  # nor was 60
    results.make(client, {records.SERVICE: COSTS})
    (found,) = report(client)
    assert (found.n, found.outcomes, found.caught, found.missed, found.false_alerts) == (6, 4, 1, 1, 1)
    assert found.value == Decimal(-50 - 7)
    assert found.auc == 0.75
    assert sql_files.rows(client, "outcomes/received") == [
        {"service": records.SERVICE, "received": 6, "joined": 4, "waiting": 2}
    ]


@given(
    amounts=st.lists(
        st.floats(-1e17, 1e17) | st.integers(-(10**11), 10**11).map(lambda cents: cents / 100), min_size=1, max_size=40
    )
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_of_money_are_exact(client, amounts):
    """Against Python's decimals: each to nine decimals, and nothing more in the sum."""
    for table in ("predictions", "outcomes"):
        client.command(f"TRUNCATE TABLE {table}")
    n = len(amounts)
    scored(client, [0.5] * n, ["positive"] * n)
    rows = records.outcomes([records.prediction_id(0, at) for at in range(n)], [1.0] * n, observed=amounts)
    put(client, "outcomes", tables.outcomes(rows, OUTCOMES, np.arange(n), 0))
    results.make(client, {records.SERVICE: "observed"})
    assert report(client)[0].value == sum(map(nano, amounts), Decimal(0))


def nano(amount):
    """An amount to nine decimals, as the view keeps it."""
    whole = int(amount)
    return whole + Decimal(int(np.rint((amount - whole) * 1e9))).scaleb(-9)


def test_a_formula_sees_the_class_as_the_bundle_that_answered_calls_it(client):
    """Whichever word was sent: this bundle's, an earlier one's, or 0 and 1; what is no word stays as it is."""
    bundles = [(records.DIGEST, ("honest", "fraud"), 1), ("eeeeeeeeeeee", ("good", "bad"), 2)]
    for digest, classes, at in bundles:
        said = replaced(records.bundles(digest), classes=[json.dumps(classes)])
        put(client, "bundles", tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.array([at])))
    results.make(client, {records.SERVICE: "multiIf(label = 'fraud', 1, label = 'bad', 10, label = decision, 100, 0)"})
    for partition, (digest, classes, _) in enumerate(bundles):
        rows = replaced(records.predictions(partition, list(range(7))), digest=[digest] * 7, decision=[classes[0]] * 7)
        put(client, "predictions", tables.predictions(rows, LOG, np.arange(7), records.names))
        ids = [records.prediction_id(partition, at) for at in range(6)]
        labels = pa.array(["1", "fraud", "bad", "0", "good", "strange"])
        sent = records.outcomes(ids, [1.0] * 6)
        sent = sent.set_column(sent.schema.get_field_index("label"), "label", labels)
        put(client, "outcomes", tables.outcomes(sent, OUTCOMES, np.arange(6), 0))
    seen = f"""
        SELECT digest, groupArray(label), groupArray(toFloat64(value))
        FROM (SELECT * FROM results_{records.SERVICE.replace("-", "_")} WHERE has_outcome ORDER BY source_offset)
        GROUP BY digest
    """
    assert {digest: rest for digest, *rest in client.query(seen).result_rows} == {
        records.DIGEST: [["fraud", "fraud", "fraud", "honest", "honest", "strange"], [1, 1, 1, 100, 100, 0]],
        "eeeeeeeeeeee": [["bad", "bad", "bad", "good", "good", "strange"], [10, 10, 10, 100, 100, 0]],
    }
    assert client.query("SELECT DISTINCT label FROM results WHERE source_offset = 0 AND has_outcome").first_row == (
        "1",
    )


def test_a_word_of_the_bundle_that_answered_is_that_class_whatever_others_mean_by_it(client):
    """The next version has the two classes the other way round, and one calls them 1 and 0."""
    bundles = {records.DIGEST: ("honest", "fraud"), "eeeeeeeeeeee": ("fraud", "honest"), "ffffffffffff": ("1", "0")}
    results.make(client, {records.SERVICE: "1"})
    for partition, (digest, classes) in enumerate(bundles.items()):
        said = replaced(records.bundles(digest), classes=[json.dumps(classes)])
        put(client, "bundles", tables.bundles(said, LogPartition("log", "weir.bundles", 0), np.array([partition])))
        rows = replaced(records.predictions(partition, [0, 1]), digest=[digest] * 2)
        put(client, "predictions", tables.predictions(rows, LOG, np.arange(2), records.names))
        sent = records.outcomes([records.prediction_id(partition, at) for at in range(2)], [1.0] * 2)
        sent = replaced(sent, label=list(classes))
        put(client, "outcomes", tables.outcomes(sent, OUTCOMES, np.arange(2), 0))
    view = f"results_{records.SERVICE.replace('-', '_')}"
    seen = f"SELECT digest, groupArray(label) FROM (SELECT * FROM {view} ORDER BY source_offset) GROUP BY digest"
    assert {digest: tuple(labels) for digest, labels in client.query(seen).result_rows} == bundles


def test_cents_add_up_and_nothing_wraps(client):
    n = 3000
    scored(client, [0.5] * n, ["positive"] * n)
    results.make(client, {records.SERVICE: "if(label = '1', 0.57, 1e18 / (score - 0.5))"})
    came_true(client, range(n), [1] * n)
    (found,) = report(client)
    assert (found.value, found.unvalued) == (Decimal("1710"), 0)
    came_true(client, [0, 1], [0, 0], revision=1)  # of these the formula makes no number
    (found,) = report(client)
    assert (found.value, found.unvalued) == (Decimal("1708.86"), 2)
    results.make(client, {records.SERVICE: "9.99e17"})
    assert report(client)[0].value == Decimal("9.99e17") * n


def test_variants_shadows_and_windows_stand_apart(client):
    """Two variants share the requests, a shadow sees them all: an outcome joins both an answer and its shadow."""
    scored(client, [0.9, 0.1], ["positive", "negative"])
    scored(client, [0.2, 0.8], ["negative", "positive"], "challenger", partition=1)
    for partition, by in ((0, "prediction_id"), (1, "request_id")):
        beside = records.shadows(partition, [0, 1], scores=[0.6, 0.4])
        put(client, "shadows", tables.shadows(beside, LOG, np.arange(2), records.names))
        came_true(client, [0, 1], [1, 0], by=by, partition=partition)
    results.make(client, {records.SERVICE: COSTS})
    found = {row.part: (row.outcomes, row.auc, row.value) for row in report(client, reports.By.VARIANT)}
    assert found == {"champion": (2, 1.0, 0), "challenger": (2, 0.0, -57)}
    assert [(row.part, row.outcomes, row.auc) for row in report(client, reports.By.MODEL, shadows=True)] == [
        ("flights 2", 4, 1.0)
    ]
    second = datetime.fromtimestamp(records.BASE_MS / 1000 + 1, UTC)
    assert [(row.part, row.n, row.auc) for row in report(client, reports.By.DAY, begin=second)] == [
        ("2013-07-01", 2, None)
    ]
    assert report(client, reports.By.HOUR)[0].part == "2013-07-01 12:00:00"
    assert report(client, end=datetime(2013, 1, 1, tzinfo=UTC)) == []


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
    first, second = sql_files.rows(client, "features/ages", service=records.SERVICE, **{"from": BEGINNING, "to": END})
    assert (first["view"], second["view"]) == records.VIEWS
    assert (first["from_the_future"], first["not_found"], first["stale"], first["present"]) == (0, 1, 1, 6)
    assert first["unavailable"] == 1
    assert (second["from_the_future"], second["nulls"], second["youngest_s"]) == (1, 1, -5)


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
