"""`weir worker monitor` between a real broker and a real ClickHouse: another takes over when it is killed."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from weir.monitor.left import Work
from weir.monitor.measurement import Key, Measurement, State

from tests.chaos.monitor import killed, prepared
from tests.doubles.monitoring import MINUTE, NOON, SERVICE, monitor
from tests.unit.monitor.test_records import FIRED
from tests.unit.notify.server import Server

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack


def test_one_works_and_another_takes_over_when_it_is_killed(stack: Stack, tmp_path: Path) -> None:
    """`make chaos` does it twenty times."""
    from weir.edges.clickhouse.client import connect

    monitor(tmp_path / "monitors", "one")
    settings = prepared(stack, f"m{uuid4().hex[:8]}", tmp_path / "monitors")
    killed(stack, settings, connect(settings.recording), 1, random.Random(5))


def test_a_worker_that_slept_while_another_wrote_writes_nothing_until_it_knows(stack: Stack, tmp_path: Path) -> None:
    """It may believe for a while that it is the active one."""
    from weir.agents.monitor.books import KafkaBooks, NotHeld
    from weir.edges.clickhouse.client import connect

    settings, now = prepared(stack, f"m{uuid4().hex[:8]}", tmp_path), [0.0]
    with (
        connect(settings.recording) as client,
        closing(KafkaBooks(settings, lambda: now[0])) as one,
        closing(KafkaBooks(settings, lambda: now[0])) as other,
    ):
        for books in (one, other):
            books.left(client, NOON, MINUTE)
        one.measured([figure(0), figure(1)])
        now[0] += 60
        one.measured([figure(2)])  # what it has read back is its own
        with pytest.raises(NotHeld):
            other.measured([figure(2)])
        left, _ = other.left(client, NOON, MINUTE)
        assert left.last == (Work(SERVICE, "one", 60), NOON + 2 * MINUTE)
        other.measured([figure(3)])
        now[0] += 60
        with pytest.raises(NotHeld):
            one.measured([figure(4)])
        assert len(one.left(client, NOON, MINUTE)[0].windows[Work(SERVICE, "one", 60)]) == 4


def figure(number: int) -> Measurement:
    """Of the window that begins so many minutes after noon."""
    begin_ms = 1000 * round((NOON + number * MINUTE).timestamp())
    return Measurement(
        key=Key(monitor="one", service=SERVICE, step_s=60),
        monitor_sha="",
        begin_ms=begin_ms,
        end_ms=begin_ms + 60_000,
        value=1.0,
        unit="share",
        n=1,
        state=State.OK,
        computed_ms=begin_ms,
        worker="w",
    )


def test_what_waits_to_be_told_is_told_when_a_worker_ends(stack: Stack, tmp_path: Path) -> None:
    from weir.agents.monitor.agent import open_monitor
    from weir.telemetry import Telemetry

    (tmp_path / "monitors").mkdir()
    with Server().running() as server:
        (tmp_path / "notify.yaml").write_text(f"receivers: [{{name: hook, kind: webhook, url: '{server.url}'}}]")
        settings = prepared(stack, f"m{uuid4().hex[:8]}", tmp_path / "monitors")
        resources = open_monitor(settings.having(notify_file=tmp_path / "notify.yaml"), Telemetry())
        resources.notifier.tell([FIRED])
        resources.close()
        assert len(server.got) == 1
