"""The monitor worker's rounds over a real ClickHouse: complete windows, once each, wherever it is killed."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from structlog.testing import capture_logs
from weir.agents.monitor import gone, heard
from weir.agents.monitor.books import NotHeld
from weir.core.errors import Refused, Unavailable
from weir.core.grid import grid_of
from weir.edges.bundles.owners import owners
from weir.edges.bundles.reference import of_numbers
from weir.edges.clickhouse import baselines, estimates, results
from weir.edges.clickhouse.client import connect
from weir.monitor.action import Action

from tests.doubles import histograms, monitoring
from tests.doubles.monitoring import MINUTE, NOON, SHARE, Killed, MemoryBooks, monitor, predict, worker

WRITTEN = ("measurement_id", "monitor", "subject", "begin", "state", "value", "n", "revision", "covers", "memory")
HOUR = timedelta(hours=1)
AT_FIRST = datetime(1970, 1, 2, tzinfo=UTC)
TOLD = ("key", "number", "alert_id", "from_state", "to_state", "at", "sentence", "measurement_id", "memory")


@pytest.fixture
def settings(database, tmp_path):
    return database.having(monitors_dir=tmp_path / "monitors", monitor_late_days=1.0)


def rows_of(log, names):
    return sorted(json.dumps({name: row[name] for name in names}, sort_keys=True, default=str) for row in log)


def test_twenty_kills_lose_and_double_nothing(client, settings):
    """Against a worker that nobody kills: the same figures, the same alerts, each once."""
    chance = random.Random(3)
    for name in ("one", "two"):
        monitor(settings.paths.monitors_dir, name)
    predict(client, 0, 3599, begin=NOON, score="if(intDiv(number, 900) % 2, 0.9, 0.1)")  # up and down twice
    calm, killed = MemoryBooks(), MemoryBooks()
    worker(settings, calm).look()
    assert len(calm.measurements) == 2 * 2 * 12
    assert len(calm.alerts) > 8
    kills = 0
    while True:
        life = worker(settings, killed)
        killed.budget = chance.randrange(6)
        try:
            life.look()
        except Killed:
            kills += 1
            continue
        if killed.budget > 0:
            break
    assert kills >= 20
    assert rows_of(killed.measurements, WRITTEN) == rows_of(calm.measurements, WRITTEN)
    assert rows_of(killed.alerts, TOLD) == rows_of(calm.alerts, TOLD)


def test_incomplete_windows_wait_and_late_rows_make_theirs_anew(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    books = MemoryBooks()
    life = worker(settings, books, bounds=monitoring.bounds(2000))
    predict(client, 0, 899, begin=NOON)
    life.look()
    begins = [row["begin"] for row in books.measurements]
    assert len(begins) == 4, "two of three windows: offset 900 may be of the third"
    predict(client, 900, 999, begin=NOON + 30 * MINUTE)
    predict(client, 1100, 1999, begin=NOON + 40 * MINUTE)  # 1000 to 1099 are lost
    life.look()
    held = {1000 * int((NOON + minutes * MINUTE).timestamp()) for minutes in (30, 40)}
    assert len(books.measurements) == 4 + 2 + 4, "the windows that adjoin the loss wait"
    assert not held & {row["begin"] for row in books.measurements}
    predict(client, 1000, 1099, begin=NOON + 6 * MINUTE, gap_s=0.1)  # found after all, and very late
    life.look()
    again = [row for row in books.measurements if row["revision"] == 1]
    assert {row["begin"] for row in again} == {1000 * int((NOON + 5 * MINUTE).timestamp())}
    assert {row["n"] for row in again} == {150 + 50}
    assert json.loads(again[0]["covers"]) == [["log", f"weir.requests.{monitoring.SERVICE}", 0, 300, 1099]]
    assert {row["begin"] for row in books.measurements} >= held
    before = len(books.measurements)
    life.look()
    assert len(books.measurements) == before, "nothing is due"


def test_a_service_that_nothing_can_be_asked_of_does_not_hold_up_the_others(client, settings, monkeypatch):
    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 899, begin=NOON)
    monkeypatch.setattr("weir.edges.clickhouse.gate.services", lambda _client: ["broken", monitoring.SERVICE])

    def bounds(service):
        if service == "broken":
            raise Refused("its topic is no topic", remedy="make it one")
        return {}

    books = MemoryBooks()
    life = worker(settings, books, bounds=bounds)
    with capture_logs() as logs:
        life.look()
        life.look()
    said = [one for one in logs if one["event"] == "a service is not monitored"]
    assert [(one["service"], "its topic is no topic" in one["reason"]) for one in said] == [("broken", True)]
    assert books.measurements


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("avg(score)", "throwIf(score > 0)", "ClickHouse refuses its SQL"),
        ("avg(score)", "[avg(score)]", "its value, is a Array(Float64)"),
        ("FROM predictions", "FROM predictions CROSS JOIN (SELECT 1 AS x FROM numbers(9)) AS s", "reads numbers(...)"),
        ("count()", "toUInt64(count()) - 1000", "its number of rows, is "),  # what only the answer shows
    ],
)
def test_a_monitor_that_fails_stops_alone_says_so_and_goes_on_when_it_is_mended(client, settings, right, wrong, said):
    monitor(settings.paths.monitors_dir, "bad", monitoring.SHARE.replace(right, wrong))
    monitor(settings.paths.monitors_dir, "good")
    predict(client, 0, 899, begin=NOON)
    clock = [0.0]
    books = MemoryBooks()
    life = worker(settings, books, monotonic_s=lambda: clock[0])
    for _ in range(6):
        life.look()
        clock[0] += 4000
    good, bad = ([row for row in books.measurements if row["monitor"] == name] for name in ("good", "bad"))
    assert len(good) == 6
    assert [(row["state"], row["subject"], row["value"]) for row in bad] == [("failed", "its query", None)]
    assert [(row["monitor"], row["to_state"], row["severity"]) for row in books.alerts] == [("bad", "firing", "page")]
    assert "is left alone" in books.alerts[0]["sentence"]
    assert said in books.alerts[0]["sentence"]
    assert books.alerts[0]["runbook"] == "monitor-failed"
    assert life.telemetry.value("weir_monitor_failures_total", service=monitoring.SERVICE, monitor="bad") == 6
    monitor(settings.paths.monitors_dir, "bad")
    worker(settings, books).look()
    mended = [row for row in books.measurements if row["monitor"] == "bad" and row["subject"] != "its query"]
    assert len(mended) == 6, "no window was skipped"
    assert [row["to_state"] for row in books.alerts if row["monitor"] == "bad"] == ["firing", "resolved"]


def test_clickhouse_away_for_hours_skips_no_window(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    books, away = MemoryBooks(), [False]

    def connected():
        if away[0]:
            raise Unavailable("away", where="there", remedy="wait")
        return connect(settings.recording)

    life = worker(settings, books, connect=connected)
    predict(client, 0, 599, begin=NOON)
    life.look()
    away[0] = True
    for hour in range(1, 4):
        predict(client, 600 * hour, 600 * hour + 599, begin=NOON + hour * timedelta(hours=1))
        with pytest.raises(Unavailable):
            life.look()
    away[0] = False
    life.look()
    assert len({row["begin"] for row in books.measurements}) == 2 * 4


def test_clocks_that_jump_neither_hurry_nor_lose_a_window(client, settings):
    """The wall only says that a window has ended: too early it is made anew, too late it waits."""
    monitor(settings.paths.monitors_dir, "one")
    books, wall = MemoryBooks(), [NOON - timedelta(days=1)]
    life = worker(settings, books, now=lambda: wall[0])
    predict(client, 0, 599, begin=NOON)
    life.look()
    assert books.measurements == [], "by its clock nothing has ended"
    wall[0] = NOON + timedelta(days=400)
    life.look()
    assert len(books.measurements) == 4
    predict(client, 600, 700, begin=NOON + 9 * MINUTE)
    wall[0] = NOON + timedelta(hours=1)
    life.look()
    assert sorted(row["revision"] for row in books.measurements) == [0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(("window", "begin", "figures"), [("1d", NOON, 3), ("365d", NOON, 0), ("5m", AT_FIRST, 5)])
def test_long_windows_and_events_of_long_ago_ask_for_no_time_before_1970(client, settings, window, begin, figures):
    """Callers that take seconds for milliseconds have events of January 1970."""
    monitor(settings.paths.monitors_dir, "one")
    path = settings.paths.monitors_dir / "one.sql"
    path.write_text(path.read_text().replace("window: 5m", f"window: {window}"))
    predict(client, 0, 599, begin=begin)
    predict(client, 600, 600, begin=begin + timedelta(days=1))
    books = MemoryBooks()
    worker(settings, books).look()
    worker(settings, books).look()
    assert len(books.measurements) == figures


def test_a_worker_that_is_no_longer_active_writes_nothing(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 599, begin=NOON)
    books = MemoryBooks()
    with pytest.raises(NotHeld):
        worker(settings, books, holds=lambda: False).look()
    assert books.measurements == []


def test_changes_are_told_once_they_are_written_and_the_last_ones_again_by_whoever_goes_on(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 3599, begin=NOON, score="if(intDiv(number, 900) % 2, 0.9, 0.1)")
    books, told = MemoryBooks(), []
    worker(settings, books, tell=told.extend, tells_past=True).look()
    assert [(one.watched.key, one.number) for one in told] == [(row["key"], row["number"]) for row in books.alerts]
    again = []
    worker(settings, books, tell=again.extend, tells_past=True).look()
    latest = {row["key"]: row["number"] for row in books.alerts}
    assert {one.watched.key: one.number for one in again} == latest, "all was written at once: each alert once more"
    assert len(again) == len(latest)


def test_of_what_was_over_before_a_monitor_was_first_asked_nobody_is_told(client, settings):
    """It is measured, and its alerts are kept; what fires still is told, and later when that is over."""
    monitor(settings.paths.monitors_dir, "one")
    score = "if(number < 900, 0.9, if(number < 2700, 0.1, if(number < 4500, 0.9, 0.1)))"
    predict(client, 0, 3599, begin=NOON, score=score)  # up and down, and up again
    books, told = MemoryBooks(), []
    life = worker(settings, books, tell=told.extend)
    life.look()
    of_a = [row["to_state"] for row in books.alerts if row["subject"] == "a"]
    assert of_a == ["pending", "firing", "resolved", "pending", "firing"]
    assert [(one.watched.subject, one.to_state, one.number) for one in told] == [("a", "firing", 5), ("b", "firing", 5)]
    told.clear()
    life.look()
    assert told == []
    predict(client, 3600, 6300, begin=NOON + 60 * MINUTE, score=score)
    life.look()
    assert [(one.watched.subject, one.to_state) for one in told] == [("a", "resolved"), ("b", "resolved")]


def test_what_fires_still_of_one_service_is_told_though_another_cannot_be_asked(client, settings):
    def bounds(service):
        if service != monitoring.SERVICE:
            raise Unavailable("Kafka does not answer", where="there", remedy="wait")
        return {}

    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 1799, begin=NOON, score="if(number < 900, 0.1, 0.9)")
    client.command(f"INSERT INTO predictions (service, event_time) VALUES ('z', '{NOON:%Y-%m-%d %H:%M:%S}')")
    told = []
    with pytest.raises(Unavailable):
        worker(settings, MemoryBooks(), bounds=bounds, tell=told.extend).look()
    assert [(one.watched.subject, one.to_state) for one in told] == [("a", "firing"), ("b", "firing")]


def test_alerts_of_a_monitor_that_names_no_owner_are_the_service_s(client, settings, tmp_path):
    monitor(settings.paths.monitors_dir, "one", page="> 0.1")
    monitor(settings.paths.monitors_dir, "owned", page="> 0.1")
    owned = settings.paths.monitors_dir / "owned.sql"
    owned.write_text(owned.read_text().replace("-- window:", "-- owner: team-b\n-- window:"))
    for service, said in ((monitoring.SERVICE, "owner: team-a"), ("other", "owner: team-c"), ("broken", "owner: [")):
        (tmp_path / "services" / service).mkdir(parents=True)
        (tmp_path / "services" / service / "service.yaml").write_text(said)
    predict(client, 0, 899, begin=NOON)
    books = MemoryBooks()
    of = partial(owners, settings.having(services_dir=tmp_path / "services"))
    worker(settings, books, owners=of).look()
    assert {(row["monitor"], row["owner"]) for row in books.alerts} == {("one", "team-a"), ("owned", "team-b")}


def test_a_change_that_was_never_told_is_told_once_by_whoever_goes_on(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 3599, begin=NOON, score="if(intDiv(number, 900) % 2, 0.9, 0.1)")
    books, told = MemoryBooks(), []
    books.budget = 2 * 12 + 1  # all figures, and of the changes one
    with pytest.raises(Killed):
        worker(settings, books).look()
    books.budget = float("inf")
    worker(settings, books, tell=told.extend, tells_past=True).look()
    numbers = [(one.watched.key, one.number) for one in told]
    assert len(numbers) == len(set(numbers)) >= len(books.alerts) - 1


def test_what_people_said_while_nothing_could_be_written_is_heard_later(client, settings):
    from weir.monitor.alert import Note, NoteKind

    class Away(MemoryBooks):
        away = False

        def changed(self, changes):
            if self.away and changes:
                raise Unavailable("away", where="there", remedy="wait")
            super().changed(changes)

    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 1199, begin=NOON, score="0.9")
    books, said = Away(), []

    def notes():
        new, said[:] = list(said), []
        return new

    life = worker(settings, books, notes=notes)
    life.look()
    key = next(row["key"] for row in books.alerts if row["to_state"] == "firing")
    said.append(Note(note_id="1", kind=NoteKind.ACK, key=key, by="ann", reason="known", at_ms=0))
    books.away = True
    with pytest.raises(Unavailable):
        life.look()
    books.away = False
    life.look()
    assert [row["by"] for row in books.alerts if row["to_state"] == "acknowledged"] == ["ann"]


def test_an_alert_of_what_is_gone_ends(client, settings):
    """A version that was rolled back has no windows any more, and nobody is to wait for them."""
    by = monitoring.SHARE.replace(", variant,", ", if(score > 0.6, 'hot', 'cold') AS variant,")
    monitor(settings.paths.monitors_dir, "one", by)
    predict(client, 0, 1199, begin=NOON, score="0.9")
    predict(client, 1200, 1499, begin=NOON + 20 * MINUTE, score="0.1")
    predict(client, 1500, 1799, begin=NOON + 130 * MINUTE, score="0.1")
    books = MemoryBooks()
    worker(settings, books).look()
    assert [row["to_state"] for row in books.alerts][-1] == "firing", "it may come back"
    predict(client, 1800, 2399, begin=NOON + 140 * MINUTE, score="0.1")
    worker(settings, books).look()
    last = books.alerts[-1]
    assert (last["subject"], last["to_state"], last["at"]) == ("hot", "resolved", 1000 * int(at(145).timestamp()))
    assert "nothing is seen of hot any more" in last["sentence"]
    before = len(books.alerts)
    worker(settings, books).look()
    assert len(books.alerts) == before


def test_alerts_of_a_monitor_and_of_a_service_that_are_gone_end_and_say_why(client, settings, tmp_path):
    """Nobody would hear of them again. A file that is wrong, and a folder that is not there, are no reason."""
    settings = settings.having(services_dir=tmp_path / "services")
    folder = settings.paths.monitors_dir
    for name in ("one", "two"):
        monitor(folder, name)
    predict(client, 0, 899, begin=NOON, score="0.9")
    books, told, clock = MemoryBooks(), [], [0.0]
    parts = {"gone": partial(gone.why, settings), "tell": told.extend, "monotonic_s": lambda: clock[0]}
    life = worker(settings, books, **parts)

    def look(after_s=heard.LASTS_S):
        before = len(books.alerts)
        life.look()
        if after_s:
            clock[0] += after_s
            life.look()
        return {(row["monitor"], row["to_state"], row["sentence"]) for row in books.alerts[before:]}

    look()
    assert {row["monitor"] for row in books.alerts if row["to_state"] == "firing"} == {"one", "two"}
    (folder / "one.sql").write_text("this is being written")
    assert look() == set()
    (folder / "one.sql").unlink()
    assert look(after_s=0) == set(), "an editor has put it aside, and writes it"
    monitor(folder, "one")
    clock[0] += heard.LASTS_S
    assert look(after_s=0) == set()
    (folder / "one.sql").unlink()
    assert look() == {("one", "resolved", gone.NO_FILE)}
    assert told[-1].sentence == gone.NO_FILE
    assert look() == set()
    monitor(folder, "one")
    assert look() == set(), "it is back: what it said before is past"
    predict(client, 900, 1799, begin=NOON + 15 * MINUTE, score="0.9")
    assert ("one", "firing") in {(name, state) for name, state, _ in look()}
    (settings.paths.services_dir / monitoring.SERVICE).mkdir(parents=True)
    (settings.paths.services_dir / monitoring.SERVICE / "service.yaml").write_text("owner: ann")
    assert look() == set()
    (settings.paths.services_dir / monitoring.SERVICE / "service.yaml").unlink()
    assert look() == {(name, "resolved", gone.NO_SERVICE) for name in ("one", "two")}
    assert look() == set()


def at(minutes):
    return NOON + minutes * MINUTE


def test_calibrated_bounds_count_instead_of_the_monitors_own(client, settings):
    from weir.monitor.judge import Bounds
    from weir.monitor.threshold import Threshold

    monitor(settings.paths.monitors_dir, "one", page="> 0.95")
    predict(client, 0, 1199, begin=NOON, score="0.9")
    own, stricter = MemoryBooks(), MemoryBooks()
    worker(settings, own).look()
    bounds = {"one": {"a": Bounds(page=Threshold.of("> 0.5"))}}
    worker(settings, stricter, calibrated=lambda _client, _service: bounds).look()
    states = [{(row["subject"], row["state"]) for row in books.measurements} for books in (own, stricter)]
    assert states == [{("a", "ok"), ("b", "ok")}, {("a", "page"), ("b", "ok")}]


def test_people_who_acknowledge_and_silence_are_heard(client, settings):
    from weir.monitor.alert import Note, NoteKind

    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 1199, begin=NOON, score="0.9")
    books, said = MemoryBooks(), []

    def notes():
        new, said[:] = list(said), []
        return new

    life = worker(settings, books, notes=notes)
    life.look()
    firing = [row for row in books.alerts if row["to_state"] == "firing"]
    at_ms = int((NOON + timedelta(days=29)).timestamp() * 1000)
    who = {"by": "ann", "reason": "known", "at_ms": at_ms}
    said.append(Note(note_id="1", kind=NoteKind.ACK, key=firing[0]["key"], **who))
    said.append(Note(note_id="2", kind=NoteKind.SILENCE, matchers={"monitor": "o*"}, until_ms=2**42, **who))
    life.look()
    marks = sorted((row["to_state"], row["by"]) for row in books.alerts[-3:])
    assert marks == [("acknowledged", "ann"), ("silenced", "ann"), ("silenced", "ann")]
    before = len(books.alerts)
    worker(settings, books, notes=lambda: ()).look()
    ends = [row["to_state"] for row in books.alerts[before:]]
    assert ends == ["unsilenced", "unsilenced"], "a worker that goes on reads all notes anew; here there are none"


def test_windows_of_one_row_and_windows_without_an_answer(client, settings):
    monitor(settings.paths.monitors_dir, "one")
    monitor(settings.paths.monitors_dir, "none", monitoring.SHARE.replace("WHERE", "WHERE variant = 'nobody' AND"))
    predict(client, 0, 0, begin=NOON)
    books = MemoryBooks()
    worker(settings, books).look()
    said = [(row["monitor"], row["subject"], row["n"], row["state"]) for row in books.measurements]
    assert sorted(said) == [("none", "", 0, "few"), ("one", "b", 1, "ok")]


def test_books_that_are_refused_stop_the_worker(client, settings):
    class Refusing(MemoryBooks):
        def measured(self, found):
            raise Refused("no right to it", where="there", remedy="give it")

    monitor(settings.paths.monitors_dir, "one")
    predict(client, 0, 599, begin=NOON)
    with pytest.raises(Refused):
        worker(settings, Refusing()).look()


def test_each_window_is_compared_with_the_season_before_itself(client, settings):
    """However many are computed at once."""
    sql = monitoring.SHARE.replace("avg(score)", "dateDiff('second', {base_to:DateTime}, begin)")
    monitor(settings.paths.monitors_dir, "one", sql)
    path = settings.paths.monitors_dir / "one.sql"
    path.write_text(path.read_text().replace("-- panel", "-- baseline: season\n-- panel"))
    predict(client, 0, 899, begin=NOON)
    books = MemoryBooks()
    worker(settings, books).look()
    assert [row["value"] for row in books.measurements] == [0.0] * 6


def test_of_windows_with_a_season_those_before_one_that_fails_are_kept(client, settings):
    """What failed is told of that window."""
    third = f"toDateTime('{NOON + timedelta(minutes=10):%Y-%m-%d %H:%M:%S}', 'UTC')"
    value = f"dateDiff('second', {{base_to:DateTime}}, begin) + throwIf({{from:DateTime}} = {third})"
    monitor(settings.paths.monitors_dir, "one", SHARE.replace("avg(score)", value))
    path = settings.paths.monitors_dir / "one.sql"
    path.write_text(path.read_text().replace("-- panel", "-- baseline: season\n-- panel"))
    predict(client, 0, 899, begin=NOON)
    books = MemoryBooks()
    worker(settings.having(monitor_failures=1), books).look()
    found = [((row["begin"] / 1000 - NOON.timestamp()) / 60, row["state"] == "failed") for row in books.measurements]
    assert found == [(0, False), (0, False), (5, False), (5, False), (10, True)]


def test_a_team_sets_what_a_monitor_of_weirs_is_compared_with(client, settings):
    """With a captured window; and before anybody has captured it, with nothing."""
    folder = settings.paths.monitors_dir / "drift"
    folder.mkdir(parents=True)
    (folder / "features.sql").write_text(
        "-- name: drift/features\n-- like: drift/features\n-- baseline: frozen noon\n-- warn:\n-- page: > 2\n"
    )
    values, of = np.linspace(0, 1, 2000), {"service": monitoring.SERVICE}
    grid = grid_of(values)
    histograms.describe(client, features={"x": of_numbers(values + 9, grid)}, n=2000, **of)
    hours = (values, values, values + 0.5)
    histograms.record(
        client, [histograms.numbers(NOON + n * HOUR, "x", one, grid, **of) for n, one in enumerate(hours)]
    )
    predict(client, 0, 1099, begin=NOON, gap_s=10)
    found = []
    for _ in range(2):
        books = MemoryBooks()
        worker(settings, books).look()
        found.append(
            [(row["state"], row["baseline"], row["value"] is None) for row in books.measurements if row["subject"]]
        )
        if not found[1:]:
            baselines.capture(client, "noon", monitoring.SERVICE, NOON, NOON + HOUR, "me")
    assert found[0] == [("few", "frozen noon", True)] * 3
    assert found[1] == [(state, "frozen noon", False) for state in ("ok", "ok", "page")]


def test_an_alert_proposes_to_train_anew_once_where_its_header_or_the_settings_say_so(client, settings):
    """Two subjects fire in one window, and go on for hours: one request, wherever the worker is killed."""
    variant = "arrayJoin(['a', 'b']) AS variant"
    monitor(settings.paths.monitors_dir, "one", SHARE.replace("variant,", f"{variant},"))
    predict(client, 0, 7199, begin=NOON, score="if(number < 3000, 0.1, 0.9)")
    quiet, asked, killed = MemoryBooks(), MemoryBooks(), MemoryBooks()
    worker(settings, quiet).look()
    assert (len({row["key"] for row in quiet.alerts}), quiet.actions) == (2, [])
    wanted = settings.having(monitor_retrain="outcome/* one")
    worker(wanted, asked).look()
    (row,) = asked.actions
    first = min(one["begin"] for one in asked.alerts)
    assert (row["kind"], row["proposed_by"], row["service"]) == ("retrain", "monitors/one", monitoring.SERVICE)
    assert row["end"] == first + 300_000
    assert json.loads(row["parameters"])["known_until"] == row["at"]
    assert Action.of(row).evidence["why"][0] in row["sentence"]
    path = settings.paths.monitors_dir / "one.sql"
    path.write_text(path.read_text().replace("-- panel", "-- action: retrain\n-- panel"))
    for records in (len(asked.measurements) + len(asked.alerts), 1, float("inf")):
        killed.budget = records
        with suppress(Killed):
            worker(settings, killed).look()
    assert [one["action_id"] for one in killed.actions] == [row["action_id"]]


def test_estimates_are_stored_and_say_what_makes_them_doubtful(client, settings):
    results.make(client, {monitoring.SERVICE: ""})
    predict(client, 0, 1599, begin=NOON, gap_s=432)  # eight days of 200
    books = MemoryBooks()
    worker(settings, books, monitors=lambda: {estimates.MONITOR.name: estimates.MONITOR}).look()
    assert {row["subject"] for row in books.measurements} == {"accuracy", "f1", "auc"}
    assert {(row["state"], row["value"], row["monitor"]) for row in books.measurements} == {
        ("few", None, "outcome/estimated")
    }
    for row in books.measurements:
        assert "fewer than 2 mature windows" in row["details"]
        assert row["n"] in (100, 200)
    before = len(books.measurements)
    worker(settings, books, monitors=lambda: {estimates.MONITOR.name: estimates.MONITOR}).look()
    assert len(books.measurements) == before, "nothing is due"
