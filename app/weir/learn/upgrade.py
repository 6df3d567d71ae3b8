"""Another River: its learner learns the log anew, and is compared with what the one before had come to.

A state is not gone on from by code that may mean something else by it. Where both stand at the same outcome, both say
what they would have said of the same requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from weir.core.signature import Task
from weir.learn.learner import Subject
from weir.learn.live import Held, Labelled
from weir.learn.model import Broke, Floats, Model
from weir.learn.tally import Tally

ROWS: Final = 10_000  # requests that are compared at least, where there are so many
APART: Final = 1e-9  # of what is said, beside 1 or its own size: less is rounding
KEPT: Final = 16  # reports
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One change of River. before, after: versions. outcome: number of the next one of the service, where both stand.

    begin: number of the first that was learned anew, 0 where the log has all of them. rows: requests on which both are
    compared; differing: share of these of which they say another thing; largest: how far apart at most. figure: log
    loss, or MAE of numbers; loss: that of both, by "before" and "after". why: why there is no comparison, or "".
    """

    before: str
    after: str
    begin: int
    outcome: int
    rows: int = 0
    differing: float = 0.0
    largest: float = 0.0
    figure: str = ""
    loss: Mapping[str, float] | None = None
    why: str = ""

    def said(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Upgrade:
    """Waits until the new learner stands where the old one stood. report: what came of it, once it does."""

    def __init__(self, before: Held, versions: tuple[str, str], subject: Subject, model: Callable[[], Model]) -> None:
        """before: the state that is not gone on from. versions: its River, and the one that runs. model: a new one."""
        self._before, self._versions, self._subject, self._model = before, versions, subject, model
        self._rows: deque[Labelled] = deque()
        self._count, self._begin = 0, -1
        self.report: Report | None = None

    def see(self, rows: Labelled) -> None:
        """Outcomes that the new learner is about to learn."""
        place = self._before.next
        if self.report is not None or rows.number >= place.number:
            return
        self._begin = rows.number if self._begin < 0 else self._begin
        rows = rows.cut(0, min(len(rows.y), place.number - rows.number))
        self._rows.append(rows)
        self._count += len(rows.y)
        while self._count - len(self._rows[0].y) >= ROWS:
            self._count -= len(self._rows.popleft().y)

    def stands(self, held: Held) -> None:
        """A state of the new learner."""
        if self.report is None and held.next.number >= self._before.next.number:
            self.report = self._compared(held)
            self._rows.clear()

    def report_at(self, held: Held) -> Report:
        """The report, where the log is read to its end and the new learner stands so."""
        return self.report or self._compared(held)

    def _compared(self, held: Held) -> Report:
        before, after = self._versions
        said: dict[str, Any] = {"before": before, "after": after}
        said |= {"begin": max(self._begin, 0), "outcome": held.next.number}
        if not self._count:
            return Report(**said, why="the log has no outcome that the state before had learned")
        try:
            answers = {who: self._answers(of) for who, of in ((BEFORE, self._before), (AFTER, held))}
        except (Broke, ValueError) as error:  # what another River makes of an old state
            return Report(**said, why=f"the state before says nothing under River {after}: {error}")
        there = np.isin(answers[BEFORE][0], answers[AFTER][0]), np.isin(answers[AFTER][0], answers[BEFORE][0])
        rows = answers[BEFORE][0][there[0]]
        old, new = answers[BEFORE][1][there[0]], answers[AFTER][1][there[1]]
        if not len(rows):
            return Report(**said, why="no request was answered when both had a state")
        off = _apart(old, new)
        y = np.concatenate([one.y for one in self._rows])[rows]
        figures = Tally().with_more(self._subject, {BEFORE: old, AFTER: new}, y).told()
        name = "mae" if self._subject.task is Task.REGRESSION else "log_loss"
        return Report(
            **said,
            rows=len(rows),
            differing=float(np.mean(off > APART)),
            largest=float(np.max(np.where(np.isfinite(off), off, 0))),
            figure=name,
            loss={who: of[name] for who, of in figures.items()},
        )

    def _answers(self, held: Held) -> tuple[Any, Floats]:
        """What it would have said of the rows when they were answered: those that it had a state for.

        Where it had one for none, as of outcomes that were loaded later: what the state itself says of all.
        """
        x = np.concatenate([one.x for one in self._rows])
        answered_ms = np.concatenate([one.answered_ms for one in self._rows])
        model = self._model()
        rows, said = held.history.answers(model, x, answered_ms, self._subject)
        if len(rows):
            return rows, said[0]
        out = np.full((len(x), self._subject.width), np.nan)
        model.restore(held.good.kept)
        model.run(x, np.zeros(len(x)), np.zeros(len(x), bool), out)
        return np.arange(len(x)), out


def _apart(one: Floats, other: Floats) -> Floats:
    """How far answers are apart, float64[n], in units of 1 or of their own size; infinite where one alone has none."""
    none = np.isnan(one) & np.isnan(other)
    size = np.maximum(1, np.maximum(np.abs(one), np.abs(other)))
    off = np.where(none, 0, np.abs(one - other) / size)
    return np.asarray(np.where(np.isnan(off), np.inf, off).max(1))
