"""What is left of the error budgets of services: of each the scarcest of its objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from clickhouse_connect.driver import Client

from weir.core.errors import Refused
from weir.edges.clickhouse import monitors, slos
from weir.monitor.slo import last_span
from weir.settings import Settings

FRESH: Final = timedelta(minutes=1)  # a budget of weeks does not change within it, and costs a question over weeks


@dataclass(frozen=True, slots=True)
class Budgets:
    """left: by service, a share that is below 0 where it is overdrawn. refused: files of objectives that are none."""

    left: Mapping[str, float] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()


def look(client: Client, settings: Settings, end: datetime, service: str = "") -> Budgets:
    """The budgets of the project's objectives at a time. service: of one alone. Raises Unavailable, Refused.

    Each objective is asked for its whole window. One without an event says nothing.
    """
    known, broken = monitors.looked(settings)
    rules, refused = slos.looked(settings, known)
    objectives = {one.objective.name: one for one in rules.values()}
    left: dict[str, float] = {}
    for rule in objectives.values():
        of = rule.objective
        if service and of.service != service:
            continue
        begin, last = last_span(of, end, timedelta(seconds=of.window_s))
        history, _ = slos.history(client, of, rule.asks, begin, last, end)
        spent = history.status().spent
        if spent is not None:
            left[of.service] = min(left.get(of.service, 1.0), 1 - float(spent))
    return Budgets(left, (*broken.values(), *refused.values()))


class Remembered:
    """The same, asked again after a minute."""

    def __init__(self, ask: Callable[[datetime], Budgets]) -> None:
        self._ask = ask
        self._known: tuple[datetime, Budgets] | None = None

    def at(self, now: datetime) -> Budgets:
        """Of a time at or after the last one. Raises as `look`."""
        if self._known is None or now - self._known[0] >= FRESH:
            self._known = now, self._ask(now)
        return self._known[1]
