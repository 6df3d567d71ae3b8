"""What `weir learners show` says of a learner that lives."""

from datetime import UTC, datetime

from weir.cli import learner_evidence, learner_screen
from weir.operations.live_learners import Shown


def test_without_figures_there_is_no_table(capsys):
    at = datetime(2026, 11, 28, tzinfo=UTC)
    begun = {"name": "fresh", "service": "returns", "digest": "fc1cd455a0e8", "learned": 5, "good": 0, "next": (3, 5)}
    learner_screen.live(Shown(**begun, stop=None, rows=[], blind=5, left=0, at=at, about={}))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("fresh of returns has learned 5 outcomes"), "no frame of a table without rows"
    assert said[-2].startswith("5 requests are in no figure")
    assert "weir learners replay fresh --known occurred" in said[-1]


def test_what_a_live_learner_has_found_is_said(capsys):
    figure = {"figure": "log_loss", "against": "champion", "better_by": 0.01, "low": 0.002, "high": 0.02, "days": 22}
    figure |= {"verdict": "better", "since_ms": 1_780_000_000_000, "autocorrelation": 0.4}
    compared = {"figures": [figure], "days": 22, "requests": 9000, "word": "promote", "why": [], "autocorrelation": 0}
    compared |= {"begin_ms": 1_778_000_000_000, "end_ms": 1_780_000_000_000, "since_ms": 1_780_000_000_000}
    incident = {"name": "incident-1", "loss": 0.8, "usual": 0.4}
    found = {"compared": compared, "late": 3, "incident": incident, "drifts": [{"name": "drift-1", "residual": 0.1}]}
    learner_evidence.show_live(found)
    said = capsys.readouterr().out
    for words in (
        "log loss",
        "on 22 closed days",
        "promote since 2026-05-28",
        "hang together",
        "3 outcomes came after",
    ):
        assert words in said
    assert "the champion's loss is 0.8 instead of 0.4" in said
    assert "drift-1: what comes true has been +0.1 off" in said
    learner_evidence.show_live({**found, "compared": None})
    assert "no day is closed yet" in capsys.readouterr().out
