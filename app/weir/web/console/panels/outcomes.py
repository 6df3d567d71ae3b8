"""Was the model right: its figure of quality over time, by what it predicts, and how much is known of each window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from weir.core import numbers
from weir.core.signature import Task
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import lines
from weir.web.console.drawing.chart import Chart, Line, Rule
from weir.web.console.drawing.windows import along, by_subject, held
from weir.web.console.panel import Panel
from weir.web.console.told import Told, by_days, told
from weir.web.console.view import View

QUALITY: Final[Mapping[Task, str]] = {
    Task.BINARY: "outcome/auc",
    Task.MULTICLASS: "outcome/accuracy",
    Task.REGRESSION: "outcome/error",
}
NAMES: Final = {
    "accuracy": "accuracy",
    "macro_f1": "F1, each class alike",
    "weighted_f1": "F1, by how often each comes true",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "bias": "bias",
}
FIRST: Final = {Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}


def build(asker: Asker, view: View) -> Panel:
    """The figure with its interval, and under it the share of outcomes that are known."""
    task = asker.task(view.service) or Task.BINARY
    name = QUALITY[task]
    found = told(asker, view, name, **by_days(view))
    known = known_of(found) if found.rows else None
    step = numbers.span(found.scene.step_s)
    return Panel(
        name="outcomes",
        question="Was the model right?",
        verdict=found.verdict,
        template="outcomes.html",
        context={
            "quality": replace(quality(found, task), marks=releases.marks(asker, view)) if found.rows else None,
            "known": known,
        },
        note=f"Windows of {step}. Interval: 95{numbers.THIN}%, widened where outcomes of one time go together. Hatched:"
        f" fewer than {numbers.share(found.scene.monitor.maturity).replace('.0', '')} of the outcomes are known.",
        monitor=name,
        asked=found.query,
        unsplit=asker.unsplit(name, view),
    )


def quality(found: Told, task: Task) -> Chart:
    """The task's figures over the windows: of several the first with its interval, the others beside it."""
    parts, scene = by_subject(found.rows), found.scene
    if task is Task.BINARY:
        return lines.over_time(found.rows, scene, "AUC over time with its interval", height=230)
    first = FIRST[task] if FIRST[task] in parts else next(iter(parts))
    looks: list[dict[str, Any]] = [{"tone": "s2", "dash": (6, 3)}, {"tone": "base", "dash": (2, 3)}]
    others = [name for name in parts if name != first]
    beside = [
        Line(label=NAMES.get(name, name), values=along(parts[name], scene, lambda row: row.value), **look)
        for name, look in zip(others, looks, strict=False)
    ]
    return lines.timed(
        scene,
        name=f"{scene.monitor.title} over time",
        series=[*lines.counted(parts[first], scene, lambda row: row.value, label=NAMES.get(first, first)), *beside],
        bands=lines.interval(parts[first], scene),
        unit=scene.monitor.unit.value,
        held=held(found.rows, scene),
        rules=[Rule(at=0.0, label="", tone="base", soft=True)] if "bias" in parts else [],
        height=230,
    )


def known_of(found: Told) -> Chart:
    """The share of predictions with an outcome over the windows."""
    one = next(iter(by_subject(found.rows).values()))
    scene = found.scene
    return lines.timed(
        scene,
        name="Share of predictions with a known outcome",
        series=[
            Line(
                label="predictions with a known outcome",
                values=lines.column(one, scene, "maturity"),
                tone="s4",
                step=True,
                fill=0.14,
            )
        ],
        rules=[Rule(at=scene.monitor.maturity, label="mature", tone="base")],
        unit="share",
        range=(0.0, 1.04),
        held=held(found.rows, scene),
        height=96,
    )
