"""What monitors have found so far, as far as going on needs it: folded out of measurements and alerts, in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from weir.core.chunk import LogPartition
from weir.core.standing import Cover
from weir.monitor.action import Action
from weir.monitor.alert import AlertState, Note, Transition, Watched
from weir.monitor.alert_course import Memory
from weir.monitor.due import Done
from weir.monitor.measurement import SILENT, Covered, Key, Measurement, State

NOTHING: Final = Memory()
TRANSITIONS: Final = (
    "transitions"  # of a measurement's memory: the changes of its alert that it caused, as they are written
)
ACTIONS: Final = "actions"  # the same of the actions that it called for


class Work(NamedTuple):
    """One monitor of one service, in windows of some seconds."""

    service: str
    monitor: str
    step_s: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a figure's detector remembers. begin: of the newest window that said something; before, after: of it."""

    begin: datetime
    revision: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(slots=True)
class Left:
    """Everything that a worker goes on from.

    outcomes: topic of outcomes, whose offsets stand among what a window covers. windows: by begin. numbers: of the
    latest change of each alert that is written, by its key; states: what alerts remember; watched: what they are about.
    begun: when the first figure of those windows was computed, milliseconds since 1970.
    proposed: ids of actions that are written. silences: notes in force. last: window of the measurement that was
    written last, which may be cut short.
    """

    outcomes: str
    memories: dict[Key, Remembered] = field(default_factory=dict)
    windows: dict[Work, dict[datetime, Done]] = field(default_factory=dict)
    begun: dict[Work, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    states: dict[str, Memory] = field(default_factory=dict)
    watched: dict[str, Watched] = field(default_factory=dict)
    proposed: set[str] = field(default_factory=set)
    silences: tuple[Note, ...] = ()
    last: tuple[Work, datetime] | None = None

    def before(self, key: Key, begin: datetime) -> Mapping[str, Any]:
        """What a figure's detector remembered when a window began. Of one that is long over: what it remembers."""
        known = self.memories.get(key)
        if known is None:
            return {}
        return known.before if begin == known.begin else known.after

    def alert(self, key: str) -> Memory:
        """What an alert remembers, by its key."""
        return self.states.get(key, NOTHING)

    def live(self, work: Work, windows: int, begin: datetime) -> set[str]:
        """Subjects of alerts that go on, of which nothing was said for so many windows before this one."""
        before_ms = 1000 * (begin.timestamp() - windows * work.step_s)
        return {
            watched.subject
            for key, watched in self.watched.items()
            if (watched.service, watched.monitor) == (work.service, work.monitor)
            and watched.subject
            and (memory := self.alert(key)).state in (AlertState.PENDING, AlertState.FIRING)
            and memory.ends_ms <= before_ms
        }

    def measured(self, found: Measurement, alert: Memory | None = None) -> None:
        """One more measurement, written after all before it. alert: what its memory says of it, where it is known."""
        begin = utc(found.begin_ms)
        work = Work(found.key.service, found.key.monitor, found.key.step_s)
        self.remember(found.key, begin, found.revision, found.memory, silent=found.state in SILENT)
        if alert is None:
            self.remember_alert(found.key, found.memory)
        else:
            self.states[_watched(found.key)] = alert
        covers = () if found.state is State.FAILED else found.covers
        age_s, early = float(found.details.get("age_s") or 0), bool(found.details.get("early"))
        self.computed(work, begin, covers, found.revision, age_s, early=early)
        self.began(work, found.computed_ms)
        self.last = work, begin

    def began(self, work: Work, computed_ms: int) -> None:
        """That a figure was computed then."""
        self.begun[work] = min(computed_ms, self.begun.get(work, computed_ms))

    def forget(self, works: Iterable[Work], before: datetime) -> None:
        """Windows that are never due again, those that begin before a time: but for each one's newest."""
        for work in works:
            mine = self.windows.get(work, {})
            if mine and min(mine) < before:
                newest = max(mine)
                self.windows[work] = {at: done for at, done in mine.items() if at >= before or at == newest}

    def changed(self, change: Transition) -> None:
        """One more change of an alert; one that repeats another changes nothing."""
        key = change.watched.key
        if change.number > self.numbers.get(key, 0):
            self.numbers[key], self.watched[key] = change.number, change.watched
            self.states[key] = Memory.latest([self.alert(key), Memory.of(change.memory)])

    def remember(
        self, key: Key, begin: datetime, revision: int, memory: Mapping[str, Any], *, silent: bool = False
    ) -> None:
        """What a figure's detector remembers after a window, if that is its newest.

        silent: the window says nothing, so it is none to go on from: those before it speak once their outcomes come.
        """
        known = self.memories.get(key)
        if known is None or (begin, revision) >= (known.begin, known.revision):
            if silent and (known is None or begin != known.begin):
                return
            self.memories[key] = Remembered(begin, revision, memory.get("before", {}), memory.get("judge", {}))

    def remember_alert(self, key: Key, memory: Mapping[str, Any]) -> None:
        """What the alert of a figure remembers after a window, whichever."""
        if said := memory.get("alert"):
            watched = _watched(key)
            self.states[watched] = Memory.latest([self.alert(watched), Memory.of(said)])

    def computed(
        self,
        work: Work,
        begin: datetime,
        covers: Iterable[Covered],
        revision: int,
        age_s: float,
        *,
        early: bool,
    ) -> None:
        """That a window was computed; of several revisions the greatest counts."""
        mine = self.windows.setdefault(work, {})
        if begin in mine and mine[begin].revision > revision:
            return
        mine[begin] = _done(tuple(covers), self.outcomes, revision, age_s, early)

    def untold(self, found: Iterable[Measurement]) -> list[Transition]:
        """Changes of alerts that these measurements caused, and that were never written. In order by alert."""
        lacking = [one for one in self.carried(found) if one.number > self.numbers.get(one.watched.key, 0)]
        return sorted(lacking, key=lambda change: (change.watched.key, change.number))

    def unproposed(self, found: Iterable[Measurement]) -> list[Action]:
        """Actions that these measurements called for, and that were never written."""
        carried = [Action.of(row) for one in found for row in one.memory.get(ACTIONS, ())]
        return [one for one in carried if one.action_id not in self.proposed]

    def lately(self, found: Sequence[Measurement], told: Iterable[Transition]) -> list[Transition]:
        """Of each alert the last change that may not have been told: of measurements that were written at once.

        found: measurements of which the last written are some. told: what has been told of them meanwhile.
        """
        if self.last is None:
            return []
        last = [one.computed_ms for one in found if utc(one.begin_ms) == self.last[1]]
        lately = self.carried(one for one in found if one.computed_ms == max(last, default=None))
        latest = {change.watched.key: change for change in sorted(lately, key=lambda change: change.number)}
        known = {(change.watched.key, change.number) for change in told}
        return [change for key, change in latest.items() if (key, change.number) not in known]

    @staticmethod
    def carried(found: Iterable[Measurement]) -> list[Transition]:
        """Changes of alerts that these measurements caused."""
        return [Transition.of(row) for one in found for row in one.memory.get(TRANSITIONS, ())]


@lru_cache(256)  # all figures of a window say the same
def _done(covers: tuple[Covered, ...], outcomes: str, revision: int, age_s: float, early: bool) -> Done:
    offsets = [(cover.topic == outcomes, cover_of(cover)) for cover in covers]
    return Done(
        covers=frozenset(cover for of_outcome, cover in offsets if not of_outcome),
        outcomes=frozenset(cover for of_outcome, cover in offsets if of_outcome),
        age=timedelta(seconds=age_s),
        revision=revision,
        early=early,
    )


def _watched(key: Key) -> str:
    """Key of the alert of a figure."""
    return Watched(service=key.service, monitor=key.monitor, subject=key.subject, segment=key.segment).key


def cover_of(covered: Covered) -> Cover:
    """The same, as the gate has it."""
    return Cover(LogPartition(covered.log, covered.topic, covered.partition), covered.first, covered.last)


def covered_of(cover: Cover) -> Covered:
    """The same, as measurements have it."""
    return Covered(*cover.source, cover.first, cover.last)


def utc(time_ms: int) -> datetime:
    """A time of milliseconds since 1970."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)
