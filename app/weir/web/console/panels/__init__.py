"""The panels of all pages, by name, in the order in which a page shows them."""

from __future__ import annotations

from typing import Final

from weir.web.console.asking import Asker
from weir.web.console.panel import Registered, Slot
from weir.web.console.panels import alert, alerts, causes, timeline
from weir.web.console.view import View

# name -> build, question, class of its height, pages
PANELS: Final[dict[str, Registered]] = {
    "alerts": Registered(alerts.build, alerts.QUESTION, "tall", ("alerts",)),
    "alert": Registered(alert.build, alert.QUESTION, "medium", ("alert",)),
    "causes": Registered(causes.build, causes.QUESTION, "small", ("alert",)),
    "timeline": Registered(timeline.build, timeline.QUESTION, "small", ("alert",)),
}


def slots(page: str) -> list[Slot]:
    """Places of a page's panels, in order."""
    return [
        Slot(name, f"/panel/{name}", one.question, one.height, one.short, one.cls)
        for name, one in PANELS.items()
        if page in one.pages
    ]


def of_project(asker: Asker, view: View) -> list[Slot]:
    """Places for the monitors of the project, which appear by themselves. Raises Unavailable, Refused."""
    task = asker.task(view.service) if view.service else None
    return [
        Slot(f"own-{number}", f"/panel/own/{one.name}", one.question, "medium", one.title)
        for number, one in enumerate(one for one in asker.monitors().values() if one.own)
        if task is None or task in one.tasks
    ]
