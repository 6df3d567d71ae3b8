"""From the rows of one window to measurements, and to the changes of alerts that they cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from weir.monitor import alert_course, words
from weir.monitor.action import RETRAIN, Action
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.monitor.alert_course import Holds, Memory, Reading
from weir.monitor.baseline import Against
from weir.monitor.burn import BurnMonitor
from weir.monitor.judge import Bounds, Rule, Verdict, judge
from weir.monitor.left import ACTIONS, NOTHING, TRANSITIONS, Left, Work, utc
from weir.monitor.measurement import SILENT, Covered, Key, Measurement, State, id_of
from weir.monitor.proposal import proposed, retraining
from weir.monitor.spec import Monitor, Row

TIME: Final = "%Y-%m-%dT%H:%M:%S"
QUERY: Final = "its query"  # subject of the alert that says that a monitor fails
FAILURES: Final = "monitor-failed"  # entry of the run-book for it
SEVERITIES: Final = {State.PAGE: Severity.PAGE, State.WARN: Severity.TICKET, State.FAILED: Severity.PAGE}
HELD_BACK: Final = (
    2  # windows that a figure is beyond its bound before an alert, where nothing says that it is no chance
)
CALM: Final = 2  # windows that it is calm before the alert is resolved
GONE: Final = 24  # windows without a row, after which an alert's subject is gone: a version that was rolled back


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What all figures of one computation of a window share.

    covers: offsets of its predictions and, where they play a part, of their outcomes. age: of its end, by the newest
    event. at: when it was computed. early: the window is not complete.
    """

    work: Work
    begin: datetime
    covers: tuple[Covered, ...]
    revision: int
    age: timedelta
    at: datetime
    worker: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One figure, the changes of its alert, and what that remembers then; None where the figure says nothing of it.

    actions: that it calls for, and that are not proposed yet.
    """

    measurement: Measurement
    changes: tuple[Transition, ...] = ()
    alert: Memory | None = None
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What all figures of a window have in common, worked out once.

    shared: those parts of a measurement. called: ids of the actions that its figures have called for.
    """

    monitor: Monitor
    work: Work
    begin: datetime
    details: Mapping[str, Any]
    shared: Mapping[str, Any]
    question: Mapping[str, Any]
    cause: str
    called: set[str] = field(default_factory=set)

    @staticmethod
    def of(monitor: Monitor, computed: Computed) -> _Window:
        work, begin_ms = computed.work, round(computed.begin.timestamp() * 1000)
        end_ms = begin_ms + 1000 * work.step_s
        return _Window(
            monitor=monitor,
            work=work,
            begin=computed.begin,
            details={"age_s": computed.age.total_seconds()} | ({"early": True} if computed.early else {}),
            shared={
                "monitor_sha": monitor.sha256[:12],
                "baseline": _baseline(monitor),
                "begin_ms": begin_ms,
                "end_ms": end_ms,
                "unit": monitor.unit.value,
                "covers": computed.covers,
                "revision": computed.revision,
                "computed_ms": round(computed.at.timestamp() * 1000),
                "worker": computed.worker,
            },
            question=_question(monitor, work, begin_ms, end_ms),
            cause=f"{work.service} {monitor.name.partition('/')[0]}",
        )

    def key(self, subject: str) -> Key:
        """Of a figure."""
        return Key(monitor=self.work.monitor, service=self.work.service, subject=subject, step_s=self.work.step_s)

    def watched(self, subject: str) -> Watched:
        """What an alert about a figure is about."""
        return Watched(
            service=self.work.service,
            monitor=self.work.monitor,
            subject=subject,
            owner=self.monitor.owner,
            cause=self.cause,
            runbook=FAILURES if subject == QUERY else self.monitor.runbook,
        )

    def empty(self, subject: str, state: State, details: Mapping[str, Any], left: Left) -> dict[str, Any]:
        """A figure without a value. It remembers what is known of it."""
        key = self.key(subject)
        memory = dict.fromkeys(("judge", "before"), left.before(key, self.begin))
        details = {**details, **self.details}
        return {**self.shared, "key": key, "value": None, "n": 0, "state": state, "details": details, "memory": memory}


def of_rows(monitor: Monitor, rule: Rule, rows: Sequence[Row], computed: Computed, left: Left) -> list[Found]:
    """The figures of a window. A window of which the monitor says nothing has one without a value.

    rows: one a subject. left: what the figures and their alerts remember; it is not changed.
    """
    window = _Window.of(monitor, computed)
    keys = [window.key(row.subject) for row in rows]
    before = [left.before(key, computed.begin) for key in keys]
    maturity = min((share for row in rows if (share := _share(row, "maturity")) is not None), default=None)
    known = {row.subject: memory for row, memory in zip(rows, before, strict=True)}
    verdicts = judge(rule, rows, known, maturity)
    found = [_figure(window, *each, left, maturity) for each in zip(rows, keys, verdicts, before, strict=True)]
    gone = left.live(computed.work, GONE, computed.begin) - {*known, QUERY}
    found += [_gone(window, subject, left) for subject in sorted(gone)]
    return found or [_silent(window, window.empty("", State.FEW, {}, left), left)]


def failure(monitor: Monitor, error: str, computed: Computed, left: Left) -> Found:
    """That a monitor's query has failed again and again: a figure without a value, and an alert."""
    window = _Window.of(monitor, computed)
    said = window.empty(QUERY, State.FAILED, {"error": error}, left)
    return _told(window, said, Severity.PAGE, f"{monitor.name} cannot be computed, and is left alone: {error}", left)


def recovery(monitor: Monitor, computed: Computed, left: Left) -> list[Found]:
    """That a query which had failed answers again: nothing where no alert says that it fails."""
    window = _Window.of(monitor, computed)
    if left.alert(window.watched(QUERY).key).state not in (AlertState.PENDING, AlertState.FIRING):
        return []
    said = window.empty(QUERY, State.OK, {}, left)
    return [_told(window, said, None, f"{monitor.name} is computed again", left)]


def _figure(
    window: _Window,
    row: Row,
    key: Key,
    verdict: Verdict,
    before: Mapping[str, Any],
    left: Left,
    maturity: float | None,
) -> Found:
    said = {
        **window.shared,
        "key": key,
        "value": row.value,
        "n": row.n,
        "low": row.low,
        "high": row.high,
        "expected": _share(row, "expected") if verdict.expected is None else verdict.expected,
        "p": row.p if verdict.p is None else verdict.p,
        "p_adjusted": verdict.p_adjusted,
        "log_e": verdict.log_e,
        "state": verdict.state,
        "maturity": maturity,
        "details": {**row.details, **window.details},
        "memory": {"judge": verdict.memory, "before": before},
    }
    if verdict.state in SILENT:
        return _silent(window, said, left)
    sentence = words.alarm(window.monitor, row, verdict.crossed, usual=verdict.expected is not None)
    return _told(window, said, SEVERITIES.get(verdict.state), sentence, left)


def _gone(window: _Window, subject: str, left: Left) -> Found:
    """The end of an alert whose subject is seen no more."""
    said = window.empty(subject, State.FEW, {}, left)
    return _told(window, said, None, f"{window.monitor.title}: nothing is seen of {subject} any more", left)


def _silent(window: _Window, said: dict[str, Any], left: Left) -> Found:
    """A figure that says nothing of its alert, which remembers what it did."""
    memory = left.alert(window.watched(said["key"].subject).key)
    if memory is not NOTHING:
        said["memory"] = {**said["memory"], "alert": memory.said()}
    return Found(Measurement(**said))


def _told(window: _Window, said: dict[str, Any], severity: Severity | None, sentence: str, left: Left) -> Found:
    """The figure with what becomes of its alert."""
    key, step_s = said["key"], window.work.step_s
    watched = window.watched(key.subject)
    tested = said.get("p") is not None or said.get("low") is not None or said["state"] is State.FAILED
    tested = tested or window.monitor.looks_back > 1  # a figure of several windows is no chance of one
    over = key.subject == QUERY or said["state"] in SILENT
    holds = Holds(fire_s=0 if tested else HELD_BACK * step_s, clear_s=0 if over else CALM * step_s)
    reading = Reading(
        begin_ms=said["begin_ms"],
        end_ms=said["end_ms"],
        severity=severity,
        revision=said["revision"],
        sentence=sentence,
        evidence={**window.question, "value": said["value"]},
        measurement_id=id_of(key, said["begin_ms"], said["revision"]),
        covers=said["covers"],
    )
    memory, changes = alert_course.after(left.alert(watched.key), watched, reading, holds, left.silences)
    rows = [change.row() for change in changes]
    said["memory"] = {**said["memory"], "alert": memory.said()} | ({TRANSITIONS: rows} if rows else {})
    found = Measurement(**said)
    pages = found.state is State.PAGE and memory.state is AlertState.FIRING
    action = proposed(found, reading.evidence) if pages else None
    if window.monitor.action == RETRAIN and severity and memory.state is AlertState.FIRING and key.subject != QUERY:
        action = retraining(found, sentence, memory.fired_ms, reading.evidence)
    if action is None or action.action_id in left.proposed or action.action_id in window.called:
        return Found(found, changes, memory)
    window.called.add(action.action_id)
    carrying = replace(found, memory={**found.memory, ACTIONS: [action.row()]})
    return Found(carrying, changes, memory, (action,))


def _question(monitor: Monitor, work: Work, begin_ms: int, end_ms: int) -> dict[str, Any]:
    """The monitor whose query is asked again, and with what: as `weir query MONITOR --param` takes it."""
    begin, end, step_s = utc(begin_ms), utc(end_ms), work.step_s
    asked, named = monitor, {}
    if isinstance(monitor, BurnMonitor):
        begin, step_s = end - timedelta(seconds=monitor.burns_by.long_s), monitor.objective.step_s
        asked, named = monitor.asks, {"objective": monitor.objective.name}
    times = {"from": begin.strftime(TIME), "to": end.strftime(TIME)}
    parameters = {"service": work.service, **times, "step": str(step_s)}
    return {"monitor": asked.name, "parameters": parameters, **named}


def _share(row: Row, name: str) -> float | None:
    value = row.details.get(name)
    return float(value) if isinstance(value, int | float) else None


def rule_of(monitor: Monitor, calibrated: Mapping[str, Bounds] | None = None) -> Rule:
    """How a monitor's figures are judged, by its header and by what calibration has found for its subjects."""
    return Rule(
        bounds=Bounds(monitor.warn, monitor.page),
        calibrated=calibrated or {},
        minimum=monitor.minimum,
        maturity=monitor.maturity,
        usual=monitor.usual,
    )


def _baseline(monitor: Monitor) -> str:
    if monitor.usual:
        return "history"
    return str(monitor.baseline) if monitor.baseline.against is not Against.NONE else ""
