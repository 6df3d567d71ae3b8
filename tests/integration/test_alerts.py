"""`weir alerts` from end to end: what fires is listed and shown; notes reach the log, and do what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner
from weir.cli.alerts import cli
from weir.core.chunk import LogPartition, Partition
from weir.core.errors import Refused
from weir.monitor.alert import Note, Severity, Watched
from weir.monitor.alert_course import Holds, Memory, Reading, acknowledged, after, silenced
from weir.monitor.measurement import Covered
from weir.monitor.telling import in_force
from weir.recording import tables
from weir.wire.decode import Decoder

from tests.databases import client, database, put  # noqa: F401 - fixtures
from tests.doubles import records

pytestmark = pytest.mark.one_broker("kafka")

if TYPE_CHECKING:
    from weir.edges.embedded.stack import Stack
    from weir.settings import Settings

HOUR_MS = 3_600_000
SERVICE = "flight-delay"
WATCHED = Watched(
    service=SERVICE, monitor="drift/psi", subject="amount", segment="version=3", owner="o", runbook="drift"
)


def course(levels, watched=WATCHED):
    """The transitions of an alert over windows of an hour."""
    memory, found = Memory(), []
    for window, severity in enumerate(levels):
        begin_ms = records.BASE_MS + window * HOUR_MS
        reading = Reading(
            begin_ms=begin_ms,
            end_ms=begin_ms + HOUR_MS,
            severity=severity,
            sentence=f"psi of {watched.subject} is 0.36, above 0.1",
            covers=(Covered("log", "weir.requests.x", 3, 1000, 2511),),
        )
        memory, told = after(memory, watched, reading, Holds(fire_s=7200))
        found += told
    return memory, found


def recorded(client, transitions):  # noqa: F811
    encoded = [records.Encoder(records.contract("alerts")).record(one.row()) for one in transitions]
    rows = Decoder(records.contract("alerts"), lambda _: None).decode(encoded, 1 << 20).rows
    put(client, "alerts", tables.alerts(rows, LogPartition("log", "weir.alerts", 0), np.arange(len(rows))))


@pytest.fixture
def ask(stack: Stack, database: Settings, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    """`weir alerts`, on the session's services and a database of its own."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", database.recording.clickhouse_database)

    def asked(*arguments):
        done = CliRunner().invoke(cli, list(arguments))
        if isinstance(done.exception, Refused):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return asked


def test_what_fires_is_listed_first_and_shown_with_its_evidence(client, ask):  # noqa: F811
    page, ticket = Severity.PAGE, Severity.TICKET
    assert json.loads(ask("list", "--json")) == []
    over = Watched(service=SERVICE, monitor="drift/psi", subject="over")
    waits = Watched(service=SERVICE, monitor="drift/psi", subject="waits")
    memory, fired = course([None, page, page])
    recorded(client, [*fired, *course([ticket, ticket, None], over)[1], *course([None, None, ticket], waits)[1]])
    recorded(client, fired)  # written again by a worker that was killed
    rows = json.loads(ask("list", "--json"))
    assert [(row["of_subject"], row["state"], row["severe"]) for row in rows] == [
        ("amount", "firing", "page"),
        ("waits", "pending", "ticket"),
    ]
    assert {row["state"] for row in json.loads(ask("list", "--all", "--json"))} == {"firing", "pending", "resolved"}
    shown = json.loads(ask("show", memory.alert_id[:8], "--json"))
    assert [one["to_state"] for one in shown["transitions"]] == ["pending", "firing"]
    assert shown["ask_again"] == (
        "weir monitors run drift/psi --service flight-delay --from 2013-07-01T14:00:00+00:00 "
        "--to 2013-07-01T15:00:00+00:00 --where version=3"
    )
    text = ask("show", WATCHED.key)
    for word in ("weir.requests.x/3: 1,000 - 2,511", "runbook/drift.md", "above 0.1", "weir diagnose"):
        assert word in " ".join(text.split())
    with pytest.raises(Refused, match="there is no alert nobody"):
        ask("show", "nobody")


def test_notes_reach_the_log_and_do_what_they_say(stack, client, ask):  # noqa: F811
    from weir.edges.kafka.log_reader import LogReader
    from weir.edges.kafka.topics import declared, ensure
    from weir.edges.schemas.contracts import contract_of
    from weir.edges.schemas.registry import Registry, publish

    settings = stack.settings
    ensure(settings, declared(settings))
    registry, topic = Registry(settings.registry), settings.kafka.names.alert_notes
    publish(registry, settings.paths.schemas_dir, declared(settings))
    decode = partial(Decoder(contract_of(settings, registry, topic), registry.schema_text).decode, max_bytes=1 << 20)
    reader = LogReader(settings.kafka, Partition(topic, 0))
    reader.read(60.0)
    memory, fired = course([Severity.PAGE] * 3)
    recorded(client, fired)
    ask("ack", memory.alert_id, "--reason", "a new producer is live")
    ask("silence", "--match", "monitor=drift/*", "--match", f"service={SERVICE}", "--for", "2h", "--reason", "campaign")
    rows = decode(reader.read(60.0)).rows
    assert len(tables.check_alert_notes(rows)) == 0
    ack, quiet = map(Note.of, rows.to_pylist())
    memory, (mark,) = acknowledged(memory, WATCHED, ack)
    assert (mark.to_state.value, mark.reason, mark.by) == ("acknowledged", "a new producer is live", ack.by)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    memory, (mark,) = silenced(memory, WATCHED, in_force([quiet], now_ms), now_ms)
    assert (mark.to_state.value, mark.silence) == ("silenced", quiet.note_id)
    put(client, "alert_notes", tables.alert_notes(rows, LogPartition("log", topic, 0), np.arange(2)))
    assert [one["note_id"] for one in json.loads(ask("silences", "--json"))] == [quiet.note_id]
    with pytest.raises(Refused, match=f"no silence in force is 'nonsense'.*there are {quiet.note_id}"):
        ask("unsilence", "nonsense")
    ask("unsilence", quiet.note_id[:8])
    later = decode(reader.read(60.0)).rows
    back = Note.of(later.to_pylist()[0])
    memory, (mark,) = silenced(memory, WATCHED, in_force([quiet, back], now_ms + 60_000), now_ms)
    assert mark.to_state.value == "unsilenced"
    both = pa.concat_batches([rows, later])
    put(client, "alert_notes", tables.alert_notes(both, LogPartition("log", topic, 0), np.arange(3)))
    assert json.loads(ask("silences", "--json")) == []


def test_a_silence_says_which_alerts_it_means(ask):
    with pytest.raises(Refused, match="nothing says which alerts"):
        ask("silence", "--reason", "x")
    with pytest.raises(Refused, match=r"alerts have no colour .*: write one of service, monitor"):
        ask("silence", "--match", "colour=red", "--reason", "x")
    assert CliRunner().invoke(cli, ["silence", "--match", "red", "--reason", "x"]).exit_code == 2
    assert CliRunner().invoke(cli, ["silence", "--match", "a=b", "--for", "long", "--reason", "x"]).exit_code == 2
