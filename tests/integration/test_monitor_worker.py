"""`weir worker monitor` between a real broker and a real ClickHouse: another takes over when it is killed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.chaos.monitor import killed, prepared
from tests.doubles.monitoring import monitor

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack


def test_one_works_and_another_takes_over_when_it_is_killed(stack: Stack, tmp_path: Path) -> None:
    """`make chaos` does it twenty times."""
    from weir.edges.clickhouse.client import connect

    monitor(tmp_path / "monitors", "one")
    settings = prepared(stack, f"m{uuid4().hex[:8]}", tmp_path / "monitors")
    killed(stack, settings, connect(settings.recording), 1, random.Random(5))
