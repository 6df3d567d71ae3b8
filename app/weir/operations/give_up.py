"""Dead letters given up: a person says that they will never be sent, and why.

It takes its turn among the redrives and is recorded beside them, so that no redrive sends such a letter afterwards.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse.dead_letters import Letter
from weir.edges.kafka.redrive_log import Announced, find, traceable
from weir.operations.redrive import latest, left, note, take_turn
from weir.settings import Settings

GIVEN_UP, WAS_GIVEN_UP = "given up", "was given up before"


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What a command did. batch: its number, 0 where nothing was left to give up. states: of each letter, in order."""

    batch: int
    states: tuple[str, ...]

    @property
    def kept(self) -> int:
        """Letters that cannot be given up: they were sent or answered."""
        return sum(state not in (GIVEN_UP, WAS_GIVEN_UP) for state in self.states)


def person() -> str:
    """Who runs this process: "user@host"; the number of the user where the system has no name for it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def give_up(
    client: Client, settings: Settings, letters: Sequence[Letter], *, who: str, why: str, dry_run: bool = False
) -> GivenUp:
    """Give up those of the letters that are open, or that a redrive announced and could not send.

    dry_run: nothing is recorded. Kafka is asked only for letters that were announced: one that stands in the log was
    sent. Raises Unavailable; Refused where a redrive of such a letter may still be at work.
    """
    turn = latest(client, settings)
    announced = {row.id: row for row in left(client, settings, {letter.id for letter in letters})}
    before = traceable(settings.kafka, list(announced.values()))
    found = find(settings.kafka, before)
    states = [_state(letter, announced, found) for letter in letters]
    giving = [letter for letter, state in zip(letters, states, strict=True) if state == GIVEN_UP]
    if dry_run:
        return GivenUp(0, tuple(states))
    note(client, settings.recording.clickhouse_url, [row for row in before if row.id in found], found)

    def rows(taken: Collection[str]) -> list[Announced]:
        if gone := [letter.id for letter in giving if letter.id in taken and letter.id not in announced]:
            raise Refused(f"another command took {gone[0]} meanwhile", remedy="run this one again")
        return [_nothing_to_send(letter) for letter in giving]

    batch, _ = take_turn(client, settings, rows, turn if announced else None, given_up=(who, why))
    return GivenUp(batch, tuple(states))


def _state(letter: Letter, announced: Mapping[str, Announced], found: Collection[str]) -> str:
    if letter.given_up_by:
        return WAS_GIVEN_UP
    if letter.answered:
        return "answered: nothing to give up"
    if letter.redriven_in and (letter.id not in announced or letter.id in found):
        return f"sent again in batch {letter.redriven_in}: nothing to give up"
    return GIVEN_UP


def _nothing_to_send(letter: Letter) -> Announced:
    return Announced(letter.service, letter.source, letter.offset, None, None, "none", "", 0)
