"""What the demo says of monitors: how people are told, what it claims, and that the monitors are Weir's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from weir import settings
from weir.demo import months, report_monitors, season
from weir.demo.months import Cost, Drifted, Month
from weir.demo.season import PAGE, Alarm, Watched
from weir.edges.clickhouse import monitors
from weir.monitor.alert import AlertState, Severity, Transition
from weir.monitor.alert import Watched as About
from weir.monitor.measurement import State
from weir.monitor.spec import Row

THURSDAY = datetime(2013, 10, 10, tzinfo=UTC)
JULY, AUGUST = datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 8, 1, tzinfo=UTC)
COST = Cost(
    currency="USD",
    predictions=2000,
    metered=3.0,
    allocated=1.0,
    rejected=0.0,
    idle=2.0,
    unexplained=0.0,
    components={"cpu": 1.0, "idle": 2.0},
)


def changed(subject, to_state=AlertState.FIRING, severity=Severity.PAGE, days=0, monitor="drift/features"):
    at_ms = round(1000 * THURSDAY.timestamp()) + days * 86_400_000
    return Transition(
        watched=About(service="flight-delay", monitor=monitor, subject=subject, cause="flight-delay drift"),
        number=1,
        alert_id=subject,
        from_state=AlertState.OK,
        to_state=to_state,
        at_ms=at_ms,
        severity=severity,
        sentence=f"{subject} has moved",
        begin_ms=at_ms - 1000 * season.WEEK_S,
        end_ms=at_ms,
    )


def month(begin, **changes):
    given = {"predictions": 1000, "inputs": 33, "drifted": (), "outcomes": 970, "maturity": 0.97}
    return Month(begin=begin, **{**given, "figures": {"auc": (0.75, 0.7, 0.8)}, **changes})


def paged(*days):
    at = [datetime(2013, 7, day, tzinfo=UTC) for day in days]
    return Watched(
        windows=4,
        alarms=tuple(
            Alarm(at=day, severity=Severity.PAGE, monitor="drift/features", subjects=("temp",), sentence="moved")
            for day in at
        ),
    )


def test_what_one_window_of_a_monitor_says_is_told_at_once_and_who_is_paged_hears_of_pages():
    told = season.alarms(
        [
            changed("temp", days=7),
            changed("dewp", severity=Severity.TICKET),
            changed("temp"),
            changed("wind_dir"),
            changed("humid", AlertState.RESOLVED),
            changed("0", monitor="outcome/calibration"),
        ]
    )
    assert [(one.at.day, one.severity, one.monitor, one.subjects) for one in told] == [
        (10, Severity.PAGE, "drift/features", ("temp", "wind_dir")),
        (10, Severity.TICKET, "drift/features", ("dewp",)),
        (10, Severity.PAGE, "outcome/calibration", ("0",)),
        (17, Severity.PAGE, "drift/features", ("temp",)),
    ]


def test_the_flights_are_watched_by_files_of_weir_itself():
    given = settings.load()
    own = monitors.files(given)
    found = season.chosen(given)
    assert {name: one.sql for name, one in found.items()} == {name: own[name].sql for name in found}
    assert {one.window_s for one in found.values()} == {season.WEEK_S}
    assert found["drift/features"] == replace(
        own["drift/features"],
        window_s=season.WEEK_S,
        baseline=season.SEASON,
        minimum=season.WHOLE_WEEK,
        warn=season.WARN,
        page=PAGE,
    )


def test_an_input_has_drifted_where_the_monitors_own_bound_is_crossed_and_it_is_no_chance():
    rows = [
        Row(begin=JULY, subject=name, value=psi, n=1000, p=p, details={})
        for name, psi, p in (("warm", 4.0, 0.0), ("odd", 0.15, 1e-9), ("lucky", 4.0, 0.3), ("same", 0.01, 1e-9))
    ]
    found = months._drifted([(monitors.files(settings.load())["drift/features"], rows)])
    assert [(one.name, one.psi, one.state) for one in found] == [("warm", 4.0, State.PAGE), ("odd", 0.15, State.WARN)]


def test_the_report_has_every_month_and_says_what_1000_predictions_cost():
    drifted = (Drifted(name="temp", psi=7.5, state=State.PAGE),)
    told = report_monitors.to_json(paged(11), [month(JULY, drifted=drifted), month(AUGUST)], COST)
    assert told.keys() == {"drift", "outcomes", "cost", "alerts"}
    assert [(one["month"], one["drifted"], one["inputs"]) for one in told["drift"]["months"]] == [
        ("2013-07", 1, 33),
        ("2013-08", 0, 33),
    ]
    assert told["outcomes"]["months"][0]["auc"] == {"value": 0.75, "low": 0.7, "high": 0.8}
    assert told["outcomes"]["months"][0]["maturity"] == 0.97
    assert (told["cost"]["per_thousand"], told["cost"]["per_thousand_with_idle"]) == (0.5, 1.5)
    assert told["alerts"]["pages_by_month"] == {"2013-07": 1, "2013-08": 0}
    assert all(report_monitors.claims(told).values())
    report_monitors.show(told)


@pytest.mark.parametrize(
    ("watched", "cost", "claim"),
    [
        (paged(11, 25), COST, "the season pages at most 1 time a month"),
        (paged(), replace(COST, unexplained=0.02), "allocated and idle cost are what was metered, to 1%"),
    ],
)
def test_what_monitors_did_not_show_is_said(watched, cost, claim):
    claims = report_monitors.claims(report_monitors.to_json(watched, [month(JULY)], cost))
    assert [name for name, holds in claims.items() if not holds] == [claim]


def test_what_has_no_price_is_not_reckoned_as_nothing():
    told = report_monitors.to_json(paged(), [month(JULY)], replace(COST, allocated=None, metered=None))
    assert told["cost"]["per_thousand"] is None
    report_monitors.show(told)
