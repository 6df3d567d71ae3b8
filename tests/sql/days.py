"""The day of three services, and what monitors found of it: one database for all that look at it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from weir.edges.clickhouse.client import connect
from weir.monitor.measurement import Measurement
from weir.monitor.measurement import State as Found
from weir.settings import Settings

from tests.console.filled import ARRIVALS, DAY, FLIGHTS, NOW, PARCELS, fill
from tests.databases import Databases, migrated
from tests.doubles.measured import figure, record

HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def day(databases: Databases) -> Iterator[Settings]:
    """Settings of a database with that day, which nobody writes to."""
    with migrated(databases) as settings:
        client = connect(settings.recording)
        fill(client, measured=False)
        record(client, figures())
        yield settings


def figures() -> Iterator[Measurement]:
    flights, inputs = FLIGHTS.service, ("delay_3h", "late_24h", "wind")
    for at in (NOW - 2 * HOUR, NOW - HOUR):
        for name in inputs:
            state = Found.PAGE if name == "delay_3h" else Found.OK
            yield figure(flights, "drift/features", 0.3, at, name, state=state)
    yield figure(flights, "drift/features", 0.9, NOW - 20 * HOUR, "gone", state=Found.PAGE)
    yield figure(flights, "outcome/auc", 0.7, NOW - 2 * DAY, step_s=86_400)
    yield figure(flights, "outcome/auc", 0.643, NOW - DAY, step_s=86_400, low=0.63, high=0.66)
    yield figure(flights, "outcome/auc", 0.1, NOW - DAY, step_s=86_400, state=Found.IMMATURE, revision=1)
    for subject, value, n in (("m/8/champion/a/", 3.0, 3000), ("m/7/champion/a/", 5.0, 1000)):
        yield figure(flights, "cost/services", value, NOW, subject, n=n, step_s=86_400, details={"currency": "EUR"})
    yield figure(flights, "outcome/value", 2.0, NOW, "8/champion", step_s=86_400, details={"total": 4515.0})
    yield figure(flights, "outcome/value", 2.0, NOW - 9 * DAY, "8/champion", step_s=86_400, details={"total": 1.0})
    for at, burn in ((NOW - 2 * HOUR, 20.0), (NOW - HOUR, 16.0)):
        yield figure(flights, "slo/fast/1h", burn, at, step_s=300, state=Found.PAGE)
        yield figure(flights, "slo/fast/6h", burn / 4, at, step_s=1800)
    yield figure(PARCELS.service, "outcome/accuracy", 0.75, NOW - DAY, "accuracy", step_s=86_400)
    yield figure(PARCELS.service, "outcome/accuracy", 0.7, NOW - DAY, "macro_f1", step_s=86_400)
    yield figure(PARCELS.service, "drift/features", 0.01, NOW, "wind")
    yield figure(ARRIVALS.service, "outcome/error", 4.1, NOW - DAY, "mae", step_s=86_400)
