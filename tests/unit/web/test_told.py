"""The windows that panels ask for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from weir.web.console import told
from weir.web.console.view import View

NOW = datetime(2026, 11, 30, 12, 34, 56, tzinfo=UTC)
HOUR_S = 3600


@pytest.mark.parametrize(
    ("span", "step_s"), [("1h", 60), ("6h", 900), ("24h", HOUR_S), ("7d", 3 * HOUR_S), ("30d", 12 * HOUR_S)]
)
def test_a_map_of_inputs_has_few_windows_that_are_whole(span, step_s):
    view = View.of({"range": span}, NOW)
    asked = told.mapped(view)
    windows = (asked["end"] - asked["begin"]).total_seconds() / asked["step_s"]
    assert asked["step_s"] == step_s
    assert windows == int(windows) <= told.MAPPED + 1  # the view's first and last windows are taken whole
    assert asked["begin"] <= view.begin < view.end <= asked["end"]
    assert asked["begin"].timestamp() % step_s == 0


def test_an_address_that_says_how_long_windows_are_decides():
    view = View.of({"range": "24h", "step": "10800"}, NOW)
    assert told.mapped(view)["step_s"] == view.step_s == 3 * HOUR_S
