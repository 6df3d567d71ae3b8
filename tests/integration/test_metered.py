"""What scorers say that they spent is what their processes used, and all of it goes somewhere."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from weir.core.chunk import Partition
from weir.core.prices import UNITS, Price, tariffs
from weir.monitor.spec import Asked
from weir.settings import load

from tests import tiny_requests as tiny
from tests.service_under_test import MAX_BYTES, Service
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("tansu")

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack

CPU_S = 6.0  # of each worker at least: a hundredth of it is more than what it does beside a batch
TICK_S = 0.02  # what the system's figures are rounded by
SMALL = {"chunk_max_records": 64, "batch_max_rows": 64}  # many batches, which take most of the CPU time
ROWS, FEW = 4000, 40
BOOK = [one for unit in UNITS for one in tariffs(unit, [Price(date(2000, 1, 1), Decimal(1))])]


def test_what_is_metered_is_what_the_processes_used_and_all_of_it_is_borne(
    tmp_path: Path, broker: dict[str, Any]
) -> None:
    from weir.edges.clickhouse import migrations
    from weir.edges.embedded.stack import Stack
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.registry import Registry, publish

    with Stack(load(home=tmp_path / "home", bundles_dir=tmp_path / "none", **broker)) as stack:
        topics = declared(stack.settings)
        ensure(stack.settings, topics)
        publish(Registry(stack.settings.registry), stack.settings.paths.schemas_dir, topics)
        migrations.apply(stack.settings.recording)
        service, began = Service(stack, tmp_path), datetime.now(UTC)
        check_processes(service)
        check_conservation(stack, service, began)


def check_processes(service: Service) -> None:
    """CPU time of two workers, told by their batches, is what the system says of the processes."""
    with (
        service.worker(variant="champion", **SMALL) as one,
        service.worker(variant="challenger", **SMALL) as other,
    ):
        pids = one.pid, other.pid
        while min(map(cpu_s, pids)) < CPU_S:
            served(service, ROWS)
        service.send(3, [record.value for record in tiny.one_of_each(service.encoder, MAX_BYTES)])
        until(service.all_answered, START_S, "the dead letters")

        def close_together() -> bool:
            """Each worker tells once more what it has spent, and what it has can be seen right before and after."""
            before = [cpu_s(pid) for pid in pids]
            served(service, FEW)
            after = [cpu_s(pid) for pid in pids]
            told = [told_s(service, pid) for pid in pids]
            for least, said, most in zip(before, told, after, strict=True):
                assert least - TICK_S <= said <= most + TICK_S
            return all(most - least < 0.01 * most for least, most in zip(before, after, strict=True))

        until(close_together, START_S, "a moment in which the system's figures are of the batches")


def served(service: Service, rows: int) -> None:
    """Requests for all partitions, and their answers."""
    service.send_rows(rows)
    until(service.all_answered, START_S, "all answers")


def told_s(service: Service, pid: int) -> float:
    """CPU time that a worker's batches tell, seconds."""
    rows = service.look().rows["weir.batches"]
    return sum(row["cpu_us"] for row in rows if row["worker"].endswith(f":{pid}")) / 1e6


def cpu_s(pid: int) -> float:
    """CPU time of a process and of those that it started, seconds."""
    return sum(psutil.Process(pid).cpu_times()[:4])


def check_conservation(stack: Stack, service: Service, began: datetime) -> None:
    """What the batches tell is allocated to the last digit; bytes are those of the values in the logs."""
    from weir.edges.clickhouse import costs, monitors
    from weir.edges.clickhouse.client import connect

    batches = service.rows["weir.batches"]
    with connect(stack.settings.recording) as client:
        costs.make(client, "EUR", BOOK, [])
        stack.spawn(["worker", "recorder"], "recorder")
        wanted = len(batches), len(service.predictions), len(service.dead_letters)

        def recorded() -> bool:
            stack.check()
            tables = "batches", "predictions", "dead_letters"
            return client.query(f"SELECT {', '.join(f'(SELECT count() FROM {t})' for t in tables)}").first_row == wanted

        until(recorded, START_S, "all that was written")
        end = datetime.now(UTC) + timedelta(minutes=1)
        asked = Asked(service=service.name, begin=began.replace(minute=0), end=end, step_s=86_400)
        found = monitors.run(client, monitors.named(stack.settings, "cost/conservation"), asked)
    parts: dict[str, Counter[str]] = {}
    for row in found:
        assert row.value == 0.0, row
        parts.setdefault(row.subject, Counter()).update(
            {name: row.details[name] for name in ("used", "metered", "allocated", "rejected", "idle")}
        )
    for part in parts.values():
        assert part["allocated"] + part["rejected"] + part["idle"] == pytest.approx(part["metered"], rel=1e-9)
        assert part["allocated"] + part["idle"] == pytest.approx(part["metered"], rel=0.01)
    used = {name: part["used"] for name, part in parts.items()}
    assert used["cpu"] == pytest.approx(sum(row["cpu_us"] for row in batches) / 1e6)
    assert used["idle"] == pytest.approx(sum(row["idle_us"] for row in batches) / 1e6)
    assert used["kafka_in"] == sum(map(len, filter(None, service.sent.values())))
    out = octets(service, "weir.predictions") + octets(service, "weir.dead-letters")
    assert (used["kafka_out"], used["clickhouse"]) == (out, out)


def octets(service: Service, topic: str) -> int:
    """Bytes of the values of all records of a topic."""
    from weir.edges.kafka.log_reader import LogReader

    logs = [LogReader(service.settings.kafka, Partition(topic, partition)) for partition in range(4)]
    return sum(len(value) for log in logs for value in log.read(WAIT_S))
