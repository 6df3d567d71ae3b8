"""Dead letters sent again, each once, whenever the sender dies.

1. announce, durably, what will be sent, and how far the log reached before
2. send it, each record with a header that names its letter
3. look through the log from there on for those headers, and note where the records are

Announcements are numbered, and of two with one number the first wins, so commands take turns. Whoever comes after a
sender that died looks through the log first, notes what is there, and announces the rest anew in his own turn.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver import Client

from weir.core.chunk import LogPartition, Partition
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import sql_files
from weir.edges.clickhouse.client import answering, once
from weir.edges.clickhouse.dead_letters import Letter, octets
from weir.edges.kafka import admin
from weir.edges.kafka.logs import log_of
from weir.edges.kafka.redrive_log import AGAIN, Announced, Found, find, send, traceable
from weir.settings import Settings

TRIES = 20  # announcements; each that fails is another command's
LATEST = "SELECT max(batch) FROM redrives"
TAKEN = """
    SELECT DISTINCT concat(source_topic, '/', toString(source_partition), '/', toString(source_offset), '@', source_log)
    FROM redrives
"""
MINE = "SELECT count() FROM redrives WHERE batch = {batch:UInt64} AND run = {run:UUID}"


@dataclass(frozen=True, slots=True)
class Resend:
    """One letter and the value to send for it. repair: none, patch or file."""

    letter: Letter
    value: bytes | None
    repair: str


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did.

    batch: its number, 0 when nothing was left to send. sent: letters of this command. taken: those that another one had
    announced before. finished: letters of commands that died, noted or sent by this one. untold: such letters whose
    topic was made anew or cut since, so that nobody can tell whether they were sent; they are left as they are.
    """

    batch: int
    sent: int
    taken: int
    finished: int
    untold: int = 0


def redrive(client: Client, settings: Settings, chosen: Sequence[Resend], by: str = "") -> Redriven:
    """Send letters again, each to the partition that it came from; and whatever a sender that died has left.

    by: who does it, written beside each of them.

    Raises Unavailable when ClickHouse or Kafka does not answer (run it again: nothing is sent twice); Refused when
    another command is at it, or when settings would let another command take over from one that is still sending.
    """
    where = settings.recording.clickhouse_url
    spare_s = (
        settings.recording.redrive_settle_s - settings.kafka.sink_budget_s
    )  # from the announcement to the latest start
    if spare_s < settings.kafka.sink_budget_s:
        raise Refused(
            f"redrive_settle_s is {settings.recording.redrive_settle_s:g}, less than twice sink_budget_s",
            remedy=f"set WEIR_REDRIVE_SETTLE_S to {2 * settings.kafka.sink_budget_s:g} or more",
        )
    turn = latest(client, settings)
    unfinished = left(client, settings)
    before = traceable(settings.kafka, unfinished)
    found = find(settings.kafka, before)
    note(client, where, [row for row in before if row.id in found], found)
    unsent = [row for row in before if row.id not in found]
    before_s = time.monotonic()
    batch, rows = announce(client, settings, turn, unsent, chosen, by)
    if rows:
        if time.monotonic() - before_s > spare_s:
            raise Unavailable(f"batch {batch} was announced too slowly to be sent", where=where, remedy=AGAIN)
        try:
            send(settings.kafka, rows)
        except Refused:  # of one; the others are in the log
            found = find(settings.kafka, rows)
            note(client, where, [row for row in rows if row.id in found], found)
            raise
        found = find(settings.kafka, rows)
        if absent := [row.id for row in rows if row.id not in found]:
            raise Unavailable(
                f"{len(absent)} records were delivered and are not in the log, first {absent[0]}",
                where=settings.kafka.brokers,
                remedy="see the topic's retention and the broker's log, then run it again",
            )
        note(client, where, rows, found)
    sent = len(rows) - len(unsent)
    return Redriven(batch, sent, len(chosen) - sent, len(before), len(unfinished) - len(before))


def left(client: Client, settings: Settings, ids: Collection[str] | None = None) -> list[Announced]:
    """Letters that were announced and neither noted nor given up; ids: no others than these.

    Raises Refused when their sender may still be at work.
    """
    rows = [(_announced(row), row) for row in sql_files.rows(client, "dead_letters/unfinished")]
    rows = [(letter, row) for letter, row in rows if ids is None or letter.id in ids]
    young = [row for _, row in rows if row["age_s"] < settings.recording.redrive_settle_s]
    if young:
        raise Refused(
            f"batch {young[0]['batch']} was announced {young[0]['age_s']:.0f} s ago and is still being sent",
            where=young[0]["worker"],
            remedy=f"wait for that command, or {settings.recording.redrive_settle_s:g} s if it died, then rerun",
        )
    return [letter for letter, _ in rows]


def announce(
    client: Client,
    settings: Settings,
    turn: int,
    unsent: Sequence[Announced],
    chosen: Sequence[Resend],
    by: str = "",
) -> tuple[int, list[Announced]]:
    """The batch's number and rows: what was left unsent, and of the chosen letters those that nobody announced.

    turn: the latest batch when `unsent` was read. Step 1 of `redrive`. Raises Unavailable; Refused when another command
    is at it.
    """

    def rows(taken: Collection[str]) -> list[Announced]:
        free = [resend for resend in chosen if resend.letter.id not in taken]
        topics = {resend.letter.source.topic for resend in free}
        into = {
            topic: log_of(settings.kafka, topic) for topic in topics
        }  # before the ends: those are then of it or later
        bounds = {source: bound for topic in topics for source, bound in admin.bounds(settings.kafka, topic).items()}
        return [*unsent, *(_announcement(resend, into, bounds) for resend in free)]

    return take_turn(client, settings, rows, turn if unsent else None, by=by)


def take_turn(
    client: Client,
    settings: Settings,
    rows_of: Callable[[Collection[str]], list[Announced]],
    turn: int | None,
    given_up: tuple[str, str] = ("", ""),
    by: str = "",
) -> tuple[int, list[Announced]]:
    """Record a batch under the next free number: the number, 0 without rows, and the rows.

    rows_of: makes them, from the ids of all letters that were announced. turn: the latest batch that may be there; None
    for any. given_up: who gave the letters up, and why. by: who sends them. Raises Unavailable; Refused when another
    command is at it.
    """
    run, where = uuid.uuid4(), settings.recording.clickhouse_url
    for _ in range(TRIES):
        newest = latest(client, settings)  # before `taken`: whoever announces after it takes this number
        if turn is not None and newest != turn:
            raise Refused("another command took over what was left", remedy="wait for it, and run this one again")
        with answering(where):
            taken = {name for (name,) in client.query(TAKEN).result_rows}
        rows = rows_of(taken)
        if not rows:
            return 0, []
        _insert(client, where, newest + 1, run, rows, given_up, by)
        with answering(where):
            mine = client.query(MINE, parameters={"batch": newest + 1, "run": str(run)}).result_rows[0][0]
        if mine:
            return newest + 1, rows
    raise Refused(f"other commands announced {TRIES} batches meanwhile", remedy="wait for them, and run this one again")


def _announcement(resend: Resend, into: Mapping[str, str], bounds: Mapping[Partition, tuple[int, int]]) -> Announced:
    letter = resend.letter
    place = Partition(letter.source.topic, letter.source.partition)
    return Announced(
        letter.service,
        letter.source,
        letter.offset,
        letter.key,
        resend.value,
        resend.repair,
        into[place.topic],
        bounds[place][1],
    )


def _announced(row: Mapping[str, Any]) -> Announced:
    return Announced(
        row["service"],
        LogPartition(row["source_log"], row["source_topic"], row["source_partition"]),
        row["source_offset"],
        octets(row["key_hex"]),
        octets(row["value_hex"]),
        row["repair"],
        row["into_log"],
        row["log_begin"],
    )


def latest(client: Client, settings: Settings) -> int:
    """Number of the latest batch, 0 before the first."""
    with answering(settings.recording.clickhouse_url):
        return int(client.query(LATEST).result_rows[0][0])


def _insert(
    client: Client,
    where: str,
    batch: int,
    run: uuid.UUID,
    rows: Sequence[Announced],
    given_up: tuple[str, str],
    by: str,
) -> None:
    """One block under the batch's token: of two commands with the same number the first wins."""
    n = len(rows)
    table = _letters(rows) | {
        "batch": pa.array([batch] * n, pa.uint64()),
        "run": pa.array([str(run)] * n),
        "worker": pa.array([f"{socket.gethostname()}:{os.getpid()}"] * n),
        "sent_by": pa.array([by] * n),
        "service": pa.array([row.service for row in rows]),
        "repair": pa.array([row.repair for row in rows]),
        "given_up_by": pa.array([given_up[0]] * n),
        "given_up_for": pa.array([given_up[1]] * n),
        "key": pa.array([row.key for row in rows], pa.binary()),
        "value": pa.array([row.value for row in rows], pa.binary()),
        "into_log": pa.array([row.into_log for row in rows]),
        "log_begin": pa.array([row.log_begin for row in rows], pa.int64()),
    }
    with answering(where):
        client.insert_arrow("redrives", pa.table(table), settings=once(f"redrive/{batch}"))


def note(client: Client, where: str, rows: Sequence[Announced], found: Found) -> None:
    """Record where the letters' records are. Written again it says the same, so any token does. Raises Unavailable."""
    if not rows:
        return
    table = _letters(rows) | {
        "redriven_log": pa.array([row.into_log for row in rows]),
        "redriven_offset": pa.array([min(found[row.id]) for row in rows], pa.int64()),
        "copies": pa.array([len(found[row.id]) for row in rows], pa.uint32()),
    }
    with answering(where):
        client.insert_arrow("redriven", pa.table(table), settings=once(f"redriven/{uuid.uuid4()}"))


def _letters(rows: Sequence[Announced]) -> dict[str, pa.Array]:
    return {
        "source_log": pa.array([row.source.log for row in rows]),
        "source_topic": pa.array([row.source.topic for row in rows]),
        "source_partition": pa.array([row.source.partition for row in rows], pa.int32()),
        "source_offset": pa.array([row.offset for row in rows], pa.int64()),
    }
