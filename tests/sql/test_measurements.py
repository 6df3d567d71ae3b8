"""What a monitor worker goes on from is the same whether it was recorded or is still in the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import measurements
from weir.monitor.measurement import Measurement
from weir.recording import tables

from tests.databases import put
from tests.doubles import monitoring
from tests.doubles.monitoring import NOON, MemoryBooks, monitor, predict, worker

LOG = LogPartition("log", "weir.measurements", 0)
TIMES = {"begin", "end", "computed_at", "at"}
BEGINNING = datetime.fromtimestamp(0, UTC)


def recorded(client, table, rows, topic):
    """Rows of a contract, in a table as the recorder puts them there."""
    batch = pa.RecordBatch.from_pylist(rows)
    for name in TIMES & set(batch.schema.names):
        batch = batch.set_column(
            batch.schema.get_field_index(name), name, batch[name].cast(pa.timestamp("ms", tz="UTC"))
        )
    place = LogPartition("log", topic, 0)
    put(client, table, getattr(tables, table)(batch, place, np.arange(len(rows))))


def test_what_is_recorded_says_the_same_as_the_log(client, database, tmp_path):
    settings = database.having(monitors_dir=tmp_path / "monitors")
    monitor(settings.paths.monitors_dir, "one")
    monitor(settings.paths.monitors_dir, "none", monitoring.SHARE.replace("WHERE", "WHERE variant = 'nobody' AND"))
    monitor(settings.paths.monitors_dir, "many")
    many = settings.paths.monitors_dir / "many.sql"
    many.write_text(many.read_text().replace("-- panel", "-- minimum: 100\n-- panel"))
    predict(client, 0, 3599, begin=NOON, score="if(intDiv(number, 900) % 2, 0.9, 0.1)")
    books = MemoryBooks()
    life = worker(settings, books)
    life.look()
    predict(client, 3600, 3610, begin=NOON)  # late: a second revision of the first window
    predict(client, 3611, 3640, begin=NOON + timedelta(hours=1))  # so few that the newest window says nothing of some
    life.look()
    assert {row["revision"] for row in books.measurements} == {0, 1}
    assert {row["state"] for row in books.measurements if row["monitor"] == "many"} > {"few"}
    recorded(client, "measurements", books.measurements, "weir.measurements")
    recorded(client, "alerts", books.alerts, "weir.alerts")
    expected, latest = books.left(client, BEGINNING, timedelta(days=1))
    found = measurements.left(client, BEGINNING, "weir.outcomes")
    assert (found.memories, found.windows) == (expected.memories, expected.windows)
    assert (found.numbers, found.states, found.watched) == (expected.numbers, expected.states, expected.watched)
    places = measurements.recorded(client)
    assert places["weir.measurements", "log"] == (len(books.measurements) - 1, *expected.last)
    assert places["weir.alerts", "log"][0] == len(books.alerts) - 1
    work = expected.last[0]
    told = measurements.of_work(client, work, BEGINNING)
    assert [one.measurement_id for one in told] == [
        one.measurement_id for one in sorted(latest, key=lambda one: (one.begin_ms, one.key.subject))
    ]
    assert isinstance(told[0], Measurement)
    assert told[0].covers == latest[0].covers
