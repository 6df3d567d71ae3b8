"""Who is told of what: silences in force, transitions that are told at all, and those that are told as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from weir.monitor.alert import AlertState, Mark, Note, NoteKind, Transition

TOLD: Final = frozenset({AlertState.FIRING, AlertState.RESOLVED, Mark.ACKNOWLEDGED, Mark.UNSILENCED})


def in_force(notes: Iterable[Note], at_ms: int) -> list[Note]:
    """The silences of a time, the oldest first. A note that comes twice is one."""
    said = {note.note_id: note for note in notes if note.at_ms <= at_ms}
    ended = {note.silence for note in said.values() if note.kind is NoteKind.UNSILENCE}
    silences = [
        note
        for note in said.values()
        if note.kind is NoteKind.SILENCE and note.note_id not in ended and (note.until_ms or 0) > at_ms
    ]
    return sorted(silences, key=lambda note: (note.at_ms, note.note_id))


def is_told(transition: Transition) -> bool:
    """Whether people hear of a transition: no silence holds it back, and it is more than a suspicion."""
    return transition.to_state in TOLD and not transition.silence


def grouped(transitions: Sequence[Transition]) -> list[tuple[Transition, ...]]:
    """Those of one service, owner, cause and state, each told as one; one without a cause is told alone."""
    groups: dict[tuple[str, ...], list[Transition]] = {}
    for one in transitions:
        about = one.watched
        cause = about.cause or f"{about.key}/{one.number}"
        groups.setdefault((about.service, about.owner, cause, one.to_state.value), []).append(one)
    return [tuple(group) for group in groups.values()]
