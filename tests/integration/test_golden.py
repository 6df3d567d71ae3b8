"""Golden requests against a real scorer: right answers are quiet, wrong ones page, though each of them is a success."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver import Client
from weir.edges.clickhouse import migrations, monitors
from weir.edges.clickhouse.client import connect
from weir.edges.embedded.stack import Stack
from weir.monitor.spec import Asked
from weir.operations.golden import Golden, known
from weir.settings import load

from tests.bundles import opened_bundle
from tests.service_under_test import Service
from tests.waiting import START_S, until

pytestmark = pytest.mark.one_broker("tansu")

ROWS = 20
YEARS_S = 100 * 365 * 86_400


def test_a_scorer_that_answers_wrongly_pages_though_every_answer_is_a_success(
    broker: dict[str, Any], tmp_path: Path
) -> None:
    with Stack(load(home=tmp_path / "home", bundles_dir=tmp_path / "none", **broker)) as stack:
        service = Service(stack, tmp_path)
        migrations.apply(stack.settings.recording)
        client = connect(stack.settings.recording)
        opened = opened_bundle(service.bundle)
        right = known(opened, None)
        wrong = [replace(one, score=one.score + 0.125) for one in right]  # what the scorer gives is not what is known
        monitor = monitors.files(stack.settings)["health/golden"]
        assert monitor.page is not None
        stack.spawn(["worker", "recorder"], "recorder")
        service.spawn()
        for rows, failing, answers in ((right, 0, ROWS), (wrong, ROWS, 2 * ROWS)):
            sender = Golden(service.settings, opened.bundle.short_digest, rows)
            assert len(sender.send(ROWS)) == ROWS
            sender.close()
            until(lambda count=answers: recorded(client) == count, 2 * START_S, "every golden request recorded")
            (row,) = monitors.run(client, monitor, today(service.name))
            assert (row.value, row.n) == (failing, answers)
            assert monitor.page.crossed(row.value) == (failing > 0)
        assert row.details["worst"] == pytest.approx(0.125)
        assert client.query("SELECT count() FROM results").result_rows == [(0,)]
        assert client.query("SELECT count() FROM dead_letters").result_rows == [(0,)]


def recorded(client: Client) -> int:
    """Golden requests that are recorded."""
    return int(client.query("SELECT count() FROM predictions WHERE golden").result_rows[0][0])


def today(service: str) -> Asked:
    """The day before now and the day after, as one window: it began in 1970."""
    now = datetime.now(UTC)
    return Asked(service=service, begin=now - timedelta(days=1), end=now + timedelta(days=1), step_s=YEARS_S)
