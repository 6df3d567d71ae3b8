"""Is it fast enough: latency and traffic over time, and which stage takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from weir.core import numbers
from weir.monitor.verdict import Verdict
from weir.web.console import objectives, releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import Chart, Line
from weir.web.console.drawing.parts import Part, most, parts
from weir.web.console.drawing.windows import held
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, told
from weir.web.console.view import View

TRAFFIC, STAGES = "health/traffic", "health/stages"


def build(asker: Asker, view: View) -> Panel:
    """Quantiles of the latency, predictions a second, and the stages of the newest window."""
    traffic, stages = asker.all(lambda: told(asker, view, TRAFFIC), lambda: told(asker, view, STAGES))
    spent = parts(stages.rows, stages.scene)
    largest = most(spent)
    context: dict[str, Any] = {"latency": None, "rate": None, "stages": spent}
    context["largest"] = spent.index(largest) if largest else None
    if traffic.rows:
        rules = [*lines.bounds(traffic.scene), *objectives.promises(asker, view.service)]
        marks = releases.marks(asker, view)
        context["latency"] = lines.over_time(traffic.rows, traffic.scene, "Latency over time", rules=rules, marks=marks)
        context["rate"] = replace(rate(traffic), marks=marks)
    return Panel(
        name="latency",
        question="Is it fast enough?",
        verdict=verdict(traffic.verdict, largest),
        template="latency.html",
        context=context,
        note="From the event to its score, by event time. Stages: as requests see them; p99 of the newest window.",
        monitor=TRAFFIC,
        acts=(Act("Stages", f"/rows/{STAGES}{view.link(service=view.service)}"),),
        unsplit=asker.unsplit(TRAFFIC, view),
    )


def verdict(of: Verdict, largest: Part | None) -> Verdict:
    """How fast it is, and where most of the time goes."""
    if largest is None:
        return of
    said = f"A request spends {numbers.share(largest.share)} of its time in {largest.name}."
    return Verdict(of.state, f"{of.sentence} {said}")


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
