"""What a learner that lives finds, out of the log that it learns from: closed days, drift, and what follows from them.

The same comparison, detectors and rule as a replay has. Days are those on which requests were answered; an outcome that
comes when its day is closed already is in none. The area under the curve and values of decisions are in replays alone.
When another bundle answers, or another one stands beside, the days begin anew: what the one before was is no evidence
of this one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weir.core.signature import Task
from weir.learn import pairs, retraining
from weir.learn.comparison import HOUR_MS, closing_of, compared
from weir.learn.days import ABSOLUTE, ACCURACY, BRIER, DAY_MS, LOG_LOSS, SQUARED, Day, Part
from weir.learn.drift import Drift
from weir.learn.learner import CHAMPION, Learner, Subject
from weir.learn.model import Floats
from weir.learn.proposals import drifted, incident, promotion, way_back
from weir.learn.tally import Tally
from weir.learn.watch import Watch
from weir.monitor.action import RETRAIN, Action

NO_CHANGE, LAST = "no change", "last"
DAYS: Final = 400  # closed ones, the newest: they go into every snapshot
KEPT: Final = 64  # drifts
FIGURES: Final = {LOG_LOSS: "log_loss", BRIER: "brier", ACCURACY: "accuracy"}  # of a day -> of a tally
NUMBERS: Final = {SQUARED: "rmse", ABSOLUTE: "mae"}
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """n outcomes that came, in their order, and what had been said of their requests.

    at_ms, answered_ms: int64[n]. y: float64[n]. champion: float64[n, m]. rows: int64[r], those whose request was
    answered when the learner had a state. known: int64[r], outcomes in that state. said: by who answers, float64[r, m].
    pairs: text[n], see pairs.
    """

    at_ms: Whole
    answered_ms: Whole
    y: Floats
    champion: Floats
    rows: Whole
    known: Whole
    said: Mapping[str, Floats]
    pairs: npt.NDArray[np.str_]


@dataclass(slots=True)
class _Open:
    """A day whose outcomes still come. known: outcomes in the state that answered its first request."""

    known: int
    tally: Tally = field(default_factory=Tally)


class Evidence:
    """All of it, a function of the log.

    news: what was found since somebody took it, in its order. proposal: to promote the learner, or to take it back, as
    long as that stands.
    """

    def __init__(self, subject: Subject, learner: Learner, said: Mapping[str, Any] | None = None) -> None:
        """said: what `kept` gave, through JSON; begun anew where the learner's terms were others."""
        self._subject, self._learner = subject, learner
        self._wait_ms = int(learner.compare.wait_h * HOUR_MS)
        self._watch = Watch(subject.task, learner.drift)
        self._open: dict[int, _Open] = {}
        self._closed: tuple[Day, ...] = ()
        self._from = -1  # days before it are closed
        self._late, self._asked_ms = 0, 0
        self._drifts: tuple[Drift, ...] = ()
        self._compared: dict[str, Any] | None = None
        self._heard = (0, 0, 0)  # drifts, incidents that began, and that are over: those that are no news any more
        self._pair, self._newest_ms = "", -1  # of requests that count, and when the newest of them was answered
        self.proposal: Action | None = None
        self.news: list[Action] = []
        if said is not None and said["terms"] == self._terms():
            self._restore(said)

    # ---- what goes into a snapshot

    def kept(self) -> dict[str, Any]:
        """What it goes on from, for JSON."""
        return {
            "terms": self._terms(),
            "watch": self._watch.kept(),
            "open": {str(day): [of.known, of.tally.n, of.tally.sums] for day, of in sorted(self._open.items())},
            "closed": [_row(day) for day in self._closed],
            "numbers": [self._from, self._late, self._asked_ms],
            "drifts": [asdict(one) for one in self._drifts],
            "compared": self._compared,
            "pair": [self._pair, self._newest_ms],
            "proposal": None if self.proposal is None else self.proposal.row(),
        }

    def _restore(self, said: Mapping[str, Any]) -> None:
        self._watch.restore(said["watch"])
        self._open = {int(day): _Open(known, Tally(n, sums)) for day, (known, n, sums) in said["open"].items()}
        self._closed = tuple(_day(row) for row in said["closed"])
        self._from, self._late, self._asked_ms = said["numbers"]
        self._drifts = tuple(Drift(**one) for one in said["drifts"])
        self._compared = said["compared"]
        self._pair, self._newest_ms = said.get("pair", ("", -1))
        proposal = said.get("proposal")
        self.proposal = None if proposal is None else Action.of(proposal)

    def _terms(self) -> dict[str, Any]:
        """What days and drifts depend on."""
        return {"wait_ms": self._wait_ms, "drift": asdict(self._learner.drift)}

    def told(self) -> dict[str, Any]:
        """The comparison as of the last day that was closed, and what drifts now: for JSON."""
        now = self._watch.alarms.incidents[-1:]
        return {
            "compared": self._compared,
            "late": self._late,
            "drifts": [{"name": one.name, **asdict(one)} for one in self._drifts],
            "incident": next(({"name": one.name, **asdict(one)} for one in now if one.end_ms is None), None),
        }

    # ---- what comes

    def take(self, seen: Seen, *, stopped: bool) -> None:
        """Outcomes more. stopped: a guard has stopped the learner."""
        first = (seen.at_ms - self._wait_ms) // DAY_MS
        changes = (np.diff(first) != 0) | (seen.pairs[1:] != seen.pairs[:-1])
        ends = [0, *(np.flatnonzero(changes) + 1).tolist(), len(first)]
        for begin, end in pairwise(ends):
            if begin < end:
                self._close(int(first[begin]), stopped=stopped)
                same = pairs.beside(str(seen.pairs[begin])) == pairs.beside(self._pair)
                counts = self._counts(seen, begin, end)
                self._look(seen, begin if same else counts, end)
                self._add(seen, counts, end)

    def _counts(self, seen: Seen, begin: int, end: int) -> int:
        """The first of some outcomes of one pair that counts; end where none does.

        Of the pair that answered last all do. One that answers later than it takes its place; one that comes late, of
        a pair from before, is in no day.
        """
        pair, answered_ms = str(seen.pairs[begin]), seen.answered_ms[begin:end]
        first = begin
        if pair != self._pair:
            later = np.flatnonzero(answered_ms > self._newest_ms)
            first = begin + int(later[0]) if len(later) else end
            places = np.searchsorted(seen.rows, (begin, first))
            self._late += int(places[1] - places[0])
            if first == end:
                return end
            self._begin_anew(pair, int(seen.at_ms[first]))
        self._newest_ms = max(self._newest_ms, int(seen.answered_ms[first:end].max()))
        return first

    def _begin_anew(self, pair: str, at_ms: int) -> None:
        """From here on another pair counts. Of whoever stands beside as before, the watch goes on."""
        before, self._pair = self._pair, pair
        if not before:  # the log did not say
            return
        self._open, self._closed, self._compared, self.proposal = {}, (), None, None
        if pairs.beside(before) == pairs.beside(pair):
            return
        who = {"service": self._learner.service, "learner": self._learner.name}
        lasts = [one for one in self._watch.alarms.incidents if one.end_ms is None]
        why = f"{pairs.beside(before)} is champion no more, {pairs.beside(pair)} is"
        self.news += [incident(replace(one, end_ms=max(at_ms, one.begin_ms)), **who, why=why) for one in lasts]
        self._watch, self._heard, self._drifts = Watch(self._subject.task, self._learner.drift), (0, 0, 0), ()

    def _look(self, seen: Seen, begin: int, end: int) -> None:
        """Watch over the champion."""
        some = slice(begin, end)
        self._watch.take(seen.at_ms[some], seen.champion[some], seen.y[some])
        self.news += self._alarms()

    def _add(self, seen: Seen, begin: int, end: int) -> None:
        """Outcomes between two closings, to the days of their requests."""
        places = np.arange(*np.searchsorted(seen.rows, (begin, end)))
        days = seen.answered_ms[seen.rows[places]] // DAY_MS
        self._late += int(np.count_nonzero(days < self._from))
        for day in np.unique(days[days >= self._from]).tolist():
            mine = places[days == day]
            known = int(seen.known[mine].min())
            of = self._open.get(day) or _Open(known)
            answers = {who: each[mine] for who, each in seen.said.items()}
            tally = of.tally.with_more(self._subject, answers, seen.y[seen.rows[mine]])
            self._open[day] = _Open(min(of.known, known), tally)

    def _alarms(self) -> Iterator[Action]:
        """What the detectors have found that is news."""
        found, heard = self._watch.alarms, self._heard
        self._drifts = (*self._drifts, *found.drifts[heard[0] :])[-KEPT:]
        who = {"service": self._learner.service, "learner": self._learner.name}
        yield from (drifted(one, **who) for one in found.drifts[heard[0] :])
        yield from (incident(one, **who) for one in found.opened[heard[1] :])
        yield from (incident(one, **who) for one in found.over[heard[2] :])
        self._heard = len(found.drifts), len(found.opened), len(found.over)

    # ---- closed days

    def _close(self, first: int, *, stopped: bool) -> None:
        """Days before this one are closed: what do they say?"""
        if first <= self._from:
            return
        self._from, done = first, sorted(day for day in self._open if day < first)
        if not done:
            return
        new = [_closed(day, self._open.pop(day), self._subject.task) for day in done]
        self._closed = (*self._closed, *new)[-DAYS:]
        learner, until_ms = self._learner, closing_of(new[-1].begin_ms, self._learner.compare)
        of = compared(
            self._closed,
            learner.compare,
            until_ms=until_ms,
            stopped=stopped,
            champion=CHAMPION,
            baselines=(NO_CHANGE, LAST),
        )
        self._compared = _finite(asdict(of))
        proposes = way_back if pairs.answers(self._pair) else promotion
        who = {"learner": learner.name, "service": learner.service}
        self.proposal = proposes(of, **who, at_ms=until_ms, pair=self._pair)
        self.news += [self.proposal] if self.proposal else []
        self.news += self._retraining(closing_of(new[0].begin_ms, learner.compare), until_ms)

    def _retraining(self, since_ms: int, until_ms: int) -> Iterator[Action]:
        """What is asked for by the days that were closed in [since_ms, until_ms]."""
        learner = self._learner
        found = retraining.requests(
            self._closed, self._drifts, learner.retrain, learner.compare, who=CHAMPION, until_ms=until_ms
        )
        for one in found:
            rested = not self._asked_ms or one.at_ms - self._asked_ms >= learner.retrain.rest_days * DAY_MS
            if one.at_ms >= since_ms and rested:
                self._asked_ms = one.at_ms
                yield retraining.action(one, service=learner.service, learner=learner.name)


def _finite(said: dict[str, Any]) -> dict[str, Any]:
    """With None in the place of NaN, which JSON does not have."""
    figures = [
        {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in one.items()}
        for one in said["figures"]
    ]
    return {**said, "figures": figures}


def _closed(day: int, of: _Open, task: Task) -> Day:
    names = NUMBERS if task is Task.REGRESSION else FIGURES
    parts = {
        name: Part(float(of.tally.n), {who: sums[own] for who, sums in of.tally.sums.items()})
        for name, own in names.items()
    }
    return Day(day * DAY_MS, of.tally.n, of.known, parts)


def _row(day: Day) -> list[Any]:
    return [day.begin_ms, day.requests, day.known, {name: part.sums for name, part in day.figures.items()}]


def _day(row: Sequence[Any]) -> Day:
    begin_ms, requests, known, figures = row
    return Day(begin_ms, requests, known, {name: Part(float(requests), sums) for name, sums in figures.items()})


def asked_from(action: Action, log: str, offset: int) -> Action:
    """The request for training with where the log of labelled outcomes stood; any other action as it is."""
    if action.kind != RETRAIN:
        return action
    return replace(action, parameters={**action.parameters, "labelled_log": log, "labelled_offset": offset})
