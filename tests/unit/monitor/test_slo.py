"""Objectives by exact arithmetic: budgets, burn rates and what a history would have met."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.monitor import burn, header
from weir.monitor.slo import REST, RULES, SHARE, History, Slo
from weir.monitor.spec import Row
from weir.monitor.threshold import Threshold

from tests.unit.monitor.test_header import text

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
DAY = 288  # steps


def slo(**changed):
    said = {"objective": Fraction("0.999"), "window_s": 28 * 86_400, "good": SHARE} | changed
    return Slo(name="s", title="", service="a", monitor="health/within", **said)


def history(one, counts):
    """counts: bad and all events, by step; None for no row."""
    rows = [
        Row(
            begin=BEGIN + place * STEP,
            subject="",
            value=1 - count[0] / count[1] if count[1] else None,
            n=count[1],
            details={},
        )
        for place, count in enumerate(counts)
        if count is not None
    ]
    return History(one, rows, BEGIN, BEGIN + len(counts) * STEP)


def test_a_budget_is_spent_by_what_is_bad():
    status = history(slo(), [(0, 1000)] * (DAY * 28 - 1) + [(4032, 10_000)]).status()
    total = 1000 * (DAY * 28 - 1) + 10_000
    assert (status.good, status.total) == (total - 4032, total)
    assert status.share == Fraction(total - 4032, total)
    assert status.spent == Fraction(4032, total) / Fraction("0.001")


def test_a_budget_is_spent_to_the_last_event():
    assert history(slo(), [(1, 1000)] * 10).status().spent == 1
    assert history(slo(), [(0, 1000)] * 10).status().spent == 0
    assert history(slo(), [None] * 10).status().spent is None


def test_what_lies_before_the_window_is_forgotten():
    one = slo(window_s=86_400)
    assert history(one, [(1000, 1000)] + [(0, 1000)] * DAY).status().spent == 0
    assert history(one, [(1000, 1000)] + [(0, 1000)] * (DAY - 1)).status().spent == Fraction(1000, DAY)


@pytest.mark.parametrize(("bad", "fires"), [(143, False), (144, True), (145, True)])
def test_a_page_is_due_from_the_rate_on_that_the_rule_names(bad, fires):
    """14.4 times 0.1 % are 144 of 10,000, over an hour and over five minutes."""
    status = history(slo(), [(0, 10_000)] * DAY + [(bad, 10_000)] * 12).status()
    page = status.burns[0]
    assert (page.long, page.short) == (Fraction(bad, 10), Fraction(bad, 10))
    assert page.fires is fires
    assert status.severity == ("page" if fires else "ok")


def test_a_burn_that_is_over_pages_nobody():
    status = history(slo(), [(0, 10_000)] * DAY + [(1000, 10_000)] * 11 + [(0, 10_000)]).status()
    assert status.burns[0].long > RULES[0].factor
    assert status.burns[0].short == 0
    assert not status.burns[0].fires


def test_a_slow_burn_warns():
    status = history(slo(), [(15, 10_000)] * (3 * DAY)).status()
    assert [burn.fires for burn in status.burns] == [False, False, True]
    assert status.severity == "warn"


def test_a_rule_is_a_monitor_whose_figure_crosses_its_bound_when_both_spans_do():
    one = slo(owner="ops")
    asks = header.monitor(text(), "rate", "monitors/rate.sql")
    page, slower, slowest = burn.monitors(one, asks)
    assert [each.name for each in (page, slower, slowest)] == ["slo/s/1h", "slo/s/6h", "slo/s/3d"]
    assert [str(each.page or each.warn) for each in (page, slower, slowest)] == [">= 14.4", ">= 6", ">= 1"]
    assert (page.owner, page.runbook, page.window_s, page.looks_back) == ("ops", "slo", 300, 12)
    assert page.is_of("a")
    assert not page.is_of("b")
    assert burn.monitors(slo(objective=Fraction("0.99")), asks)[0].sha256 != page.sha256
    last = BEGIN + (DAY + 11) * STEP
    for bad, crosses in ((143, False), (144, True)):
        row = history(one, [(0, 10_000)] * DAY + [(bad, 10_000)] * 12).burn(page.burns_by, last)
        assert (row.value, row.n) == (bad / 10, 120_000)
        assert page.page.crossed(row.value) is crosses
    over = history(one, [(0, 10_000)] * DAY + [(1000, 10_000)] * 11 + [(0, 10_000)]).burn(page.burns_by, last)
    assert (over.value, over.details["short"]) == (0, 0)
    assert history(one, [None] * 12).burn(page.burns_by, BEGIN + 11 * STEP).value is None


def test_windows_are_counted_where_the_good_is_a_bound():
    one = slo(good=Threshold("<=", 200), objective=Fraction("0.9"))
    rows = [
        Row(begin=BEGIN + place * STEP, subject="", value=value, n=5, details={})
        for place, value in enumerate([100, 200, 201, None])
    ]
    status = History(one, rows, BEGIN, BEGIN + 4 * STEP).status()
    assert (status.good, status.total) == (2, 3)
    assert status.spent == Fraction(1, 3) / Fraction("0.1")


def test_the_share_of_what_is_bad_is_turned_round():
    row = Row(begin=BEGIN, subject="", value=0.25, n=8, details={})
    assert History(slo(good=REST), [row], BEGIN, BEGIN + STEP).status().good == 6


def test_a_history_says_which_targets_would_have_been_met():
    one = slo(window_s=86_400)
    counts = [(0, 1000)] * DAY + [(288, 1000)] + [(0, 1000)] * (2 * DAY)  # 0.1 % of a day, at once
    found = {
        float(met.objective): met
        for met in history(one, counts).met([Fraction("0.99"), Fraction("0.999"), Fraction("0.9991")])
    }
    assert found[0.99].met == found[0.99].windows == 2 * DAY + 2
    assert found[0.999].met == found[0.999].windows
    assert found[0.9991].met == found[0.9991].windows - DAY
    assert found[0.999].worst == Fraction(999, 1000)
    assert found[0.999].pages == 1


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted), min_size=1, max_size=60),
    st.integers(1, 999),
)
def test_a_history_is_the_same_window_by_window(counts, per_mille):
    one = slo(window_s=1500, objective=Fraction(per_mille, 1000))
    counts = [tuple(count) for count in counts]
    met = history(one, counts).met([one.objective])[0]
    ends = range(5, len(counts) + 1)
    spent = [history(one, counts[:end]).status().spent for end in ends]
    assert met.windows == len(spent)
    assert met.met == sum(each is None or each <= 1 for each in spent)
    pages = [history(one, counts[:end]).status().severity == "page" for end in range(len(counts) + 1)]
    assert met.pages == sum(now and not before for before, now in pairwise(pages))
