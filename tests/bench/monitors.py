"""Drift by the monitors' own SQL: 30 inputs of one window over ten million predictions, and of 300 windows of a minute."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver import Client
from weir.edges.clickhouse import client as clickhouse
from weir.edges.clickhouse import migrations, monitors
from weir.monitor.spec import Asked

from tests.bench.protocol import Judge, Say, median
from tests.bench.stand import Stand

SERVICE: Final = "monitored"
BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)
MINUTES, FEATURES, A_MINUTE = 600, 30, 16_667  # ten hours, ten million predictions
ROUNDS: Final = 5
# Made where they are stored, since ten million predictions through Kafka would take minutes: what the recorder would
# have counted, of a normal distribution that moves by a hundredth of its width in an hour.
HISTOGRAMS: Final = """
    INSERT INTO histogram_blocks (service, digest, version, variant, tenant, kind, name, window, n, hist, log_id)
    WITH arrayMap(i -> toInt16(i - 60), range(121)) AS bins,
         arrayMap(k -> exp(-0.5 * pow(sinh(k / 16) - number / 30 / 6000, 2)) * cosh(k / 16), bins) AS density
    SELECT {service:String}, 'd', '1', 'champion', 't', 'feature', concat('f', toString(number % 30)),
           {begin:DateTime} + 60 * intDiv(number, 30), arraySum(mapValues(hist)) AS n,
           CAST((bins, arrayMap(x -> toUInt64(round({rows:UInt64} * x / arraySum(density))), density)), 'Map(Int16, UInt64)') AS hist, 'bench'
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
    with clickhouse.connect(stand.settings.recording) as client:
        fill(client)
        monitor = monitors.named(stand.settings, "drift/features")
        end = BEGIN + timedelta(minutes=MINUTES)
        window = Asked(service=SERVICE, begin=BEGIN, end=end, step_s=MINUTES * 60, base_begin=BEGIN, base_end=end)
        minutes = Asked(service=SERVICE, begin=end - timedelta(minutes=300), end=end, step_s=60)
        found: dict[str, Any] = {"predictions": MINUTES * A_MINUTE, "features": FEATURES}
        for name, asked, rows in (("window_ms", window, FEATURES), ("minutes_ms", minutes, 300 * FEATURES)):
            answered: list[int] = []
            found[name] = 1000 * median(_times(lambda a=asked: answered.append(len(monitors.run(client, monitor, a)))))
            if set(answered) - {rows, 2 * rows}:  # windows begin at whole multiples of their length
                judge.refuse(f"monitors: {name} has {answered[0]} rows, not {rows}")
    say(
        f"drift of {FEATURES} features over {found['predictions']:,} predictions: one window {found['window_ms']:.0f} ms, "
        f"300 windows of a minute {found['minutes_ms']:.0f} ms"
    )
    return found


def fill(client: Client) -> None:
    """Ten hours of histograms, and a reference."""
    asked = {"service": SERVICE, "begin": f"{BEGIN:%Y-%m-%d %H:%M:%S}"}
    for sql, more in ((HISTOGRAMS, {"rows": A_MINUTE, "count": MINUTES * FEATURES}), (REFERENCES, {})):
        client.command(sql, parameters=asked | more, settings={"insert_deduplication_token": uuid.uuid4().hex})


def _times(ask: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(ROUNDS + 1):
        began_s = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began_s)
    return found[1:]  # the first one fills caches
