"""What does the model say: its score over time and beside the baseline, and what it decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from weir.core import numbers
from weir.core.signature import Task
from weir.monitor.spec import Row
from weir.web.console import releases
from weir.web.console.asking import Asker
from weir.web.console.drawing import heat, lines
from weir.web.console.drawing.chart import Band, Chart, Line, Rule, tones
from weir.web.console.drawing.histogram import histogram, pooled
from weir.web.console.drawing.windows import along, held
from weir.web.console.panel import Panel
from weir.web.console.told import Told, told
from weir.web.console.view import View

SCORE, RATE, CLASSES = "drift/score_histogram", "health/rate", "drift/classes"
MOST_CLASSES: Final = 30
MOST_DECISIONS: Final = 5
WORDS: Final = {
    Task.BINARY: "probability of the positive class",
    Task.MULTICLASS: "probability of the decided class",
    Task.REGRESSION: "predicted value",
}


def build(asker: Asker, view: View) -> Panel:
    """The fan of the score, its histogram, and how often each decision was made."""
    score, rate = asker.all(lambda: told(asker, view, SCORE), lambda: told(asker, view, RATE))
    context: dict[str, Any] = {"fan": None, "histogram": None, "decisions": None, "map": None}
    if score.scene.task is Task.MULTICLASS:
        classes = told(asker, view, CLASSES)
        context |= {"map_name": classes.scene.monitor.title, "classes": classes.verdict}
        context["map"] = heat.alone(classes.rows, classes.scene, MOST_CLASSES) if classes.rows else None
    if score.rows:
        context["fan"] = replace(fan(score, asker.meaning(view.service)), marks=releases.marks(asker, view))
        context["histogram"] = histogram(
            pooled(score.rows), "Score histogram, this time beside the baseline", height=210
        )
    if any(row.details["decisions"].keys() - {""} for row in rate.rows):
        context["decisions"] = replace(decided(rate), marks=releases.marks(asker, view))
    return Panel(
        name="score",
        question="What does the model say?",
        verdict=score.verdict,
        template="score.html",
        context=context,
        note=f"Score: the {WORDS[score.scene.task or Task.BINARY]}. Bands: half and nine tenths of the scores.",
        monitor=SCORE,
        unsplit=asker.unsplit(SCORE, view),
    )


def fan(score: Told, meaning: Any) -> Chart:
    """Quantiles of the score over the windows; of two classes with the threshold."""
    scene = score.scene
    q = {name: lines.column(score.rows, scene, name) for name in ("q05", "q25", "q50", "q75", "q95")}
    is_chance = scene.task is not Task.REGRESSION
    rules = [Rule(at=float(meaning["threshold"]), label="threshold", tone="base")] if scene.task is Task.BINARY else []
    return lines.timed(
        scene,
        name="Quantiles of the score over time",
        kind="fan",
        series=[
            Line(label="median", values=q["q50"], width=2),
            Line(label="mean", values=lines.column(score.rows, scene, "mean"), tone="s2", dash=(6, 3)),
        ],
        bands=[
            Band(low=q["q05"], high=q["q95"], label=f"5–95{numbers.THIN}%", weight=0.13),
            Band(low=q["q25"], high=q["q75"], label=f"25–75{numbers.THIN}%", weight=0.22),
        ],
        rules=rules,
        unit="chance" if is_chance else "number",
        range=(0.0, 1.0) if is_chance else None,
        held=held(score.rows, scene),
        height=210,
    )


def decided(rate: Told) -> Chart:
    """The share of each decision over the windows; of many those that were made most."""
    counts: dict[str, int] = {}
    for row in rate.rows:
        for name, n in row.details["decisions"].items():
            counts[name] = counts.get(name, 0) + n
    most = sorted(sorted(counts, key=lambda name: -counts[name])[:MOST_DECISIONS])
    return lines.timed(
        rate.scene,
        name="Share of each decision over time",
        series=[
            Line(label=name or "none", values=along(rate.rows, rate.scene, _share_of(name)), **tones(place))
            for place, name in enumerate(most)
        ],
        unit="share",
        zero=True,
        held=held(rate.rows, rate.scene),
        height=150,
    )


def _share_of(name: str) -> lines.Pick:
    def share(row: Row) -> float | None:
        return row.details["decisions"].get(name, 0) / row.n if row.n else None

    return share
