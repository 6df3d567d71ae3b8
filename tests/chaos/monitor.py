"""`python -m tests.chaos.monitor`: the active monitor worker is killed again and again while predictions come.

Real workers, two at a time, on each broker. In the end the figures and changes of alerts in the log and in ClickHouse
are compared with those of one worker that nobody killed, on the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.asleep import asleep
from tests.chaos.brokers import no_kafka
from tests.doubles.monitoring import NOON, MemoryBooks, monitor, predict, worker
from tests.kafka_cluster import LIBS
from tests.waiting import START_S, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clickhouse_connect.driver import Client
    from weir.edges.embedded.leash import Child
    from weir.edges.embedded.stack import Stack
    from weir.settings import Settings

ROWS = 900  # between two kills: three windows, of two subjects each
SCORE = "if(intDiv(number, 1800) % 2, 0.9, 0.1)"  # an alert fires in every other pair of lives
ACTIVE = "this monitor worker is the active one"
FIGURES = "subject", "begin", "value", "n", "state", "revision"
CHANGES = "key", "number", "to_state", "measurement_id"
BROKERS = "tansu", "kafka"
LOG = {"group.id": "chaos", "isolation.level": "read_uncommitted"}  # the embedded broker tells others an older end
MAX_RECORD_BYTES = 1_048_576


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
    """The worker that works, if one does: of several that have said so, the last, to which it went over."""
    said = [(max(lines), one) for one in workers if (lines := _said_so(one))]
    return max(said, key=lambda each: each[0])[1] if said else None


def _said_so(child: Child) -> list[str]:
    """When a worker became the active one, ISO 8601."""
    lines = child.log.read_text().splitlines() if child.log.exists() else []
    return [json.loads(line)["timestamp"] for line in lines if ACTIVE in line]


def killed(stack: Stack, settings: Settings, client: Client, kills: int, chance: random.Random) -> str:
    """Kill the active worker so many times while rows come; in the end all is measured and compared: what was."""
    given, number = environment(settings), 0
    stack.spawn(["worker", "recorder"], f"recorder-{settings.kafka.deployment}", given)

    def started() -> Child:
        nonlocal number
        number += 1
        return stack.spawn(["worker", "monitor"], f"monitor-{number}-{settings.kafka.deployment}", given)

    workers = [started(), started()]
    with _end(settings) as end:
        moments = _moments(end, workers, chance)
        for life in range(kills + 1):
            first = until(lambda: active(workers), START_S, "an active worker")
            begin = NOON + life * timedelta(seconds=ROWS)
            before = end()
            predict(client, ROWS * life, ROWS * (life + 1) - 1, begin=begin, score=SCORE)
            if life == kills:
                break
            moments[life % len(moments)](before, first)
            os.kill(first.pid, signal.SIGKILL)
            stack.forget(first)
            workers.remove(first)
            workers.append(started())
    expected = MemoryBooks()
    worker(settings, expected).look()
    wanted = len(expected.measurements), len(expected.alerts)

    def all_recorded() -> bool:
        stack.check()
        return _recorded(client) == wanted

    until(all_recorded, START_S, f"{wanted} figures and changes of alerts in ClickHouse")
    for one in workers:
        stack.forget(one)
    compare(settings, client, expected, kills)
    return f"{wanted[0]} figures, {wanted[1]} changes of alerts"


def _moments(end: Callable[[], int], workers: list[Child], chance: random.Random) -> list[Callable[[int, Child], None]]:
    """When the active worker dies, in turns; each is told the end of the log of figures before the rows came."""

    def between(before: int, _: Child) -> None:
        """As soon as a figure is written, whose alerts may not be."""
        until(lambda: end() > before, START_S, "a figure", every_s=0.0)

    def any_moment(_: int, __: Child) -> None:
        time.sleep(chance.uniform(0.0, 1.0))

    def idle(before: int, _: Child) -> None:
        until(lambda: end() >= before + 6, START_S, "the figures of all windows")
        time.sleep(chance.uniform(0.0, 0.5))

    def replaced(before: int, first: Child) -> None:
        """When it has slept for so long that another has taken over and written, and it does not know that yet."""
        others = [one for one in workers if one is not first]
        with asleep(first.pid):
            until(lambda: active(others) and end() >= before + 6, START_S, "another to take over")
        time.sleep(chance.uniform(0.0, 1.0))

    return [between, any_moment, idle, replaced]


@contextmanager
def _end(settings: Settings) -> Iterator[Callable[[], int]]:
    """Asks for the next offset of the log of figures."""
    from confluent_kafka import Consumer, TopicPartition
    from weir.edges.kafka.client import client_config

    log = TopicPartition(settings.kafka.names.measurements, 0)
    with closing(Consumer(client_config(settings.kafka, "chaos") | LOG)) as consumer:

        def end() -> int:
            bounds: tuple[int, int] = consumer.get_watermark_offsets(log, timeout=START_S)
            return bounds[1]

        yield end


def _recorded(client: Client) -> tuple[int, int]:
    """Figures and changes of alerts of the monitor under test, each once."""
    asked = (
        "SELECT (SELECT uniqExact(measurement_id) FROM measurements WHERE monitor = 'one'), "
        "(SELECT uniqExact(key, number) FROM alerts WHERE monitor = 'one')"
    )
    figures, changes = client.query(asked).first_row
    return figures, changes


def compare(settings: Settings, client: Client, expected: MemoryBooks, kills: int) -> None:
    """AssertionError where a figure or a change of an alert is lost, doubled or another, in the log or in ClickHouse.

    The other monitors' figures depend on when they were asked, so of them only that nothing is doubled is told.
    """
    names = settings.kafka.names
    figures, changes = (_log(settings, topic) for topic in (names.measurements, names.alerts))
    for rows, once in ((figures, ("measurement_id",)), (changes, ("key", "number"))):
        doubled = [found for found, n in Counter(_rows(rows, once)).items() if n > 1]
        assert not doubled, f"written twice: {doubled}"
    mine = [row for row in figures if row["monitor"] == "one"]
    for rows, table, wanted, fields in (
        (mine, "measurements", expected.measurements, FIGURES),
        ([row for row in changes if row["monitor"] == "one"], "alerts", expected.alerts, CHANGES),
    ):
        truth = sorted(_rows(wanted, fields))
        assert sorted(_rows(rows, fields)) == truth
        assert recorded(client, table, fields) == truth
    lives = [name for name, _ in groupby(row["worker"] for row in figures)]
    # A worker may be killed before it has written: the work went over to it, or from it, as another joined.
    assert len(lives) == len(set(lives)) >= max(1, kills // 2), f"not one after the other: {lives}"


def _log(settings: Settings, topic: str) -> list[dict[str, Any]]:
    from weir.core.chunk import Partition
    from weir.edges.kafka.log_reader import LogReader
    from weir.edges.schemas.contracts import contract_of
    from weir.edges.schemas.registry import Registry
    from weir.wire.decode import Decoder

    registry, values = Registry(settings.registry), LogReader(settings.kafka, Partition(topic, 0)).read(START_S)
    decoded = Decoder(contract_of(settings, registry, topic), registry.schema_text).decode(values, MAX_RECORD_BYTES)
    rows: list[dict[str, Any]] = decoded.rows.to_pylist()
    assert len(rows) == len(values)
    return rows


def _rows(rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> list[tuple[Any, ...]]:
    """Some fields of each, times as milliseconds."""
    return [tuple(_ms(row[name]) for name in fields) for row in rows]


def _ms(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def recorded(client: Client, table: str, fields: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of the monitor under test as they lie in the table, whatever is doubled."""
    rows = client.query(f"SELECT {', '.join(fields)} FROM {table} WHERE monitor = 'one'").named_results()
    return sorted(_rows(rows, fields))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="on each broker")
    parser.add_argument("--broker", choices=BROKERS, action="append", help="on this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    for broker in asked.broker or BROKERS:
        missing = no_kafka() if broker == "kafka" else ""
        if missing:
            print(f"{broker}: not run, {missing}", flush=True)
            continue
        began_s = time.monotonic()
        told = _on(broker, asked.kills, random.Random(asked.seed))
        took_s = time.monotonic() - began_s
        print(f"{broker}: {asked.kills} kills, each once: {told}; {took_s:.0f} s", flush=True)
    return 0


def _on(broker: str, kills: int, chance: random.Random) -> str:
    """What was compared."""
    from weir.edges.clickhouse.client import connect
    from weir.edges.embedded.stack import Stack
    from weir.settings import load

    with tempfile.TemporaryDirectory() as home:
        settings = load(home=Path(home), embedded_broker=broker, kafka_libs_dir=LIBS)
        monitor(Path(home) / "monitors", "one")
        with Stack(settings) as stack:
            settings = prepared(stack, "killed", Path(home) / "monitors")
            return killed(stack, settings, connect(settings.recording), kills, chance)


if __name__ == "__main__":
    sys.exit(main())
