"""What is worth an alarm: effect and evidence, and how often nothing at all alarms."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from weir.monitor import unchanged
from weir.monitor.judge import Bounds, Rule, calm, judge
from weir.monitor.measurement import State, text_of
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PSI = Rule(bounds=Bounds(warn=Threshold.of("> 0.05"), page=Threshold.of("> 0.1")), minimum=100)


def row(value, p=None, subject="amount", n=1000, **ends):
    return Row(begin=NOON, subject=subject, value=value, n=n, p=p, details={}, **ends)


def course(rule, windows, memory=None):
    """States of each window's rows; the memory goes through JSON, as it does between two lives of a worker."""
    memory, found = memory or {}, []
    for rows in windows:
        verdicts = judge(rule, rows, memory)
        memory |= {each.subject: json.loads(text_of(each.memory)) for each in verdicts}
        found.append([each.state.value for each in verdicts])
    return found


def alone(rule, *rows):
    return [states[0] for states in course(rule, [[each] for each in rows])]


def test_an_effect_without_evidence_and_evidence_without_an_effect_are_no_alarm():
    assert alone(PSI, row(0.3, 0.01), row(0.3, 0.01)) == ["ok", "ok"]
    assert alone(PSI, row(0.01, 1e-300), row(0.01, 1e-300)) == ["ok", "ok"]
    assert alone(PSI, row(0.3, 1e-300), row(0.06, 1e-300)) == ["page", "warn"]


def test_evidence_adds_up_over_windows():
    assert alone(PSI, *[row(0.3, 0.001)] * 4) == ["ok", "ok", "page", "page"]
    many = [[row(0.3, 0.001), *(row(0.0, 0.5, f"other{i}") for i in range(29))]] * 5
    assert [states[0] for states in course(PSI, many)] == ["ok", "ok", "ok", "page", "page"], "of 30 it needs more"


def test_a_figure_at_its_bound_neither_opens_nor_closes_alarms_at_each_window():
    sure = 1e-300
    states = alone(PSI, row(0.101, sure), row(0.099, sure), row(0.101, sure), row(0.089, sure), row(0.046, 0.5))
    assert states == ["page", "page", "page", "warn", "warn"]
    assert alone(PSI, row(0.2, sure), row(0.04, sure), row(0.2, 0.01)) == ["page", "ok", "ok"], "evidence begins anew"
    assert str(calm(Threshold.of("> 0"))) == "> 0"


def test_what_can_say_nothing_says_so_and_changes_nothing():
    fired = {"amount": judge(PSI, [row(0.3, 1e-300)], {})[0].memory}
    for silent in (row(None), row(math.nan, 1e-9), row(math.inf, 1e-9), row(0.3, 1e-9, n=99)):
        (verdict,) = judge(PSI, [silent], fired)
        assert (verdict.state, verdict.memory, verdict.p_adjusted) == (State.FEW, fired["amount"], None)
    outcome = Rule(bounds=PSI.bounds, maturity=0.9)
    assert judge(outcome, [row(0.3, 1e-300)], {}, maturity=0.4)[0].state is State.IMMATURE
    assert judge(outcome, [row(0.3, 1e-300)], {}, maturity=0.95)[0].state is State.PAGE
    assert judge(PSI, [], {}) == []


def test_the_p_values_of_one_window_are_corrected_for_each_other():
    rows = [row(0.3, p, str(i)) for i, p in enumerate((0.01, 0.04, 0.03))]
    rows.append(row(0.3, 1e-9, "few", n=1))
    found = judge(PSI, rows, {})
    assert [each.p_adjusted for each in found] == pytest.approx([0.03, 0.04, 0.04, None])


def test_an_interval_has_to_lie_beyond_the_bound():
    auc = Rule(bounds=Bounds(page=Threshold.of("< 0.68")))
    assert alone(auc, row(0.6, low=0.5, high=0.7), row(0.6, low=0.5, high=0.67)) == ["ok", "page"]
    assert alone(auc, row(0.6), row(0.69), row(0.7)) == ["page", "page", "ok"]
    rate = Rule(bounds=Bounds(page=Threshold.of("> 0.1")))
    assert alone(rate, row(0.2, low=0.05, high=0.4), row(0.2, low=0.15, high=0.4)) == ["ok", "page"]


def test_a_calibrated_bound_is_that_of_its_subject():
    rule = Rule(bounds=PSI.bounds, calibrated={"hour": Bounds(Threshold.of("> 1.8"), Threshold.of("> 2"))})
    found = judge(rule, [row(1.5, 1e-300, "hour"), row(1.5, 1e-300, "amount")], {})
    assert [each.state for each in found] == [State.OK, State.PAGE]
    assert str(found[1].crossed) == "> 0.1"
    own = Rule(bounds=PSI.bounds, calibrated={"hour": Bounds(page=Threshold.of("> 2"))})
    assert judge(own, [row(1.5, 1e-300, "hour")], {})[0].state is State.WARN, "its warning is the monitor's own"


def test_a_feature_that_appeared_yesterday_has_no_past():
    windows = [[row(0.0, 0.5, "old")], [row(0.0, 0.5, "old"), row(0.3, 1e-300, "new")]]
    assert course(PSI, windows) == [["ok"], ["ok", "page"]]


BINS, ROWS, REFERENCE, FEATURES = 10, 1000, 100_000, 30


def windows_of(rng, n_windows, shares):
    """PSI and p of FEATURES features in windows of ROWS rows. shares: of each feature's bins, [features, bins]."""
    reference = rng.multinomial(REFERENCE, np.full(BINS, 1 / BINS), FEATURES) / REFERENCE
    found = rng.multinomial(ROWS, shares, (n_windows, FEATURES)) / ROWS
    smoothed = np.maximum(found, 0.5 / ROWS)
    psi = ((smoothed - reference) * np.log(smoothed / reference)).sum(axis=-1)
    scaled = ((found - reference) ** 2 / reference).sum(axis=-1)
    return psi, np.exp(unchanged.log_p_of_psi(scaled, BINS, ROWS, REFERENCE))


def alarms(psi, p, rule=PSI):
    """Windows in which something alarms."""
    memory, found = {}, []
    for window, one in enumerate(zip(psi, p, strict=True)):
        verdicts = judge(rule, [row(*each, str(i)) for i, each in enumerate(zip(*one, strict=True))], memory)
        memory = {each.subject: each.memory for each in verdicts}
        if {each.state for each in verdicts} & {State.WARN, State.PAGE}:
            found.append(window)
    return found


def test_30_features_that_do_not_change_alarm_at_most_once_in_1000_windows():
    """Also with bounds that every figure crosses, where the evidence is all there is."""
    rng = np.random.default_rng(11)
    unchanging = np.full((FEATURES, BINS), 1 / BINS)
    psi, p = windows_of(rng, 1000, unchanging)
    assert (p.min(axis=1) < 0.05).mean() > 0.7, "a test at each window would alarm most of the time"
    assert len(alarms(psi, p)) <= 1
    assert len(alarms(psi, p, Rule(bounds=Bounds(page=Threshold.of("> 0"))))) <= 1


def test_half_a_standard_deviation_is_found_in_three_windows_and_a_swapped_column_in_one():
    from scipy.stats import norm

    rng = np.random.default_rng(12)
    edges = norm.ppf(np.linspace(0, 1, BINS + 1))
    for moved, within in ((np.diff(norm.cdf(edges - 0.5)), 3), (np.diff(norm.cdf((edges - 4) / 2)), 1)):
        for _ in range(10):
            shares = np.full((FEATURES, BINS), 1 / BINS)
            shares[7] = moved
            assert alarms(*windows_of(rng, 3, shares))[0] < within
