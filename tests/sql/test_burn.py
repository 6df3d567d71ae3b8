"""Whether error budgets last, as the console shows it: the rates that were stored, and a sentence about them."""

import pytest
from weir.monitor.verdict import State
from weir.web.console.asking import Asker
from weir.web.console.panels import burn
from weir.web.console.view import View

from tests.console.filled import FLIGHTS, NOW, PARCELS


def rate(objective, span, value):
    return {"objective": objective, "span": span, "burn": value}


@pytest.mark.parametrize(
    ("rows", "state", "said"),
    [
        ([], State.UNKNOWN, "No burn rate was found in this window."),
        ([rate("a", "2h", 9.0)], State.UNKNOWN, "No burn rate"),  # of a rule that there is no more
        ([rate("a", "1h", 14.3), rate("b", "3d", 0.5)], State.OK, "Nearest to its limit is a, 14.3 times over 1h."),
        ([rate("a", "1h", 99.0), rate("a", "1h", 1.0)], State.OK, "No budget burns too fast."),  # the newest counts
        ([rate("b", "3d", 1.0), rate("a", "6h", 5.0)], State.LOOK, "b burns 1.00 times as fast as it may over 3d"),
        (
            [rate("b", "3d", 9.0), rate("a", "6h", 6.0)],
            State.ALARM,
            "a burns 6.00 times as fast as it may over 6h, limit 6.00",
        ),
    ],
)
def test_the_gravest_rule_at_its_limit_is_said(rows, state, said):
    found = burn.burning(rows)
    assert found.state is state
    assert said in found.sentence


def test_its_panel_has_the_rates_that_were_stored(day):
    asker = Asker(day)
    view = View.of({"range": "6h"}, NOW, service=FLIGHTS.service)
    shown = burn.build(asker, view)
    assert shown.verdict.state is State.ALARM
    drawn = shown.context["chart_of"]
    lines = {line.label: [value for value in line.values if value is not None] for line in drawn.series}
    assert lines == {"fast 1h": [20.0, 16.0], "fast 6h": [5.0, 4.0]}
    assert [level.at for level in drawn.rules] == [14.4, 6.0, 1.0]
    other = burn.build(asker, View.of({}, NOW, service=PARCELS.service))
    assert (other.verdict.state, other.context["chart_of"]) == (State.UNKNOWN, None)
    asker.close()
