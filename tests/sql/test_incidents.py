"""Where incidents come from: minutes in which something fires, each once, and what of error budgets went meanwhile."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner
from weir.edges.clickhouse import monitors, slos
from weir.edges.clickhouse.client import connect
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.monitor.measurement import State, ms_of
from weir.operations import incidents

from tests.command_line import cli
from tests.databases import migrated
from tests.doubles.measured import figure, record

DAY = datetime(2026, 11, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A, B, C = ("parcels", "drift/features", "weight"), ("parcels", "drift/features", "size"), ("parcels", "health/lag", "")
D = ("letters", "own_one", "")
# of whom, minutes since DAY at which it fires and at which it is over (None: it still does), severity
FIRED = [
    (A, 60, 120, Severity.TICKET),
    (B, 100, 160, Severity.PAGE),  # forty minutes more of the same incident
    (A, 300, 310, Severity.TICKET),
    (C, 90, 105, Severity.PAGE),
    (D, -30, 20, Severity.TICKET),  # from before what is asked about
    (D, 1420, None, Severity.TICKET),
]
SLO = """title: Answers in time
service: parcels
objective: 99%
window: 1d
monitor: health/errors
good: 1 - value
"""


@pytest.fixture(scope="module")
def settings(databases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("slos")
    (folder / "timely.yaml").write_text(SLO)
    with migrated(databases) as found:
        client = connect(found.recording)
        _fire(client)
        burns = [(at, 14.4 if 90 <= at < 105 else 0.5) for at in range(0, 1440, 5)]
        record(client, [_burn(at, rate) for at, rate in burns])
        yield found.having(slos_dir=folder)


def ranked(settings, service=""):
    burns, _ = slos.looked(settings, monitors.looked(settings)[0])
    client = connect(settings.recording)
    return incidents.ranked(client, burns.values(), DAY, DAY + timedelta(days=1), service)


def test_components_are_ranked_by_the_minutes_in_which_something_fires(settings):
    found = ranked(settings)
    told = [(one.service, one.component, one.minutes, one.incidents, one.paged, one.alerts) for one in found]
    assert told == [
        ("parcels", "drift", 110, 2, 1, 3),
        ("letters", "own", 40, 2, 0, 2),
        ("parcels", "health", 15, 1, 1, 1),
    ]
    assert [one.longest for one in found] == [100, 20, 15]
    assert [one.latest for one in found] == [DAY + at * MINUTE for at in (310, 1440, 105)]
    assert found[0].monitors == ("drift/features",)
    assert [one.service for one in ranked(settings, "letters")] == ["letters"]


def test_what_of_the_budget_went_meanwhile_is_told_of_the_worst_objective(settings):
    of = {one.component: one for one in ranked(settings)}
    fast, slow = 3 * 5 * 14.4, 5 * 0.5  # minutes of budget: in the burst, and in five minutes beside it
    assert of["health"].budget == pytest.approx(fast / 1440)
    assert of["drift"].budget == pytest.approx((fast + (20 - 3 + 2) * slow) / 1440)
    assert (of["drift"].objective, of["own"].budget, of["own"].objective) == ("timely", None, "")


def test_the_command_prints_a_table_json_and_csv(settings, monkeypatch):
    for name, value in (
        ("clickhouse_url", settings.recording.clickhouse_url),
        ("clickhouse_database", settings.recording.clickhouse_database),
        ("slos_dir", settings.paths.slos_dir),
    ):
        monkeypatch.setenv(f"WEIR_{name.upper()}", str(value))

    def report(*more):
        done = CliRunner().invoke(cli, ["alerts", "report", "--range", "1d", "--at", "2026-11-21", *more])
        assert done.exit_code == 0, done.output
        return done.stdout

    table = report()
    assert table.index("drift") < table.index("own") < table.index("health")
    rows = list(csv.DictReader(io.StringIO(report("--csv"))))
    assert [(row["component"], float(row["minutes"])) for row in rows] == [("drift", 110), ("own", 40), ("health", 15)]
    assert tuple(rows[0]) == incidents.COLUMNS
    assert [row["minutes"] for row in json.loads(report("--json"))] == [110, 40, 15]


def _burn(at, rate):
    said = {"details": {"short": rate, "long": rate}, "state": State.OK}
    return figure("parcels", "slo/timely/1h", rate, DAY + (at + 5) * MINUTE, step_s=300, **said)


def _fire(client):
    numbers, rows = {}, []
    for place, (of, begin, end, severity) in enumerate(FIRED):
        watched = Watched(service=of[0], monitor=of[1], subject=of[2])
        for at, to in ((begin, AlertState.FIRING), (end, AlertState.RESOLVED)):
            if at is None:
                continue
            numbers[of] = numbers.get(of, 0) + 1
            one = Transition(
                watched=watched,
                number=numbers[of],
                alert_id=f"{watched.key}-{place}",
                from_state=AlertState.OK if to is AlertState.FIRING else AlertState.FIRING,
                to_state=to,
                at_ms=ms_of(DAY + at * MINUTE),
                begin_ms=ms_of(DAY + at * MINUTE),
                end_ms=ms_of(DAY + at * MINUTE),
                sentence="it is so",
                covers=(),
                severity=severity,
                evidence={},
            )
            rows.append(one.row() | {"log_id": "a", "log_topic": "t", "log_partition": 0, "log_offset": len(rows)})
    times = ("at", "begin", "end")
    rows = [
        {**row, "covers": [], **{name: datetime.fromtimestamp(row[name] / 1000, UTC) for name in times}} for row in rows
    ]
    token = {"insert_deduplication_token": uuid.uuid4().hex}
    client.insert("alerts", [[*row.values()] for row in rows], column_names=[*rows[0]], settings=token)
