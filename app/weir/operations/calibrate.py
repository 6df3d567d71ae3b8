"""Bounds of monitors from a service's own measurements."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

import numpy as np
from clickhouse_connect.driver import Client

from weir.edges.clickhouse import calibrations, monitors
from weir.monitor import calibration
from weir.monitor.calibration import Calibrated
from weir.monitor.spec import Monitor
from weir.operations.give_up import person
from weir.settings import Settings

TICKETS: Final = 4.0  # a ticket wakes nobody: so many times as often as pages they may be false


def calibrate(
    settings: Settings,
    client: Client,
    service: str,
    name: str,
    begin: datetime,
    end: datetime,
    *,
    wanted_a_month: float,
    seed: int,
    keep: bool,
) -> list[dict[str, Any]]:
    """A row for each bound of each monitor with a history; what is enough is stored, if it is to be kept.

    name: one monitor, or empty for all. wanted_a_month: false pages; of tickets TICKETS times as many.
    Raises Unavailable, Refused.
    """
    chosen = [monitors.named(settings, name)] if name else monitors.files(settings).values()
    rows = []
    for monitor in chosen:
        past = calibrations.history(client, service, monitor, begin, end)
        for severity in ("warn", "page"):
            bound = getattr(monitor, severity)
            if bound is None or not len(past.values):
                continue
            wanted = wanted_a_month * (TICKETS if severity == "warn" else 1.0)
            found = calibration.calibrate(past, bound.bound, wanted, np.random.default_rng(seed))
            if keep and not found.too_little:
                calibrations.store(
                    client,
                    service,
                    monitor,
                    severity,
                    found,
                    wanted_a_month=wanted,
                    begin=begin,
                    end=end,
                    by=person(),
                )
            rows.append(_row(monitor, severity, str(bound), found))
    return rows


def _row(monitor: Monitor, severity: str, own: str, found: Calibrated) -> dict[str, Any]:
    least, most = min(found.bounds.values()), max(found.bounds.values())
    known = math.isfinite(found.low)
    return {
        "monitor": monitor.name,
        "severity": severity,
        "subjects": len(found.bounds),
        "own": own,
        "bounds": f"{least:.4g}" if least == most else f"{least:.4g} to {most:.4g}",
        "by_subject": dict(found.bounds),
        "a_month": round(found.a_month, 3),
        "interval": f"{found.low:.2f} to {found.high:.2f}" if known else "",
        "before_a_month": round(found.before_a_month, 3),
        "windows": found.windows,
        "too_little": found.too_little,
    }
