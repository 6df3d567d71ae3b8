"""A monitor of the project, which appears by itself: its rows, the newest first."""

from __future__ import annotations

from weir.web.console.asking import Asker
from weir.web.console.panel import Panel
from weir.web.console.view import View

MOST_ROWS = 60  # on a panel; all of them are one link away


def build(asker: Asker, view: View, name: str) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    monitor = asker.monitor(name)
    rows = asker.rows(name, view)
    return Panel(
        name=f"own-{name.replace('/', '-')}",
        question=monitor.question,
        template="own.html",
        context={"rows": rows[::-1][:MOST_ROWS], "of": monitor},
        monitor=name,
        unsplit=asker.unsplit(name, view),
    )
