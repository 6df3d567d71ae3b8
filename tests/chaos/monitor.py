"""`python -m tests.chaos.monitor`: the active monitor worker is killed again and again while predictions come.

Real workers on a real broker, two at a time. In the end the figures and alerts in ClickHouse are compared with those of
one worker that nobody killed, on the same rows.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.doubles import monitoring
from tests.doubles.monitoring import NOON, MemoryBooks, monitor, predict, worker
from tests.waiting import START_S, until

if TYPE_CHECKING:
    from clickhouse_connect.driver import Client
    from weir.edges.embedded.leash import Child
    from weir.edges.embedded.stack import Stack
    from weir.settings import Settings

ROWS = 900  # between two kills: three windows
ACTIVE = "this monitor worker is the active one"


def prepared(stack: Stack, name: str, monitors: Path) -> Settings:
    """Settings of a deployment and a database of their own, with the topics, contracts and tables."""
    from weir.edges.clickhouse import migrations
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    settings = stack.settings.having(deployment=name, clickhouse_database=name, monitors_dir=monitors)
    topics = declared(settings)
    ensure(settings, topics)
    publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
    migrations.apply(settings.recording)
    return settings


def environment(settings: Settings) -> dict[str, str]:
    """What a worker of them needs beside the stack's own."""
    return {
        "WEIR_DEPLOYMENT": settings.kafka.deployment,
        "WEIR_CLICKHOUSE_DATABASE": settings.recording.clickhouse_database,
        "WEIR_MONITORS_DIR": str(settings.paths.monitors_dir),
        "WEIR_MONITOR_EVERY_S": "0.2",
        "WEIR_SESSION_TIMEOUT_S": "3",
    }


def active(workers: list[Child]) -> Child | None:
    """The worker that says that it works, if one does."""
    return next((one for one in workers if one.log.exists() and ACTIVE in one.log.read_text()), None)


def killed(stack: Stack, settings: Settings, client: Client, kills: int, chance: random.Random) -> None:
    """Kill the active worker so many times while rows come; in the end all is measured."""
    given, number = environment(settings), 0
    stack.spawn(["worker", "recorder"], f"recorder-{settings.kafka.deployment}", given)

    def started() -> Child:
        nonlocal number
        number += 1
        return stack.spawn(["worker", "monitor"], f"monitor-{number}-{settings.kafka.deployment}", given)

    def windows() -> int:
        stack.check()
        asked = "SELECT uniqExact(begin) FROM measurements WHERE monitor = 'one'"
        found: int = client.query(asked).first_row[0]
        return found

    workers = [started(), started()]
    for life in range(kills + 1):
        begin = NOON + life * timedelta(seconds=ROWS)
        predict(
            client, ROWS * life, ROWS * life + ROWS - 1, begin=begin, score="if(intDiv(number, 1800) % 2, 0.9, 0.1)"
        )
        if life == kills:
            break
        first = until(lambda: active(workers), START_S, "an active worker")
        least = chance.choice([3 * life, 3 * life + 1, 3 * life + 2])  # before, in the midst of, or after its work
        until(lambda least=least: windows() >= least, START_S, f"{least} windows")
        os.kill(first.pid, signal.SIGKILL)
        stack.forget(first)
        workers.remove(first)
        workers.append(started())
    until(lambda: windows() >= 3 * (kills + 1), START_S, "all windows")
    expected = MemoryBooks()
    worker(settings, expected).look()
    until(
        lambda: client.query("SELECT uniqExact(key, number) FROM alerts").first_row[0] >= len(expected.alerts),
        START_S,
        "all alerts",
    )
    for one in workers:
        stack.forget(one)
    compare(client, expected)


def compare(client: Client, expected: MemoryBooks) -> None:
    """AssertionError where a figure or a change of an alert is lost, doubled or another."""
    assert table(client, "measurements", "subject, toUnixTimestamp64Milli(begin), value, n, state, revision") == sorted(
        tuple(row[name] for name in ("subject", "begin", "value", "n", "state", "revision"))
        for row in expected.measurements
    )
    assert table(client, "alerts", "key, number, to_state, measurement_id") == sorted(
        tuple(row[name] for name in ("key", "number", "to_state", "measurement_id")) for row in expected.alerts
    )


def table(client: Client, name: str, columns: str) -> list[Any]:
    """Rows of the monitor under test, each once."""
    return sorted(client.query(f"SELECT {columns} FROM {name} FINAL WHERE monitor = 'one'").result_rows)


def main() -> int:
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack
    from weir.settings import load

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Stack(load(home=Path(folder), embedded_broker="tansu")) as stack:
        monitors = Path(folder) / "monitors"
        monitor(monitors, "one")
        settings = prepared(stack, "killed", monitors)
        killed(stack, settings, connect(settings.recording), asked.kills, random.Random(asked.seed))
    print(f"{monitoring.SERVICE}: {asked.kills} kills, every figure and alert once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
