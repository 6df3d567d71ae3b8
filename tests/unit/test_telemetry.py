"""Metrics, events and the generated page agree with each other."""

import os
import re
import subprocess
import sys
from collections import defaultdict

import pytest
from weir import telemetry
from weir.core.breaker import BreakerState
from weir.core.features import Status
from weir.core.rejects import Reason, Stage
from weir.edges.observability import process_metrics
from weir.metrics import METRICS

STAGES = dict.fromkeys(("wait", "decode", "lookup", "assemble", "run", "encode", "produce"), 0.002)
EXAMPLES = (
    telemetry.WorkerStarted(role="scorer", version="0.1.0", ready_s=2.5, service="s", digest="abc"),
    telemetry.ChunkFetched(role="scorer", topic="t", records=512),
    telemetry.ChunkCommitted(role="scorer", topic="t", partition=3, offset=512, records=2),
    telemetry.LagMeasured(role="scorer", topic="t", partition=3, records=7, seconds=0.25),
    telemetry.PartitionsAssigned(role="scorer", partitions=4),
    telemetry.WriteRetried(role="recorder", sink="clickhouse"),
    telemetry.BatchScored(
        service="s",
        rows={"champion": 500, "challenger": 4},
        closed_by="rows",
        stage_s=STAGES,
        lag_s=0.02,
        rejected={(Stage.DECODE, Reason.EMPTY): 1, (Stage.VALIDATE, Reason.MISSING): 7},
        dead_letter_share=0.01,
        cache_hits=90,
        cache_lookups=100,
        incomplete_records=2,
        feature_status={("origin_recent", Status.PRESENT): 500, ("origin_recent", Status.NOT_FOUND): 4},
        model_retries=5,
        store=BreakerState.HALF_OPEN,
        feature_oldest_s={"origin_recent": 3600.0},
    ),
    telemetry.BlockRecorded(table="predictions", rows=1000, insert_s=0.02, repeats=3, replayed=True),
    telemetry.PredictionsUnnamed(rows=3),
    telemetry.ShadowScored(service="s", variant="wider", rows=9, unscored={"no_names": 2}),
    telemetry.FeaturesApplied(records={"origin_recent": 3}, write_s=0.001, watermark_us=1_357_000_000_000_000),
    telemetry.CanaryChecked(service="s", rows=100, mismatches=1, failures=1),
    telemetry.LedgerChecked(service="s", gaps=0, duplicates=0, missing=2, stray=0, unbalanced=0),
    telemetry.WindowsMeasured(service="s", monitor="m", windows=3, again=1),
    telemetry.MonitorFailed(service="s", monitor="m"),
    telemetry.LearnerPublished(service="s", learner="l", learned=1, stopped=False, delay_s=1.0),
    telemetry.StateServed(service="s", learner="l", delay_s=1.0),
    telemetry.StateRefused(service="s", learner="l"),
    telemetry.ServiceMonitored(service="s", waiting=1, behind_s=60.0),
    telemetry.RoundEnded(seconds=0.5, failed=False),
    telemetry.AlertSent(receiver="channel", outcome="sent"),
)


def test_every_event_is_emitted_and_every_metric_is_moved_by_one():
    assert {type(event) for event in EXAMPLES} == set(telemetry.EVENTS)
    metrics = {metric.name: metric for metric in METRICS}
    assert len(metrics) == len(METRICS)
    moved = set()
    of_process = telemetry.Telemetry()
    for event in EXAMPLES:
        of_process.emit(event)
        for name, labels, _ in event.samples():
            assert len(labels) == len(metrics[name].labels)
            moved.add(name)
    assert moved == set(metrics)


def test_label_values_that_a_meaning_lists_are_those_that_are_written():
    """As in "sink: clickhouse" or "kind: gap, duplicate or stray"; each has a writer, and no other is written."""
    written = defaultdict(set)
    for event in EXAMPLES:
        for name, labels, _ in event.samples():
            for label, value in zip(next(one.labels for one in METRICS if one.name == name), labels, strict=True):
                written[name, label].add(value)
    listed = {}
    for metric in METRICS:
        for label in metric.labels:
            if found := re.search(rf"\b{label}: ((?:\w+, )*\w+(?: or \w+)?)(?=$|[;.])", metric.meaning):
                listed[metric.name, label] = set(re.split(r", | or ", found[1]))
    assert {("weir_ledger_faults", "kind"), ("weir_stage_seconds", "stage")} <= {*listed}
    assert listed == {key: written[key] for key in listed}


def test_a_batch_moves_what_it_says():
    of_process = telemetry.Telemetry()
    batch = next(event for event in EXAMPLES if isinstance(event, telemetry.BatchScored))
    of_process.emit(batch)
    of_process.emit(batch)
    assert of_process.value("weir_scored_rows_total", service="s", variant="champion") == 1000
    assert of_process.value("weir_scored_rows_total", service="s", variant="challenger") == 8
    assert of_process.value("weir_dead_letters_total", service="s", stage="validate", reason="missing") == 14
    assert of_process.value("weir_batch_rows_sum", service="s") == 1024
    assert of_process.value("weir_stage_seconds_count", service="s", stage="run") == 2
    assert of_process.value("weir_cache_lookups_total", service="s", result="miss") == 20
    assert of_process.value("weir_feature_records_incomplete_total", service="s") == 4
    assert of_process.value("weir_feature_values_total", service="s", view="origin_recent", status="not_found") == 8
    assert of_process.value("weir_dead_letter_share", service="s") == pytest.approx(0.01)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_say_kind_and_unit(metric):
    assert metric.name.startswith("weir_")
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(metric.buckets)
    assert metric.meaning
    assert metric.action
    assert "_seconds" not in metric.name or metric.unit == "seconds"


def test_values_are_kept_in_the_process_whatever_the_environment_says(tmp_path):
    program = """
import sys
sys.argv = ["weir", "--help"]
from weir.__main__ import main
try:
    main()
except SystemExit:
    pass
import weir.edges.features.repository, prometheus_client.values
print(prometheus_client.values.ValueClass.__name__)
"""
    environment = os.environ | dict.fromkeys(process_metrics.VARIABLES, str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "MutexValue"
    assert list(tmp_path.iterdir()) == []
