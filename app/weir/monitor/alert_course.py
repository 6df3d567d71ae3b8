"""The course of an alert: ok, pending, firing, resolved; windows in, transitions out.

What is remembered says all: the same windows give the same transitions, wherever a worker was killed, and a window that
comes again gives none. Windows may come late, out of order, or be revised: the latest ones are kept, and the course is
gone through again from there. What was told is never taken back, it is told on: a firing that a revision undoes is
resolved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from weir.monitor.alert import AlertState, Mark, Note, NoteKind, Severity, Transition, Watched
from weir.monitor.measurement import Covered

KEPT: Final = 16  # windows that may come late or be revised; what is older is history
NEVER: Final = -1
ALERT_ID: Final = "alert_id"  # matcher of a note that means one alert
NUMBER: Final = "number"  # matcher of an acknowledgement: of the transition that has been seen

_RANKS: Final = {Severity.TICKET: 1, Severity.PAGE: 2}
_SEVERITIES: Final = {rank: severity for severity, rank in _RANKS.items()}
_LIVE: Final = frozenset({AlertState.PENDING, AlertState.FIRING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """How long it takes. fire_s: a figure is bad for so long before an alert fires; 0: with its first window.

    clear_s: it is calm for so long before the alert is resolved. Both in event time, from the beginning of the first
    such window to the end of the latest.
    """

    fire_s: int = 0
    clear_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one window says of what is watched. severity: None where the figure is fine.

    A window that says nothing (few rows, immature outcomes) is no reading. sentence, evidence, measurement_id, covers:
    as in the transition that it may cause.
    """

    begin_ms: int
    end_ms: int
    severity: Severity | None
    revision: int = 0
    sentence: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    measurement_id: str = ""
    covers: tuple[Covered, ...] = ()


class _Seen(NamedTuple):
    """A window that is kept. rank: 0 fine, 1 ticket, 2 page."""

    begin_ms: int
    end_ms: int
    revision: int
    rank: int


@dataclass(frozen=True, slots=True)
class _Course:
    """Where windows have led. since_ms, calm_ms: begin of the bad windows, and of the calm ones after them.

    fired_ms: since_ms of the latest alert that fired.
    """

    state: AlertState = AlertState.OK
    rank: int = 0
    since_ms: int = NEVER
    calm_ms: int = NEVER
    fired_ms: int = NEVER

    def after(self, seen: _Seen, holds: Holds) -> _Course:
        """Where one more window leads."""
        if self.state is AlertState.FIRING:
            if seen.rank:
                return replace(self, rank=max(self.rank, seen.rank), calm_ms=NEVER)
            calm_ms = seen.begin_ms if self.calm_ms == NEVER else self.calm_ms
            over = seen.end_ms - calm_ms >= 1000 * holds.clear_s
            return replace(self, state=AlertState.RESOLVED if over else self.state, calm_ms=calm_ms)
        if not seen.rank:
            return replace(self, state=AlertState.OK) if self.state is AlertState.PENDING else self
        pending = self.state is AlertState.PENDING
        since_ms, rank = (self.since_ms, max(self.rank, seen.rank)) if pending else (seen.begin_ms, seen.rank)
        if seen.end_ms - since_ms >= 1000 * holds.fire_s:
            return _Course(AlertState.FIRING, rank, since_ms, NEVER, since_ms)
        return _Course(AlertState.PENDING, rank, since_ms, NEVER, self.fired_ms)


@dataclass(frozen=True, slots=True)
class _Told:
    """What transitions have said so far. by: who acknowledged it. silence: the note that keeps it from being told.

    fired: number of the latest transition that fired, or that made it severer: whoever saw less has not seen that.
    heard: whether people were told that it fires: they are told when it is over, whatever is silenced by then.
    """

    state: AlertState = AlertState.OK
    rank: int = 0
    number: int = 0
    alert_id: str = ""
    fired_ms: int = NEVER
    by: str = ""
    silence: str = ""
    fired: int = 0
    heard: bool = False


_COURSE: Final = tuple(item.name for item in fields(_Course))
_TOLD: Final = tuple(item.name for item in fields(_Told))
_NO_COURSE: Final = _Course()
_NOTHING_TOLD: Final = _Told()


def _differing(one: _Course | _Told, usual: _Course | _Told, names: Sequence[str]) -> dict[str, Any]:
    """What is not as it is of an alert of which nothing is known: most alerts say nothing."""
    return {} if one == usual else {name: getattr(one, name) for name in names}


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered of an alert. base: where the windows that are not kept any more have led."""

    base: _Course = _Course()
    base_ms: int = NEVER
    seen: tuple[_Seen, ...] = ()
    told: _Told = _Told()

    @property
    def state(self) -> AlertState:
        """What was told last."""
        return self.told.state

    @property
    def alert_id(self) -> str:
        """The alert that is told of, or the last one."""
        return self.told.alert_id

    @property
    def number(self) -> int:
        """Of the latest transition."""
        return self.told.number

    @property
    def fired_ms(self) -> int:
        """Begin of the first window of the latest alert that fired; NEVER where none did."""
        return self.told.fired_ms

    @property
    def ends_ms(self) -> int:
        """End of the latest window that is kept."""
        return max((each.end_ms for each in self.seen), default=NEVER)

    def said(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "base": _differing(self.base, _NO_COURSE, _COURSE),
            "base_ms": self.base_ms,
            "seen": list(self.seen),
            "told": _differing(self.told, _NOTHING_TOLD, _TOLD),
        }

    @staticmethod
    def of(said: Mapping[str, Any]) -> Memory:
        """From what `said` gave, through JSON; {} is an alert of which nothing is known."""
        if not said:
            return Memory()
        base, told = ({**each, "state": AlertState(each.get("state", "ok"))} for each in (said["base"], said["told"]))
        return Memory(_Course(**base), said["base_ms"], tuple(_Seen(*each) for each in said["seen"]), _Told(**told))

    @staticmethod
    def latest(several: Iterable[Memory]) -> Memory:
        """Of what was remembered at several times, the last: with the highest number, then with the latest window."""
        return max(several, key=lambda one: (one.told.number, one._reach), default=Memory())

    @property
    def _reach(self) -> tuple[int, int]:
        return max([self.base_ms, *(each.begin_ms for each in self.seen)]), sum(each.revision for each in self.seen)


def after(
    memory: Memory, watched: Watched, reading: Reading, holds: Holds, silences: Sequence[Note] = ()
) -> tuple[Memory, tuple[Transition, ...]]:
    """What is remembered after a window, and what is told because of it: none, or transitions in their order.

    silences: notes that are in force. A window that is known, in this revision or a later one, changes nothing; but
    what it should have told, and did not because a worker was killed between two transitions, is told.
    """
    made = _with(memory, reading, holds)
    course = _through(made.base, made.seen, holds)
    found: list[Transition] = []
    for state, rank in _way(made.told, course):
        before = made.told
        made = replace(made, told=_step(before, watched, course, state, rank, silences))
        found.append(_change(made, before, watched, reading, state, rank))
    return made, tuple(found)


def acknowledged(memory: Memory, watched: Watched, note: Note) -> tuple[Memory, tuple[Transition, ...]]:
    """The same after somebody says that he has seen it. Said again, or of an alert that is over, it changes nothing.

    note: its key is that of what is watched; its matcher `alert_id`, where it has one, says which alert, and `number`
    up to which transition it was seen. What has become severer since is not seen, however often the note is read.
    """
    told = memory.told
    meant = note.kind is NoteKind.ACK and note.fits(watched, _SEVERITIES[max(told.rank, 1)])
    meant = meant and note.matchers.get(ALERT_ID, told.alert_id) == told.alert_id
    meant = meant and int(note.matchers.get(NUMBER, told.number)) >= told.fired
    if not meant or told.by or told.state not in _LIVE:
        return memory, ()
    made = replace(memory, told=replace(told, number=told.number + 1, by=note.by))
    return made, (_mark(made, watched, Mark.ACKNOWLEDGED, note.at_ms, note),)


def silenced(
    memory: Memory, watched: Watched, silences: Sequence[Note], at_ms: int
) -> tuple[Memory, tuple[Transition, ...]]:
    """The same when the silences in force are these: a firing alert is silenced by one, and speaks when none fits."""
    told = memory.told
    if told.state is not AlertState.FIRING:
        return memory, ()
    fitting = _fitting(watched, told.rank, silences)
    if (fitting is None) == (not told.silence):
        return memory, ()
    note_id = fitting.note_id if fitting else ""
    heard = told.heard or fitting is None
    made = replace(memory, told=replace(told, number=told.number + 1, silence=note_id, heard=heard))
    mark = Mark.SILENCED if fitting else Mark.UNSILENCED
    return made, (_mark(made, watched, mark, at_ms, fitting),)


def ended(
    memory: Memory, watched: Watched, at_ms: int, sentence: str, silences: Sequence[Note] = ()
) -> tuple[Memory, tuple[Transition, ...]]:
    """The same when nobody asks about it any more: what is live is over, and windows that come again begin anew.

    at_ms: when that was found. sentence: why it is over. silences: notes that are in force.
    """
    told = memory.told
    if told.state not in _LIVE:
        return memory, ()
    state = AlertState.RESOLVED if told.state is AlertState.FIRING else AlertState.OK
    course, latest = _Course(state=state, fired_ms=told.fired_ms), memory.seen[-1:]
    base_ms = latest[0].begin_ms if latest else memory.base_ms
    made = Memory(course, base_ms, (), _step(told, watched, course, state, told.rank, silences))
    begin_ms = max(at_ms, memory.ends_ms)
    reading = Reading(begin_ms=begin_ms, end_ms=begin_ms, severity=None, sentence=sentence)
    return made, (_change(made, told, watched, reading, state, told.rank),)


def _change(
    made: Memory, before: _Told, watched: Watched, reading: Reading, state: AlertState, rank: int
) -> Transition:
    """What is told of a reading. made: what is remembered after it. before: what was told until then."""
    return Transition(
        watched=watched,
        number=made.number,
        alert_id=made.alert_id,
        from_state=before.state,
        to_state=state,
        at_ms=reading.end_ms,
        severity=_SEVERITIES[rank],
        sentence=reading.sentence,
        evidence=reading.evidence,
        measurement_id=reading.measurement_id,
        begin_ms=reading.begin_ms,
        end_ms=reading.end_ms,
        covers=reading.covers,
        silence=made.told.silence,
        memory=made.said(),
    )


def _with(memory: Memory, reading: Reading, holds: Holds) -> Memory:
    """With the reading among the windows that are kept, unless it is known or too old."""
    rank = 0 if reading.severity is None else _RANKS[reading.severity]
    new = _Seen(reading.begin_ms, reading.end_ms, reading.revision, rank)
    seen = (*memory.seen, new)
    if new.begin_ms <= max(memory.base_ms, memory.seen[-1].begin_ms if memory.seen else NEVER):  # late, or once more
        same = [old for old in memory.seen if old.begin_ms == new.begin_ms]
        if new.begin_ms <= memory.base_ms or any(old.revision >= new.revision for old in same):
            return memory
        seen = tuple(sorted([*(old for old in memory.seen if old not in same), new]))
    gone, base_ms = seen[:-KEPT], memory.base_ms
    return Memory(_through(memory.base, gone, holds), gone[-1].begin_ms if gone else base_ms, seen[-KEPT:], memory.told)


def _through(course: _Course, seen: Sequence[_Seen], holds: Holds) -> _Course:
    """Where windows lead. Calm ones lead nowhere while nothing is live, and that is what most alerts have."""
    if course.state not in _LIVE and not any([each.rank for each in seen]):
        return course
    for each in seen:
        course = course.after(each, holds)
    return course


def _way(told: _Told, course: _Course) -> list[tuple[AlertState, int]]:
    """From what was told to where the windows have led: states, and how severe each is (1, 2)."""
    pending = [(AlertState.PENDING, course.rank)] if course.state is AlertState.PENDING else []
    if told.state is AlertState.FIRING:
        if course.state is not AlertState.FIRING:
            return [(AlertState.RESOLVED, told.rank), *pending]
        return [(AlertState.FIRING, course.rank)] if course.rank > told.rank else []
    if course.state is AlertState.FIRING:
        return [(AlertState.FIRING, course.rank)]
    if course.fired_ms > told.fired_ms:  # windows came late: an alert has fired and is over, and nobody was told
        return [(AlertState.FIRING, course.rank), (AlertState.RESOLVED, course.rank), *pending]
    if told.state is AlertState.PENDING:
        return [] if pending else [(AlertState.OK, told.rank)]
    return pending


def _step(
    told: _Told, watched: Watched, course: _Course, state: AlertState, rank: int, silences: Sequence[Note]
) -> _Told:
    """What is told after one more transition."""
    number = told.number + 1
    begins = told.state not in _LIVE
    fitting = _fitting(watched, rank, silences)
    heard = told.heard and not begins
    held = "" if heard else told.silence  # an end of which people wait to hear is not held back
    return _Told(
        state=state,
        rank=rank,
        number=number,
        alert_id=hashlib.sha256(f"{watched.key}/{number}".encode()).hexdigest()[:12] if begins else told.alert_id,
        fired_ms=told.fired_ms if state in _LIVE - {AlertState.FIRING} else max(told.fired_ms, course.fired_ms),
        by="" if begins or state is AlertState.FIRING else told.by,
        silence=held if state is AlertState.RESOLVED else fitting.note_id if fitting else "",
        fired=number if state is AlertState.FIRING else told.fired,
        heard=heard or (state is AlertState.FIRING and fitting is None),
    )


def _mark(made: Memory, watched: Watched, mark: Mark, at_ms: int, note: Note | None) -> Transition:
    latest = made.seen[-1]
    by, reason = (note.by, note.reason) if note else ("", "")
    said = f" by {by}: {reason}" if by else ""
    return Transition(
        watched=watched,
        number=made.number,
        alert_id=made.alert_id,
        from_state=made.state,
        to_state=mark,
        at_ms=at_ms,
        severity=_SEVERITIES[made.told.rank],
        sentence=f"{mark.value}{said}",
        begin_ms=latest.begin_ms,
        end_ms=latest.end_ms,
        by=by,
        reason=reason,
        silence=made.told.silence,
        memory=made.said(),
    )


def _fitting(watched: Watched, rank: int, silences: Sequence[Note]) -> Note | None:
    return next((note for note in silences if note.fits(watched, _SEVERITIES[rank])), None)
