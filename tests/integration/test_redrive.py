"""Dead letters sent again: each is in the log once, wherever the sender died and whoever came at the same time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import numpy as np
import pytest
from clickhouse_connect.driver import Client
from weir.core.chunk import LogPartition
from weir.core.dead_letter import letter_id
from weir.core.errors import Refused, Unavailable, WeirError
from weir.core.topics import Names
from weir.edges.clickhouse import dead_letters, migrations
from weir.edges.clickhouse.client import connect
from weir.edges.clickhouse.dead_letters import Letter, Selection
from weir.edges.embedded.stack import Stack
from weir.edges.kafka.logs import log_of
from weir.edges.kafka.redrive_log import Announced, find, send
from weir.edges.kafka.topics import declared, ensure
from weir.operations import redrive
from weir.operations.give_up import give_up
from weir.operations.redrive import Resend
from weir.recording import tables
from weir.settings import Settings

from tests.databases import aged, put
from tests.doubles import records

pytestmark = pytest.mark.one_broker("kafka")

LETTERS = 12
OFFSETS = range(1000, 1000 + LETTERS // 2)  # of each of two partitions; far from where new records come to stand


@pytest.fixture
def world(stack: Stack) -> Iterator[tuple[Settings, Client]]:
    """A service with a topic and a database of its own, and dead letters of its first offsets."""
    name = f"redrive-{uuid4().hex[:8]}"
    settings = stack.settings.having(service=name, clickhouse_database=name.replace("-", "_"))
    ensure(settings, declared(settings))
    migrations.apply(settings.recording)
    client = connect(settings.recording)
    for partition in range(2):
        rows = records.dead_letters(partition, list(OFFSETS))
        columns = {name: rows[name] for name in rows.schema.names}
        own = {"service": name, "source_topic": Names("weir").requests(name)}
        changed = tables.dead_letters(
            type(rows).from_pydict(
                {column: [own[column]] * len(rows) if column in own else values for column, values in columns.items()}
            ),
            LogPartition("log", "weir.dead-letters", partition),
            np.arange(len(rows)),
        )
        put(client, "dead_letters", changed)
    yield settings, client
    connect(settings.recording, database="").command(f"DROP DATABASE {settings.recording.clickhouse_database}")


def open_letters(client: Client, settings: Settings) -> list[Letter]:
    return dead_letters.letters(client, Selection(service=settings.scoring.service, open=True))


def resends(letters: list[Letter]) -> list[Resend]:
    return [Resend(letter, letter.value, "none") for letter in letters]


def copies(settings: Settings) -> dict[str, int]:
    """How often each letter is in the log, from its beginning."""
    topic = settings.kafka.names.requests(settings.scoring.service)
    into = log_of(settings.kafka, topic)
    every = [
        Announced("", LogPartition(records.LOG, topic, partition), offset, None, None, "none", into, 0)
        for partition in range(2)
        for offset in OFFSETS
    ]
    return {name: len(offsets) for name, offsets in find(settings.kafka, every).items()}


def assert_each_once(client: Client, settings: Settings) -> None:
    assert set(copies(settings).values()) == {1}
    assert len(copies(settings)) == LETTERS
    noted = dead_letters.redrives(client, settings.scoring.service)
    assert [(redriven.state, redriven.copies) for redriven in noted] == [("waiting", 1)] * LETTERS
    assert len({(redriven.source_partition, redriven.redriven_offset) for redriven in noted}) == LETTERS
    assert open_letters(client, settings) == []


def test_a_letter_is_sent_once_however_often_it_is_redriven(world: tuple[Settings, Client]) -> None:
    settings, client = world
    chosen = resends(open_letters(client, settings))
    assert len(chosen) == LETTERS
    first = redrive.redrive(client, settings, chosen)
    assert (first.batch, first.sent, first.taken, first.finished) == (1, LETTERS, 0, 0)
    again = redrive.redrive(client, settings, chosen)
    assert (again.batch, again.sent, again.taken, again.finished) == (0, 0, LETTERS, 0)
    assert_each_once(client, settings)
    (group,) = dead_letters.summary(client, Selection(service=settings.scoring.service))
    assert (group.letters, group.open) == (LETTERS, 0)


def test_a_sender_may_die_anywhere_and_any_number_of_times(world: tuple[Settings, Client]) -> None:
    settings, client = world
    chance = random.Random(7)
    for _ in range(6):  # each of them dies: after announcing, or part of the way through
        latest = redrive.latest(client, settings)
        left = redrive.left(client, settings)
        found = find(settings.kafka, left)
        unsent = [row for row in left if row.id not in found]
        chosen = resends(chance.sample(open_letters(client, settings), k=min(3, len(open_letters(client, settings)))))
        _, rows = redrive.announce(client, settings, latest, unsent, chosen)
        send(settings.kafka, rows[: chance.randrange(len(rows) + 1)])
        aged(client)
    done = redrive.redrive(client, settings, resends(open_letters(client, settings)))
    assert done.finished + done.sent == LETTERS
    assert_each_once(client, settings)


def test_a_sender_that_may_still_be_at_work_is_not_overtaken(world: tuple[Settings, Client]) -> None:
    settings, client = world
    chosen = resends(open_letters(client, settings))
    redrive.announce(client, settings, 0, [], chosen)
    with pytest.raises(Refused, match="batch 1 was announced"):
        redrive.redrive(client, settings, chosen)
    assert copies(settings) == {}


def test_who_might_be_overtaken_does_not_send(world: tuple[Settings, Client]) -> None:
    settings, client = world
    chosen = resends(open_letters(client, settings))
    hasty = settings.having(redrive_settle_s=2 * settings.kafka.sink_budget_s - 1)
    with pytest.raises(Refused, match=f"set WEIR_REDRIVE_SETTLE_S to {2 * settings.kafka.sink_budget_s:g} or more"):
        redrive.redrive(client, hasty, chosen)
    assert redrive.latest(client, settings) == 0
    late = settings.having(redrive_settle_s=0.0, sink_budget_s=0.0)  # no announcement is as quick
    with pytest.raises(Unavailable, match=r"batch 1 was announced too slowly to be sent .*: run it again"):
        redrive.redrive(client, late, chosen)
    assert copies(settings) == {}
    aged(client)
    assert redrive.redrive(client, settings, chosen).finished == LETTERS
    assert_each_once(client, settings)


def test_what_the_broker_does_not_take_is_told_and_the_rest_is_found(world: tuple[Settings, Client]) -> None:
    settings, _ = world
    topic = settings.kafka.names.requests(settings.scoring.service)
    source, into = LogPartition(records.LOG, topic, 0), log_of(settings.kafka, topic)
    values = {1: b"small", 2: b"x" * (9 * 1024 * 1024), 3: b"after it"}
    rows = [Announced("", source, offset, None, value, "none", into, 0) for offset, value in values.items()]
    with pytest.raises(
        Refused, match=r"1 redriven records were not delivered, first (.*): .*too large.*give-up"
    ) as told:
        send(settings.kafka, rows)
    assert letter_id(source, 2) in str(told.value)
    assert set(find(settings.kafka, rows)) == {letter_id(source, 1), letter_id(source, 3)}
    elsewhere = Announced("", source._replace(partition=99), 1, None, b"", "none", into, 0)
    with pytest.raises(Refused, match="a topic or partition does not exist: 1 redriven records"):
        send(settings.kafka, [elsewhere])


def test_two_commands_at_once_send_each_letter_once(world: tuple[Settings, Client]) -> None:
    settings, client = world
    chosen = resends(open_letters(client, settings))

    def command(part: list[Resend]) -> int:
        try:
            return redrive.redrive(connect(settings.recording), settings, part).sent
        except WeirError:  # the other one's turn: to be run again
            return 0

    with ThreadPoolExecutor(3) as pool:
        sent = list(pool.map(command, [chosen, chosen[:8], chosen[4:]]))
    sent.append(redrive.redrive(client, settings, chosen).sent)
    assert sum(sent) == LETTERS
    assert_each_once(client, settings)


@pytest.mark.parametrize("change", ["into_log = 'gone'", "log_begin = -5"])
def test_letters_of_which_nobody_can_tell_hold_up_no_others(world: tuple[Settings, Client], change: str) -> None:
    """A topic made anew, and one cut since: whatever was sent went with the log."""
    settings, client = world
    first, *others = resends(open_letters(client, settings))
    _, rows = redrive.announce(client, settings, 0, [], [first])
    aged(client)
    client.command(f"ALTER TABLE redrives UPDATE {change} WHERE true", settings={"mutations_sync": 1})
    done = redrive.redrive(client, settings, others)
    assert (done.sent, done.finished, done.untold) == (LETTERS - 1, 0, 1)
    assert redrive.redrive(client, settings, others).untold == 1
    assert set(copies(settings).values()) == {1}
    assert rows[0].id not in copies(settings)
    with pytest.raises(Refused, match=r"was made anew or cut since letters were announced for it"):
        find(settings.kafka, redrive.left(client, settings))


def test_a_letter_that_is_refused_for_good_can_be_given_up(world: tuple[Settings, Client]) -> None:
    """It is announced and never sent; each redrive tries it again and fails, until somebody gives it up."""
    settings, client = world
    letters = open_letters(client, settings)
    first, *others = letters
    large = Resend(first, b"x" * (9 * 1024 * 1024), "none")
    for _ in range(2):
        with pytest.raises(Refused, match="give-up"):
            redrive.redrive(client, settings, [large, *resends(others)])
        with pytest.raises(Refused, match="is still being sent"):
            give_up(client, settings, [first], who="ann@host", why="too large")
        aged(client)
    both = dead_letters.letters(client, Selection(ids=[letter.id for letter in letters[:2]]))
    dry = give_up(client, settings, both, who="ann@host", why="too large", dry_run=True)
    assert (dry.batch, dry.states[0], dry.kept) == (0, "given up", 1)
    assert dry.states[1].startswith("sent again in batch 1")
    assert len(redrive.left(client, settings)) == 1
    done = give_up(client, settings, [first], who="ann@host", why="too large")
    assert (done.states, done.kept) == (("given up",), 0)
    assert redrive.redrive(client, settings, [large, *resends(others)]).sent == 0
    again = give_up(client, settings, dead_letters.letters(client, Selection(ids=[first.id])), who="bob", why="again")
    assert (again.batch, again.states) == (0, ("was given up before",))
    (told,) = dead_letters.redrives(client, ids=[first.id])
    assert (told.state, told.given_up_by, told.given_up_for, told.batch) == ("given up", "ann@host", "too large", 3)
    assert set(copies(settings)) == {letter.id for letter in others}


def test_an_open_letter_can_be_given_up_and_is_sent_by_nobody(world: tuple[Settings, Client]) -> None:
    settings, client = world
    first, *others = open_letters(client, settings)
    assert give_up(client, settings, [first], who="ann@host", why="a test").batch == 1
    assert first.id not in {letter.id for letter in open_letters(client, settings)}
    done = redrive.redrive(client, settings, resends([first, *others]))
    assert (done.sent, done.taken, done.finished) == (LETTERS - 1, 1, 0)
    assert first.id not in copies(settings)


def test_a_letter_that_reached_the_log_is_noted_and_not_given_up(world: tuple[Settings, Client]) -> None:
    settings, client = world
    first, *_ = open_letters(client, settings)
    _, rows = redrive.announce(client, settings, 0, [], resends([first]))
    send(settings.kafka, rows)
    aged(client)
    done = give_up(client, settings, dead_letters.letters(client, Selection(ids=[first.id])), who="ann@host", why="x")
    assert (done.batch, done.kept) == (0, 1)
    assert [row.state for row in dead_letters.redrives(client, ids=[first.id])] == ["waiting"]
