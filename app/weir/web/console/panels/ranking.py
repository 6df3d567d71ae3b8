"""Where incidents come from: components of services, that with most incident-minutes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weir.core import numbers
from weir.monitor.verdict import State, Verdict
from weir.operations import incidents
from weir.operations.incidents import Ranked
from weir.web.console import objectives
from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "Where do incidents come from?"
DAYS: Final = incidents.LASTING.days
NOTE: Final = (
    "A minute counts once, however many alerts of a component fire in it. "
    "Budget: what of the service's worst objective went meanwhile."
)
SHOWN: Final = 12  # lines; the CSV has them all


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = ranked(asker, view)
    return Panel(
        name="ranking",
        question=QUESTION,
        verdict=verdict(found),
        template="ranking.html",
        context={"lines": found[:SHOWN], "more": max(0, len(found) - SHOWN), "minutes": lasted},
        note=NOTE if found else "",
        monitor="alerts/ranking",
    )


def ranked(asker: Asker, view: View) -> list[Ranked]:
    """Of the last DAYS days. Raises Unavailable, Refused."""
    burns, begin = objectives.burns(asker).values(), view.end - incidents.LASTING
    return asker.ask(lambda client: incidents.ranked(client, burns, begin, view.end, view.service))


def verdict(found: Sequence[Ranked]) -> Verdict:
    """The worst one, and what part of all it is."""
    if not found:
        return Verdict(State.OK, f"From nowhere: nothing fired in the last {DAYS} days.")
    first, total = found[0], sum(one.minutes for one in found)
    part = f", {numbers.share(first.minutes / total)} of all" if len(found) > 1 and total else ""
    often = "1 incident" if first.incidents == 1 else f"{first.incidents} incidents"
    said = f"Most from {first.component} of {first.service}: {lasted(first.minutes)} in {often}{part}"
    return Verdict(State.UNKNOWN, f"{said}, in the last {DAYS} days.")


def lasted(minutes: float) -> str:
    """Minutes as a person reads them."""
    return numbers.span(60 * minutes)
