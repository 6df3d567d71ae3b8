"""`weir dead-letters` from end to end: rejected, shown, repaired, sent again, scored once, and the ledger complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver import Client
from typer.testing import CliRunner, Result
from weir.core.errors import Refused
from weir.core.rejects import Reason
from weir.edges.clickhouse import dead_letters, ledger, migrations
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.dead_letters import Selection
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.topics import declared, ensure
from weir.edges.schemas.registry import Registry, publish
from weir.settings import ROOT, load

from tests import tiny_requests as tiny
from tests.databases import aged
from tests.service_under_test import Service
from tests.waiting import START_S, WAIT_S, until

pytestmark = pytest.mark.one_broker("kafka")

GOOD = 40
WHOLE = {
    "request_id": "written-anew",
    "event_time": "2013-07-01T00:00:00+00:00",
    "tenant": "t",
    "team": "risk",
    "customer": "customer-1",
    "amount": 12.5,
    "items": 3,
    "channel": "web",
}


class Command:
    """`weir dead-letters`, in this process, with a stack's settings."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = service.stack.environment | {
            "WEIR_SERVICE": service.name,
            "WEIR_BUNDLE": str(service.bundle),
            "COLUMNS": "220",
        }
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def __call__(self, *arguments: str) -> Result:
        from tests.command_line import cli

        done = CliRunner().invoke(cli, ["dead-letters", *arguments])
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    def refused(self, *arguments: str) -> str:
        """What it says when it refuses."""
        from tests.command_line import cli

        done = CliRunner().invoke(cli, ["dead-letters", *arguments])
        assert isinstance(done.exception, Refused), (done.output, done.exception)
        return str(done.exception)

    def kill(self, after: Any, *arguments: str) -> None:
        """Start it as a process, and kill it as soon as `after` holds."""
        command = [sys.executable, "-m", "weir", "dead-letters", *arguments]
        child = subprocess.Popen(command, cwd=ROOT, env=os.environ | self.environment, stdout=subprocess.DEVNULL)
        try:
            until(lambda: after() or child.poll() is not None, START_S, "a moment to kill it")
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(WAIT_S)


def spoiled(service: Service) -> list[bytes | None]:
    """Good rows, and four that are not: garbage, no number, too late, and an unknown channel."""
    good: list[bytes | None] = list(service.encoder.encode(tiny.rows(GOOD)))
    faults = ({"amount": float("nan")}, {"deadline": tiny.AT_MS}, {"channel": "fax"})
    values = [
        service.encoder.encode(tiny.changed(tiny.rows(1, first=5000 + i), **fault))[0] for i, fault in enumerate(faults)
    ]
    return [*good, b"this was never a record", *values]


def check_listed(command: Command) -> None:
    groups = {group["reason"]: group for group in json.loads(command("list", "--json").stdout)}
    assert {reason: (group["letters"], group["open"]) for reason, group in groups.items()} == {
        Reason.BAD_FRAME: (1, 1),
        Reason.NOT_A_NUMBER: (1, 1),
        Reason.PAST_DEADLINE: (1, 1),
        Reason.UNKNOWN_CATEGORY: (1, 1),
    }
    assert "not_a_number" in command("list").stdout
    assert json.loads(command("list", "--json", "--reason", "empty").stdout) == []


def check_shown(command: Command, letters: dict[str, dead_letters.Letter]) -> None:
    garbage = json.loads(command("show", letters[Reason.BAD_FRAME].id, "--json").stdout)
    assert garbage["payload"].replace(" ", "") == b"this was never a record".hex()
    assert garbage["payload_sha256"] == letters[Reason.BAD_FRAME].payload_sha256
    late = json.loads(command("show", letters[Reason.PAST_DEADLINE].id, "--json").stdout)
    assert (late["reason"], late["fields"]["request_id"], late["redriven"]) == ("past_deadline", "request-5001", "no")


def check_redriven(command: Command, service: Service, client: Client, repairs: Path) -> None:
    """A dry run sends nothing; what is repaired is sent once; what is not stays open; the second time sends nothing."""
    dry = command("redrive", "--dry-run")
    assert "0 of 4 letters would be sent" in dry.stdout
    assert "unknown_category: channel" in dry.stdout
    assert "past_deadline" in dry.stdout
    patches = ("--patch", "deadline=null", "--patch", "amount=12.5", "--repairs", str(repairs))
    assert "3 of 4 letters would be sent; nothing was" in command("redrive", "--dry-run", *patches).stdout
    assert "the contract has no field amout" in command.refused("redrive", "--patch", "amout=12.5")
    assert dead_letters.redrives(client) == []
    assert "3 of 4 letters sent again as batch 1" in command("redrive", *patches).stdout
    assert "0 of 1 letters sent again" in command("redrive", *patches).stdout
    (left,) = dead_letters.letters(client, Selection(service=service.name, open=True))
    assert left.reason == Reason.UNKNOWN_CATEGORY
    assert "1 of 1 letters sent again" in command("redrive", "--force", "--letter", left.id).stdout


def check_not_evaluated(command: Command, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bundle nobody says "scored"; a bundle names its service."""
    with monkeypatch.context() as patched:
        patched.delenv("WEIR_BUNDLE")
        said = command("redrive", "--dry-run")
        assert "not evaluated" in said.stdout
        assert "scored" not in said.stdout
        assert json.loads(command("redrive", "--dry-run", "--json").stdout)["evaluated"] is False
        patched.delenv("WEIR_SERVICE")
        named = json.loads(command("redrive", "--dry-run", "--json", "--bundle", str(service.bundle)).stdout)
        assert (named["evaluated"], named["chosen"], len(named["letters"])) == (True, 0, 4)


def check_given_up(command: Command, client: Client, letter: dead_letters.Letter) -> None:
    """Who, when and why are told; the letter is no longer open, and a redrive does not send it."""
    why = ("give-up", letter.id, "--reason", "the caller is gone")
    assert "1 of 1 letters would be given up; nothing was recorded" in command(*why, "--dry-run").stdout
    assert "1 of 1 letters given up" in command(*why).stdout
    assert "was given up before" in command(*why).stdout
    assert "given up" in command("list", "--ids").stdout
    told = json.loads(command("show", letter.id, "--json").stdout)["redriven"]
    assert told.startswith("no: given up by ")
    assert told.endswith(": the caller is gone")
    assert "no open dead letters are chosen" in command("redrive", "--force", "--letter", letter.id).stdout


def states(client: Client) -> Counter[str]:
    return Counter(redriven.state for redriven in dead_letters.redrives(client))


def check_killed(command: Command, service: Service, client: Client) -> None:
    """Letters redriven by commands that are killed as soon as something is announced, or noted."""
    bad = service.encoder.encode(tiny.changed(tiny.rows(30, first=6000), channel="fax"))
    service.send(1, list(bad))
    chosen = Selection(service=service.name, open=True)
    until(lambda: len(dead_letters.letters(client, chosen)) == 31, START_S, "31 open letters")
    patch = ("redrive", "--patch", "channel=app", "--limit", "7")

    def rows_of(table: str) -> int:
        return int(client.query(f"SELECT count() FROM {table}").first_row[0])

    for table in ("redrives", "redriven", "redrives"):
        before = rows_of(table)
        command.kill(lambda table=table, before=before: rows_of(table) > before, *patch)
        aged(client)
    check_given_up(command, client, dead_letters.letters(client, chosen)[-1])
    command("redrive", "--patch", "channel=app")
    until(lambda: states(client) == {"scored": 33, "dead again": 1, "given up": 1}, START_S, "33 letters scored")
    assert dead_letters.letters(client, chosen) == []


def test_what_is_repaired_is_scored_once_and_the_ledger_is_whole(
    tmp_path: Path, broker: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(home=tmp_path / "home", bundles_dir=tmp_path / "bundles", **broker)
    with Stack(settings) as stack:
        settings = stack.settings
        topics = declared(settings)
        ensure(settings, topics)
        publish(Registry(settings.registry), settings.paths.schemas_dir, topics)
        migrations.apply(settings.recording)
        service, client = Service(stack, tmp_path), connect(settings.recording)
        command = Command(service, monkeypatch)
        stack.spawn(["worker", "recorder"], "recorder")
        service.send(0, spoiled(service))
        with service.worker(dead_letter_limit=1.0):
            chosen = Selection(service=service.name)
            until(lambda: len(dead_letters.letters(client, chosen)) == 4, START_S, "four dead letters")
            letters = {letter.reason: letter for letter in dead_letters.letters(client, chosen)}
            check_listed(command)
            check_shown(command, letters)
            repairs = tmp_path / "repairs.jsonl"
            repairs.write_text(json.dumps({"id": letters[Reason.BAD_FRAME].id, "fields": WHOLE}) + "\n")
            check_not_evaluated(command, service, monkeypatch)
            check_redriven(command, service, client, repairs)
            until(lambda: states(client) == {"scored": 3, "dead again": 1}, START_S, "three scored, one dead again")
            check_killed(command, service, client)
        report = until(lambda: (found := ledger.read(client)).complete and found, START_S, "a complete ledger")
        assert (report.scored, report.rejected) == (GOOD + 33, 4 + 1 + 30)
        assert {redriven.copies for redriven in dead_letters.redrives(client) if redriven.state != "given up"} == {1}
        sql = "SELECT count(), uniqExact(request_id), uniqExact(prediction_id) FROM predictions"
        assert client.query(sql).first_row == (GOOD + 33, GOOD + 33, GOOD + 33)
