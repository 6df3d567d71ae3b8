"""Changes of alerts about the time before their monitor was first asked: of what was over by then nobody is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from weir.monitor.alert import AlertState, Transition
from weir.monitor.left import Left, Work


@dataclass(slots=True)
class Past:
    """Those of one round, by alert. They are written like all others; told is what is still so when a service is done.

    A worker that is killed amid a monitor's first round tells nobody of what it held back: `weir alerts list` has it.
    """

    _held: dict[str, list[Transition]] = field(default_factory=dict)

    def now(self, changes: Iterable[Transition], left: Left) -> list[Transition]:
        """Of changes that windows caused, in order, those to tell at once; the others are held back."""
        told = []
        for change in changes:
            about = change.watched
            work = Work(about.service, about.monitor, (change.end_ms - change.begin_ms) // 1000)
            if about.key in self._held or change.end_ms < left.begun.get(work, 0):
                self._held.setdefault(about.key, []).append(change)
            else:
                told.append(change)
        return told

    def still(self, left: Left, service: str | None = None) -> list[Transition]:
        """Of what was held back, what people are to hear: what fires still, and the end of what fired before.

        service: that is done; None: all are. Nobody waits for other services: one that fails may do so for hours.
        """
        of = [key for key, changes in self._held.items() if service in (None, changes[0].watched.service)]
        held = {key: self._held.pop(key) for key in of}
        heard = [_heard(changes) for key, changes in held.items() if left.numbers.get(key) == changes[-1].number]
        return [change for change in heard if change is not None]


def _heard(changes: list[Transition]) -> Transition | None:
    """Of one alert's changes, in order."""
    if changes[-1].to_state is AlertState.FIRING:
        return changes[-1]
    if changes[0].from_state is not AlertState.FIRING:
        return None
    return next(change for change in changes if change.to_state is AlertState.RESOLVED)
