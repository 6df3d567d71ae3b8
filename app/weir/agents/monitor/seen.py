"""What a round sees of a service: windows of one length, which of them a monitor may speak of, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver import Client

from weir.core.standing import Cover
from weir.edges.clickhouse import gate as facts
from weir.monitor import gate
from weir.monitor.burn import BurnMonitor
from weir.monitor.left import Left, Work
from weir.monitor.spec import Monitor
from weir.setting_groups import MonitoringSettings

LEDGER: Final = "ledger/"
UNGATED: Final = (LEDGER, "health/")  # they tell what is missing, and cannot wait for it
OF_SCORING: Final = frozenset({"batches", "dead_letters"})  # tables whose time is that of the scoring
OUTCOMES: Final = "outcome/"


@dataclass(frozen=True, slots=True)
class Seen:
    """Windows of a service, the outcomes of each, its newest event, and where a monitor begins that found nothing.

    scored: windows of the scoring's time that are over. passed: whatever ended until then is over.
    since: begin of the first window that may be due; those before are there for figures that look back.
    """

    windows: Sequence[gate.Window]
    outcomes: Mapping[datetime, Sequence[Cover]]
    scored: Sequence[gate.Window]
    passed: datetime
    newest: datetime
    first: datetime
    since: datetime

    @property
    def complete_to(self) -> datetime:
        """End of the newest complete window; the newest event where all of them are."""
        return min((one.begin for one in self.windows if not one.complete), default=self.newest)

    def open_to(self, monitor: Monitor) -> list[gate.Window]:
        """The windows that it may speak of: those that are complete; for what tells of the gaps, all that are over.

        What tells of the scoring has windows also while nothing but dead letters comes.
        """
        step, asks = timedelta(seconds=monitor.window_s), _asks(monitor)
        of_scoring = not OF_SCORING.isdisjoint(asks.grain)
        if of_scoring and _kind(asks).startswith(UNGATED):
            gated = monitor.slo or monitor is not asks
            windows = self.scored if gated else [replace(one, why="") for one in self.scored]
            return gate.spans(windows, monitor.looks_back, step)
        if monitor.slo or not _kind(monitor).startswith(UNGATED):
            return gate.spans(self._with_scored() if of_scoring else self.windows, monitor.looks_back, step)
        over = [one for one in self.windows if one.begin + step <= self.passed]
        # Others are of predictions alone, and what comes of these covers more.
        waits = _kind(monitor).startswith(LEDGER)
        return [replace(one, why="", early=waits and not one.complete) for one in over]

    def outcomes_of(self, monitor: Monitor) -> Mapping[datetime, Sequence[Cover]]:
        """Outcomes of each window, and of those before it that a figure looks back at."""
        if monitor.looks_back == 1:
            return self.outcomes
        step = timedelta(seconds=monitor.window_s)
        spans = {begin: [begin - back * step for back in range(monitor.looks_back)] for begin in self.outcomes}
        return {begin: [one for each in span for one in self.outcomes.get(each, ())] for begin, span in spans.items()}

    def _with_scored(self) -> list[gate.Window]:
        """Windows that cover their batches, too: those that are recorded late make them anew."""
        batches = {one.begin: one.covers for one in self.scored}
        return [replace(one, covers=gate.merged([*one.covers, *batches.get(one.begin, ())])) for one in self.windows]


def windows_of(
    client: Client,
    service: str,
    works: Iterable[Work],
    step_s: int,
    back: int,
    bounds: gate.Bounds,
    left: Left,
    limits: MonitoringSettings,
    now: datetime,
) -> Seen:
    """Windows of a service in which something may be due, and `back` before them. Raises Unavailable."""
    standings = facts.standings(client, service)
    newest = max((one.newest for one in standings if one.newest is not None), default=now)
    step, lateness = timedelta(seconds=step_s), timedelta(seconds=limits.monitor_lateness_s)
    first = _begin_before(newest, limits.monitor_first_windows * step_s, step_s)
    done = [left.windows.get(work) for work in works]
    late = _begin_before(newest, round(86_400 * limits.monitor_late_days), step_s)
    since = min([late, *(max(mine) if mine else first for mine in done)])
    begin = _begin_before(since, back * step_s, step_s)
    scored = facts.scored(client, service, begin, now, step_s)
    found = facts.recorded(client, service, begin, newest + step, step_s, standings)
    windows = gate.windows(found.covers, found.standings, found.faults, bounds, step=step, now=now, lateness=lateness)
    outcomes = facts.outcomes(client, service, begin, newest + step, step_s)
    unknown = outcomes.pop(facts.UNKNOWN, [])  # any window's
    of_windows = {one.begin: [*outcomes.get(one.begin, ()), *unknown] for one in windows}
    over = gate.scored({at: each for at, each in scored.items() if at + step + lateness <= now}, standings)
    return Seen(windows, of_windows, over, min(now, newest) - lateness, newest, first, since)


def waits(monitor: Monitor) -> bool:
    """Whether its figures change as outcomes come."""
    asks = _asks(monitor)
    return asks.maturity > 0 or _kind(asks).startswith(OUTCOMES)


def _kind(monitor: Monitor) -> str:
    """The name that says what it tells of: of a project's that is like one of Weir's, whose SQL it has, that one's."""
    return monitor.like or monitor.name


def _asks(monitor: Monitor) -> Monitor:
    return monitor.asks if isinstance(monitor, BurnMonitor) else monitor


def _begin_before(time: datetime, span_s: int, step_s: int) -> datetime:
    """Begin of the window that a time so much earlier lies in; 1970, before which ClickHouse has no times."""
    at = max(int(time.timestamp()) - span_s, 0)
    return datetime.fromtimestamp(at - at % step_s, UTC)
