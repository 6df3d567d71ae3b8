"""What `weir learners show` says of a learner that lives."""

from datetime import UTC, datetime

from weir.cli import learners
from weir.operations.live_learners import Shown


def test_without_figures_there_is_no_table(capsys):
    at = datetime(2026, 11, 28, tzinfo=UTC)
    begun = {"name": "fresh", "service": "returns", "digest": "fc1cd455a0e8", "learned": 5, "good": 0, "next": (3, 5)}
    learners._show_live(Shown(**begun, stop=None, rows=[], blind=5, left=0, at=at, about={}))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("fresh of returns has learned 5 outcomes"), "no frame of a table without rows"
    assert said[-2].startswith("5 requests are in no figure")
    assert "weir learners replay fresh --known occurred" in said[-1]
