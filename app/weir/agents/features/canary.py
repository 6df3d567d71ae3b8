"""The canary worker: compares the columnar feature read with Feast's own, again and again, off the hot path."""

from __future__ import annotations

import signal
import threading

import structlog

from weir.edges.features import plan as feature_plan
from weir.edges.features.comparison import FeatureCanary
from weir.settings import Settings
from weir.telemetry import CanaryChecked, Telemetry

LOGGED = 10  # differing values named in the log for each look; the metric counts all


def watch(settings: Settings, telemetry: Telemetry, stop: threading.Event | None = None) -> None:
    """Compare WEIR_CANARY_ROWS rows of every feature service each WEIR_CANARY_EVERY_S, until `stop` or SIGTERM.

    A difference is counted and logged, and the canary goes on: what to do about it is a person's decision. Raises
    Refused when nothing was applied, Unavailable when the online store is gone.
    """
    if stop is None:
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
    canaries = [FeatureCanary(settings, plan.service) for plan in feature_plan.load_all(settings)]
    try:
        while True:
            for canary in canaries:
                look(canary, settings, telemetry)
            if stop.wait(settings.features.canary_every_s):
                return
    finally:
        for canary in canaries:
            canary.close()


def look(canary: FeatureCanary, settings: Settings, telemetry: Telemetry) -> int:
    """Compare one sample; returns how many values differ."""
    result = canary.compare(canary.sample(settings.features.canary_rows))
    telemetry.emit(CanaryChecked(service=settings.scoring.service, rows=result.rows, mismatches=len(result.differing)))
    log = structlog.get_logger(__name__)
    for fault in result.differing[:LOGGED]:
        log.error(
            "features differ from Feast's",
            column=fault.column,
            keys=fault.keys,
            what=fault.what,
            ours=fault.ours,
            feast=fault.feast,
        )
    return len(result.differing)
