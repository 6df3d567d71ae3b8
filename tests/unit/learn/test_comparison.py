"""When a learner is to be promoted: it is surely better than the champion and than those who look at no feature."""

import json
from dataclasses import replace

import numpy as np
import pytest
from weir.learn import proposals
from weir.learn.comparison import compared
from weir.learn.days import DAY_MS, Day, Part
from weir.learn.learner import Terms
from weir.monitor.action import Action

BEGIN = 1_779_926_400_000  # a midnight
WHO = ("learner", "champion", "no change", "last class")
TERMS = Terms(warm_up=0)


def days(count=40, *, better=0.01, no_change=0.2, brier=0.01, seed=1, figure="log_loss", second="brier", auc=True):
    """Losses of 1,000 requests a day; the learner's are less by so much a request."""
    chance = np.random.default_rng(seed)
    made = []
    for number in range(count):
        shock = chance.normal(0, 0.004, 3)
        losses = (0.44 - better + shock[0], 0.44, 0.44 + no_change + shock[1], 0.9)
        squares = (0.14 - brier + shock[2] / 3, 0.14, 0.2, 0.4)
        of = {
            name: Part(1000.0, dict(zip(WHO, 1000 * np.array(each), strict=True)))
            for name, each in ((figure, losses), (second, squares))
        }
        if auc and number % 4:
            of["auc"] = Part(1.0, dict(zip(WHO, (0.78 + shock[0], 0.77, 0.5, 0.5), strict=True)))
        made.append(Day(BEGIN + number * DAY_MS, 1000, 1000 * number, of))
    return made


def said(of, terms=TERMS, *, end=None, stopped=False):
    until = BEGIN + (len(of) + 1) * DAY_MS if end is None else end
    return compared(of, terms, until_ms=until, stopped=stopped, champion="champion", baselines=WHO[2:])


def test_one_that_is_better_is_proposed_with_all_that_speaks_for_it():
    found = said(days())
    assert (found.word, found.why, found.days, found.requests) == ("promote", (), 40, 40_000)
    assert [(one.figure, one.against) for one in found.figures] == [
        ("log_loss", "champion"),
        ("brier", "champion"),
        ("auc", "champion"),
        ("log_loss", "no change"),
        ("log_loss", "last class"),
    ]
    first = found.figures[0]
    assert first.low < first.better_by < first.high
    assert first.better_by == pytest.approx(0.01, abs=0.002)
    assert found.figures[2].better_by == pytest.approx(0.01, abs=0.002)  # AUC is good where it is greater
    assert found.figures[2].days == 30
    assert found.since_ms == BEGIN + (20 + 1) * DAY_MS  # after the 20th day, when its outcomes were in
    assert (found.begin_ms, found.end_ms) == (BEGIN, BEGIN + 40 * DAY_MS)


@pytest.mark.parametrize(
    ("of", "word", "why"),
    [
        (days(better=-0.01), "keep", "by log loss it is worse than champion"),
        (days(better=0.0), "undecided", "by log loss it is not surely better than champion"),
        (days(no_change=-0.02), "undecided", "by log loss it is worse than no change"),
        (days(brier=-0.01), "undecided", "by brier it is worse than champion"),
        (days(19), "undecided", "19 days are closed, of 20 before the first look"),
        ([], "undecided", "0 days are closed, of 20 before the first look"),
    ],
)
def test_what_keeps_it_from_being_promoted_is_said(of, word, why):
    found = said(of)
    assert found.word == word
    assert why in found.why


def test_it_has_to_be_better_by_the_margin_and_must_not_have_been_stopped():
    of = days()
    assert said(of, replace(TERMS, margin=0.02)).word == "undecided"
    found = said(of, stopped=True)
    assert (found.word, found.since_ms, found.why) == ("undecided", None, ("a guard has stopped it",))


def test_days_count_when_they_are_closed_and_the_learner_knows_enough():
    of = days()
    assert said(of, end=BEGIN + 40 * DAY_MS).days == 39
    assert said(of, replace(TERMS, wait_h=24 * 7), end=BEGIN + 40 * DAY_MS).days == 33
    assert said(of, replace(TERMS, warm_up=5000)).days == 35
    assert said(of, replace(TERMS, warm_up=5000)).begin_ms == BEGIN + 5 * DAY_MS


def test_a_regression_is_compared_by_its_squared_error():
    found = said(days(figure="squared_error", second="absolute_error", auc=False))
    assert (found.word, found.figures[0].figure) == ("promote", "squared_error")


def test_what_was_proposed_holds_as_of_every_day_since():
    """Whoever looks later sees the same proposal."""
    of = days()
    for count in range(20, 41):
        found = said(of[:count])
        assert (found.word, found.since_ms) == ("promote", BEGIN + 21 * DAY_MS)


@pytest.mark.parametrize("terms", [{"alpha": 0.9}, {"margin": -1.0}, {"wait_h": -1.0}])
def test_terms_that_cannot_be_meant_are_refused(terms):
    with pytest.raises(ValueError, match=f"{next(iter(terms))} is"):
        Terms(**terms)


def test_a_promotion_is_one_action_as_long_as_it_stays_proven():
    of = days()
    found = [
        proposals.promotion(said(of[:count]), learner="fresh", service="returns", at_ms=count) for count in (30, 40)
    ]
    assert len({one.action_id for one in found}) == 1
    one = found[1]
    assert (one.kind, one.service, one.proposed_by, one.at_ms) == ("promote", "returns", "learners/fresh", 40)
    assert one.sentence.startswith(
        "let learner fresh answer: on 40 closed days, 40,000 requests, its log loss is better"
    )
    assert (one.begin_ms, one.end_ms) == (BEGIN, BEGIN + 21 * DAY_MS)
    row = one.row()
    assert json.loads(row["evidence"])["figures"][0]["low"] > 0
    assert Action.of(row) == one
    worse = said(days(better=-0.01))
    assert proposals.promotion(worse, learner="fresh", service="returns", at_ms=1) is None
