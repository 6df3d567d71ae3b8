"""What did it cost, and where did it go: a waterfall that adds up, and the price of a million predictions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from weir.core import numbers
from weir.operations.glance import VALUE
from weir.web.console.asking import Asker
from weir.web.console.course import Course, course
from weir.web.console.drawing import fall, lines
from weir.web.console.drawing.chart import Chart, Line
from weir.web.console.drawing.windows import along, by_subject, held, number, seconds
from weir.web.console.panel import Act, Panel
from weir.web.console.told import Told, slowly, told
from weir.web.console.view import View

WHOLE, TENANTS, BUDGETS = "cost/conservation", "cost/tenants", "cost/budgets"
MILLION: Final = 1_000_000
BACK: Final = timedelta(days=2)  # in which a budget was looked at last
UNITS: Final = {"USD": "dollar", "EUR": "euro", "GBP": "pound", "JPY": "yen"}


def build(asker: Asker, view: View) -> Panel:
    """Sums over the windows of the view."""
    asked = slowly(view)
    whole, tenants, stored = asker.all(
        lambda: told(asker, view, WHOLE, **asked),
        lambda: told(asker, view, TENANTS, **asked),
        lambda: course(asker, view.service, (VALUE, BUDGETS), min(view.begin, view.end - BACK), view.end),
    )
    made = fall.fall(whole.rows, tenants.rows)
    context: dict[str, Any] = {"fall": made, "currency": whole.scene.currency, "facts": [], "chart_of": None}
    if made is not None:
        predictions = sum(row.n for row in tenants.rows)
        context["facts"] = _facts(made, predictions, whole.scene.currency)
        context["facts"] += [_earned(whole, stored, view), _budget(stored)]
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
        acts=(
            Act("Tenants", f"/rows/{TENANTS}{view.link(service=view.service, **tenants.query)}"),
            Act("Budgets", f"/rows/{BUDGETS}{view.link(service=view.service, **tenants.query)}"),
        ),
        unsplit=asker.unsplit(WHOLE, view),
    )


def _facts(made: fall.Fall, predictions: int, currency: str) -> list[tuple[str, str]]:
    return [
        (
            "Per million predictions",
            numbers.money(MILLION * made.metered / predictions if predictions else None, currency),
        ),
        ("Idle share", numbers.share(made.idle / made.metered)),
    ]


def _earned(whole: Told, stored: Sequence[Course], view: View) -> tuple[str, str]:
    """What was earned for each unit of money that was metered until then, in windows whose outcomes are known."""
    currency = whole.scene.currency
    windows = [
        (begin, begin + one.step_s, one.totals[place])
        for one in stored
        for place, begin in enumerate(one.begins)
        if one.monitor == VALUE and begin >= seconds(view.begin)
    ]
    until = max((end for _, end, _ in windows), default=0)
    spent = sum(number(row, "metered") or 0.0 for row in whole.rows if seconds(row.begin) < until)
    ratio = sum(total for _, _, total in windows) / spent if spent else None
    return f"Value per {UNITS.get(currency, currency)}", numbers.money(ratio, currency)


def _budget(stored: Sequence[Course]) -> tuple[str, str]:
    """How much of a budget is spent, of several the one of which most is; of its newest period."""
    shares = [
        (spent / amount, str(one.details.get("period", "month")), one.subject)
        for one in stored
        if one.monitor == BUDGETS
        and isinstance(spent := one.details.get("spent"), int | float)
        and isinstance(amount := one.details.get("amount"), int | float)
        and amount
    ]
    if not shares:
        return "Budget, this month", numbers.UNKNOWN
    share, period, name = max(shares)
    when = "today" if period == "day" else f"this {period}"
    return f"Budget{f' {name}' if len(shares) > 1 else ''}, {when}", numbers.share(share)


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
        held=held(whole.rows, whole.scene),
        height=150,
        left=64,
    )
