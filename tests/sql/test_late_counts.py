"""Predictions that were recorded without names are counted once, wherever whoever names them dies."""

import contextlib

import numpy as np
import pytest
from weir.agents.recorder import late_counts
from weir.core.bundle_names import BundleNames
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import bundle_names
from weir.edges.clickhouse.blocks import ClickHouseBlocks
from weir.recording import histograms, tables

from tests.databases import put
from tests.doubles import records
from tests.doubles.blocks import Killed, Mortal

LATE = "ba9876543210"
TOPIC = "weir.predictions"
NAMES = BundleNames(LATE, records.INPUTS, records.VIEWS, reference=records.reference(records.INPUTS))
TOTALS = "SELECT kind, name, sum(n), sumMap(hist), sumMap(words) FROM {} GROUP BY kind, name ORDER BY kind, name"


def record(client, partition, offsets):
    rows = records.predictions(partition, offsets, digest=LATE)
    log = LogPartition("log", TOPIC, partition)
    put(client, "predictions", tables.predictions(rows, log, np.array(offsets), records.names))


def truth(client, *parts):
    """What the recorder had counted, had it known the names."""
    for partition, offsets in parts:
        rows = records.predictions(partition, offsets)
        log = LogPartition("truth", TOPIC, partition)
        put(client, "histogram_blocks", histograms.of(rows, log, 0, records.names))
    return client.query(TOTALS.format("histogram_blocks WHERE log_id = 'truth'")).result_rows


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5, 6, 7, 9, 11])
def test_each_is_counted_once_wherever_it_dies(client, database, monkeypatch, dies_at):
    monkeypatch.setattr(late_counts, "ROWS", 25)  # of one block
    record(client, 0, [*range(40)])
    record(client, 1, [*range(7)])
    store = Mortal(ClickHouseBlocks(database, "tests"), dies_at)
    with contextlib.suppress(Killed):
        bundle_names.name(client, NAMES, late_counts.count(client, store, TOPIC, NAMES))
    record(client, 0, [*range(40, 60)])  # a block that was shaped before the names came
    store = ClickHouseBlocks(database, "tests")
    for _ in range(2):
        bundle_names.name(client, NAMES, late_counts.count(client, store, TOPIC, NAMES))
    assert bundle_names.unnamed(client) == {}
    found = {table: client.query(TOTALS.format(table)).result_rows for table in ("histograms", "histograms_hour")}
    whole = truth(client, (0, [*range(60)]), (1, [*range(7)]))
    assert found == {"histograms": whole, "histograms_hour": whole}


def test_what_is_not_counted_yet_is_not_named(client):
    record(client, 0, [*range(10)])
    assert bundle_names.name(client, NAMES, {("log", 0): 6})
    assert bundle_names.unnamed(client) == {LATE: 3}
