"""Histories that bounds are calibrated from, and the bounds that came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from uuid import uuid4

import numpy as np
from clickhouse_connect.driver import Client

from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, once, url_of
from weir.monitor import calibration, false_alarms
from weir.monitor.calibration import History
from weir.monitor.false_alarms import Calibrated, OfService
from weir.monitor.judge import Bounds
from weir.monitor.spec import Monitor
from weir.monitor.threshold import Threshold

COLUMNS = (
    *("service", "monitor", "subject", "severity", "sign", "bound", "a_month", "low", "high", "before_a_month"),
    *("wanted_a_month", "windows", "block", "step_s", "begin", "end", "calibrated_by"),
)


def history(client: Client, service: str, monitor: Monitor, begin: datetime, end: datetime) -> History:
    """What a monitor has measured of a service, begin <= window < end. Windows that nobody measured are left out."""
    asked = {"service": service, "monitor": monitor.name, "step": monitor.window_s, "from": begin, "to": end}
    found = sql_files.table(client, "measurements/history", **asked)
    windows, place = np.unique(found["begin_ms"].to_numpy(), return_inverse=True)
    subjects, column = np.unique(np.array(found["subject"].to_pylist(), str), return_inverse=True)
    values = np.full((len(windows), len(subjects)), np.nan)
    values[place, column] = found["value"].to_numpy()
    bound = monitor.page or monitor.warn
    rising = bound is None or bound.rises
    return History(subjects=tuple(subjects.tolist()), values=values, step_s=monitor.window_s, rising=rising)


def store(
    client: Client,
    service: str,
    monitor: Monitor,
    severity: str,
    found: calibration.Calibrated,
    *,
    wanted_a_month: float,
    begin: datetime,
    end: datetime,
    by: str,
) -> None:
    """Let these bounds count from now on. severity: warn or page, whichever bound of the monitor they replace."""
    bound = getattr(monitor, severity)
    rows = [
        (
            *(service, monitor.name, subject, severity, bound.sign, value, found.a_month, found.low, found.high),
            *(found.before_a_month, wanted_a_month, found.windows, found.block, monitor.window_s, begin, end, by),
        )
        for subject, value in found.bounds.items()
    ]
    with answering(url_of(client)):
        client.insert("calibrations", rows, column_names=COLUMNS, settings=once(uuid4().hex))


def latest(client: Client, service: str) -> OfService:
    """What calibrations of a service have found: bounds, and the false alarms that may be expected of them.

    Raises Unavailable, Refused.
    """
    found: dict[str, dict[str, Calibrated]] = {}
    rows = sql_files.rows(client, "calibrations/latest", service=service)
    for (monitor, severity), of in groupby(rows, key=itemgetter("monitor", "severity")):
        each = list(of)
        said = {name: each[0][name] for name in ("a_month", "low", "high", "windows", "until")}
        bounds = {row["subject"]: Threshold(row["sign"], row["bound"]) for row in each}
        found.setdefault(monitor, {})[severity] = Calibrated(bounds=bounds, **said)
    return found


def bounds(client: Client, service: str) -> Mapping[str, Mapping[str, Bounds]]:
    """Monitor -> subject -> calibrated bounds of a service; of a severity that is not calibrated there is none."""
    return false_alarms.bounds(latest(client, service))
