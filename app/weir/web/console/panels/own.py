"""A monitor of the project, which appears by itself, drawn as its header says."""

from __future__ import annotations

from typing import Any, Final

from weir.monitor.spec import Monitor
from weir.monitor.spec import Panel as Kind
from weir.web.console.asking import Asker
from weir.web.console.drawing import heat, lines
from weir.web.console.drawing.windows import by_subject, newest
from weir.web.console.panel import Panel
from weir.web.console.told import in_steps, told
from weir.web.console.view import MOST_WINDOWS, View

MOST_ROWS: Final = 60  # on a panel; all of them are one link away
LISTED: Final = frozenset({Kind.TABLE, Kind.WATERFALL, Kind.TILES})  # the newest window's rows; all others over time


def build(asker: Asker, view: View, name: str) -> Panel:
    """Its panel: a line for each subject or column over time, a map of them, or the rows of the newest window.

    Raises Unavailable, Refused.
    """
    monitor = asker.monitor(name)
    found = told(asker, view, name, **_steps(monitor, view))
    context: dict[str, Any] = {"chart_of": None, "map": None, "map_name": monitor.title, "rows": [], "of": monitor}
    context["currency"] = found.scene.currency
    left_out = 0
    if monitor.panel in LISTED:
        context["rows"] = newest(found.rows, found.scene)
        left_out = max(0, len(context["rows"]) - MOST_ROWS)
        context["rows"] = context["rows"][:MOST_ROWS]
    elif monitor.panel is Kind.HEAT and found.rows:
        context["map"] = heat.alone(found.rows, found.scene, MOST_ROWS)
        left_out = max(0, len(by_subject(found.rows)) - MOST_ROWS)
    elif found.rows:
        context["chart_of"] = lines.over_time(found.rows, found.scene)
        left_out = lines.left_out(found.rows, found.scene)
    more = f" {left_out} more are in the rows." if left_out else ""
    owner = f" Owner: {monitor.owner}." if monitor.owner else ""
    return Panel(
        name=f"own-{name.replace('/', '-')}",
        question=monitor.question,
        verdict=found.verdict,
        template="own.html",
        context=context,
        note=f"{monitor.title}.{owner}{more}",
        monitor=name,
        asked=found.query,
        unsplit=asker.unsplit(name, view),
    )


def _steps(monitor: Monitor, view: View) -> dict[str, Any]:
    """The monitor's own windows, whose figures it is held to, where the view has some of them; else the view's."""
    count = (view.end - view.begin).total_seconds() / monitor.window_s
    return in_steps(view, monitor.window_s) if 1 < count <= MOST_WINDOWS else {}
