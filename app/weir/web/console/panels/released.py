"""Which version answered when: every stretch of a version and variant of a service, and how much it answered."""

from __future__ import annotations

from typing import Final

from weir.core.numbers import time, whole
from weir.monitor.verdict import State as Health
from weir.monitor.verdict import Verdict
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.happened import Event
from weir.web.console.panel import Panel
from weir.web.console.view import View

QUESTION: Final = "Which version answered when?"


def build(asker: Asker, view: View) -> Panel:
    """Its panel. Raises Unavailable, Refused."""
    found = releases.of(asker, view.service)
    events = [Event(one.since, "", one.label, f"{whole(one.predictions)} predictions") for one in found]
    newest = found[-1] if found else None
    said = "No version has answered yet." if newest is None else f"{newest.label} since {time(newest.since)}."
    return Panel(
        name="released",
        question=QUESTION,
        verdict=Verdict(Health.OK if newest else Health.UNKNOWN, said),
        template="timeline.html",
        context={"events": list(reversed(events)), "service": view.service},
        monitor="alerts/releases",
        note="From the first hour on in which each gave most answers. All time, whatever the range.",
    )
