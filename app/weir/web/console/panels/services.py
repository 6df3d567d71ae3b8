"""Each service in a line: how much, how fast, what it says, whether its inputs moved, how good, at what cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from weir.core.errors import Refused
from weir.monitor.verdict import State
from weir.operations.glance import Service
from weir.web.console.asking import Asker
from weir.web.console.glimpse import budgets_at, glimpse
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "How does each service do?"
LATE: Final = timedelta(minutes=5)  # from which its time of completeness is marked


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = glimpse(asker, view)
    return Panel(
        name="services",
        question=QUESTION,
        template="services.html",
        context={
            "services": found.services,
            "states": {one.name: state(one) for one in found.services},
            "qualities": sorted({one.quality.name for one in found.services if one.quality}),
        },
        note=" ".join(_said(one) for one in budgets_at(asker, found.end).refused),
    )


def _said(refused: Refused) -> str:
    text = str(refused)
    return f"{text[:1].upper()}{text[1:]}."


def state(one: Service) -> tuple[State, str]:
    """How it stands, in a word or two."""
    if one.firing:
        return one.state, f"{one.firing} firing"
    if one.pending:
        return one.state, f"{one.pending} pending"
    if not one.predictions and one.newest is None:
        return State.UNKNOWN, "nothing yet"
    return one.state, "behind" if one.behind else "in order"
