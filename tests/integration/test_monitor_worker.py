"""`weir worker monitor` between a real broker and a real ClickHouse: another takes over when it is killed."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.doubles.monitoring import NOON, monitor, predict
from tests.waiting import START_S, until

if TYPE_CHECKING:
    from weir.edges.embedded.leash import Child
    from weir.edges.embedded.stack import Stack

WINDOWS = 12


def test_one_works_and_another_takes_over_when_it_is_killed(stack: Stack, tmp_path: Path) -> None:
    from weir.edges.clickhouse import migrations
    from weir.edges.clickhouse.client import connect
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    monitors = tmp_path / "monitors"
    monitor(monitors, "one")
    unique = uuid4().hex[:8]
    settings = stack.settings.having(
        deployment=f"m{unique}", clickhouse_database=f"m{unique}", monitors_dir=monitors, monitor_every_s=0.2
    )
    topics = declared(settings)
    ensure(settings, topics)
    publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
    migrations.apply(settings.recording)
    client = connect(settings.recording)
    given = {
        "WEIR_DEPLOYMENT": settings.kafka.deployment,
        "WEIR_CLICKHOUSE_DATABASE": settings.recording.clickhouse_database,
        "WEIR_MONITORS_DIR": str(monitors),
        "WEIR_MONITOR_EVERY_S": "0.2",
        "WEIR_SESSION_TIMEOUT_S": "3",
    }

    def measured() -> int:
        stack.check()
        found: int = client.query(
            "SELECT uniqExact(begin) FROM measurements WHERE monitor = 'one' AND state != 'few'"
        ).first_row[0]
        return found

    stack.spawn(["worker", "recorder"], f"recorder-{unique}", given)
    workers = [stack.spawn(["worker", "monitor"], f"monitor-{number}-{unique}", given) for number in range(2)]
    begin = NOON
    for life in range(2):
        predict(client, 900 * life, 900 * life + 899, begin=begin, score=f"{0.1 + 0.8 * life}")
        begin += timedelta(seconds=900)
        until(lambda life=life: measured() >= 3 * (life + 1), START_S, f"the figures of life {life}")
        if life == 0:
            active = client.query("SELECT argMax(worker, log_offset) FROM measurements").first_row[0]
            killed = next(one for one in workers if not said(one).find("the active one") < 0)
            assert active, "the measurements say whose they are"
            os.kill(killed.pid, signal.SIGKILL)
            stack.forget(killed)
            workers.remove(killed)
    alerts = "SELECT subject, to_state FROM alerts ORDER BY subject, number"
    until(lambda: len(client.query(alerts).result_rows) >= 4, START_S, "the alerts")
    rows = client.query(
        "SELECT count(), uniqExact(measurement_id), max(revision) FROM measurements WHERE monitor = 'one'"
    )
    assert rows.first_row == (2 * 6, 2 * 6, 0), "each figure once"
    assert [state for _, state in client.query(alerts).result_rows] == ["pending", "firing"] * 2
    for one in workers:
        one.stop()
        stack.forget(one)


def said(child: Child) -> str:
    return child.log.read_text()
