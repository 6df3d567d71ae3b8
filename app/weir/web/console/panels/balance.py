"""Is every request accounted for: what was read is what was scored and what was turned away."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from weir.operations.overview import Overview
from weir.web.console.asking import Asker
from weir.web.console.glimpse import glimpse
from weir.web.console.panel import Act, Panel
from weir.web.console.view import View

QUESTION: Final = "Is every request accounted for?"


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = glimpse(asker, view)
    return Panel(
        name="balance",
        question=QUESTION,
        verdict=found.balance.verdict,
        template="balance.html",
        context={
            "balance": found.balance,
            "last_day": last_day(found, view),
            "newest": found.newest,
            "services": found.services,
        },
        monitor="overview/entries",
        acts=(Act("Ledger", f"/ledger{view.link()}"), Act("Partitions", f"/rows/overview/partitions{view.link()}")),
    )


def last_day(found: Overview, view: View) -> str:
    """The query of the day that ends with the newest prediction, where there is none in the view; else empty."""
    if found.newest is None or view.begin <= found.newest < view.end:
        return ""
    end = found.newest.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return view.link(**{"from": end - timedelta(days=1), "to": end})
