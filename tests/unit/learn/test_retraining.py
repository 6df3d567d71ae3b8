"""When training is asked for: by drift, decay, age or volume, and not again for a while; and on what."""

import pytest
from weir.learn import retraining
from weir.learn.days import DAY_MS, Day, Part
from weir.learn.drift import Drift
from weir.learn.learner import Retrain, Terms

BEGIN = 1_779_926_400_000
TERMS = Terms(wait_h=12)
NOTHING = Retrain(drift=False)


def days(count=100, loss=lambda day: 0.4):
    parts = [{"log_loss": Part(1000.0, {"champion": 1000 * loss(day)})} for day in range(count)]
    return [Day(BEGIN + day * DAY_MS, 1000, 1000 * day, parts[day]) for day in range(count)]


def drift(day):
    return Drift(BEGIN + int(day * DAY_MS), BEGIN + int((day - 5) * DAY_MS), 0.07, 20, 1500.0, 1460.0)


def asked(rule, drifts=(), of=None, until=100):
    found = retraining.requests(
        days() if of is None else of, drifts, rule, TERMS, who="champion", until_ms=BEGIN + until * DAY_MS + DAY_MS
    )
    return found, [(one.at_ms - BEGIN) / DAY_MS for one in found]


def test_a_drift_asks_once_at_the_next_closing_and_again_after_the_rest():
    rule = Retrain(rest_days=14)
    (first, second, _), at = asked(rule, (drift(30.1), drift(33.2), drift(34.2), drift(60.7)))
    assert at == [30.5, 44.5, 61.5]
    assert first.why == ("drift-20260627T0224: +0.07 off what it expects",)
    assert (first.of.begin_ms, first.of.end_ms, first.of.known_ms) == (BEGIN, BEGIN + 30 * DAY_MS, first.at_ms)
    assert first.of.outcomes == 30_000
    assert len(second.why) == 2  # those that came while it rested
    assert asked(NOTHING, (drift(30.1),))[1] == []


def test_age_and_volume_count_from_the_last_request():
    assert asked(Retrain(drift=False, age_days=30, rest_days=1))[1] == [31.5, 61.5, 91.5]
    found, at = asked(Retrain(drift=False, outcomes=40_000, rest_days=1))
    assert at == [40.5, 80.5]
    assert found[0].why == ("40,000 outcomes have come",)
    assert asked(Retrain(drift=False, outcomes=1000, rest_days=20))[1] == [1.5, 21.5, 41.5, 61.5, 81.5]


def test_decay_is_of_the_loss_that_decides():
    found, at = asked(Retrain(drift=False, decay=0.1), of=days(loss=lambda day: 0.4 if day < 50 else 0.5))
    assert at[0] == 62.5  # 12 of 28 days are worse by a quarter
    assert found[0].why == ("its loss is 0.4429 in 28 days, and was 0.4",)
    assert asked(Retrain(drift=False, decay=0.1))[1] == []


def test_what_would_be_asked_does_not_change_when_more_is_known():
    """However often one looks: a day that is not closed asks for nothing."""
    rule = Retrain(drift=False, age_days=30, rest_days=1)
    assert asked(rule, until=60.4)[1] == [31.5]
    assert asked(rule, until=60.6)[1] == [31.5, 61.5]
    assert asked(rule, of=[])[1] == []


def test_a_request_is_an_action_with_its_training_set():
    (first,), _ = asked(Retrain(drift=False, outcomes=60_000))
    one = retraining.action(first, service="returns", learner="fresh")
    assert one.sentence == "train returns on 60,000 outcomes of 60 days: 60,000 outcomes have come"
    assert one.parameters == {"from": BEGIN, "to": BEGIN + 60 * DAY_MS, "known_until": first.at_ms, "outcomes": 60_000}
    assert (one.kind, one.at_ms) == ("retrain", first.at_ms)
    assert one.action_id == retraining.action(first, service="returns", learner="fresh").action_id


def test_a_rule_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="rest_days is 0"):
        Retrain(rest_days=0)
