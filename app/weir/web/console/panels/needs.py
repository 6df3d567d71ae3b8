"""What needs somebody: alerts that fire or are pending, one line each with its evidence."""

from __future__ import annotations

from typing import Final

from weir.web.console.about import alerts, measured
from weir.web.console.asking import Asker
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Act, Panel
from weir.web.console.panels.alerts import lines, together
from weir.web.console.view import View

QUESTION: Final = "What needs you?"
MOST: Final = 6  # lines; more of them are one page away


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found, every = asker.all(lambda: glimpse(asker, view), lambda: alerts(asker, view.service))
    live = together([one for one in every if one.state in ("firing", "pending")])
    shown = live[:MOST]
    return Panel(
        name="needs",
        question=QUESTION,
        verdict=found.needs,
        template="needs.html",
        context={
            "shown": shown,
            "lines": lines(asker, shown, view.now),
            "values": {one.id: measured(asker, one) for one in shown},
            "more": len(live) - len(shown),
            "now": view.now,
            "slim": True,
            "follows": False,
        },
        acts=(Act("All alerts", f"/alerts{view.kept()}"),),
    )
