"""The demo's further services: what they are told, and what the report holds against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from weir.core.bundle import Bundle
from weir.demo import report, run
from weir.demo.flights import HOUR_MS, Flights
from weir.demo.months import Cost
from weir.demo.replay import Tally
from weir.demo.season import Watched
from weir.demo.siblings import CLASS, MINUTES, SIBLINGS, class_of
from weir.demo.signature import SERVICE, SIGNATURE
from weir.demo.verify import Findings
from weir.demo.verify_siblings import Beside, Figure, actual, apart
from weir.edges.clickhouse.ledger import LedgerReport

LATE_MIN = [-5.0, 14.0, 15.0, 60.0, 61.0]
TIME = pa.timestamp("ms", tz="UTC")


def landed(late_min):
    """Outcomes of the requests 4, 3, 2 and so on, as the first service is told them."""
    n = len(late_min)
    return pa.table(
        {
            "request_row": pa.array(np.arange(n)[::-1].astype(np.int32)),
            "occurred_at": pa.array(np.arange(n) * HOUR_MS, TIME),
            "observed": pa.array(late_min, pa.float64()),
            "label": ["1" if minutes >= 15 else "0" for minutes in late_min],
            "attributes": pa.array([[("missed", -300.0)]] * n, pa.map_(pa.string(), pa.float64())),
        }
    )


def test_a_service_of_classes_is_told_the_class_beside_the_minutes():
    told = CLASS.outcomes(landed(LATE_MIN))
    assert told["label"].to_pylist() == ["on_time", "on_time", "late", "late", "very_late"]
    assert told["observed"].to_pylist() == LATE_MIN
    assert told["attributes"].to_pylist() == [[]] * 5


def test_a_service_of_minutes_is_told_no_class():
    told = MINUTES.outcomes(landed(LATE_MIN))
    assert told["label"].to_pylist() == [None] * 5
    assert told["observed"].to_pylist() == LATE_MIN


def test_targets_and_labels_say_the_same():
    late_min = np.array(LATE_MIN, np.float32)
    assert MINUTES.targets(late_min).tolist() == MINUTES.labels(late_min).to_pylist() == LATE_MIN
    assert CLASS.targets(late_min).tolist() == class_of(late_min).tolist() == [0, 0, 1, 1, 2]
    assert [sibling.signature.names for sibling in SIBLINGS] == [SIGNATURE.names] * 2


def flights(hours, late_min=()):
    requests = pa.table({"request_id": [f"r{i}" for i in range(len(hours))], "clock_hour": hours})
    return Flights(requests, pa.table({}), landed(late_min))


def test_the_truth_is_found_by_request_id_and_a_flight_that_never_landed_has_none():
    asked = pa.chunked_array([["r0", "r5", "r4"]])
    found = actual(flights([0] * 6, LATE_MIN), asked)
    np.testing.assert_array_equal(found, [61.0, np.nan, -5.0])


@pytest.mark.parametrize(("rows", "alone"), [(1, 1), (2, 2), (4, 2), (6, 5), (8, 5)])
def test_the_first_service_is_asked_alone_up_to_the_end_of_an_hour(rows, alone):
    assert run._alone(flights([7, 7, 8, 8, 8, 9, 9, 9]), 0, rows) == alone


def test_differences_are_relative_where_scores_are_large():
    assert apart(np.array([[0.5], [100.0]], np.float32), np.array([[0.25], [200.0]], np.float32)) == 0.5
    assert apart(np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)) == 0.0
    assert Figure("MAE", "NumPy", 2e9, 2e9 + 1).agrees(1e-9)
    assert not Figure("MAE", "NumPy", 0.5, 0.6).agrees(1e-9)
    assert not Figure("MAE", "NumPy", float("nan"), 0.6).agrees(1e-9)


def bundle(service, signature):
    return Bundle(
        service=service, name="m", version="1", owner="o", signature=signature, digest="d", feature_service="f"
    )


def beside(sibling):
    return Beside(
        bundle=bundle(sibling.service, sibling.signature),
        answered=20,
        outcomes=19,
        max_output_diff=0.0,
        other_decisions=0,
        figures=(Figure("MAE", "NumPy", 12.5, 12.5),),
    )


def done(**changes):
    """A run in which all is well, but for what is changed of the service of classes."""
    counts = dict.fromkeys(("read", "scored", "rejected", "gaps", "duplicates", "missing", "stray"), 0)
    ledger = LedgerReport(complete=True, **counts, unbalanced=0, unread=0, pending=0, partitions=(), faults=())
    found = {sibling.service: beside(sibling) for sibling in SIBLINGS}
    found[CLASS.service] = replace(found[CLASS.service], **changes)
    findings = Findings(
        bundle=bundle(SERVICE, SIGNATURE),
        beside=found,
        ledger=ledger,
        max_score_diff=0.0,
        compared_rows=50,
        auc_sql=0.75,
        auc_reference=0.75,
        outcomes_received=45,
        outcomes_joined=45,
        business_value_usd=-1.0,
        stale_rows=0,
        future_rows=0,
        sampled=50,
        mismatches=0,
        onnx_rows_per_s=1.0,
    )
    tallies = {SERVICE: Tally(produced=50, read=50, scored=50, outcomes=45)}
    tallies |= {sibling.service: Tally(produced=20, read=20, scored=20, outcomes=19) for sibling in SIBLINGS}
    seconds = dict.fromkeys(("replay", "burst"), 1.0)
    watched = Watched(windows=0, alarms=())
    cost = Cost(
        currency="USD",
        predictions=50,
        metered=1.0,
        allocated=1.0,
        rejected=0.0,
        idle=0.0,
        unexplained=0.0,
        components={"cpu": 1.0},
    )
    return run.Run(tallies, findings, 50, 30, 10, 0.5, 0.5, watched, [], cost, seconds)


def test_a_run_in_which_all_is_well_has_no_faults_and_tells_of_every_service():
    assert report.faults(done()) == []
    told = report.to_json(done())["siblings"]
    assert {service: (one["task"], one["answered"]) for service, one in told.items()} == {
        MINUTES.service: ("regression", 20),
        CLASS.service: ("multiclass", 20),
    }


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"answered": 19}, "every request was scored"),
        ({"max_output_diff": 2e-6}, "outputs equal ONNX Runtime's to 1e-06"),
        ({"other_decisions": 1}, "decisions are those of the outputs"),
        ({"outcomes": 18}, "every outcome found its prediction"),
        ({"figures": (Figure("accuracy", "scikit-learn", 0.7, 0.71),)}, "accuracy by SQL is scikit-learn's to 1e-09"),
    ],
)
def test_what_a_further_service_did_not_show_is_said(changes, claim):
    assert report.faults(done(**changes)) == [f"{CLASS.service}: {claim}"]
