"""What a panel's question is answered with: a state and a sentence, out of a monitor's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from weir.core.reference import About
from weir.core.signature import Task
from weir.monitor.spec import Monitor, Row


class State(StrEnum):
    """How it stands, the best first; UNKNOWN where nothing can be said, or nothing is held to a bound."""

    OK = "ok"
    LOOK = "look"
    ALARM = "alarm"
    UNKNOWN = "unknown"

    @property
    def glyph(self) -> str:
        """A shape for each, so that none is told by its colour alone."""
        return GLYPHS[self]

    @property
    def word(self) -> str:
        """For whoever does not see the shape."""
        return WORDS[self]


GLYPHS: Final = {State.OK: "✓", State.LOOK: "▲", State.ALARM: "◆", State.UNKNOWN: "–"}
WORDS: Final = {State.OK: "in order", State.LOOK: "look", State.ALARM: "alarm", State.UNKNOWN: "unknown"}
WORST: Final = (State.ALARM, State.LOOK, State.OK, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. sentence: one or two sentences in plain words, the first of which answers the question."""

    state: State
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a sentence needs beside rows: whose they are, and of when.

    begin, end: what was asked about, UTC; step_s: of a window. complete_to: up to when the ledger says that windows are
    complete; None where nobody knows, and then each is taken as complete. task: None where no bundle is known.
    currency: of amounts. inputs: what is known of some of the model's inputs, by name.
    """

    monitor: Monitor
    service: str
    task: Task | None = None
    begin: datetime
    end: datetime
    step_s: int
    complete_to: datetime | None = None
    currency: str = "USD"
    inputs: Mapping[str, About] = field(default_factory=dict)

    @property
    def weights(self) -> Mapping[str, float]:
        """How important inputs are to the model, of those that somebody has measured."""
        return {name: about.importance for name, about in self.inputs.items() if about.importance is not None}

    def cycle(self, subject: str) -> str:
        """What an input moves with by nature; empty for nothing."""
        return self.inputs[subject].cycle if subject in self.inputs else ""

    def is_complete(self, row: Row) -> bool:
        """Whether nothing of a row's window is still on its way."""
        return self.complete_to is None or row.begin + timedelta(seconds=self.step_s) <= self.complete_to

    def is_mature(self, row: Row) -> bool:
        """Whether enough of a row's outcomes are known; of a monitor that needs none always."""
        known = row.details.get("maturity")
        return not self.monitor.maturity or known is None or float(known) >= self.monitor.maturity

    def counts(self, row: Row) -> bool:
        """Whether a row says something: it has a value of enough rows, and its window is complete and mature."""
        enough = row.value is not None and row.n >= self.monitor.minimum
        return enough and self.is_complete(row) and self.is_mature(row)


Saying = Callable[[Sequence[Row], Scene], Verdict]


def worst(states: Sequence[State]) -> State:
    """Of several the one to look at first; UNKNOWN of none."""
    return next((state for state in WORST if state in states), State.UNKNOWN)
