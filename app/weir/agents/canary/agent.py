"""The canary worker: compares the columnar feature read with Feast's own, again and again, off the hot path."""

from __future__ import annotations

import signal
import threading

import structlog

from weir.core.errors import Refused
from weir.edges.features import plan as feature_plan
from weir.edges.features.comparison import FeatureCanary
from weir.settings import Settings
from weir.telemetry import CanaryChecked, Telemetry

log = structlog.get_logger(__name__)
LOGGED = 10  # differing values named in the log for each look; the metric counts all


def watch(settings: Settings, telemetry: Telemetry, stop: threading.Event | None = None) -> None:
    """Compare WEIR_CANARY_ROWS rows of every feature service each WEIR_CANARY_EVERY_S, until `stop` or SIGTERM.

    A difference is counted and logged, as is a comparison that fails, and the canary goes on: what to do about it is a
    person's decision. Raises Refused when nothing was applied or no service has anything to compare, Unavailable when
    the online store cannot be opened.
    """
    if stop is None:
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
    canaries = _open(settings)
    every_s = settings.features.canary_every_s
    log.info(
        "comparing features with Feast's", feature_services=[one.plan.service for one in canaries], every_s=every_s
    )
    try:
        while True:
            for canary in canaries:
                look(canary, settings, telemetry)
            if stop.wait(every_s):
                return
    finally:
        for canary in canaries:
            canary.close()


def look(canary: FeatureCanary, settings: Settings, telemetry: Telemetry) -> int:
    """Compare one sample; returns how many values differ, 0 when they could not be compared."""
    service = canary.plan.service
    try:
        result = canary.compare(canary.sample(settings.features.canary_rows))
    except Exception as error:  # of Feast, the registry, the store, or ours: the next look may succeed
        log.exception("a comparison with Feast failed", feature_service=service, error=str(error))
        telemetry.emit(CanaryChecked(service=service, rows=0, mismatches=0, failures=1))
        return 0
    telemetry.emit(CanaryChecked(service=service, rows=result.rows, mismatches=len(result.differing)))
    if not result.found:
        log.info(
            "the online store holds no record of a feature service: nothing to compare yet", feature_service=service
        )
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


def _open(settings: Settings) -> list[FeatureCanary]:
    plans = [plan for plan in feature_plan.load_all(settings) if plan.readable]
    if not plans:
        raise Refused(
            "no feature service has anything to compare: none holds numbers that are looked up by text or integers",
            where=str(feature_plan.path(settings)),
            remedy="end the canary, or add such features in feature_repo/ and run `weir apply`",
        )
    return [FeatureCanary(settings, plan.service) for plan in plans]
