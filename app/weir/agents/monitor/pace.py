"""How often the monitors of each service are looked at, by its traffic and the delay of its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from clickhouse_connect.driver import Client

from weir.agents.monitor.seen import waits
from weir.core.errors import Refused
from weir.edges.clickhouse import pace
from weir.monitor import cadence, durations
from weir.monitor.cadence import Traffic
from weir.monitor.left import Work
from weir.monitor.spec import Monitor

EVERY_S: Final = 3600  # of a service; it takes some tens of ms
GAPS: Final = 10  # as long as so many predictions take to come without one: nothing comes any more

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Pace:
    """What is known of each service's traffic, and when its monitors were looked at, each in event time."""

    _looked: dict[Work, datetime] = field(default_factory=dict)
    _newest: dict[Work, tuple[datetime, float]] = field(default_factory=dict)  # event, and since when (monotonic)
    _known: dict[str, tuple[float, Traffic | None]] = field(default_factory=dict)
    _said: dict[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def look(self, client: Client, service: str, positive: str, monitors: Iterable[Monitor], now_s: float) -> None:
        """Look up what is not known or was looked up long ago, and say in the log what follows where that has changed.

        Without it monitors are looked at as often as if there were enough traffic. Raises Unavailable.
        """
        until_s, _ = self._known.get(service, (now_s, None))
        if now_s < until_s:
            return
        try:
            found = pace.traffic(client, service, positive)
        except Refused as error:
            log.warning("how much traffic a service has is not known", service=service, reason=str(error))
            found = None
        self._known[service] = now_s + EVERY_S, found
        said = _groups(monitors, found)
        if self._said.get(service) != said:
            self._said[service] = said
            for every, names in said.items():
                log.info("monitors are looked at", service=service, every=every, sees=list(names))

    def is_turn(self, work: Work, monitor: Monitor, newest: datetime, now_s: float) -> bool:
        """Whether its cadence has passed, in event time; where no events come any more, it is always its turn.

        newest: event of the service. now_s: monotonic. A cadence that is longer than a window is of few events, which
        may be far apart.
        """
        _, traffic = self._known.get(work.service, (now_s, None))
        cadence_s = cadence.look_s(monitor, traffic, waits=waits(monitor))
        last, since_s = self._newest.get(work, (None, now_s))
        gap_s = GAPS / traffic.rows_s if traffic is not None and traffic.rows_s else 0.0
        still = newest == last and now_s - since_s >= (min(gap_s, cadence_s) if cadence_s > work.step_s else 0.0)
        if newest != last:
            self._newest[work] = newest, now_s
        looked = self._looked.get(work)
        return looked is None or still or newest >= looked + timedelta(seconds=cadence_s)

    def looked(self, works: Iterable[Work], newest: datetime) -> None:
        """That these were looked at, up to that event."""
        self._looked.update(dict.fromkeys(works, newest))


def _groups(monitors: Iterable[Monitor], traffic: Traffic | None) -> dict[str, tuple[str, ...]]:
    """By how often they are looked at: monitors, each with the smallest effect that it sees in such a time."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in sorted(monitors, key=lambda each: each.name):
        every_s = cadence.look_s(one, traffic, waits=waits(one))
        found[durations.written(round(every_s)) if every_s else "look"].append(_sees(one, traffic, every_s))
    return {every: tuple(names) for every, names in found.items()}


def _sees(monitor: Monitor, traffic: Traffic | None, every_s: float) -> str:
    if traffic is None:
        return monitor.name
    (one,) = cadence.choices(monitor, traffic, [max(round(every_s), monitor.window_s)])
    return monitor.name if one.effect is None else f"{monitor.name} {one.effect:.2g} {one.unit}"
