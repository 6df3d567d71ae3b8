"""Objectives in the monitor worker: rates wait for the ledger, and what burns is told with its owner and what to do."""

import json

import pytest
from weir.core.chunk import LogPartition
from weir.edges.clickhouse import monitors, slos

from tests.doubles import monitoring
from tests.doubles.monitoring import MINUTE, NOON, MemoryBooks, monitor, predict, worker

OBJECTIVE = """title: good answers
service: made-up
objective: 99%
window: 28d
monitor: one
subject: a
good: value
owner: ops
"""
HOUR, HOURS, DAYS = "slo/answers/1h", "slo/answers/6h", "slo/answers/3d"


@pytest.fixture
def settings(database, tmp_path):
    from weir.agents.monitor.agent import Files

    monitor(tmp_path / "monitors", "one", page="> 2")
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "answers.yaml").write_text(OBJECTIVE)
    (tmp_path / "slos" / "none.yaml").write_text(OBJECTIVE.replace("monitor: one", "monitor: two"))
    settings = database.having(monitors_dir=tmp_path / "monitors", slos_dir=tmp_path / "slos", monitor_late_days=1.0)
    assert {HOUR, HOURS, DAYS, "one", "drift/score"} < Files(settings).read().keys(), "a wrong file stops no other"
    return settings


def life(settings, books, **parts):
    from weir.agents.monitor.agent import Files

    files = Files(settings)
    mine = lambda: {name: one for name, one in files.read().items() if one.own}  # noqa: E731
    return worker(settings, books, monitors=mine, **parts)


def minutes(books, name, revision=0):
    """Begins of the windows of a monitor, in minutes after noon."""
    noon_ms = 1000 * int(NOON.timestamp())
    rows = [row for row in books.measurements if (row["monitor"], row["revision"]) == (name, revision)]
    return sorted((row["begin"] - noon_ms) // 60_000 for row in rows)


def test_a_budget_that_burns_fires_at_once_and_says_whose_it_is_and_how_it_is_asked_again(client, settings):
    predict(client, 0, 4499, begin=NOON, score="number < 3600")  # good for an hour, bad for a quarter
    books = MemoryBooks()
    life(settings, books).look()
    rates = [round(row["value"], 4) for row in books.measurements if row["monitor"] == HOUR]
    assert rates == [0.0] * 12 + [8.3333, 16.6667, 25.0]
    fired = {row["monitor"]: row for row in books.alerts}
    assert {(name, row["to_state"], row["severity"]) for name, row in fired.items()} == {
        (HOUR, "firing", "page"),
        (HOURS, "firing", "page"),
        (DAYS, "firing", "ticket"),
    }
    first = fired[HOUR]
    assert (first["owner"], first["runbook"], first["cause"]) == ("ops", "slo", "made-up slo")
    assert first["sentence"] == "Burn rate of good answers over 1h and 5m: 16.7, above its limit of 14.4"
    evidence = json.loads(first["evidence"])
    assert (evidence["monitor"], evidence["objective"]) == ("one", "answers")
    assert (evidence["parameters"]["from"], evidence["parameters"]["to"]) == (
        "2026-01-01T12:10:00",
        "2026-01-01T13:10:00",
    )


class Pages:
    """Asks as the console does, without its threads."""

    def __init__(self, client, settings):
        from weir.edges.clickhouse import sql_files

        self.ask = lambda question: question(client)
        self.settings, found = settings, monitors.looked(settings)[0]
        self.monitors, self.once = lambda: found, lambda _key, _for_s, make: make()
        self.sql = lambda name, **asked: sql_files.rows(client, name, **asked)


def test_pages_show_what_was_found_of_an_objective_its_limit_and_what_is_promised(client, settings):
    from weir.web.console import about, objectives

    client.command(
        "INSERT INTO measurements (service, monitor, begin, value, revision) SELECT 'made-up', 'slo/answers/1h',"
        " toDateTime('2026-01-01 12:00:00', 'UTC') + 300 * number, number + revision, revision"
        " FROM numbers(24) ARRAY JOIN [0, 1] AS revision"
    )
    plain = dict.fromkeys(("subject", "segment", "owner", "cause", "runbook", "said", "seen_by", "silenced"), "")
    one = about.About(
        id="a", key="k", service="made-up", monitor=HOUR, state="firing", severity="page", value=24.0, until=None,
        since=NOON + 75 * MINUTE, begin=NOON + 75 * MINUTE, end=NOON + 80 * MINUTE, **plain,
    )  # fmt: skip
    asker = Pages(client, settings)
    found = about.evidence(asker, one, NOON + 120 * MINUTE, windows=200)
    assert (found.bound.bound, found.step_s) == (14.4, 300)
    assert [value for value in found.values if value is not None] == [float(n) for n in range(1, 25)]
    assert about.measured(asker, one) == "24.0"
    said = OBJECTIVE.replace("monitor: one", "monitor: health/within").replace("subject: a", 'subject: "200"')
    (settings.paths.slos_dir / "fast.yaml").write_text(said)
    assert [(rule.at, rule.label) for rule in objectives.promises(asker, "made-up")] == [(200.0, "promise 200\u2009ms")]


def test_rates_wait_for_every_window_that_they_are_of_and_are_made_anew_with_it(client, settings):
    books, end = MemoryBooks(), [7200]
    one = life(settings, books, bounds=lambda _service: {LogPartition("log", monitoring.TOPIC, 0): (0, end[0])})
    predict(client, 0, 999, begin=NOON, score="1")
    predict(client, 1100, 7199, begin=NOON + 1100 * MINUTE / 60, score="1")  # 1000 to 1099 are lost, of minute 15
    one.look()
    others = [0, 5, 10, *range(75, 120, 5)]
    assert minutes(books, HOUR) == others, "for an hour each rate has the incomplete window in it"
    assert minutes(books, HOURS) == minutes(books, DAYS) == []
    assert len(minutes(books, "one")) == 2 * 23, "figures of one window wait for that one alone"
    predict(client, 1000, 1099, begin=NOON + 1000 * MINUTE / 60, score="1")
    one.look()
    assert minutes(books, HOUR) == list(range(0, 120, 5))
    assert minutes(books, HOURS) == [0, 30, 60, 90]
    predict(client, 7200, 7200, begin=NOON + 3 * MINUTE, score="1")  # late
    end[0] = 7201
    one.look()
    assert minutes(books, HOUR, revision=1) == list(range(0, 60, 5))
    covers = {(json.loads(row["covers"])[0][-2:]) == [0, 7200] for row in books.measurements if row["revision"]}
    assert covers == {True}
    before = len(books.measurements)
    one.look()
    assert len(books.measurements) == before


def test_windows_with_fewer_rows_than_the_monitor_needs_keep_no_bound_and_break_none(client, settings):
    said = OBJECTIVE.replace("good: value", 'good: ">= 0.5"').replace("monitor: one", "monitor: few")
    monitor(settings.paths.monitors_dir, "few")
    path = settings.paths.monitors_dir / "few.sql"
    path.write_text(path.read_text().replace("-- panel", "-- minimum: 100\n-- panel"))
    (settings.paths.slos_dir / "none.yaml").unlink()
    (settings.paths.slos_dir / "few.yaml").write_text(said)
    predict(client, 0, 299, begin=NOON, score="1")  # 150 rows a variant in five minutes
    predict(client, 300, 319, begin=NOON + 5 * MINUTE, score="0")
    known = monitors.looked(settings)[0]
    told, held = slos.history(
        client, slos.files(settings)["few"], known["few"], NOON, NOON + 10 * MINUTE, NOON + 60 * MINUTE
    )
    assert (told.status().good, told.status().total, held) == (1, 1, 0)
