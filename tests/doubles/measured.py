"""Figures of monitors, as a worker would have written them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver import Client
from weir.monitor.measurement import Key, Measurement, State, ms_of


def figure(
    service: str,
    monitor: str,
    value: float,
    end: datetime,
    subject: str = "",
    *,
    step_s: int = 3600,
    n: int = 1000,
    state: State = State.OK,
    **more: Any,
) -> Measurement:
    """One of the window that ends then. more: other fields of a measurement."""
    begin = end - timedelta(seconds=step_s)
    return Measurement(
        key=Key(monitor=monitor, service=service, subject=subject, step_s=step_s),
        monitor_sha="",
        unit="",
        begin_ms=ms_of(begin),
        end_ms=ms_of(end),
        value=value,
        n=n,
        state=state,
        computed_ms=ms_of(end),
        worker="w",
        **more,
    )


def record(client: Client, figures: Iterable[Measurement]) -> None:
    """Write them, each as the log has it."""
    rows = [one.row() for one in figures]
    for place, row in enumerate(rows):
        row |= {name: datetime.fromtimestamp(row[name] / 1000, UTC) for name in ("begin", "end", "computed_at")}
        row |= {"covers": [], "log_id": "m", "log_topic": "weir.measurements", "log_partition": 0, "log_offset": place}
    names = list(rows[0])
    data = [[row[name] for name in names] for row in rows]
    client.insert("measurements", data, column_names=names, settings={"insert_deduplication_token": uuid.uuid4().hex})
