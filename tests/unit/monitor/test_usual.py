"""Figures that are held to their own history: what is unusual, how often nothing is called so, and for how long."""

import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from weir.core.errors import Refused
from weir.edges.clickhouse import monitors
from weir.monitor import header, usual
from weir.monitor.judge import Bounds, Rule, judge
from weir.monitor.measurement import text_of
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold
from weir.monitor.usual import KEPT, NEEDED, Way
from weir.settings import load

from tests.unit.monitor.test_header import text

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AUC = Rule(bounds=Bounds(), usual={"": Way.FALLS})
SD = 0.01


def course(rule, windows):
    """Verdicts of each window, of subjects in a row; the memory goes through JSON."""
    memory, found = {}, []
    for values in windows:
        rows = [
            Row(begin=NOON, subject=str(at), value=float(value), n=1000, low=value - SD, high=value + SD, details={})
            for at, value in enumerate(np.atleast_1d(values))
        ]
        verdicts = judge(rule, rows, memory)
        memory |= {each.subject: json.loads(text_of(each.memory)) for each in verdicts}
        found.append(verdicts)
    return found


def states(rule, windows):
    return [verdicts[0].state.value for verdicts in course(rule, windows)]


def calm(windows, mean=0.8, seed=3, subjects=1):
    return np.random.default_rng(seed).normal(mean, SD, (windows, subjects))


@pytest.mark.parametrize("k", [7, 8, 28])
def test_the_chance_is_that_of_one_more_observation(k):
    from scipy import stats

    history = calm(k)[:, 0].tolist()
    for value in (0.7, 0.78, 0.8, 0.85):
        t = (value - np.mean(history)) / np.std(history, ddof=1) / np.sqrt(1 + 1 / k)
        expected = {
            Way.FALLS: stats.t.cdf(t, k - 1),
            Way.RISES: stats.t.sf(t, k - 1),
            Way.MOVES: 2 * stats.t.sf(abs(t), k - 1),
        }
        for way, chance in expected.items():
            assert usual.p_value(way, value, history) == pytest.approx(chance, abs=1e-12)


def test_a_short_history_and_one_that_never_differed_say_nothing():
    assert np.isnan(usual.p_value(Way.FALLS, 0.0, [0.8] * (NEEDED - 1)))
    assert np.isnan(usual.p_value(Way.FALLS, 0.5, [0.8] * NEEDED))
    assert usual.p_value(Way.FALLS, 0.5, [1.0] * NEEDED, 0.45, 0.55) < 1e-3, "its own rows say by how much it differs"
    assert states(AUC, [0.8] * (NEEDED - 1) + [0.1]) == ["ok"] * NEEDED


def test_where_nothing_changes_it_warns_at_most_once_in_a_thousand_windows():
    windows, warned = 4000, 0
    for way in Way:
        found = course(Rule(bounds=Bounds(), usual={"": way}), calm(windows // 3, seed=11, subjects=3))
        bad = [any(each.state.value == "warn" for each in verdicts) for verdicts in found]
        warned += sum(now and not before for before, now in zip([False, *bad], bad, strict=False))
    assert warned <= 4


def test_what_gets_worse_is_found_and_is_over_when_it_is_over():
    found = states(AUC, [*calm(20)[:, 0], *calm(4, 0.75, 5)[:, 0], *calm(3, 0.8, 6)[:, 0]])
    assert found[:20] == ["ok"] * 20
    assert "warn" in found[20:22], "five standard deviations, within two windows"
    assert found[-3:] == ["ok"] * 3
    assert set(states(AUC, [*calm(20)[:, 0], *calm(4, 0.85, 5)[:, 0]])) == {"ok"}, "better is not worse"
    assert "warn" in states(Rule(bounds=Bounds(), usual={"": Way.MOVES}), [*calm(20)[:, 0], *calm(4, 0.9, 5)[:, 0]])


def test_what_stays_becomes_usual():
    found = states(AUC, [*calm(20)[:, 0], *calm(KEPT + 10, 0.7, 5)[:, 0]])
    assert found[21 : 20 + KEPT - 1] == ["warn"] * (KEPT - 2)
    assert found[-8:] == ["ok"] * 8


def test_a_warning_says_what_was_expected_of_it_and_bounds_that_are_given_count_instead():
    last = course(AUC, [*calm(20)[:, 0], 0.6])[-1][0]
    assert last.expected == pytest.approx(0.8, abs=0.01)
    assert (last.crossed.sign, last.crossed.bound) == ("<", last.expected)
    assert last.p < 1e-6
    given = Rule(bounds=Bounds(), usual={"": Way.FALLS}, calibrated={"0": Bounds(page=Threshold.of("< 0.9"))})
    assert states(given, [0.8]) == ["page"]


def test_a_header_says_what_is_usual_by_subject():
    read = lambda **said: header.monitor(text(**said), "rate", "monitors/rate.sql")  # noqa: E731
    assert read(usual="mae rises, bias moves").usual == {"mae": Way.RISES, "bias": Way.MOVES}
    assert read(usual="falls").usual == {"": Way.FALLS}
    with pytest.raises(Refused, match="falls, rises, moves"):
        read(usual="sinks")
    with pytest.raises(Refused, match="both what is usual and a bound"):
        read(usual="falls", page="> 1")


def test_each_monitor_of_outcomes_is_held_to_its_history_or_says_why_it_is_not():
    mine = {name: one for name, one in monitors.files(load()).items() if name.startswith("outcome/")}
    without = {name for name, one in mine.items() if not one.usual}
    assert without == {name for name, one in mine.items() if re.search(r"^-- No bound: \w", one.sql, re.M)}
    assert {one.runbook for one in mine.values() if one.usual} == {"outcome"}
    assert len(mine) - len(without) >= 9
