"""A learner as a state machine: events in, answers out, and a stop where a guard says so.

Outcomes are judged in windows of so many, counted from the first one. Whole windows without a fault are good: after
each the state is kept, and a fault goes back to the last one that was. Cutting the events otherwise changes no bit.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.learn import baselines, guards, tenants
from weir.learn.baselines import Seen
from weir.learn.guards import Fault, Usual
from weir.learn.learner import Limits, Subject
from weir.learn.model import Broke, Flags, Floats, Model
from weir.learn.tenants import Gaps

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Events:
    """What happened, in its order: a request was served, or its outcome became known.

    at_ms: int64[n], ascending; at one time requests come before outcomes. learns: bool[n], an outcome. ids: text[n], of
    the predictions. x: float64[n, k], the features as they were served, NaN: missing. y: float64[n], what came true,
    whichever of the two it is. champion: float64[n, m], what was answered. tenants: text[n], whose request it was.
    """

    at_ms: Whole
    learns: Flags
    ids: pa.Array
    x: Floats
    y: Floats
    champion: Floats
    tenants: pa.Array

    def cut(self, begin: int, end: int) -> Events:
        """Those from begin until before end."""
        some = slice(begin, end)
        ids, tenants = (each.slice(begin, end - begin) for each in (self.ids, self.tenants))
        return Events(
            self.at_ms[some], self.learns[some], ids, self.x[some], self.y[some], self.champion[some], tenants
        )

    def position(self, row: int) -> Position:
        """The place of an event."""
        return Position(int(self.at_ms[row]), bool(self.learns[row]), self.ids[row].as_py())


@dataclass(frozen=True, slots=True)
class Position:
    """The place of an event among all of a service; before the first one where at_ms is -1."""

    at_ms: int = -1
    learned: bool = False
    prediction_id: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a learner learns no more. at: the event at which it was seen. outcomes: learned and kept."""

    guard: str
    what: str
    evidence: Mapping[str, float | str]
    at: Position
    outcomes: int


@dataclass(frozen=True, slots=True)
class Good:
    """A state after a whole window.

    kept: the model's, see Model. outcomes: learned. position: of the last event. gaps: of each tenant, see tenants.
    """

    kept: Any
    usual: Usual
    seen: Seen
    outcomes: int = 0
    position: Position = Position()
    stop: Stop | None = None
    gaps: Gaps = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said of the requests among some events, float64[n, m] each; NaN without an opinion.

    learner: NaN at outcomes, too. known: int64[n], outcomes that were known after each event.
    """

    learner: Floats
    no_change: Floats
    last: Floats
    known: Whole


class Run:
    """A learner at work. good: its last good state, which a snapshot is of."""

    def __init__(self, model: Model, subject: Subject, limits: Limits, good: Good | None = None) -> None:
        """good: a state to go on from; the events after its position are to come."""
        self._model, self._subject, self._limits = model, subject, limits
        if good is None:
            good = Good(model.keep(), Usual.nothing(subject), Seen.nothing(subject))
        else:
            model.restore(good.kept)
        self.good = good
        self._seen = good.seen
        self.stop = good.stop
        self._window: list[tuple[Floats, Floats, Whole, Floats, Floats]] = []
        self._tenants: list[pa.Array] = []
        self._room = limits.window

    @property
    def room(self) -> int:
        """Outcomes until the window is full; of a learner that has stopped any number fits."""
        return sys.maxsize if self.stop else self._room

    @property
    def waiting(self) -> int:
        """Outcomes of the window that is not full: learned, and not yet good."""
        return 0 if self.stop else self._limits.window - self._room

    @property
    def seen(self) -> Seen:
        """All outcomes that are known, for the baselines."""
        return self._seen

    def freeze(self, guard: str, what: str, evidence: Mapping[str, float | str]) -> None:
        """Stop it at its last good state."""
        self._stop(Fault(guard, what, evidence), self.good.position)

    def resume(self) -> None:
        """Go on from the last good state, with a window that is empty."""
        self.stop, self._room, self._seen = None, self._limits.window, self.good.seen
        self.good = replace(self.good, stop=None)

    def take(self, events: Events) -> Answers:
        """Go over events that come next. Raises Broke where a model that has stopped cannot answer any more."""
        n, m = len(events.at_ms), self._subject.width
        out, begin = np.full((n, m), np.nan), 0
        told = baselines.told(self._seen, events.y, events.learns, self._subject)
        outcomes = np.flatnonzero(events.learns)
        while begin < n:
            end = n if self.stop else self._end(outcomes, begin, n)
            some = events.cut(begin, end)
            done = self._stopped(some, out[begin:end]) if self.stop else self._learn(some, out[begin:end])
            begin += done
            if not self.stop and not self._room:
                self._judge(events.position(begin - 1), told.after(begin - 1))
        if n:
            self._seen = told.after(n - 1)
        return Answers(out, told.no_change, told.last, told.counts)

    def _end(self, outcomes: npt.NDArray[np.intp], begin: int, n: int) -> int:
        """Behind the outcome that fills the window; else behind the last event. outcomes: the rows that are some."""
        last = int(np.searchsorted(outcomes, begin)) + self._room - 1
        return int(outcomes[last]) + 1 if last < len(outcomes) else n

    def _learn(self, events: Events, out: Floats) -> int:
        """Learn and answer; how many events are done, which is fewer than all where a row is at fault."""
        places = np.flatnonzero(events.learns)
        x, y = events.x[places], events.y[places]
        fault = guards.row_fault(x, y, self.good.usual, self._limits, self._subject.columns)
        done = len(events.at_ms) if fault is None or fault.row is None else int(places[fault.row])
        try:
            self._model.run(events.x[:done], events.y[:done], events.learns[:done], out[:done])
        except Broke as error:
            done = error.row
            fault = Fault("model", f"the model raises {error}", {"error": str(error)})
        if fault is not None:
            self._stop(fault, events.position(done))
            return done
        self._window.append((x, y, events.at_ms[places], out, events.champion[places]))
        self._tenants.append(events.tenants.take(pa.array(places)))
        self._room -= len(places)
        return done

    def _judge(self, here: Position, seen: Seen) -> None:
        """Look at a window that is full: it is good, or the learner stops. here: its last event, seen: after it."""
        x, y, times_ms, answers, champion = (np.concatenate(each) for each in zip(*self._window, strict=True))
        good, limits, subject = self.good, self._limits, self._subject
        apart = tenants.compared(pa.concat_arrays(self._tenants), champion, y, good.usual, subject)
        fault = guards.window_fault(x, y, times_ms, good.usual, limits, subject)
        fault = fault or tenants.tenant_fault(apart, good.gaps, limits, subject)
        after = good.usual.after(x, y)
        fault = fault or guards.state_fault(self._model.weights(), answers, after, limits, x.shape[1])
        self._window, self._tenants, self._room = [], [], limits.window
        if fault is not None:
            self._stop(fault, here)
            return
        gaps = tenants.after(good.gaps, apart)
        self.good = Good(self._model.keep(), after, seen, good.outcomes + len(y), here, gaps=gaps)

    def _stop(self, fault: Fault, at: Position) -> None:
        self._window, self._tenants = [], []
        self._model.restore(self.good.kept)
        self.stop = Stop(fault.guard, fault.what, fault.evidence, at, self.good.outcomes)
        self.good = replace(self.good, stop=self.stop)

    def _stopped(self, events: Events, out: Floats) -> int:
        """Answer with what was good."""
        places = np.flatnonzero(~events.learns)
        answers = np.full((len(places), out.shape[1]), np.nan)
        none = np.zeros(len(places), bool)
        self._model.run(events.x[places], events.y[places], none, answers)
        out[places] = answers
        return len(events.at_ms)
