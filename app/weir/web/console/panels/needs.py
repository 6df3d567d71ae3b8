"""What needs somebody: alerts that fire or are pending, a line for each cause, with the evidence of its first."""

from __future__ import annotations

from typing import Final

from weir.operations import needs_you
from weir.web.console.about import alerts, measured
from weir.web.console.asking import Asker
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Act, Panel
from weir.web.console.panels.alerts import causes, lines
from weir.web.console.view import View

QUESTION: Final = "What needs you?"
MOST: Final = 6  # lines; more of them are one page away


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found, every = asker.all(lambda: glimpse(asker, view), lambda: alerts(asker, view.service))
    led = causes([one for one in every if one.state in ("firing", "pending")])
    shown = [group[0] for group in led[:MOST]]
    return Panel(
        name="needs",
        question=QUESTION,
        verdict=found.needs,
        template="needs.html",
        context={
            "shown": shown,
            "lines": lines(asker, shown, view),
            "values": {one.id: measured(asker, one) for one in shown},
            "beside": {group[0].id: needs_you.beside([one.name for one in group[1:]]) for group in led},
            "more": len(led) - len(shown),
            "now": view.now,
            "slim": True,
            "follows": False,
        },
        monitor="alerts/list",
        acts=(Act("All alerts", f"/alerts{view.kept()}"),),
    )
