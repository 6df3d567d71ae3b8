"""What people say of alerts, and what is known of them beside windows, as changes of the alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from weir.monitor import alert_course, telling
from weir.monitor.alert import AlertState, Note, Transition, Watched
from weir.monitor.left import Left

LASTS_S: Final = 60.0  # what is gone for less may be being written: editors and git put files aside for a moment
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


@dataclass(slots=True)
class Ends:
    """Ends of alerts that go on, and of which nothing more will be heard."""

    _since_s: dict[str, float] = field(default_factory=dict)  # by key

    def found(
        self, left: Left, gone: Callable[[Watched], str], at_ms: int, now_s: float
    ) -> Iterator[tuple[Transition, ...]]:
        """Those of which that has been so for LASTS_S.

        gone: why nobody asks any more about what an alert is about; empty where somebody does. at_ms: now. now_s:
        monotonic.
        """
        before, self._since_s = self._since_s, {}
        for key, watched in list(left.watched.items()):
            memory = left.alert(key)
            if memory.state not in LIVE or not (reason := gone(watched)):
                continue
            self._since_s[key] = before.get(key, now_s)
            if now_s - self._since_s[key] >= LASTS_S:
                yield alert_course.ended(memory, watched, at_ms, reason, left.silences)[1]
