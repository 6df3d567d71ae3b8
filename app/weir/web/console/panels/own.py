"""A monitor of the project, which appears by itself, drawn as its header says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from weir.core import numbers
from weir.monitor.spec import Monitor
from weir.monitor.spec import Panel as Kind
from weir.monitor.verdict import State
from weir.web.console.asking import Asker
from weir.web.console.drawing import heat, kinds, lines
from weir.web.console.drawing.windows import along, by_subject, finite, newest, share_held
from weir.web.console.panel import Panel
from weir.web.console.panels.tiles import Tile
from weir.web.console.told import Told, in_steps, told
from weir.web.console.view import MOST_WINDOWS, View

MOST_ROWS: Final = 60  # on a panel; all of them are one link away
MOST_TILES: Final = 16
MOST_STEPS: Final = 20  # of a waterfall
MOST_STRIPS: Final = 40
Drawn = tuple[dict[str, Any], int]  # what the template has of it, and how many subjects are left out


def build(asker: Asker, view: View, name: str) -> Panel:
    """Its panel: what its kind is drawn as, or the rows of the newest window. Raises Unavailable, Refused."""
    monitor = asker.monitor(name)
    found = told(asker, view, name, **_steps(monitor, view))
    context: dict[str, Any] = {"chart_of": None, "map": None, "map_name": monitor.title, "rows": [], "of": monitor}
    context |= {"currency": found.scene.currency, "bars": [], "strips": [], "tiles": []}
    drawn, left_out = KINDS.get(monitor.panel, _lines)(found) if found.rows else ({}, 0)
    more = f" {left_out} more are in the rows." if left_out > 0 else ""
    owner = f" Owner: {monitor.owner}." if monitor.owner else ""
    return Panel(
        name=f"own-{name.replace('/', '-')}",
        question=monitor.question,
        verdict=found.verdict,
        template="own.html",
        context=context | drawn,
        note=f"{monitor.title}.{owner}{more}",
        monitor=name,
        asked=found.query,
        unsplit=asker.unsplit(name, view),
    )


def _steps(monitor: Monitor, view: View) -> dict[str, Any]:
    """The monitor's own windows, whose figures it is held to, where the view has some of them; else the view's."""
    count = (view.end - view.begin).total_seconds() / monitor.window_s
    return in_steps(view, monitor.window_s) if 1 < count <= MOST_WINDOWS else {}


def _lines(found: Told) -> Drawn:
    return {"chart_of": lines.over_time(found.rows, found.scene)}, lines.left_out(found.rows, found.scene)


def _points(found: Told) -> Drawn:
    return {"chart_of": kinds.points(found.rows, found.scene)}, lines.left_out(found.rows, found.scene)


def _histograms(found: Told) -> Drawn:
    return {"chart_of": kinds.counts(found.rows, found.scene)}, 0


def _heat(found: Told) -> Drawn:
    left_out = len(by_subject(found.rows)) - MOST_ROWS
    return {"map": heat.alone(found.rows, found.scene, MOST_ROWS)}, left_out


def _table(found: Told) -> Drawn:
    rows = newest(found.rows, found.scene)
    return {"rows": rows[:MOST_ROWS]}, len(rows) - MOST_ROWS


def _waterfall(found: Told) -> Drawn:
    return {"bars": kinds.waterfall(found.rows, found.scene, MOST_STEPS)}, 0


def _strips(found: Told) -> Drawn:
    drawn = kinds.strips(found.rows, found.scene, MOST_STRIPS)
    windows = sum(length for _, length, _ in drawn[0].runs)
    return {"strips": drawn, "windows": windows}, len(by_subject(found.rows)) - MOST_STRIPS


def _tiles(found: Told) -> Drawn:
    """A tile a subject: its newest figure that counts, its interval, and its course."""
    scene, by = found.scene, by_subject(found.rows)
    unit, bound = scene.monitor.unit.value, scene.monitor.warn or scene.monitor.page
    drawn = []
    for name, rows in list(by.items())[:MOST_TILES]:
        last = newest(rows, scene)[-1]
        says = [numbers.figure(each, unit, scene.currency) for each in (last.value, last.low, last.high)]
        sure = last.low is not None and last.high is not None
        drawn.append(
            Tile(
                name or scene.service,
                says[0],
                f"{says[1]} to {says[2]}" if sure else f"of {numbers.short(last.n)}",
                f"#{found.scene.monitor.name}",
                State.ALARM if heat.is_away(last, scene) else State.UNKNOWN,
                along(rows, scene, lambda row: finite(row.value)),
                bound.bound if bound else None,
                share_held(rows, scene),
                None,
            )
        )
    return {"tiles": drawn}, len(by) - MOST_TILES


KINDS: Final[Mapping[Kind, Callable[[Told], Drawn]]] = {
    Kind.HEAT: _heat,
    Kind.HISTOGRAMS: _histograms,
    Kind.POINTS: _points,
    Kind.STRIPS: _strips,
    Kind.TABLE: _table,
    Kind.TILES: _tiles,
    Kind.WATERFALL: _waterfall,
}
