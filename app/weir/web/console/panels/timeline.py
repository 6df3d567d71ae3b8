"""What became of an alert, in order: its changes, what people said of it, and what else happened to its service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from weir.core.numbers import span
from weir.monitor.alert import Mark, Note, NoteKind, Transition
from weir.web.console.about import About
from weir.web.console.asking import Asker
from weir.web.console.happened import LAG, Event, Happened, happened
from weir.web.console.panel import Panel
from weir.web.console.panels.alert import of, transitions
from weir.web.console.view import View

QUESTION: Final = "What became of it?"
BEFORE: Final = timedelta(days=2)  # in which what happened may be why
KINDS: Final = {"firing": "alarm", "pending": "look", "resolved": "ok", "ok": "ok"}
NOTED: Final = {NoteKind.ACK: "acknowledged", NoteKind.SILENCE: "silenced", NoteKind.UNSILENCE: "silence taken back"}


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    one = of(asker, view)
    course = transitions(asker, one.id)
    beside = _beside(asker, one, view)
    events = [*_changes(course), *_notes(asker, one, course), *beside.events]
    events.sort(key=lambda event: event.at)
    return Panel(
        name="timeline",
        question=QUESTION,
        template="timeline.html",
        context={"events": events, "service": one.service},
        monitor="alerts/transitions",
        note=f"Not looked up: {beside.lacking}." if beside.lacking else "",
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


def _beside(asker: Asker, one: About, view: View) -> Happened:
    if not one.service:
        return Happened(())
    until = (one.until or view.now) + timedelta(milliseconds=1)
    found = happened(asker, one.service, one.since - BEFORE, until)
    if one.monitor != LAG:
        return found
    return Happened(tuple(each for each in found.events if each.what != "lag"), found.lacking)


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
