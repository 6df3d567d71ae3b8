"""Has the input moved: a map of inputs by windows, and one of them opened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from weir.core import numbers
from weir.monitor import verdicts
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import heat, lines
from weir.web.console.drawing.chart import Line, Mark, Rule
from weir.web.console.drawing.histogram import histogram, words
from weir.web.console.drawing.windows import held, number, seconds
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, mapped, told
from weir.web.console.view import View

NUMBERS, WORDS = "drift/features", "drift/categories"
OPENED: Final = {NUMBERS: "drift/feature", WORDS: "drift/category"}
QUESTION: Final = "Has the input moved?"


def build(asker: Asker, view: View) -> Panel:
    """The map, with the input that is chosen opened beside it; that which has moved most where none is."""
    asked = mapped(view)
    parts: list[Told] = asker.all(
        lambda: told(asker, view, NUMBERS, **asked), lambda: told(asker, view, WORDS, **asked)
    )
    measure = heat.MEASURES.get(view.metric, heat.MEASURES["psi"])
    found = heat.heat([(each.rows, each.scene) for each in parts], measure)
    rows = [row for each in parts for row in each.rows]
    context: dict[str, Any] = {"map": found, "measures": heat.MEASURES, "drill": None}
    context["marks"] = _columns(found, releases.marks(asker, view))
    if found.lines:
        context["drill"] = _chosen(asker, view, found)
    return Panel(
        name="drift",
        question=QUESTION,
        verdict=verdicts.say(rows, parts[0].scene),
        template="drift.html",
        context=context,
        note=_note(found, rows, view),
        monitor=NUMBERS,
        asked=parts[0].query,
        acts=(Act("Words", f"/rows/{WORDS}{view.link(service=view.service, **parts[1].query)}"),)
        if parts[1].rows
        else (),
        unsplit=asker.unsplit(NUMBERS, view),
    )


def _columns(found: heat.HeatMap, marks: Sequence[Mark]) -> dict[int, str]:
    """What came in which window of the map, by its begin."""
    named: dict[int, str] = {}
    for mark in marks:
        place = bisect_right(found.times, mark.at) - 1
        if place >= 0:
            at = found.times[place]
            named[at] = ", ".join(filter(None, (named.get(at, ""), mark.label)))
    return named


def _chosen(asker: Asker, view: View, found: heat.HeatMap) -> dict[str, Any]:
    line = next((each for each in found.lines if each.name == view.feature), found.lines[0])
    at = view.at if view.at and seconds(view.at) in found.times else None
    if at is None:
        alarms = [place for place, cell in enumerate(line.cells) if cell is not None and cell.alarm]
        known = [place for place, cell in enumerate(line.cells) if cell is not None and not cell.few]
        place = (alarms or known or [len(found.times) - 1])[-1]
        at = datetime.fromtimestamp(found.times[place], UTC)
    return drill(asker, view, line.monitor, line.name, at)


def drill(asker: Asker, view: View, name: str, subject: str, at: datetime | None) -> dict[str, Any]:
    """What a template writes of one input in one window. name: of the monitor whose map it is on."""
    opened = OPENED[name]
    one = told(asker, view, opened, subject=subject, **mapped(view))
    row = next((each for each in one.rows if each.begin == at), None)
    context: dict[str, Any] = {
        "name": subject,
        "monitor": opened,
        "of": name,
        "at": at,
        "at_s": seconds(at) if at else 0,
        "end": at + timedelta(seconds=one.scene.step_s) if at else None,
        "row": row,
        "about": _about(subject, one.scene),
        "query": view.link(service=view.service, **one.query),
        "statement": _statement(view, subject, name, at, one.scene),
        "over": _over(one, releases.marks(asker, view)),
    }
    if row is None:
        return context
    upto = [each for each in one.rows if each.begin <= row.begin] if one.scene.counts(row) else [row]
    context |= {
        "verdict": verdicts.say(upto, one.scene),
        "facts": _facts(row, one.scene),
        "histogram": None,
        "words": [],
        "left_out": 0,
    }
    if opened == "drift/feature":
        context["histogram"] = histogram(row, f"{subject}: histogram of the window beside the baseline")
    else:
        names = [cell.removeprefix("word ") for cell in row.details["cell"]]
        context["words"], context["left_out"] = words(row.details, names)
    return context


def _about(subject: str, scene: Scene) -> str:
    """What is known of an input, behind its time: the view it is read from, its importance, what it moves with."""
    about = scene.inputs.get(subject)
    if about is None:
        return ""
    share = f"{numbers.share(about.importance)} of importance" if about.importance is not None else ""
    nature = f"moves with the {about.cycle}" if about.cycle else ""
    return ", ".join(filter(None, (about.view and f"view {about.view}", share, nature)))


def _over(one: Told, marks: Sequence[Mark]) -> Any:
    """The input over the windows of the view."""
    return lines.timed(
        one.scene,
        name=f"{one.asked.subject} over time: PSI and missing values",
        series=[
            *lines.counted(one.rows, one.scene, lambda row: row.value, label="PSI", tone="s2"),
            Line(
                label="missing",
                values=lines.column(one.rows, one.scene, "missing_rate"),
                tone="base",
                dash=(4, 3),
                unit="share",
            ),
        ],
        rules=[Rule(at=bound.bound, label="tolerance") for bound in (one.scene.monitor.warn,) if bound is not None],
        unit="psi",
        zero=True,
        held=held(one.rows, one.scene),
        marks=marks,
        height=96,
        left=48,
    )


def _facts(row: Row, scene: Scene) -> list[tuple[str, float | None, str, bool]]:
    """Name, figure, unit, and whether it is beyond what is tolerated."""
    away = heat.is_away(row, scene)
    found: list[tuple[str, float | None, str, bool]] = [("PSI", row.value, "psi", away)]
    if "ks" in row.details:
        outside = (number(row, "below_rate") or 0.0) + (number(row, "above_rate") or 0.0)
        found += [("KS", number(row, "ks"), "ks", away), ("Wasserstein", number(row, "w1"), "number", False)]
        found += [
            ("Missing", number(row, "missing_rate"), "share", False),
            ("Outside of the baseline", outside, "share", False),
        ]
    else:
        found += [
            ("Jensen-Shannon", number(row, "js"), "ks", False),
            ("New words", number(row, "new_rate"), "share", False),
        ]
        found += [("Missing", number(row, "missing_rate"), "share", False)]
    return [*found, ("Rows", float(row.n), "count", False)]


def _statement(view: View, subject: str, name: str, at: datetime | None, scene: Scene) -> str:
    """SQL of the predictions behind a cell."""
    if at is None:
        return ""
    until = at + timedelta(seconds=scene.step_s)
    quoted = subject.replace("\\", "\\\\").replace("'", "\\'")
    column = "texts" if name == WORDS else "features"
    return (
        f"SELECT event_time, version, tenant, score, decision, {column}['{quoted}'] AS value\n"
        f"FROM predictions\nWHERE service = '{view.service}'\n"
        f"  AND event_time >= '{at:%Y-%m-%d %H:%M:%S}' AND event_time < '{until:%Y-%m-%d %H:%M:%S}'\n"
        "ORDER BY event_time\nLIMIT 200"
    )


def _note(found: heat.HeatMap, rows: list[Row], view: View) -> str:
    if not found.lines:
        return ""
    bases = sorted({str(row.details.get("base") or "") for row in rows} - {""})
    said = {"reference": "the bundle's reference"}
    named = [said.get(base.partition(":")[0], base) for base in bases[:2]]
    counts = f"{len(found.lines)} inputs, {len(found.times)} windows."
    cycles = any(line.cycle for line in found.lines)
    nature = " Inputs that move with the calendar or the season are kept below tolerance; their figures are true."
    return f"Baseline: {', '.join(dict.fromkeys(named)) or 'none'}. {counts}{nature if cycles else ''}"


def build_drill(asker: Asker, view: View) -> dict[str, Any]:
    """The input and window that the view has chosen, alone."""
    name = WORDS if view.monitor == WORDS else NUMBERS
    return drill(asker, view, name, view.feature, view.at)
