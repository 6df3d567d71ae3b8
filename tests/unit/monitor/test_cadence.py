"""How often a worker looks at a monitor: by its header, else by traffic and the delay of labels."""

from dataclasses import replace

import pytest
from weir.edges.clickhouse import monitors
from weir.monitor.cadence import DELAY, LONGEST_S, Traffic, choices, chosen, look_s
from weir.monitor.spec import ON_DEMAND
from weir.settings import load

HOUR_S, DAY_S = 3600, 86_400
FILES = monitors.files(load())
DRIFT = FILES["drift/features"]  # windows of an hour, 100 rows at least, a bound of 0.1 PSI: 157 rows
AUC = replace(FILES["outcome/auc"], window_s=HOUR_S)
BUSY = Traffic(rows_s=10.0)


def looked(monitor, waits=False, **traffic):
    return look_s(monitor, Traffic(**{"rows_s": 10.0} | traffic), waits=waits)


def test_a_header_that_says_it_counts():
    assert looked(replace(DRIFT, cadence_s=7200), rows_s=1e-3) == 7200
    assert replace(DRIFT, cadence_s=ON_DEMAND).on_demand


@pytest.mark.parametrize(
    ("an_hour", "every_s"),
    [
        (1000, 0),  # each window says something
        (101, 0),
        (50, 21_600),  # an hour has fewer than 100, six hours more than 157
        (10, DAY_S),
        (0.1, LONGEST_S),
    ],
)
def test_where_windows_are_too_small_to_say_anything_it_is_looked_at_as_often_as_enough_comes(an_hour, every_s):
    assert looked(DRIFT, rows_s=an_hour / 3600) == every_s


def test_what_waits_for_outcomes_waits_a_tenth_of_their_delay():
    assert looked(AUC, waits=True, delay_s=4 * HOUR_S) == HOUR_S
    assert looked(AUC, waits=True, delay_s=5 * DAY_S) == DELAY * 5 * DAY_S
    assert looked(AUC, waits=True, delay_s=90 * DAY_S) == LONGEST_S
    assert look_s(FILES["outcome/auc"], Traffic(rows_s=10.0, delay_s=90 * DAY_S), waits=True) == DAY_S, "its window"


def test_what_tells_of_the_system_is_looked_at_at_once_whatever_the_traffic():
    for name in ("health/errors", "ledger/complete", "cost/conservation"):
        assert looked(FILES[name], rows_s=1e-6) == 0
    assert look_s(DRIFT, None, waits=False) == 0, "nobody knows its traffic"


def test_the_smallest_effect_is_smaller_the_longer_one_waits():
    effects = [one.effect for one in choices(DRIFT, Traffic(rows_s=50 / 3600))]
    assert effects == sorted(effects, reverse=True)
    assert chosen(choices(DRIFT, BUSY)).cadence_s == 300
