"""A real worker whose Redis is killed, or stopped in its tracks, under load: rows say so, and it recovers by itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pyarrow as pa
import pytest
from weir.core.errors import Unavailable
from weir.core.features import ServicePlan, Status, ViewPlan
from weir.core.rejects import Reason
from weir.core.signature import Input, Policy, Signature, Source
from weir.edges.embedded.leash import Child
from weir.edges.embedded.stack import Stack
from weir.edges.features import plan as feature_plan
from weir.edges.features.reader import FeatureReader
from weir.edges.features.store.entity_key import encode_key
from weir.edges.features.store.open import open_store
from weir.edges.features.store.record_layout import layout_of
from weir.edges.features.store.record_store import Write
from weir.settings import Settings, load

from tests import tiny_requests as tiny
from tests.bundles import SIGNATURE, tiny_bundle
from tests.ports import free_port
from tests.redis_server import RedisServer
from tests.service_under_test import Service
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("kafka")

AGE_S = 30
VIEW = ViewPlan("customer_recent", ("customer",), ("spend", "visits"), ("float32", "float32"), 3600.0)
SHOP = ViewPlan("shop_recent", ("shop",), ("returns",), ("float32",), 3600.0, ("INT64",))
PLAN = ServicePlan("weir", "outage_v1", (VIEW, SHOP))
WITH_POLICIES = Signature(
    join_keys=SIGNATURE.join_keys,
    inputs=(
        *SIGNATURE.inputs,
        Input(name="spend", source=Source.FEATURE, ref="customer_recent__spend", on_missing=Policy.USE),
        Input(
            name="visits",
            source=Source.FEATURE,
            ref="customer_recent__visits",
            on_missing=Policy.DEFAULT,
            on_unavailable=Policy.DEFAULT,
            default=-7.0,
        ),
        Input(
            name="returns",
            source=Source.FEATURE,
            ref="shop_recent__returns",
            on_missing=Policy.DEFAULT,
            default=0.0,
            on_unavailable=Policy.REJECT,
        ),
    ),
)
# The budget is that of a busy machine: a healthy Redis must always answer within it.
QUICK = {
    "cache_ttl_s": 0.05,
    "lookup_budget_ms": 500,
    "lookup_failures": 2,
    "lookup_retry_s": 0.2,
    "dead_letter_limit": 1.0,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    running = RedisServer(tmp_path / "redis")
    running.start()
    yield running
    running.kill()


def fill(settings: Settings, version: float) -> None:
    """Customer i spends 100 * version + i; everybody visits `version` times, and every shop has `version` returns."""
    event_us = np.array([(tiny.AT_MS - AGE_S * 1000) * 1000])
    customers = np.array([[100 * version + i, version] for i in range(17)], np.float32)
    shops = np.full((5, 1), version, np.float32)
    store = open_store(settings)
    store.write_many(
        [
            Write(
                VIEW,
                [encode_key((f"customer-{i}",)) for i in range(17)],
                layout_of(VIEW).pack_floats(customers, event_us.repeat(17)),
            ),
            Write(SHOP, [encode_key((i,)) for i in range(5)], layout_of(SHOP).pack_floats(shops, event_us.repeat(5))),
        ]
    )
    store.close()


class Rows:
    """Sends single requests with the same event time and tells what became of each."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.sent = 0

    def answer(self, customer: str, shop: int | None) -> dict:
        """The prediction or dead letter of one request; of a prediction the features by name, too."""
        row = tiny.changed(tiny.rows(1, first=self.sent), event_time=tiny.AT_MS, customer=customer)
        row = row.set_column(row.schema.get_field_index("shop"), "shop", pa.array([shop], pa.int64()))
        offset, self.sent = self.sent, self.sent + 1
        self.service.send(0, list(self.service.encoder.encode(row)))

        def found() -> dict | None:
            self.service.look_once()
            rows = self.service.predictions + self.service.dead_letters
            return next((row for row in reversed(rows) if row["source_offset"] == offset), None)

        answer = until(found, START_S, f"the answer to request {offset}")
        if "features" in answer:
            answer |= dict(zip(WITH_POLICIES.names, np.frombuffer(answer["features"], "<f4").tolist(), strict=True))
            answer["status"] = list(answer["feature_status"])
            answer["ages"] = np.frombuffer(answer["feature_age_s"], "<i4").tolist()
        return answer


def breaker(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S) as page:
        lines = page.read().decode().splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("weir_feature_store_breaker{"))


def check_well(rows: Rows, version: float) -> None:
    def fresh() -> bool:
        answer = rows.answer("customer-3", 1)
        return answer.get("status") == [Status.PRESENT, Status.PRESENT] and answer["spend"] == 100 * version + 3

    until(fresh, START_S, f"fresh features of version {version}")
    answer = looked_up(rows, "customer-4", 2, Status.PRESENT)
    assert (answer["spend"], answer["visits"], answer["returns"]) == (100 * version + 4, version, version)
    assert answer["ages"] == [AGE_S, AGE_S]
    assert looked_up(rows, "stranger", None, Status.NOT_FOUND)["ages"] == [-1, -1]


def looked_up(rows: Rows, customer: str, shop: int | None, status: Status) -> dict:
    """The answer of a store that is well, with this status of both views: a busy machine may miss the budget once."""

    def answer() -> dict | None:
        found = rows.answer(customer, shop)
        return found if found.get("status") == [status, status] else None

    return until(answer, START_S, f"a lookup of {customer} within the budget")


def check_away(rows: Rows, version: float, port: int) -> None:
    """Every policy: the last value, the default, the dead letter; and nobody known before."""
    until(lambda: rows.answer("customer-3", None)["status"][0] == Status.STALE, START_S, "a row that says so")
    answer = rows.answer("customer-3", None)
    assert (answer["status"], answer["ages"]) == ([Status.STALE, Status.NOT_FOUND], [AGE_S, -1])
    assert (answer["spend"], answer["visits"]) == (100 * version + 3, -7.0)
    unknown = rows.answer(f"nobody-{rows.sent}", None)
    assert (unknown["status"][0], unknown["ages"][0]) == (Status.UNAVAILABLE, -1)
    assert np.isnan(unknown["spend"])
    assert unknown["visits"] == -7.0
    rejected = rows.answer("customer-3", 1)
    assert (rejected["reason"], rejected["detail"]) == (Reason.FEATURE_UNAVAILABLE, "returns")
    until(lambda: rows.answer("customer-3", None) and breaker(port) == 2, START_S, "an open breaker")


def check_outages(service: Service, server: RedisServer, settings: Settings, child: Child, port: int) -> None:
    rows = Rows(service)
    check_well(rows, 1)
    until(lambda: rows.answer("customer-3", 1) and breaker(port) == 0, START_S, "a closed breaker")
    server.kill()
    check_away(rows, 1, port)
    server.start()  # empty, as a replica that lost its memory
    fill(settings, 2)
    check_well(rows, 2)
    until(lambda: rows.answer("customer-3", 1) and breaker(port) == 0, START_S, "a closed breaker")
    server.signal(signal.SIGSTOP)
    check_away(rows, 2, port)
    server.signal(signal.SIGCONT)
    fill(settings, 3)
    check_well(rows, 3)
    service.send_rows(2000)
    until(service.all_answered, START_S, "every request answered and in the ledger")
    assert set(service.answered.values()) == {1}
    assert child.poll() is None


def test_a_store_that_is_killed_or_stopped_costs_freshness_and_nothing_else(
    stack: Stack, server: RedisServer, tmp_path: Path
) -> None:
    service = Service(stack, tmp_path)
    service.bundle = tiny_bundle(
        tmp_path / "with_policies",
        WITH_POLICIES,
        service=service.name,
        feature_service=PLAN.service,
        feature_fingerprint=PLAN.reading(WITH_POLICIES.looked_up).fingerprint,
    )
    settings = load(home=tmp_path / "home", online_store=server.url)
    feature_plan.save(settings, [PLAN])
    fill(settings, 1)
    port = free_port()
    where = {"home": settings.paths.home.resolve(), "online_store": server.url, "http_port": port}
    with service.worker(**where, **QUICK) as child:
        check_outages(service, server, settings, child, port)


def test_a_store_that_is_away_at_the_start_is_refused(tmp_path: Path) -> None:
    settings = load(home=tmp_path, online_store=f"redis://127.0.0.1:{free_port()}/0")
    feature_plan.save(settings, [PLAN])
    with pytest.raises(Unavailable, match="start Redis"):
        FeatureReader.of(settings, PLAN.service)
