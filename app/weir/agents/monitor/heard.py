"""What people say of alerts, and what is known of them beside windows, as changes of the alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from weir.monitor import alert_course, telling
from weir.monitor.alert import AlertState, Note, Transition, Watched
from weir.monitor.left import Left

LIVE: Final = (AlertState.PENDING, AlertState.FIRING)


@dataclass(slots=True)
class Heard:
    """Notes that have come. One that could not be written is heard again."""

    _notes: list[Note] = field(default_factory=list)
    _unheard: list[Note] = field(default_factory=list)

    def changes(self, new: Iterable[Note], left: Left, at_ms: int) -> Iterator[tuple[Transition, ...]]:
        """Changes of each alert that goes on, to be written one after the other; `left` has the silences in force.

        new: notes that nobody has heard before. at_ms: now.
        """
        for note in new:
            self._notes.append(note)
            self._unheard.append(note)
        left.silences = tuple(telling.in_force(self._notes, at_ms))
        for key, watched in list(left.watched.items()):
            memory = left.alert(key)
            if memory.state not in LIVE:
                continue
            found: list[Transition] = []
            for note in self._unheard:
                memory, said = alert_course.acknowledged(memory, watched, note)
                found += said
            memory, said = alert_course.silenced(memory, watched, left.silences, at_ms)
            if found := [*found, *said]:
                yield tuple(found)
        self._unheard.clear()  # only now: whoever could not write hears them again


def ends(left: Left, gone: Callable[[Watched], str], at_ms: int) -> Iterator[tuple[Transition, ...]]:
    """Ends of alerts that go on, and of which nothing more will be heard.

    gone: why nobody asks any more about what an alert is about; empty where somebody does. at_ms: now.
    """
    for key, watched in list(left.watched.items()):
        memory = left.alert(key)
        if memory.state in LIVE and (reason := gone(watched)):
            yield alert_course.ended(memory, watched, at_ms, reason, left.silences)[1]
