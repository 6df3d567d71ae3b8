"""From the rows of one window to measurements, and to the changes of alerts that they cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from weir.monitor import alert_course
from weir.monitor.alert import AlertState, Severity, Transition, Watched
from weir.monitor.alert_course import Holds, Memory, Reading
from weir.monitor.judge import Bounds, Rule, Verdict, judge
from weir.monitor.left import NOTHING, TRANSITIONS, Left, Work, utc
from weir.monitor.measurement import Covered, Key, Measurement, State
from weir.monitor.spec import Monitor, Row

TIME: Final = "%Y-%m-%dT%H:%M:%S"
QUERY: Final = "its query"  # subject of the alert that says that a monitor fails
FAILURES: Final = "monitor-failed"  # entry of the run-book for it
SEVERITIES: Final = {State.PAGE: Severity.PAGE, State.WARN: Severity.TICKET, State.FAILED: Severity.PAGE}
HELD_BACK: Final = (
    2  # windows that a figure is beyond its bound before an alert, where nothing says that it is no chance
)
CALM: Final = 2  # windows that it is calm before the alert is resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What all figures of one computation of a window share.

    covers: offsets of its predictions and, where they play a part, of their outcomes. age: of its end, by the newest
    event. at: when it was computed.
    """

    work: Work
    begin: datetime
    covers: tuple[Covered, ...]
    revision: int
    age: timedelta
    at: datetime
    worker: str


@dataclass(frozen=True, slots=True)
class Found:
    """One figure, the changes of its alert, and what that remembers then; None where the figure says nothing of it."""

    measurement: Measurement
    changes: tuple[Transition, ...] = ()
    alert: Memory | None = None


def of_rows(monitor: Monitor, rule: Rule, rows: Sequence[Row], computed: Computed, left: Left) -> list[Found]:
    """The figures of a window. A window of which the monitor says nothing has one without a value.

    rows: one a subject. left: what the figures and their alerts remember; it is not changed.
    """
    keys = {row.subject: _key(computed.work, row.subject) for row in rows}
    before = {subject: left.before(key, computed.begin) for subject, key in keys.items()}
    maturity = min((share for row in rows if (share := _share(row, "maturity")) is not None), default=None)
    verdicts = {one.subject: one for one in judge(rule, rows, before, maturity)}
    found = [
        _figure(monitor, row, verdicts[row.subject], computed, left, before[row.subject], maturity) for row in rows
    ]
    return found or [_silent(monitor, _said(monitor, "", State.FEW, computed, {}, left), left)]


def failure(monitor: Monitor, error: str, computed: Computed, left: Left) -> Found:
    """That a monitor's query has failed again and again: a figure without a value, and an alert."""
    said = _said(monitor, QUERY, State.FAILED, computed, {"error": error}, left)
    return _told(monitor, said, Severity.PAGE, f"{monitor.name} cannot be computed, and is left alone: {error}", left)


def recovery(monitor: Monitor, computed: Computed, left: Left) -> list[Found]:
    """That a query which had failed answers again: nothing where no alert says that it fails."""
    known = left.alert(_watched(monitor, _key(computed.work, QUERY)).key)
    if known.state not in (AlertState.PENDING, AlertState.FIRING):
        return []
    said = _said(monitor, QUERY, State.OK, computed, {}, left)
    return [_told(monitor, said, None, f"{monitor.name} is computed again", left)]


def _figure(
    monitor: Monitor,
    row: Row,
    verdict: Verdict,
    computed: Computed,
    left: Left,
    before: Mapping[str, Any],
    maturity: float | None,
) -> Found:
    said = _said(monitor, row.subject, verdict.state, computed, dict(row.details), left)
    said = replace(
        said,
        value=row.value,
        n=row.n,
        low=row.low,
        high=row.high,
        expected=_share(row, "expected"),
        p=row.p,
        p_adjusted=verdict.p_adjusted,
        log_e=verdict.log_e,
        maturity=maturity,
        memory={**said.memory, "judge": verdict.memory, "before": before},
    )
    if verdict.state in (State.FEW, State.IMMATURE):
        return _silent(monitor, said, left)
    sentence = f"{monitor.title}{f' of {row.subject}' if row.subject else ''} is {row.value:.4g} {monitor.unit}"
    sentence += f"; its limit is {verdict.crossed}" if verdict.crossed else "; it is within its limits"
    return _told(monitor, said, SEVERITIES.get(verdict.state), sentence, left)


def _silent(monitor: Monitor, said: Measurement, left: Left) -> Found:
    """A figure that says nothing of its alert, which remembers what it did."""
    memory = left.alert(_watched(monitor, said.key).key)
    return Found(replace(said, memory={**said.memory, "alert": memory.said()}) if memory is not NOTHING else said)


def _told(monitor: Monitor, said: Measurement, severity: Severity | None, sentence: str, left: Left) -> Found:
    """The figure with what becomes of its alert."""
    watched = _watched(monitor, said.key)
    tested = said.p is not None or said.low is not None or said.state is State.FAILED
    window_s = said.key.step_s
    holds = Holds(
        fire_s=0 if tested else HELD_BACK * window_s, clear_s=0 if said.key.subject == QUERY else CALM * window_s
    )
    reading = Reading(
        begin_ms=said.begin_ms,
        end_ms=said.end_ms,
        severity=severity,
        revision=said.revision,
        sentence=sentence,
        evidence={"monitor": monitor.name, "parameters": _parameters(said), "value": said.value},
        measurement_id=said.measurement_id,
        covers=said.covers,
    )
    memory, changes = alert_course.after(left.alert(watched.key), watched, reading, holds, left.silences)
    rows = [change.row() for change in changes]
    remembered = {**said.memory, "alert": memory.said()} | ({TRANSITIONS: rows} if rows else {})
    return Found(replace(said, memory=remembered), changes, memory)


def _said(
    monitor: Monitor, subject: str, state: State, computed: Computed, details: Mapping[str, Any], left: Left
) -> Measurement:
    """A figure without a value. It remembers what is known of it."""
    key, step_s = _key(computed.work, subject), computed.work.step_s
    begin_ms = round(computed.begin.timestamp() * 1000)
    return Measurement(
        key=key,
        monitor_sha=monitor.sha256[:12],
        baseline=monitor.baseline.value if monitor.baseline != "none" else "",
        begin_ms=begin_ms,
        end_ms=begin_ms + 1000 * step_s,
        value=None,
        unit=monitor.unit.value,
        n=0,
        state=state,
        details={**details, "age_s": computed.age.total_seconds()},
        covers=computed.covers,
        revision=computed.revision,
        memory=dict.fromkeys(("judge", "before"), left.before(key, computed.begin)),
        computed_ms=round(computed.at.timestamp() * 1000),
        worker=computed.worker,
    )


def _parameters(said: Measurement) -> dict[str, Any]:
    """What the query is asked again with: as `weir query MONITOR --param` takes them."""
    key, begin, end = said.key, utc(said.begin_ms), utc(said.end_ms)
    times = {"from": begin.strftime(TIME), "to": end.strftime(TIME)}
    return {"service": key.service, **times, "step": str(key.step_s)}


def _key(work: Work, subject: str) -> Key:
    return Key(monitor=work.monitor, service=work.service, subject=subject, step_s=work.step_s)


def _watched(monitor: Monitor, key: Key) -> Watched:
    return Watched(
        service=key.service,
        monitor=key.monitor,
        subject=key.subject,
        segment=key.segment,
        owner=monitor.owner,
        cause=f"{key.service} {monitor.name.partition('/')[0]}",
        runbook=FAILURES if key.subject == QUERY else monitor.runbook,
    )


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
    )
