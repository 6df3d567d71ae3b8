"""Dead letters as recorded: how many and why, and each of them with all that is needed to send it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clickhouse_connect.driver import Client

from weir.core.chunk import LogPartition
from weir.core.dead_letter import letter_id
from weir.core.times import BEGINNING, END
from weir.edges.clickhouse import sql_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which letters. service, reason: all when empty. ids: "topic/partition/offset@log", all when empty.

    begin <= rejected_at < end, UTC. open: only those neither redriven, nor given up, nor answered in
    another life of the scorer.
    """

    service: str = ""
    reason: str = ""
    begin: datetime = BEGINNING
    end: datetime = END
    ids: Sequence[str] = ()
    open: bool = False
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Letters of one service and reason; dead_letters/summary.sql says what the numbers count."""

    service: str
    stage: str
    reason: str
    letters: int
    open: int
    first: datetime
    latest: datetime
    latest_detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One record that was rejected, as it was read from `source` at `offset`.

    payload_sha256: hex, of the value. log, log_offset: where the recorder read the letter itself. redriven_in: batch of
    the redrive that announced it, 0 for none. given_up_by: who gave it up in that batch, "" for nobody. answered: there
    is a prediction of the same record.
    """

    service: str
    stage: str
    reason: str
    detail: str
    source: LogPartition
    offset: int
    key: bytes | None
    value: bytes | None
    payload_sha256: str
    rejected_at: datetime
    log: LogPartition
    log_offset: int
    redriven_in: int
    given_up_by: str
    answered: bool

    @property
    def id(self) -> str:
        """What commands call the letter: "topic/partition/offset@log"."""
        return letter_id(self.source, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """What became of one letter that was redriven or given up; ledger/redrives.sql says what state and copies mean."""

    service: str
    source_log: str
    source_topic: str
    source_partition: int
    source_offset: int
    batch: int
    repair: str
    sent_by: str
    given_up_by: str
    given_up_for: str
    announced_at: datetime
    redriven_offset: int
    copies: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveState:
    """Letters of one state, redriven or given up; ledger/redrive_states.sql says what the numbers count."""

    state: str
    letters: int
    repeated: int


def summary(client: Client, chosen: Selection) -> list[Group]:
    """By service, stage and reason; ids, open and limit are not looked at. Raises Unavailable, Refused."""
    window = {"service": chosen.service, "reason": chosen.reason, "from": chosen.begin, "to": chosen.end}
    return [Group(**row) for row in sql_files.rows(client, "dead_letters/summary", **window)]


def letters(client: Client, chosen: Selection) -> list[Letter]:
    """The chosen letters, oldest first. Raises Unavailable, Refused."""
    window = {"service": chosen.service, "reason": chosen.reason, "from": chosen.begin, "to": chosen.end}
    more = {"ids": list(chosen.ids), "open": chosen.open, "limit": chosen.limit}
    return [_letter(row) for row in sql_files.rows(client, "dead_letters/letters", **window, **more)]


def redrives(client: Client, service: str = "", ids: Sequence[str] = (), limit: int = 1_000_000) -> list[Redrive]:
    """Letters redriven or given up, in that order. service, ids: all when empty. Raises Unavailable, Refused."""
    found = sql_files.rows(client, "ledger/redrives", service=service, ids=list(ids), limit=limit)
    return [Redrive(**row) for row in found]


def redrive_states(client: Client, service: str = "") -> list[RedriveState]:
    """How many letters were redriven or given up, by what became of them, most first. Raises Unavailable, Refused."""
    return [RedriveState(**row) for row in sql_files.rows(client, "ledger/redrive_states", service=service)]


def _letter(row: dict[str, Any]) -> Letter:
    plain = (
        "service",
        "stage",
        "reason",
        "detail",
        "payload_sha256",
        "rejected_at",
        "redriven_in",
        "given_up_by",
        "log_offset",
    )
    return Letter(
        **{name: row[name] for name in plain},
        answered=bool(row["answered"]),
        source=LogPartition(row["source_log"], row["source_topic"], row["source_partition"]),
        offset=row["source_offset"],
        log=LogPartition(row["log_id"], row["log_topic"], row["log_partition"]),
        key=octets(row["key_hex"]),
        value=octets(row["value_hex"]),
    )


def octets(text: str | None) -> bytes | None:
    """Bytes written in hexadecimal; None stays None."""
    return None if text is None else bytes.fromhex(text)
