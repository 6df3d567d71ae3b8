"""How fast does the truth arrive: the share of outcomes that are known, by the age of the prediction."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from weir.web.console.asking import Asker
from weir.web.console.drawing import curve
from weir.web.console.panel import Panel
from weir.web.console.told import told, whole
from weir.web.console.view import View

MATURITY: Final = "outcome/maturity"
HOUR_S, DAY_S = 3600, 86_400


def build(asker: Asker, view: View) -> Panel:
    """Of the view's days; of a view of a day or less, its hours."""
    short = view.end - view.begin <= timedelta(days=2)
    asked = whole(view) | {"step_s": HOUR_S if short else DAY_S}
    found = told(asker, view, MATURITY, **asked)
    unit = "hours" if short else "days"
    return Panel(
        name="maturity",
        question="How fast does the truth arrive?",
        verdict=found.verdict,
        template="picture.html",
        context={"chart_of": curve.maturity(found.rows, found.scene) if found.rows else None},
        note=f"Band: the {unit} of this time, but for one in ten. A line below it says that outcomes are late, before"
        " any figure is wrong.",
        monitor=MATURITY,
        asked=found.query,
        unsplit=asker.unsplit(MATURITY, view),
    )
