"""Tables of measurements, alerts, notes and actions: what is written again, and what counts of it."""

import json

import numpy as np
import pyarrow as pa
from weir.core.chunk import LogPartition
from weir.monitor.alert import Note, Transition
from weir.monitor.measurement import Measurement
from weir.recording import tables

from tests.databases import put
from tests.doubles import records


def record(client, name, rows, first=0):
    log = LogPartition("log", f"weir.{name}", 0)
    put(client, name, getattr(tables, name)(rows, log, np.arange(first, first + len(rows))))


def test_late_data_makes_a_figure_anew_and_the_greatest_revision_counts_whenever_it_came(client):
    record(client, "measurements", records.said("measurements", 3, revision=[0, 2, 1], value=[0.1, 0.3, 0.2]))
    record(client, "measurements", records.said("measurements", 2, revision=[0, 1], value=[0.1, 0.2]), first=3)
    found = client.query("SELECT revision, value FROM measurements FINAL").result_rows
    assert found == [(2, 0.3)]
    (row,) = client.query("SELECT * FROM measurements FINAL").named_results()
    written = records.said("measurements", 1, revision=[2], value=[0.3]).to_pylist()[0]
    assert Measurement.of(row) == Measurement.of(written)


def test_of_two_transitions_of_a_number_the_first_in_the_log_counts(client):
    rows = records.said("alerts", 3, number=[1, 2, 2], sentence=["pending", "first", "second"])
    record(client, "alerts", rows.slice(2), first=2)
    record(client, "alerts", rows.slice(0, 2))
    record(client, "alerts", rows.slice(1, 1), first=3)
    found = client.query("SELECT number, sentence FROM alerts FINAL ORDER BY number").result_rows
    assert found == [(1, "pending"), (2, "first")]
    (_, row) = client.query("SELECT * FROM alerts FINAL ORDER BY number").named_results()
    assert Transition.of(row) == Transition.of(rows.to_pylist()[1])


def test_notes_and_actions_that_are_written_again_are_one(client):
    for name in ("alert_notes", "actions"):
        rows = records.said(name, 2, **{"until": [records.BASE_MS] * 2} if name == "alert_notes" else {})
        record(client, name, rows)
        record(client, name, rows, first=2)
        assert client.query(f"SELECT count() FROM {name} FINAL").first_row == (1,)
    (row,) = client.query("SELECT * FROM alert_notes FINAL").named_results()
    assert Note.of(row).until_ms == records.BASE_MS


def test_covered_offsets_can_be_asked_for_by_partition(client):
    covers = json.dumps([["log", "weir.requests.card", 0, 5, 9], ["log", "weir.requests.card", 3, 0, 2**40]])
    record(client, "measurements", records.said("measurements", 1, covers=[covers]))
    last = "SELECT c.partition, c.last - c.first + 1 FROM measurements FINAL ARRAY JOIN covers AS c WHERE end > begin"
    assert client.query(last).result_rows == [(0, 5), (3, 2**40 + 1)]


def test_half_a_year_of_windows_is_one_insert(client):
    months = [records.BASE_MS + month * 2_678_400_000 for month in range(7)]
    record(client, "measurements", records.said("measurements", 7, begin=months, end=months))
    assert client.query("SELECT count() FROM measurements").first_row == (7,)
    assert isinstance(client.query_arrow("SELECT covers FROM measurements LIMIT 1"), pa.Table)
