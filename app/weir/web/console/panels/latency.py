"""Is it fast enough: latency and traffic over time, and which stage takes it."""

from __future__ import annotations

from typing import Any

from weir.web.console import objectives, releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import Chart, Line
from weir.web.console.drawing.windows import held, newest
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, told
from weir.web.console.view import View

TRAFFIC, STAGES = "health/traffic", "health/stages"


def build(asker: Asker, view: View) -> Panel:
    """Quantiles of the latency, predictions a second, and the stages of the newest window."""
    traffic, stages = asker.all(lambda: told(asker, view, TRAFFIC), lambda: told(asker, view, STAGES))
    context: dict[str, Any] = {"latency": None, "rate": None, "stages": newest(stages.rows, stages.scene)}
    if traffic.rows:
        rules = [*lines.bounds(traffic.scene), *objectives.promises(asker, view.service)]
        marks = releases.marks(asker, view)
        context["latency"] = lines.over_time(traffic.rows, traffic.scene, "Latency over time", rules=rules, marks=marks)
        context["rate"] = rate(traffic)
    return Panel(
        name="latency",
        question="Is it fast enough?",
        verdict=traffic.verdict,
        template="latency.html",
        context=context,
        note="From the event to its score, by event time. Stages: of the newest window, as its requests see them.",
        monitor=TRAFFIC,
        acts=(Act("Stages", f"/rows/{STAGES}{view.link(service=view.service)}"),),
        unsplit=asker.unsplit(TRAFFIC, view),
    )


def rate(traffic: Told) -> Chart:
    """Predictions a second over the windows."""
    values = lines.column(traffic.rows, traffic.scene, "per_second")
    return lines.timed(
        traffic.scene,
        name="Predictions a second over time",
        series=[Line(label="predictions", values=values, fill=0.12)],
        unit="rate",
        zero=True,
        held=held(traffic.rows, traffic.scene),
    )
