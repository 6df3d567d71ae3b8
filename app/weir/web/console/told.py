"""What a panel has of a monitor: its rows for a view, the scene that they are of, and the sentence that they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from weir.monitor import verdicts
from weir.monitor.spec import Asked, Row
from weir.monitor.verdict import Scene, Verdict
from weir.operations import balance
from weir.web.console.asking import Asker
from weir.web.console.glimpse import partitions
from weir.web.console.view import View

DAY_S: Final = 86_400
OF_INPUTS: Final = "drift/"  # monitors whose rows may be of inputs
FEW: Final = 31  # windows of what needs many rows each
DAYS: Final = 3  # from which on outcomes are told by days
SLOW_STEPS_S: Final = (60, 300, 900, 3600, 10_800, 21_600, DAY_S, 7 * DAY_S, 28 * DAY_S)
ON_ITS_WAY: Final = timedelta(minutes=5)  # after which what came is recorded, where nothing is behind
WHOLE_S: Final = (3600, 21_600, DAY_S, 7 * DAY_S, 28 * DAY_S)
MAPPED: Final = 61  # windows of a map of many inputs: each is a cell of each, and compared with what is normal
MAPPED_STEPS_S: Final = (60, 300, 900, 3600, 10_800, 21_600, 43_200, DAY_S, 7 * DAY_S)  # from an hour on read by hours


@dataclass(frozen=True)
class Told:
    """rows: of `scene`, as `weir monitors run` gives them for `asked`."""

    rows: Sequence[Row]
    scene: Scene
    asked: Asked

    @cached_property
    def verdict(self) -> Verdict:
        """What they say."""
        return verdicts.say(self.rows, self.scene)

    @property
    def query(self) -> Mapping[str, str]:
        """What an address says, beside the view, to ask the same."""
        found = {"from": _written(self.asked.begin), "to": _written(self.asked.end), "step": str(self.asked.step_s)}
        return found | ({"subject": self.asked.subject} if self.asked.subject else {})


def told(asker: Asker, view: View, name: str, **more: Any) -> Told:
    """What a monitor says of a view. more: fields of Asked instead of the view's. Raises Unavailable, Refused."""
    asked = asker.asked(name, view, **more)
    rows = asker.rows(name, view, **more)
    currency = next((str(row.details["currency"]) for row in rows if row.details.get("currency")), "USD")
    scene = Scene(
        monitor=asker.monitor(name),
        service=view.service,
        task=asker.task(view.service),
        begin=asked.begin,
        end=asked.end,
        step_s=asked.step_s,
        complete_to=complete_to(asker, view),
        currency=currency,
        inputs=asker.inputs(view.service) if name.startswith(OF_INPUTS) else {},
    )
    return Told(rows, scene, asked)


def complete_to(asker: Asker, view: View) -> datetime | None:
    """Up to when all that came of the view's service is recorded; None where that is after the view's end.

    Raises Unavailable, Refused.
    """
    mine = [one for one in partitions(asker, view) if one.service == view.service]
    late = balance.behind(mine, view.begin, min(view.end, view.now))
    if not late and view.end + ON_ITS_WAY <= view.now:
        return None
    return balance.complete_to(mine, late).get(view.service)


def behind(asker: Asker, view: View) -> dict[str, datetime]:
    """Services of which something is late: up to when they are recorded. Raises Unavailable, Refused."""
    late = balance.behind(partitions(asker, view), view.begin, min(view.end, view.now))
    found: dict[str, datetime] = {}
    for one in late:
        found[one.service] = min(found.get(one.service, one.newest), one.newest)
    return found


def complete_of_all(asker: Asker, view: View, services: Sequence[str]) -> list[list[int]]:
    """What of a view is not complete of several services beside each other: [from, to], seconds since 1970.

    A service of which nothing more came is complete. Raises Unavailable, Refused.
    """
    mine = [one for one in partitions(asker, view) if one.service in services]
    late = balance.behind(mine, view.begin, min(view.end, view.now))
    known = balance.complete_to(mine, late)
    if not known or (not late and view.end + ON_ITS_WAY <= view.now):
        return []
    first = max(min([max(known.values()), *(one.newest for one in late)]), view.begin)
    return [[int(first.timestamp()), int(view.end.timestamp())]] if first < view.end else []


def slowly(view: View) -> dict[str, Any]:
    """The view in at most FEW windows, for figures that need many rows each: fields of Asked."""
    span_s = (view.end - view.begin).total_seconds()
    return in_steps(view, next((step for step in SLOW_STEPS_S if span_s / step <= FEW), SLOW_STEPS_S[-1]))


def by_days(view: View) -> dict[str, Any]:
    """The same of outcomes: of several days no window is shorter than a day.

    Whole days are kept counted, and a part of one is worked out from every row of it.

    >>> noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    >>> [by_days(View.of({"range": name}, noon))["step_s"] // 3600 for name in ("24h", "7d", "30d")]
    [1, 24, 24]
    """
    asked = slowly(view)
    is_long = (view.end - view.begin).total_seconds() >= DAYS * DAY_S
    return in_steps(view, DAY_S) if is_long and asked["step_s"] < DAY_S else asked


def mapped(view: View) -> dict[str, Any]:
    """The view in at most MAPPED windows, unless its address says how long they are: fields of Asked."""
    if "step" in view.query:
        return in_steps(view, view.step_s)
    span_s = (view.end - view.begin).total_seconds()
    return in_steps(view, next((step for step in MAPPED_STEPS_S if span_s / step <= MAPPED), MAPPED_STEPS_S[-1]))


def whole(view: View) -> dict[str, Any]:
    """The view as one window or two, for pictures of one window: fields of Asked.

    Windows begin at whole multiples of their length, so that the newest of a view that ends now is not over.
    """
    span_s = (view.end - view.begin).total_seconds()
    return in_steps(view, next((step for step in WHOLE_S if span_s <= step * 1.1), WHOLE_S[-1]))


def in_steps(view: View, step_s: int) -> dict[str, Any]:
    """The view in windows of step_s seconds, widened to whole ones as `weir monitors run` does: fields of Asked."""
    begin, end = int(view.begin.timestamp()), int(view.end.timestamp())
    first, last = begin // step_s * step_s, -(-end // step_s) * step_s
    return {"begin": datetime.fromtimestamp(first, UTC), "end": datetime.fromtimestamp(last, UTC), "step_s": step_s}


def _written(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
