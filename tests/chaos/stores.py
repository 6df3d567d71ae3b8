"""Group 5: the online store killed, silent, removed: scoring goes on within its budget, and rows say what they used."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from weir.core.rejects import Reason, Stage
from weir.edges.features import plan as feature_plan

from tests.bundles import tiny_bundle
from tests.chaos.scene import Fault, Scene
from tests.integration.test_feature_outage import PLAN, QUICK, WITH_POLICIES, fill
from tests.redis_server import RedisServer

RATE = 300.0
BUDGET_MS = QUICK["lookup_budget_ms"]
SLACK_MS = 3000.0  # what a busy machine may add; a store that blocks adds as long as it is away
AWAY_S = (4.0, 7.0)
SLOWEST = "SELECT max(lookup_us) / 1000 FROM batches"
SAID = """
    SELECT countIf(feature_status['customer_recent'] = 'present'), countIf(feature_status['customer_recent'] = 'stale'),
           countIf(feature_status['customer_recent'] = 'unavailable') FROM predictions
"""


def with_features(folder: Path, service: str) -> Path:
    return tiny_bundle(
        folder,
        WITH_POLICIES,
        service=service,
        feature_service=PLAN.service,
        feature_fingerprint=PLAN.reading(WITH_POLICIES.looked_up).fingerprint,
    )


def wrong_features(rows: pa.Table, values: np.ndarray, status: list[dict[str, str]]) -> np.ndarray:
    """Which of n rows do not say what they used. values: float32[n, 3], spend, visits, returns; bool[n].

    The store holds 100 + i for customer i, one visit for everybody and one return for every shop, all the time; so a
    row can be judged by what it says of its views, whenever that was.
    """
    customer = np.array([100 + int(name.rpartition("-")[2]) for name in rows["customer"].to_pylist()], np.float32)
    nobody = rows["shop"].is_null().to_numpy()
    view = np.array([said["customer_recent"] for said in status])
    shop = np.array([said["shop_recent"] for said in status])
    spend, visits, returns = values.T
    known = np.isin(view, ("present", "stale"))
    good = np.where(known, spend == customer, (view == "unavailable") & np.isnan(spend))
    good &= visits == np.where(view == "present", 1.0, -7.0)
    good &= np.where(nobody, returns == 0.0, (returns == 1.0) & (shop == "present"))
    return ~good


def may_turn_away(rows: pa.Table, stage: str, reason: str) -> np.ndarray:
    """Which of n good requests may be rejected so: those with a shop, whose policy says so. bool[n]."""
    fits = (stage, reason) == (Stage.ASSEMBLE, Reason.FEATURE_UNAVAILABLE)
    return fits & ~rows["shop"].is_null().to_numpy()


def _begin(scene: Scene, store: str) -> None:
    scene.truth.wrong_features, scene.truth.may_turn_away = wrong_features, may_turn_away
    settings = scene.stack.settings.having(online_store=store)
    feature_plan.save(settings, [PLAN])
    fill(settings, 1)
    scene.scorers(online_store=store, **QUICK)
    scene.recorder(online_store=store)
    scene.under_load(RATE)


def _end(scene: Scene) -> None:
    """No lookup took longer than its budget, and the rows of the outage say so."""
    slowest_ms = float(scene.client.query(SLOWEST).first_row[0])
    present, stale, unavailable = scene.client.query(SAID).first_row
    scene.notes.append(
        f"slowest lookup {slowest_ms:.0f} ms, budget {BUDGET_MS:g} ms; rows with fresh {present:,}, "
        f"stale {stale:,}, no features {unavailable:,}"
    )
    assert slowest_ms <= BUDGET_MS + SLACK_MS, f"a lookup took {slowest_ms:.0f} ms, its budget is {BUDGET_MS:g} ms"


def _fails(bring: Callable[[RedisServer], None], back: Callable[[RedisServer], None]):
    def act(scene: Scene, rounds: int) -> list[float]:
        folder = Path(scene.service.folder) / "redis"
        folder.mkdir()
        server = RedisServer(folder)
        server.start()
        try:
            _begin(scene, server.url)
            server.save()  # a store that comes back empty would answer, truly, that it knows nobody
            recoveries = []
            for _ in range(rounds):
                bring(server)
                scene.pause(*AWAY_S)
                recoveries.append(scene.recovered())  # while the store is away
                back(server)
                scene.pause(0.5, 2.0)
                recoveries.append(scene.recovered())
            _end(scene)
            return recoveries
        finally:
            server.kill()

    return act


def removed(scene: Scene, rounds: int) -> list[float]:
    """The directory of the embedded store is moved away under the worker, and back."""
    _begin(scene, "lmdb")
    home = scene.stack.settings.paths.home
    folder = next(path.parent for path in home.rglob("data.mdb"))
    recoveries = []
    for _ in range(rounds):
        folder.rename(folder.with_suffix(".away"))
        scene.pause(1.0, 3.0)
        recoveries.append(scene.recovered())
        folder.with_suffix(".away").rename(folder)
        recoveries.append(scene.recovered())
    _end(scene)
    return recoveries


def no_redis() -> str:
    """Why there is no Redis here; "" when there is."""
    try:
        RedisServer(Path())
    except pytest.skip.Exception as skipped:
        return str(skipped)
    return ""


killed = _fails(RedisServer.kill, RedisServer.start)
silent = _fails(lambda server: server.signal(signal.SIGSTOP), lambda server: server.signal(signal.SIGCONT))
GIVEN: dict[str, Any] = {"bundle": with_features, "signature": WITH_POLICIES}
FAULTS = [
    Fault(5, "Redis killed -9", killed, full=5, missing=no_redis, **GIVEN),
    Fault(5, "Redis silent", silent, full=5, missing=no_redis, **GIVEN),
    Fault(5, "embedded store moved away", removed, full=3, **GIVEN),
]
