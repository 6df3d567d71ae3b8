"""Drift by the monitors' own SQL: 30 inputs over ten million predictions, as one window and as 300 of a minute."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from clickhouse_connect.driver import Client
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations, monitors
from weir.monitor.spec import Asked

from tests.bench.protocol import Judge, Say, median
from tests.bench.stand import Stand

SERVICE: Final = "monitored"
BEGIN: Final = datetime(2026, 1, 4, 22, tzinfo=UTC)  # where windows of ten hours since 1970 begin
MINUTES, FEATURES, A_MINUTE = 600, 30, 16_667  # ten hours, ten million predictions
ROUNDS: Final = 5
END: Final = BEGIN + timedelta(minutes=MINUTES)
QUESTIONS: Final = (  # figure, what is asked, rows of the answer
    ("window_ms", Asked(service=SERVICE, begin=BEGIN, end=END, step_s=MINUTES * 60), FEATURES),
    ("minutes_ms", Asked(service=SERVICE, begin=END - timedelta(minutes=300), end=END, step_s=60), 300 * FEATURES),
)
# Made where they are stored, since ten million predictions through Kafka would take minutes: what the recorder would
# have counted, of a normal distribution that moves by a hundredth of its width in an hour.
HISTOGRAMS: Final = """
    INSERT INTO histogram_blocks (service, digest, version, variant, tenant, kind, name, window, n, hist, log_id)
    WITH arrayMap(i -> toInt16(i - 60), range(121)) AS bins,
         arrayMap(k -> exp(-0.5 * pow(sinh(k / 16) - number / 30 / 6000, 2)) * cosh(k / 16), bins) AS density,
         arrayMap(x -> toUInt64(round({rows:UInt64} * x / arraySum(density))), density) AS counts
    SELECT {service:String}, 'd', '1', 'champion', 't', 'feature', concat('f', toString(number % 30)),
           {begin:DateTime} + 60 * intDiv(number, 30), arraySum(counts),
           CAST((bins, counts), 'Map(Int16, UInt64)'), 'bench'
    FROM numbers({count:UInt64})
"""
REFERENCES: Final = """
    INSERT INTO baselines (id, service, digest, kind, name, grid, center, scale, n, whole, hist)
    SELECT 'reference:d', service, 'd', kind, name, 'asinh', 0, 1, sum(n), 1, sumMap(hist)
    FROM histograms WHERE service = {service:String} AND window = {begin:DateTime}
    GROUP BY service, kind, name
"""


def measure(stand: Stand, judge: Judge, say: Say) -> dict[str, Any]:
    """Milliseconds of each question, the median of five, and whether it is answered as it must be."""
    migrations.apply(stand.settings.recording)
    found: dict[str, Any] = {"predictions": MINUTES * A_MINUTE, "features": FEATURES}
    with clickhouse.connect(stand.settings.recording) as client:
        fill(client)
        monitor = monitors.named(stand.settings, "drift/features")
        for name, asked, rows in QUESTIONS:
            ask = partial(monitors.run, client, monitor, asked)
            if (answered := len(ask())) != rows:  # the first one fills caches
                judge.refuse(f"monitors: {name} has {answered} rows, not {rows}")
            found[name] = 1000 * median([_took_s(ask) for _ in range(ROUNDS)])
    say(
        f"drift of {FEATURES} features over {found['predictions']:,} predictions: "
        f"one window {found['window_ms']:.0f} ms, 300 windows of a minute {found['minutes_ms']:.0f} ms"
    )
    return found


def fill(client: Client) -> None:
    """Ten hours of histograms, and a reference."""
    asked = {"service": SERVICE, "begin": f"{BEGIN:%Y-%m-%d %H:%M:%S}"}
    for sql, more in ((HISTOGRAMS, {"rows": A_MINUTE, "count": MINUTES * FEATURES}), (REFERENCES, {})):
        client.command(sql, parameters=asked | more, settings={"insert_deduplication_token": uuid.uuid4().hex})


def _took_s(ask: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    ask()
    return time.perf_counter() - began_s
