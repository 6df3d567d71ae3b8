"""What a person's statement that is a monitor's is compared with: as its header says."""

from datetime import UTC, datetime

import pytest
from weir.web.console.desk import bound_to
from weir.web.console.view import View

SQL = "SELECT {baseline:String}, {season:String}, {base_from:DateTime}"


@pytest.mark.parametrize(
    ("header", "baseline", "season"),
    [
        ("", "reference", ""),
        ("-- baseline: reference\n", "reference", ""),
        ("-- name: a\n-- baseline: frozen july\n", "july", ""),
        ("-- baseline: season weekday\n", "season", "weekday"),
        ("-- baseline: something\n", "reference", ""),
    ],
)
def test_the_baseline_is_the_header_s(header, baseline, season):
    view = View.of({"range": "24h"}, datetime(2026, 11, 30, 12, tzinfo=UTC))
    bound = bound_to(None, view, header + SQL)
    assert (bound["baseline"], bound["season"]) == (baseline, season)
