"""One suite for the recorder's store in memory and in ClickHouse."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from clickhouse_connect.driver.exceptions import OperationalError
from weir.core.block import Block
from weir.core.chunk import LogPartition
from weir.core.errors import Refused, Unavailable
from weir.recording import tables

from tests.databases import client, database
from tests.doubles import records
from tests.doubles.blocks import MemoryBlocks
from tests.ports import free_port
from tests.waiting import WAIT_S

__all__ = ["client", "database"]

SOURCE = LogPartition("log-a", "weir.predictions", 3)
OTHER = LogPartition("log-a", "weir.predictions", 0)
MARKS = {(records.LOG, 3): 41, ('requests é"', 0): 2}


def block(number, first, last, source=SOURCE):
    return Block(
        source=source,
        number=number,
        first=first,
        last=last,
        checksum=2**32 - 1,
        marks={},
        marks_after=MARKS,
        received_ms=records.BASE_MS,
    )


def rows(first, last, source=SOURCE):
    offsets = np.arange(first, last + 1)
    found = records.predictions(3, offsets.tolist())
    return tables.predictions(found, source, offsets, records.names)


class InMemory:
    def __init__(self):
        self.store = MemoryBlocks()

    def offsets(self):
        return sorted(self.store.column("predictions", "log_offset"))


class InClickHouse:
    def __init__(self, settings):
        from weir.edges.clickhouse.blocks import ClickHouseBlocks
        from weir.edges.clickhouse.client import connect

        self.store, self.client = ClickHouseBlocks(settings, "test"), connect(settings.recording)

    def offsets(self):
        found = self.client.query("SELECT log_offset FROM predictions ORDER BY log_offset").result_rows
        return [offset for (offset,) in found]


@pytest.fixture(params=["memory", "clickhouse"])
def kept(request):
    return InMemory() if request.param == "memory" else InClickHouse(request.getfixturevalue("database"))


def test_nothing_is_announced_at_first(kept):
    assert kept.store.latest(SOURCE) is None


def test_an_announcement_comes_back_as_it_was(kept):
    mine = block(1, 0, 9)
    assert kept.store.announce(mine) == mine
    assert kept.store.latest(SOURCE) == mine
    assert kept.store.latest(SOURCE._replace(partition=4)) is None


def test_a_topic_made_anew_is_another_log_whose_blocks_begin_at_one(kept):
    anew = SOURCE._replace(log="log-b")
    assert kept.store.inherited(SOURCE) == {}
    kept.store.announce(block(1, 0, 9))
    kept.store.insert("predictions", rows(0, 9), block(1, 0, 9), "rows")
    assert kept.store.latest(anew) is None
    assert kept.store.inherited(anew) == MARKS, "what was recorded from the earlier log counts for the new one"
    assert kept.store.inherited(anew._replace(partition=4)) == {}
    assert kept.store.announce(block(1, 0, 4, anew)) == block(1, 0, 4, anew)
    kept.store.insert("predictions", rows(0, 4, anew), block(1, 0, 4, anew), "rows")
    assert kept.offsets() == sorted([*range(10), *range(5)])
    assert kept.store.latest(SOURCE) == block(1, 0, 9)


def test_of_two_announcements_of_one_number_the_first_holds(kept):
    first, second = block(1, 0, 9), block(1, 0, 19)
    kept.store.announce(first)
    assert kept.store.announce(second) == first
    assert kept.store.announce(block(2, 10, 19)) == block(2, 10, 19)
    assert kept.store.announce(second) == block(2, 10, 19)


def test_an_insert_counts_once_whatever_is_repeated(kept):
    mine = block(1, 0, 9)
    kept.store.announce(mine)
    for write in (kept.store.insert, kept.store.insert, kept.store.repeat):
        write("predictions", rows(0, 9), mine, "rows")
    assert kept.offsets() == list(range(10))
    kept.store.insert("predictions", rows(10, 12), mine, "others")
    kept.store.insert("predictions", rows(13, 14), block(2, 13, 14), "rows")
    assert kept.offsets() == list(range(15))


def test_a_repeat_of_a_block_that_never_came_inserts_it(kept):
    kept.store.announce(block(1, 0, 9))
    kept.store.repeat("predictions", rows(0, 9), block(1, 0, 9), "rows")
    assert kept.offsets() == list(range(10))


def test_announcing_at_the_same_time_has_one_winner(kept):
    answers: list[Block | None] = []
    start = threading.Barrier(4)

    def announce(last):
        start.wait(WAIT_S)
        answers.append(kept.store.announce(block(1, 0, last)))

    threads = [threading.Thread(target=announce, args=(last,)) for last in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(answers) == 4
    assert len({answer.last for answer in answers if answer}) == 1


# ---- what only ClickHouse can show


def test_a_forgotten_token_is_replaced_by_what_the_table_holds(client, database, monkeypatch):
    """As if 10,000 inserts had gone by since a block of which only a part came in."""
    from weir.edges.clickhouse import blocks as block_store

    kept = InClickHouse(database)
    monkeypatch.setattr(block_store, "REMEMBERED_BLOCKS", 3)
    first = block(1, 0, 9)
    kept.store.announce(first)
    kept.store.insert("predictions", rows(0, 6), first, "a token that the table has forgotten")
    kept.store.repeat("predictions", rows(0, 9), first, "rows")
    assert len(kept.offsets()) == 17, "with few followers the token decides, and it was another one"
    client.command("TRUNCATE TABLE predictions")
    kept.store.insert("predictions", rows(0, 6), first, "another forgotten token")
    for number in range(1, 5):
        kept.store.announce(block(number, 0, 0, OTHER))
    kept.store.repeat("predictions", rows(0, 9), first, "rows again")
    assert kept.offsets() == list(range(10))
    assert kept.store.repeat("predictions", rows(0, 9), first, "rows once more") == 0.0
    assert kept.offsets() == list(range(10))


def test_a_repeat_brings_no_outcome_back_that_was_corrected(client, database, monkeypatch):
    """The table has replaced one outcome by the other of the same block, and has forgotten the token."""
    from weir.edges.clickhouse import blocks as block_store

    kept = InClickHouse(database)
    monkeypatch.setattr(block_store, "REMEMBERED_BLOCKS", 3)
    source = LogPartition("log-o", "weir.outcomes", 0)
    mine = block(1, 0, 1, source)
    given = records.outcomes([records.prediction_id(0, 7), records.prediction_id(0, 7).upper()], [0.0, 1.0])
    shaped = tables.outcomes(given, source, np.arange(2), mine.received_ms)
    kept.store.announce(mine)
    kept.store.insert("outcomes", shaped, mine, "a token that the table has forgotten")
    for number in range(2, 6):
        kept.store.announce(block(number, number, number, source))
    before = client.query("SELECT label FROM outcomes FINAL").result_rows
    kept.store.repeat("outcomes", shaped, mine, "rows")
    assert client.query("SELECT label FROM outcomes FINAL").result_rows == before
    assert len(before) == 1


class FailsOnce:
    """A client whose first insert fails, after something else has happened."""

    def __init__(self, client, meanwhile):
        self.client, self.meanwhile = client, [meanwhile]

    def insert_arrow(self, *args, **options):
        if self.meanwhile:
            self.meanwhile.pop()()
            raise OperationalError("connection lost")
        return self.client.insert_arrow(*args, **options)

    def __getattr__(self, name):
        return getattr(self.client, name)


def test_an_insert_that_is_tried_again_too_late_is_a_repeat(client, database, monkeypatch):
    """A recorder sleeps before its second try; by then another has written the block, and the token is forgotten."""
    from weir.edges.clickhouse import blocks as block_store

    zombie, other = InClickHouse(database), InClickHouse(database)
    monkeypatch.setattr(block_store, "REMEMBERED_BLOCKS", 3)
    mine = block(1, 0, 9)
    zombie.store.announce(mine)

    def meanwhile():
        other.store.insert("predictions", rows(0, 9), mine, "a token that the table has forgotten")
        for number in range(1, 5):
            other.store.announce(block(number, 0, 0, OTHER))

    zombie.store._client = FailsOnce(client, meanwhile)
    zombie.store.insert("predictions", rows(0, 9), mine, "rows")
    assert zombie.offsets() == list(range(10))


@pytest.mark.parametrize("part", ["rows", "rejects"])
def test_an_insert_long_after_its_announcement_is_a_repeat(client, database, monkeypatch, part):
    """A recorder sleeps before its first try, of either table; meanwhile another one has written the block."""
    from weir.edges.clickhouse import blocks as block_store

    zombie, other = InClickHouse(database), InClickHouse(database)
    monkeypatch.setattr(block_store, "REMEMBERED_BLOCKS", 3)
    mine = block(1, 0, 9)
    zombie.store.announce(mine)
    other.store.repeat("predictions", rows(0, 9), mine, "a token that the table has forgotten")
    for number in range(1, 5):
        other.store.announce(block(number, 0, 0, OTHER))
    monkeypatch.setattr(block_store, "FRESH_S", 0.0)
    assert zombie.store.insert("predictions", rows(0, 9), mine, part) == 0.0
    assert zombie.offsets() == list(range(10))


def test_the_ring_of_announcements_stays_small(client, database):
    kept = InClickHouse(database)
    names = ["log", "topic", "partition", "number", "first", "last", "checksum", "marks", "marks_after", "worker"]
    ring = [[*SOURCE, number, number, number, 0, "[]", "[]", "w"] for number in range(1, 3000)]
    client.insert("recorder_blocks", ring, column_names=names, settings={"insert_deduplication_token": "ring"})
    client.command("OPTIMIZE TABLE recorder_blocks FINAL")
    assert client.query("SELECT count(), max(number) FROM recorder_blocks").first_row == (1024, 2999)
    assert kept.store.latest(SOURCE).number == 2999


def test_outcomes_of_very_many_months_fit_one_insert(client, database):
    ids = [records.prediction_id(0, 86_400 * 40 * month) for month in range(150)]
    source = LogPartition("log-o", "weir.outcomes", 0)
    batch = tables.outcomes(records.outcomes(ids, [1.0] * 150), source, np.arange(150), 0)
    InClickHouse(database).store.insert("outcomes", batch, block(1, 0, 149), "rows")
    assert client.query("SELECT count() FROM outcomes").first_row == (150,)


def test_a_store_that_is_away_is_tried_for_the_budget_and_then_given_up(stack):
    from weir.edges.clickhouse.blocks import ClickHouseBlocks

    away = stack.settings.having(clickhouse_url=f"http://127.0.0.1:{free_port()}", sink_budget_s=0.5)
    retries = []
    with pytest.raises(Unavailable, match="Connection refused"):
        ClickHouseBlocks(away, "test", retries.append).latest(SOURCE)
    assert len(retries) >= 2


def test_missing_tables_are_refused_at_once(stack):
    from weir.edges.clickhouse.blocks import ClickHouseBlocks

    nowhere = stack.settings.having(clickhouse_database="nowhere")
    with pytest.raises(Refused, match="run `weir migrate`"):
        ClickHouseBlocks(nowhere, "test").check()
