"""A learner that lives: outcomes in the order of their log in, states and figures out. A function of that log alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weir.learn.evidence import LAST, NO_CHANGE, Evidence, Seen
from weir.learn.history import History, State
from weir.learn.learner import CHAMPION, LEARNER, Limits, Subject
from weir.learn.model import Broke, Floats, Model
from weir.learn.run import Events, Good, Run
from weir.learn.tally import Tally

OPERATOR: Final = "operator"  # the guard that a person is
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """n outcomes that are known, with the requests that they are of, in the order in which they are learned.

    number: of the first among all of the service's in the log. ids: text[n], of the predictions. at_ms: int64[n],
    ascending, when the outcome came. answered_ms: int64[n], when the request was answered. x: float64[n, k], the
    features as they were served. y: float64[n], what came true. champion: float64[n, m], what was answered.
    tenants: text[n], whose requests they were. pairs: text[n], who answered, and who it is judged beside, see
    pairs. reference: float64[n, m], what the latter said; NaN where nobody knows.
    """

    number: int
    ids: pa.Array
    at_ms: Whole
    answered_ms: Whole
    x: Floats
    y: Floats
    champion: Floats
    tenants: pa.Array
    pairs: npt.NDArray[np.str_]
    reference: Floats

    def cut(self, begin: int, end: int) -> Labelled:
        """Those from begin until before end."""
        some = slice(begin, end)
        return Labelled(
            self.number + begin,
            self.ids.slice(begin, end - begin),
            self.at_ms[some],
            self.answered_ms[some],
            self.x[some],
            self.y[some],
            self.champion[some],
            self.tenants.slice(begin, end - begin),
            self.pairs[some],
            self.reference[some],
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the log something stands: an offset, and the number of the next outcome of the service."""

    offset: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """All that a learner goes on from: a good state, and what went with it there. next: what is to be learned next.

    blind: requests in no figure, since they were answered before the first state, or their score is no number.
    left: outcomes that came while it was stopped. published_ms: when its last state began. evidence: as Evidence keeps
    it; None of a learner that has none.
    """

    good: Good
    next: Place = Place()
    history: History = field(default_factory=History)
    tally: Tally = field(default_factory=Tally)
    blind: int = 0
    left: int = 0
    published_ms: int = 0
    evidence: Mapping[str, Any] | None = None


class Live:
    """The learner. `held` is what a restart goes on from; the same log behind it gives the same bits, however cut.

    model: a new one, twice: to learn with, and to say what earlier states would have said. every_ms: of the log's time,
    between two states that requests may be answered by.
    """

    def __init__(
        self,
        model: Callable[[], Model],
        subject: Subject,
        limits: Limits,
        every_ms: int,
        held: Held | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        """held: a state to go on from. evidence: what is found; at that state, too."""
        self._subject, self._limits, self._every_ms = subject, limits, every_ms
        self._model, self._scratch = model(), model()
        self._run = Run(self._model, subject, limits, None if held is None else held.good)
        self.held = Held(self._run.good) if held is None else held
        self._now = self.held
        self.evidence = evidence
        self.upon: Callable[[Held], None] = lambda _held: None  # hears of each state that a restart goes on from

    @property
    def now(self) -> Held:
        """As `held`, with what it has learned since; good is the same, until the window is whole."""
        return self._now

    @property
    def learned(self) -> int:
        """Outcomes that it has learned, those of the window that is not whole included."""
        return self._run.good.outcomes + self._run.waiting

    @property
    def answering(self) -> Any:
        """What it answers with, as the model keeps it: with all that it has learned, or its last good state."""
        return self._run.good.kept if self._run.stop else self._model.keep()

    def take(self, rows: Labelled, offset: int, at_ms: int) -> None:
        """Learn what stands at an offset of the log, written then; what was learned before is passed over.

        Raises Broke where a model that has stopped cannot answer any more.
        """
        if offset < self._now.next.offset:
            return
        n, done = len(rows.y), max(self._now.next.number - rows.number, 0)
        while done < n:
            end = min(n, done + self._run.room)
            self._step(rows.cut(done, end), offset)
            done = end
        self._publish(at_ms)

    def freeze(self, why: str, by: str, offset: int, at_ms: int) -> None:
        """Stop it at its last good state, since somebody says so."""
        if offset >= self._now.next.offset and self._run.stop is None:
            self._run.freeze(OPERATOR, why, {"by": by})
            self._hold(offset, at_ms)

    def resume(self, offset: int, at_ms: int) -> None:
        """Let a stopped one go on from its last good state; what came meanwhile it never learns."""
        if offset >= self._now.next.offset and self._run.stop is not None:
            self._run.resume()
            self._hold(offset, at_ms)

    def _step(self, rows: Labelled, offset: int) -> None:
        """Learn what fits into the window."""
        now, good, n = self._now, self._run.good, len(rows.y)
        tally, blind = self._judged(now, rows)
        left = now.left + (n if self._run.stop else 0)
        events = Events(rows.at_ms, np.ones(n, bool), rows.ids, rows.x, rows.y, rows.champion, rows.tenants)
        self._run.take(events)
        place = Place(offset, rows.number + n)
        self._now = replace(now, tally=tally, blind=blind, left=left, next=place, good=self._run.good)
        if self._run.stop or self._run.good is not good:
            self._keep()

    def _hold(self, offset: int, at_ms: int) -> None:
        self._now = replace(self._now, good=self._run.good, next=Place(offset + 1, self._now.next.number))
        self._publish(at_ms)
        self._keep()

    def _keep(self) -> None:
        """A restart goes on from here."""
        if self.evidence is not None:
            self._now = replace(self._now, evidence=self.evidence.kept())
        self.held = self._now
        self.upon(self.held)

    def _publish(self, at_ms: int) -> None:
        """Where it is time, remember what requests are answered by from now on; of one that has stopped, once."""
        now, run = self._now, self._run
        if run.stop is None and at_ms - now.published_ms >= self._every_ms:
            state = State(at_ms, self._model.keep(), run.seen)
        elif run.stop and now.history.states and now.history.states[-1].seen.count != run.good.seen.count:
            state = State(at_ms, run.good.kept, run.good.seen)
        else:
            return
        self._now = replace(now, history=now.history.with_one(state), published_ms=at_ms)

    def _judged(self, now: Held, rows: Labelled) -> tuple[Tally, int]:
        """Figures with these requests, and how many are in none."""
        counted = np.flatnonzero(np.isfinite(rows.reference).all(1))
        try:
            known, said = now.history.answers(self._scratch, rows.x[counted], rows.answered_ms[counted], self._subject)
        except Broke:
            return now.tally, now.blind + len(rows.y)
        mine = counted[known]
        parts = {LEARNER: said[0], CHAMPION: rows.reference[mine], NO_CHANGE: said[1], LAST: said[2]}
        if self.evidence is not None:
            at_ms, answered_ms = rows.at_ms[counted], rows.answered_ms[counted]
            before = now.history.known(rows.answered_ms[mine])
            pairs, reference = rows.pairs[counted], rows.reference[counted]
            seen = Seen(at_ms, answered_ms, rows.y[counted], reference, known, before, parts, pairs)
            self.evidence.take(seen, stopped=self._run.stop is not None)
        return now.tally.with_more(self._subject, parts, rows.y[mine]), now.blind + len(rows.y) - len(mine)
