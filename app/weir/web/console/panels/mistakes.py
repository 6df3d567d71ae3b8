"""What does it take for what: the confusion matrix; of a regression, whether its quantiles hold what they say."""

from __future__ import annotations

from weir.core import numbers
from weir.core.signature import Task
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines, matrix
from weir.web.console.panel import Panel
from weir.web.console.told import by_days, told, whole
from weir.web.console.view import View

CLASSES, QUANTILES = "outcome/confusion", "outcome/coverage"


def build(asker: Asker, view: View) -> Panel:
    """The table or the lines that the task has."""
    if asker.task(view.service) is Task.REGRESSION:
        return _quantiles(asker, view)
    found = told(asker, view, CLASSES, **whole(view))
    made = matrix.confusion(found.rows, found.scene, asker.meaning(view.service)["labels"])
    left_out = f" {made.left_out} rarer classes are in the rows." if made and made.left_out else ""
    when = f" The {numbers.span(found.scene.step_s)} from {numbers.time(made.begin)}." if made else ""
    return Panel(
        name="mistakes",
        question="What does it take for what?",
        verdict=found.verdict,
        template="matrix.html",
        context={"matrix": made},
        note=f"A row is a class that came true; its cells say what was decided, as shares of the row.{when}{left_out}",
        monitor=CLASSES,
        asked=found.query,
        unsplit=asker.unsplit(CLASSES, view),
    )


def _quantiles(asker: Asker, view: View) -> Panel:
    found = told(asker, view, QUANTILES, **by_days(view))
    chart = lines.over_time(found.rows, found.scene, height=230) if found.rows else None
    return Panel(
        name="mistakes",
        question="Do its quantiles hold what they say?",
        verdict=found.verdict if found.rows else None,
        template="picture.html",
        context={"chart_of": chart, "nothing": "This model gives no quantiles, or no outcome is known yet"},
        note="A line a quantile: the share of what was observed that lay at or below it, which ought to be its name."
        if chart
        else "",
        monitor=QUANTILES,
        asked=found.query,
        unsplit=asker.unsplit(QUANTILES, view),
    )
