"""What did it cost, and where did it go: a waterfall that adds up, and the price of a million predictions."""

from __future__ import annotations

from typing import Any, Final

from weir.core import numbers
from weir.web.console.asking import Asker
from weir.web.console.drawing import fall, lines
from weir.web.console.drawing.chart import Chart, Line
from weir.web.console.drawing.windows import along, by_subject, number
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, slowly, told
from weir.web.console.view import View

WHOLE, TENANTS, RATE = "cost/conservation", "cost/tenants", "health/rate"
MILLION: Final = 1_000_000


def build(asker: Asker, view: View) -> Panel:
    """Sums over the windows of the view."""
    asked = slowly(view)
    whole, tenants = asker.all(lambda: told(asker, view, WHOLE, **asked), lambda: told(asker, view, TENANTS, **asked))
    made = fall.fall(whole.rows, tenants.rows)
    context: dict[str, Any] = {"fall": made, "currency": whole.scene.currency, "facts": [], "chart_of": None}
    if made is not None:
        predictions = sum(row.n for row in tenants.rows)
        context["facts"] = _facts(made, predictions, whole.scene.currency)
        context["chart_of"] = per_million(whole, tenants)
    return Panel(
        name="cost",
        question="What did it cost, and where did it go?",
        verdict=whole.verdict,
        template="cost.html",
        context=context,
        note="Metered is what batches used, at the prices of the day; each answer bears its share of its batch.",
        monitor=WHOLE,
        asked=whole.query,
        acts=(Act("Tenants", f"/rows/{TENANTS}{view.link(service=view.service, **tenants.query)}"),),
        unsplit=asker.unsplit(WHOLE, view),
    )


def _facts(made: fall.Fall, predictions: int, currency: str) -> list[tuple[str, str]]:
    return [
        (
            "Per million predictions",
            numbers.money(MILLION * made.metered / predictions if predictions else None, currency),
        ),
        ("Idle share", numbers.share(made.idle / made.metered)),
        ("Unexplained", numbers.share(made.unexplained)),
        ("Predictions", numbers.short(predictions)),
    ]


def per_million(whole: Told, tenants: Told) -> Chart:
    """What was metered in each window, a million predictions of it."""
    spent = [along(rows, whole.scene, lambda row: number(row, "metered")) for rows in by_subject(whole.rows).values()]
    answered = [along(rows, tenants.scene, lambda row: float(row.n)) for rows in by_subject(tenants.rows).values()]
    sums = [[sum(value or 0.0 for value in each) for each in zip(*parts, strict=True)] for parts in (spent, answered)]
    values = [MILLION * cost / n if n else None for cost, n in zip(*sums, strict=True)] if spent and answered else []
    return lines.timed(
        whole.scene,
        name="Cost of a million predictions over time",
        series=[Line(label="per million predictions", values=values, step=True, fill=0.12)],
        unit="money",
        currency=whole.scene.currency,
        zero=True,
        height=150,
        left=64,
    )
