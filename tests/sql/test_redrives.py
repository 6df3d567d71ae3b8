"""What became of redriven letters, by SQL and by `weir ledger`; and which letters are open."""

from __future__ import annotations

from hashlib import sha256
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner
from weir.core.chunk import LogPartition
from weir.core.dead_letter import letter_id
from weir.edges.clickhouse import dead_letters, sql_files
from weir.edges.clickhouse.dead_letters import Selection
from weir.recording import tables

from tests.databases import put
from tests.doubles import records

LOG = LogPartition("log", "weir.dead-letters", 0)
LETTERS = list(range(6))
NEW = {1: 101, 2: 102, 3: 103, 4: 104}  # letter -> offset of the record that was sent for it
BATCHES = {0: 1, 1: 2, 2: 2, 3: 2, 4: 2}
COPIES = {1: 1, 2: 1, 3: 1, 4: 2}


def letters(offsets: list[int]) -> pa.RecordBatch:
    return tables.dead_letters(records.dead_letters(0, offsets), LOG, np.arange(len(offsets)))


def named(offsets: list[int]) -> dict[str, pa.Array]:
    return {
        "source_log": pa.array([records.LOG] * len(offsets)),
        "source_topic": pa.array([records.REQUESTS] * len(offsets)),
        "source_partition": pa.array([0] * len(offsets), pa.int32()),
        "source_offset": pa.array(offsets, pa.int64()),
    }


def announce(client, batch: int, offsets: list[int], by: str = "", why: str = "") -> None:
    put(
        client,
        "redrives",
        pa.RecordBatch.from_pydict(
            named(offsets)
            | {
                "batch": pa.array([batch] * len(offsets), pa.uint64()),
                "run": pa.array([str(uuid4())] * len(offsets)),
                "worker": pa.array(["w"] * len(offsets)),
                "service": pa.array([records.SERVICE] * len(offsets)),
                "repair": pa.array(["none"] * len(offsets)),
                "given_up_by": pa.array([by] * len(offsets)),
                "given_up_for": pa.array([why] * len(offsets)),
                "into_log": pa.array([records.LOG] * len(offsets)),
                "log_begin": pa.array([100] * len(offsets), pa.int64()),
            }
        ),
    )


def note(client, new: dict[int, int], copies: dict[int, int]) -> None:
    put(
        client,
        "redriven",
        pa.RecordBatch.from_pydict(
            named(list(new))
            | {
                "redriven_log": pa.array([records.LOG] * len(new)),
                "redriven_offset": pa.array(list(new.values()), pa.int64()),
                "copies": pa.array(list(copies.values()), pa.uint32()),
            }
        ),
    )


@pytest.fixture
def history(client):
    """Letter 0 is announced, 1 waits, 2 is scored, 3 is dead again, 4 was sent twice, 5 is open."""
    put(client, "dead_letters", letters([*LETTERS, NEW[3]]))
    predictions = records.predictions(0, [NEW[2]])
    put(client, "predictions", tables.predictions(predictions, LOG, np.arange(1), records.names))
    announce(client, 1, [0, 1])
    announce(client, 2, [1, 2, 3, 4])  # 1 anew, after its sender had died
    note(client, NEW, COPIES)


def test_each_redriven_letter_is_told_once(client, history):
    found = {row.source_offset: row for row in dead_letters.redrives(client, records.SERVICE)}
    assert {offset: row.state for offset, row in found.items()} == {
        0: "announced",
        1: "waiting",
        2: "scored",
        3: "dead again",
        4: "waiting",
    }
    assert {offset: row.batch for offset, row in found.items()} == BATCHES
    assert {offset: row.redriven_offset for offset, row in found.items()} == {0: -1, **NEW}
    assert {offset: row.copies for offset, row in found.items()} == {0: 0, **COPIES}
    assert found[3].reason == "empty"
    assert len(dead_letters.redrives(client)) == len(BATCHES)
    assert dead_letters.redrives(client, "another") == []
    place = LogPartition(found[3].source_log, found[3].source_topic, found[3].source_partition)
    letter = letter_id(place, found[3].source_offset)
    assert dead_letters.redrives(client, ids=[letter, f"{records.REQUESTS}/0/5@{records.LOG}"]) == [found[3]]


def test_redriven_letters_are_counted_as_they_are_told(client, history):
    told = dead_letters.redrives(client)
    counted = {group.state: (group.letters, group.repeated) for group in dead_letters.redrive_states(client)}
    assert counted == {
        state: (sum(row.state == state for row in told), sum(row.state == state and row.copies > 1 for row in told))
        for state in {row.state for row in told}
    }
    assert dead_letters.redrive_states(client, "another") == []


def test_what_is_open_is_neither_redriven_nor_answered(client, history):
    put(client, "dead_letters", letters([NEW[2]]))  # in one life dead, in another scored
    found = dead_letters.letters(client, Selection(service=records.SERVICE, open=True))
    assert [letter.offset for letter in found] == [5, NEW[3]]
    every = dead_letters.letters(client, Selection())
    assert {letter.offset: letter.redriven_in for letter in every} == {**BATCHES, 5: 0, NEW[2]: 0, NEW[3]: 0}
    (group,) = dead_letters.summary(client, Selection(reason="empty"))
    assert (group.letters, group.open) == (8, 2)


def test_a_letter_that_is_given_up_is_neither_open_nor_unfinished(client, history, database, monkeypatch):
    announce(client, 3, [0, 5], by="ann@host", why="too large for ever")
    assert sql_files.rows(client, "dead_letters/unfinished") == []
    found = {row.source_offset: row for row in dead_letters.redrives(client)}
    given_up = {0: ("given up", "ann@host", "too large for ever"), 5: ("given up", "ann@host", "too large for ever")}
    assert {offset: (row.state, row.given_up_by, row.given_up_for) for offset, row in found.items()} == given_up | {
        1: ("waiting", "", ""),
        2: ("scored", "", ""),
        3: ("dead again", "", ""),
        4: ("waiting", "", ""),
    }
    test_redriven_letters_are_counted_as_they_are_told(client, history)
    assert [letter.offset for letter in dead_letters.letters(client, Selection(open=True))] == [NEW[3]]
    letter = next(letter for letter in dead_letters.letters(client, Selection()) if letter.offset == 5)
    assert (letter.redriven_in, letter.given_up_by) == (3, "ann@host")
    output = weir_ledger(database, monkeypatch).output
    assert "4 dead letters sent again: 2 waiting, 1 dead again, 1 scored" in output
    assert "2 dead letters given up" in output


def test_letters_carry_their_bytes_and_the_hash_of_their_payload(client, history):
    found = {letter.offset: letter for letter in dead_letters.letters(client, Selection(limit=100))}
    assert (found[1].value, found[2].value, found[1].key) == (b"\xff\x00", None, None)
    assert found[1].payload_sha256 == sha256(b"\xff\x00").hexdigest()
    assert found[2].payload_sha256 == sha256(b"").hexdigest()
    one = dead_letters.letters(client, Selection(ids=[found[3].id]))
    assert [letter.offset for letter in one] == [3]


def weir_ledger(database, monkeypatch):
    from tests.command_line import cli

    monkeypatch.setenv("WEIR_CLICKHOUSE_URL", database.recording.clickhouse_url)
    monkeypatch.setenv("WEIR_CLICKHOUSE_DATABASE", database.recording.clickhouse_database)
    monkeypatch.setenv("WEIR_LEDGER_SETTLE_S", "0")
    monkeypatch.setenv("COLUMNS", "220")
    return CliRunner().invoke(cli, ["ledger"])


def test_the_ledger_counts_them(client, database, history, monkeypatch):
    put(client, "ledger", tables.ledger(records.ledger(0, [(0, 5), (101, 104)]), LOG, np.arange(2)))
    done = weir_ledger(database, monkeypatch)
    assert done.exit_code == 1
    assert "5 dead letters sent again: 2 waiting, 1 announced, 1 dead again, 1 scored" in done.output


def test_a_ledger_with_a_letter_that_was_sent_twice_is_not_whole(client, database, monkeypatch):
    put(client, "dead_letters", letters(LETTERS))
    put(client, "ledger", tables.ledger(records.ledger(0, [(0, 5)], rejected=6), LOG, np.arange(1)))
    announce(client, 1, [3])
    note(client, {3: 6}, {3: 1})
    once = weir_ledger(database, monkeypatch)
    assert (once.exit_code, once.output.count("complete: 6 records read")) == (0, 1)
    note(client, {3: 6}, {3: 2})
    twice = weir_ledger(database, monkeypatch)
    assert twice.exit_code == 1
    assert "not complete: 1 repeated (dead letters that were sent again more than once)" in twice.output
