"""Migrations run once, in order, and a changed history is refused."""

import dataclasses
from contextlib import closing
from uuid import uuid4

import pytest
from weir.core.errors import Refused
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect

NUMBER_OF_TEAMS = 17
# Changes are counted again when an insert is repeated, and cells are made again under a number of their own.
CELLS = ("changes", "kept", "counts", "delays", "scores", "chances", "errors")
NOT_RECORDS = [f"outcome_{name}" for name in CELLS]


def test_every_migration_runs_once(database):
    again = migrations.apply(database.recording)
    assert again.applied == ()
    assert [migration.number for migration in again.present] == [migration.number for migration in migrations.read()]
    tables = {name for (name,) in connect(database.recording).query("SHOW TABLES").result_rows}
    assert {
        "predictions",
        "outcomes",
        "outcomes_latest",
        "dead_letters",
        "ledger",
        "recorder_blocks",
        "migrations",
    } <= tables


def test_every_table_of_records_keeps_tokens(client):
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND name NOT IN {others:Array(String)} "
        "AND engine LIKE '%MergeTree' AND NOT position(create_table_query, 'non_replicated_deduplication_window')",
        parameters={"others": ["migrations", *NOT_RECORDS]},
    ).result_rows
    assert rows == []


def test_a_migration_changed_after_it_ran_is_refused(database):
    first, *rest = migrations.read()
    with pytest.raises(Refused, match="0001_records was changed after it had been applied"):
        migrations.apply(database.recording, [dataclasses.replace(first, sha256="0" * 64), *rest])


def test_a_database_of_a_newer_version_is_refused(database):
    newer = migrations.Migration(len(migrations.read()) + 1, "future", "f" * 64, ("SELECT 1",))
    migrations.apply(database.recording, [*migrations.read(), newer])
    with pytest.raises(Refused, match="upgrade Weir"):
        migrations.apply(database.recording)


def test_a_migration_that_failed_half_way_runs_again_from_its_start(database):
    number = len(migrations.read()) + 1
    statements = ("CREATE TABLE IF NOT EXISTS half (x UInt8) ENGINE = MergeTree ORDER BY x", "SELECT nonsense")
    half = migrations.Migration(number, "half", "a" * 64, statements)
    with pytest.raises(Refused, match="nonsense"):
        migrations.apply(database.recording, [*migrations.read(), half])
    repaired = dataclasses.replace(half, statements=statements[:1])
    assert migrations.apply(database.recording, [*migrations.read(), repaired]).applied == (repaired,)


def test_what_was_counted_without_teams_stays_in_the_figures_of_everything(stack):
    """And a migration that stops behind any of its statements can be run again."""
    settings = stack.settings.having(clickhouse_database=f"t{uuid4().hex[:8]}").recording
    *before, teams = migrations.read()[:NUMBER_OF_TEAMS]
    migrations.apply(settings, before)
    row = {"service": "s", "digest": "d", "kind": "feature", "name": "x", "n": 3, "log_id": "l", "log_offset": 1}
    with closing(connect(settings)) as client:

        def insert(**more):
            one = row | more
            client.insert("histogram_blocks", [[*one.values()]], column_names=[*one])

        insert()
        for upto in range(len(teams.statements)):
            for statement in teams.statements[: upto + 1]:
                client.command(statement)
        migrations.apply(settings, [*before, teams])
        insert(team="red", log_offset=2)
        for table in ("histogram_blocks", "histograms", "histograms_hour"):
            found = client.query(f"SELECT team, sum(n) FROM {table} GROUP BY team ORDER BY team").result_rows
            assert found == [("", 3), ("red", 3)], table
            client.command(f"OPTIMIZE TABLE {table} FINAL")
            assert client.query(f"SELECT team, n FROM {table} ORDER BY team").result_rows == found
        client.command(f"DROP DATABASE {settings.clickhouse_database}")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["0001_a.sql", "0003_b.sql"], "numbered"),
        (["0001_a.sql", "0001_b.sql"], "numbered"),
        (["1_a.sql"], "no migration"),
    ],
)
def test_misnumbered_files_are_refused(tmp_path, names, words):
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(Refused, match=words):
        migrations.read(tmp_path)


def test_statements_are_split_at_lines_that_hold_only_a_semicolon(tmp_path):
    (tmp_path / "0001_a.sql").write_text("-- first\nSELECT ';'\n;\nSELECT 2;\n;  \n\n")
    assert migrations.read(tmp_path)[0].statements == ("-- first\nSELECT ';'", "SELECT 2;")


def test_a_missing_database_says_what_to_do(stack):
    with pytest.raises(Refused, match="run `weir migrate`"):
        connect(stack.settings.recording, database="nowhere").query("SELECT 1")
