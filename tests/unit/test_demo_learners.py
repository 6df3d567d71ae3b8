"""The demo's learners: their files fit its services, and the report says what they did and claims no more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from weir.agents.learner import files
from weir.demo import project, report_learners
from weir.demo.learned import Learned
from weir.demo.siblings import SIBLINGS
from weir.demo.signature import SERVICE, SIGNATURE
from weir.learn import river_parts
from weir.settings import load

ROWS = [
    {"month": "2013-07", "who": "learner", "requests": 50, "log_loss": 0.51, "brier": 0.17, "auc": float("nan")},
    {"month": "all", "who": "learner", "requests": 90, "log_loss": 0.45, "brier": 0.14, "auc": 0.770},
    {"month": "all", "who": "champion", "requests": 90, "log_loss": 0.46, "brier": 0.15, "auc": 0.7705},
]
HYBRID = Learned(
    name="hybrid",
    service=SERVICE,
    model="a pipeline",
    outcomes=90,
    blind=1,
    stopped="",
    word="undecided",
    why=("3 days are closed, of 20 before the first look",),
    days=3,
    months=ROWS,
    drifts=0,
    retraining=0,
    cpu_s=1.5,
)


def test_its_files_fit_its_services():
    settings = project.settled(load())
    found, refused = files.looked(settings)
    assert refused == {}
    assert set(found) == {"linear", "hybrid", "minutes"}
    signatures = {SERVICE: SIGNATURE} | {one.service: one.signature for one in SIBLINGS}
    numbers = sum(not item.categories for item in SIGNATURE.inputs)
    for one in found.values():
        subject = files.subject(one, signatures[one.service])
        assert len(subject.columns) == (len(one.features) or numbers) + one.champion
        assert river_parts.made(one, subject.task)


def test_the_report_has_each_learner_beside_the_champion():
    (told,) = report_learners.to_json([HYBRID])
    assert told["auc_behind_champion"] == pytest.approx(0.0005)
    assert told["months"][0]["auc"] is None  # no number in JSON
    console = Console(width=120, record=True)
    for each in report_learners.show([HYBRID]):
        console.print(each)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert lines[2] == "who answers requests log loss Brier AUC closed days say"
    assert lines[3].startswith("hybrid 90 0.4500 0.1400 0.7700 undecided: 3 days are closed")
    assert any(line.startswith("champion 90 0.4600 0.1500 0.7705") for line in lines)


def test_it_claims_what_the_hybrid_is_to_reach_and_that_no_guard_stops_a_learner():
    assert all(report_learners.claims([HYBRID]).values())
    worse = replace(HYBRID, months=[*ROWS[:2], {**ROWS[2], "auc": 0.781}])
    assert [claim for claim, holds in report_learners.claims([worse]).items() if not holds] == [
        "the hybrid's AUC is at most 0.01 below the champion's"
    ]
    stopped = replace(HYBRID, stopped="weight: a weight is above 100")
    assert report_learners.claims([stopped])["learner hybrid is not stopped"] is False
