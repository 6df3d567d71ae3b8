"""What stands around every page: pages, services, and how many alerts fire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from weir.core.errors import WeirError
from weir.core.times import BEGINNING, END
from weir.web.console import learned
from weir.web.console.asking import Asker

KEPT_S: Final = 5.0  # as old a number of alerts may be
MOST_ALERTS: Final = 100_000
LIVE: Final = ("pending", "firing")


@dataclass(frozen=True, slots=True)
class Frame:
    """What there is. services: names, sorted. learners: whether there are some.

    firing, pending: alerts by service; "" for all. away: why ClickHouse was not asked.
    """

    services: tuple[str, ...] = ()
    firing: dict[str, int] | None = None
    pending: dict[str, int] | None = None
    learners: bool = False
    away: WeirError | None = None

    def count(self, state: str, service: str = "") -> int:
        """Alerts in a state, of a service or of all."""
        of: dict[str, int] | None = getattr(self, state)
        return (of or {}).get(service, 0)


class Frames:
    """The latest; where ClickHouse is away the one before."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.latest = Frame()

    def look(self) -> Frame:
        """What there is. Raises nothing: a page without its frame would say nothing at all."""
        try:
            self.latest = self._asker.once(("frame",), KEPT_S, self._asked)
        except WeirError as error:
            return replace(self.latest, away=error)
        return self.latest

    def _asked(self) -> Frame:
        asker = self._asker
        services, alerts, learners = asker.all(asker.services, lambda: live(asker), lambda: learned.exist(asker))
        counts: dict[str, dict[str, int]] = {"firing": {}, "pending": {}}
        for one in alerts:
            of = counts[one["state"]]
            for name in ("", *([one["of_service"]] if one["of_service"] else [])):
                of[name] = of.get(name, 0) + 1
        return Frame(services, counts["firing"], counts["pending"], learners)


def listed(asker: Asker, service: str = "") -> list[dict[str, Any]]:
    """Every alert that there has been, what fires and pages first. Raises Unavailable, Refused."""
    asked = {"service": service, "from": BEGINNING, "to": END, "limit": MOST_ALERTS}
    return asker.sql("alerts/list", **asked)


def live(asker: Asker, service: str = "") -> list[dict[str, Any]]:
    """Those that are pending or firing. Raises Unavailable, Refused."""
    return [one for one in listed(asker, service) if one["state"] in LIVE]
