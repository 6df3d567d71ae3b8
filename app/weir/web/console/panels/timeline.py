"""What became of an alert, in order: its changes, what people said of it, and which versions came meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from weir.core.numbers import span
from weir.monitor.alert import Mark, Note, NoteKind, Transition
from weir.web.console import releases
from weir.web.console.about import About
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.panels.alert import of, transitions
from weir.web.console.view import View

QUESTION: Final = "What became of it?"
BEFORE: Final = timedelta(days=2)  # in which a release may be why
KINDS: Final = {"firing": "alarm", "pending": "look", "resolved": "ok", "ok": "ok"}
NOTED: Final = {NoteKind.ACK: "acknowledged", NoteKind.SILENCE: "silenced", NoteKind.UNSILENCE: "silence taken back"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line. kind: of its glyph; empty without one."""

    at: datetime
    kind: str
    what: str
    said: str = ""
    by: str = ""


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    one = of(asker, view)
    course = transitions(asker, one.id)
    events = [*_changes(course), *_notes(asker, one, course), *_releases(asker, one, view)]
    events.sort(key=lambda event: event.at)
    return Panel(
        name="timeline",
        question=QUESTION,
        template="timeline.html",
        context={"events": events, "service": one.service},
        monitor="alerts/transitions",
    )


def _changes(course: list[Transition]) -> list[Event]:
    """Each change of its state, and each mark that the monitor worker has made of a note."""
    found = []
    for each in course:
        state = each.to_state.value
        said = each.reason if isinstance(each.to_state, Mark) else each.sentence
        found.append(Event(_time(each.at_ms), KINDS.get(state, ""), state, said, each.by))
    return found


def _notes(asker: Asker, one: About, course: list[Transition]) -> list[Event]:
    """Notes of people that the worker has not made a mark of yet, or never will: silences by matchers."""
    marked = {(each.by, each.reason) for each in course if isinstance(each.to_state, Mark)}
    found = []
    notes = [Note.of(row) for row in asker.sql("alerts/notes")]
    fitting = {note.note_id for note in notes if course and note.fits(course[-1].watched, course[-1].severity)}
    for note in notes:
        about = note.note_id in fitting or note.silence in fitting
        if not about or (note.by, note.reason) in marked or _time(note.at_ms) < one.since:
            continue
        lasts = f" for {span((note.until_ms - note.at_ms) / 1000)}" if note.until_ms else ""
        found.append(Event(_time(note.at_ms), "", NOTED[note.kind] + lasts, note.reason, note.by))
    return found


def _releases(asker: Asker, one: About, view: View) -> list[Event]:
    until = one.until or view.now
    first = releases.of(asker, one.service)
    return [
        Event(each.since, "", f"release {each.label}", f"the first hour in which {each.label} answered")
        for each in first
        if one.since - BEFORE <= each.since <= until and each is not first[0]
    ]


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
