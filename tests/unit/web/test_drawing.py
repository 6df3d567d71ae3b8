"""Pictures of rows: what is drawn of each kind of answer, and of answers that lack something."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from weir.core.reference import About
from weir.edges.clickhouse import monitors
from weir.monitor.spec import Row
from weir.monitor.verdict import Scene
from weir.settings import load
from weir.web.console import words
from weir.web.console.drawing import answer, curve, fall, heat, histogram, kinds, lines, matrix, parts
from weir.web.console.drawing.chart import Chart, Line, Rule

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def files():
    return monitors.files(load(monitors_dir=Path("/nonexistent")))


@pytest.fixture
def scene(files):
    def of(name, hours=6, **more):
        given = {"service": "s", "begin": NOON, "end": NOON + hours * HOUR, "step_s": 3600, **more}
        return Scene(monitor=files[name], **given)

    return of


def row(hour, value, subject="", n=1000, **details):
    low, high = details.pop("low", None), details.pop("high", None)
    return Row(begin=NOON + hour * HOUR, subject=subject, value=value, n=n, low=low, high=high, details=details)


def test_a_map_of_any_unit_parts_its_own_figures(scene):
    rows = [row(0, 1.0, "a"), row(1, 7.0, "a"), row(0, 4.0, "b")]
    found = heat.alone(rows, scene("health/rate", hours=2), 1)
    assert (found.measure.steps, found.least) == ((2.0, 3.0, 4.0, 5.0, 6.0), "<2")
    assert [[cell.level for cell in line.cells] for line in found.lines] == [[0, 5]]
    assert heat.alone([row(0, -6.0)], scene("health/rate"), 9).lines[0].last.level == 5


def test_what_is_drawn_stands_in_a_script_element_whatever_it_is_called():
    made = Chart(
        name="x",
        t=[1, 2],
        series=[Line(label="</script><b>", values=[1.23456789, None])],
        rules=[Rule(at=0.0, label="")],
    )
    found = json.loads(json.dumps(made.data))
    assert found == {
        "t": [1, 2],
        "series": [{"label": "</script><b>", "values": [1.23457, None], "tone": "s1"}],
        "rules": [{"at": 0.0, "tone": "warn"}],
        "unit": "number",
        "height": 190,
    }


@given(st.lists(st.floats(), max_size=4))
def test_no_value_is_beyond_what_json_can_say(values):
    made = Chart(name="x", x=list(range(len(values))), series=[Line(label="", values=values)])
    json.dumps(made.data, allow_nan=False)


def test_windows_without_rows_are_gaps_and_what_does_not_count_is_dotted_and_joined(scene):
    of = scene("outcome/auc")
    rows = [
        row(0, 0.8, low=0.7, high=0.9, maturity=0.95),
        row(1, 0.81, low=0.7, high=0.9, maturity=0.95),
        row(3, 0.82, low=0.7, high=0.9, maturity=0.95),
        row(4, 0.6, low=0.5, high=0.9, maturity=0.5),
        row(5, None, maturity=0.1),
    ]
    made = lines.over_time(rows, of)
    sure, dotted = made.series
    assert sure.values == [0.8, 0.81, None, 0.82, None, None]
    assert dotted.values == [None, None, None, 0.82, 0.6, None]
    assert made.bands[0].low == [0.7, 0.7, None, 0.7, 0.5, None]
    assert made.held == [[round((NOON + 4 * HOUR).timestamp()), round((NOON + 6 * HOUR).timestamp())]]
    late = lines.over_time(rows[:2], replace(of, complete_to=NOON + HOUR))
    assert late.held == [[round((NOON + HOUR).timestamp()), round((NOON + 6 * HOUR).timestamp())]]
    assert lines.over_time(rows[:2], of).held == []


def test_each_of_a_few_subjects_is_a_line_and_the_bounds_are_rules(scene):
    of = scene("drift/features")
    rows = [row(hour, 0.01 * place, f"f{place}", n=1000 - place) for hour in range(6) for place in range(7)]
    made = lines.over_time(rows, of)
    assert [line.label for line in made.series] == ["f0", "f1", "f2", "f3", "f4"]
    assert lines.left_out(rows, of) == 2
    assert [(rule.at, rule.tone) for rule in made.rules] == [(0.1, "warn"), (0.25, "alarm")]


def test_a_map_has_the_moved_first_and_says_what_it_cannot(scene):
    of = scene("drift/features")
    rows = [row(hour, 0.3 if hour > 3 else 0.01, "late", ks=0.2) for hour in range(6)]
    rows += [row(hour, 0.3 if hour == 1 else 0.01, "early", ks=0.2) for hour in range(6)]
    rows += [row(hour, 0.02, "quiet", ks=0.0) for hour in range(5)] + [
        row(5, 9.0, "few", n=3, ks=1.0),
        row(2, None, "new", ks=None),
    ]
    made = heat.heat([(rows, of)], heat.MEASURES["psi"])
    assert [line.name for line in made.lines] == ["late", "early", "quiet", "few", "new"]
    assert [line.moved for line in made.lines] == [True, False, False, False, False]
    assert [cell.level for cell in made.lines[0].cells] == [0, 0, 0, 0, 4, 4]
    assert made.lines[3].cells[-1].few
    assert made.lines[4].cells == (None,) * 6
    assert made.lines[2].cells[-1] is None
    young = replace(of, complete_to=NOON + 5 * HOUR)
    held = heat.heat([([row(hour, 0.3, "x", ks=0.0) for hour in range(6)], young)], heat.MEASURES["psi"]).lines[0]
    assert (held.moved, held.cells[-1].alarm, held.cells[-1].level) == (True, False, 4)
    by_ks = heat.heat([(rows, of)], heat.MEASURES["ks"])
    assert by_ks.lines[0].cells[0].text == "0.200"
    of_weight = replace(of, inputs={"new": About(importance=0.7), "few": About(importance=0.2)})
    weighed = heat.heat([(rows, of_weight)], heat.MEASURES["psi"])
    assert [line.name for line in weighed.lines] == ["late", "early", "new", "few", "quiet"]


def test_what_moves_by_nature_is_kept_below_tolerance_and_says_so(scene):
    inputs = {"hour": About(cycle="calendar"), "temperature": About(cycle="season"), "delay": About(importance=0.1)}
    of = replace(scene("drift/features"), inputs=inputs)
    rows = [row(hour, 7.0, name, ks=0.5) for hour in range(6) for name in ("hour", "temperature")]
    rows += [row(hour, 0.01, "delay", ks=0.0) for hour in range(6)]
    made = heat.heat([(rows, of)], heat.MEASURES["psi"])
    assert [(line.name, line.cycle) for line in made.lines] == [
        ("delay", ""),
        ("temperature", "season"),
        ("hour", "calendar"),
    ]
    for line in made.lines[1:]:
        assert {(cell.level, cell.alarm, cell.text) for cell in line.cells} == {(heat.CAPPED, False, "7.00")}
        assert not line.moved


def of_values(values, base, grid="asinh 10 2", n=100):
    """A row of drift/feature."""
    told = sorted({*values, *base})
    return row(
        0,
        0.2,
        "x",
        n=n,
        grid_id=grid,
        values=told,
        share=[values.get(at, 0.0) for at in told],
        base_share=[base.get(at, 0.0) for at in told],
    )


def test_a_histogram_has_both_sides_on_one_axis():
    made = histogram.histogram(of_values({10.0: 0.5, 11.0: 0.5}, {9.0: 1.0}), "x")
    assert [line.label for line in made.series] == ["window", "baseline"]
    assert len(made.x) == len(made.series[0].values)
    assert all(sum(line.values[:-1]) == pytest.approx(1) for line in made.series)
    assert made.x_ticks == ()
    far = histogram.histogram(of_values({9000.0: 1.0}, {10.0: 1.0}), "x")
    assert len(far.x) <= histogram.MOST_BINS + 2
    assert [text for _, text in far.x_ticks] == [*dict.fromkeys(text for _, text in far.x_ticks)]
    assert len(far.x_says) == len(far.x)
    unit = histogram.histogram(of_values({0.0005: 0.5, 0.9995: 0.5}, {0.5005: 1.0}, "unit"), "x")
    assert (unit.x[0], unit.series[0].values[0]) == (0.0, 0.5)
    assert histogram.histogram(of_values({math.inf: 1.0}, {}), "x") is None
    assert histogram.histogram(of_values({}, {}), "x") is None


def test_windows_are_pooled_by_how_many_rows_they_have():
    first, second = of_values({10.0: 1.0}, {9.0: 1.0}, n=300), of_values({12.0: 1.0}, {9.0: 1.0}, n=100)
    told = histogram.pooled([first, second])
    assert told.n == 400
    assert dict(zip(told.details["values"], told.details["share"], strict=True)) == {9.0: 0.0, 10.0: 0.75, 12.0: 0.25}
    assert histogram.pooled([of_values({1.0: 1.0}, {}, "asinh 0 1"), second]).n == 100


def test_words_are_pairs_with_the_frequent_first():
    told, left_out = histogram.words(
        {"share": [0.1] * 14 + [0.9], "base_share": [0.0] * 15}, [f"w{at}" for at in range(15)]
    )
    assert (told[0].word, told[0].wide, left_out) == ("w14", 100.0, 3)


def test_a_calibration_has_points_with_intervals_and_the_window_before(scene):
    of = scene("outcome/calibration", hours=2)
    rows = [
        row(hour, came, f"yes/{tenth}", chance=tenth + 0.05, low=came - 0.1, high=came + 0.1, maturity=1.0)
        for hour in (0, 1)
        for tenth, came in ((0.1, 0.2), (0.5, 0.6))
    ]
    made = curve.calibration(rows, of)
    assert [(line.label, line.hollow, line.line) for line in made.series] == [
        ("5 Jan", True, False),
        ("5 Jan", False, False),
    ]
    assert made.series[1].values == [0.2, 0.6]
    few = [replace(one, n=3) for one in rows]
    assert curve.calibration(few, of).series[1].values == [None, None]
    many = [row(0, 0.5, f"a/b{at}/0.1", chance=0.1, maturity=1.0) for at in range(7)]
    assert len(curve.calibration(many, of).series) == 5
    assert curve.classes_left_out(many, of) == 2


def test_an_error_is_by_the_order_of_values_and_not_of_words(scene):
    rows = [row(0, at, str(at), mae=1.0, low=None, high=None, maturity=1.0) for at in (100, -5, 20, 3)]
    made = curve.error_by_value(rows, scene("outcome/error_by_value"))
    assert made.series[0].values == [-5, 3, 20, 100]
    assert [text for _, text in made.x_ticks] == ["−5.00", "3.00", "20.0", "100"]
    assert curve.error_by_value([], scene("outcome/error_by_value")).x == []


def test_what_is_usual_of_the_delay_is_of_the_windows_before(scene):
    of = scene("outcome/maturity")
    rows = [
        row(hour, share, age, age_s=age_s)
        for hour in range(5)
        for age, age_s, share in (("1h", 3600, 0.2), ("3h", 10_800, 0.8))
    ]
    rows += [row(5, 0.05, "1h", age_s=3600)]
    made = curve.maturity(rows, of)
    usual, latest = made.series
    assert (usual.values, latest.values) == ([0.2, 0.8], [0.05, None])
    assert made.x_range == (3600, 10_800)
    alone = curve.maturity(rows[-1:], of)
    assert [line.values for line in alone.series] == [[0.05]]


def test_a_matrix_has_a_row_for_each_class_that_came_true(scene):
    of = scene("outcome/confusion")
    rows = [
        row(0, share, f"{came}/{decided}", n=n, times=times, maturity=1.0)
        for came, decided, share, times, n in (
            ("a/x", "a/x", 0.9, 90, 100),
            ("a/x", "b", 0.1, 10, 100),
            ("b", "b", 1.0, 50, 50),
        )
    ]
    made = matrix.confusion(rows, of, ["b", "a/x"])
    assert made.columns == ("b", "a/x")
    assert [(one.name, one.n, [cell.times for cell in one.cells]) for one in made.rows] == [
        ("b", 50, [50, 0]),
        ("a/x", 100, [10, 90]),
    ]
    assert matrix.confusion([], of) is None


def test_a_waterfall_adds_up():
    spent = [
        row(hour, 0.0, component, metered=metered, allocated=allocated, rejected=0.5, unrecorded=0.0, idle=idle)
        for hour in range(2)
        for component, metered, allocated, idle in (("cpu", 6.0, 5.5, 0.0), ("idle", 2.5, 0.0, 2.0))
    ]
    tenants = [row(0, amount, name) for name, amount in (("acme", 8.0), ("", 3.0))]
    made = fall.fall(spent, tenants)
    assert made.metered == 17.0
    assert made.allocated + made.idle + made.lost == 17.0
    below = [bar for bar in made.bars if bar.kind not in ("metered", "whole")]
    assert sum(bar.amount for bar in below) == 17.0
    assert [bar.name for bar in below] == ["acme", "without a tenant", "dead letters", "idle"]
    assert below[-1].x + below[-1].wide == pytest.approx(fall.WIDE, abs=1)
    assert fall.fall([], []) is None


def test_an_answer_is_drawn_where_a_time_comes_first_and_a_number_follows():
    kinds, times = ["DateTime('UTC')", "LowCardinality(String)", "Nullable(Float64)"], [NOON, NOON + HOUR]
    rows = [(at, word, value) for at in times for word, value in (("a", 1.0), ("b", None))]
    made = answer.chart(["t", "w", "v"], kinds, rows)
    assert [line.label for line in made.series] == ["v, a", "v, b"]
    assert made.series[1].values == [None, None]
    assert (
        len(
            answer.chart(
                ["d", "x", "y"],
                ["Date", "UInt64", "Decimal(9, 2)"],
                [(NOON.date(), 1, 2), ((NOON + 24 * HOUR).date(), 3, 4)],
            ).series
        )
        == 2
    )
    assert answer.chart(["n", "t"], ["UInt64", "DateTime"], [(1, NOON)]) is None
    assert answer.chart(["t", "n"], ["DateTime", "UInt64"], [(NOON, 1)]) is None
    assert answer.chart([], [], []) is None


def test_an_older_version_is_hollow_beside_the_one_that_answers(scene):
    of = scene("outcome/calibration", hours=2)
    rows = [row(1, 0.5, "yes/0.5", chance=0.55, maturity=1.0)]
    older = [row(0, 0.6, "yes/0.6", chance=0.65, maturity=1.0)]
    made = curve.calibration(rows, of, older, ("v7", "v8"))
    assert [(line.label, line.hollow) for line in made.series] == [("v7", True), ("v8", False)]
    assert (made.x, made.series[0].values) == ([0.55, 0.65], [None, 0.6])


def test_stages_are_behind_each_other_as_long_as_their_share(scene):
    rows = [row(0, 2.0, "run", share=0.25), row(0, 9.0, "wait", share=0.75)]
    found = parts.parts(rows, scene("health/stages", hours=1))
    assert [(one.name, one.x, one.wide, one.p99_ms) for one in found] == [("wait", 0, 750, 9.0), ("run", 750, 250, 2.0)]
    largest = parts.most(found)
    assert largest is not None
    assert largest.name == "wait"
    assert parts.parts([], scene("health/stages")) == []


def test_each_kind_of_a_monitor_is_drawn_by_its_own_figures(scene):
    of = scene("health/errors", hours=3)  # warns above 0.01, pages above 0.05
    rows = [row(0, 0.02, "a"), row(1, 0.001, "a"), row(1, 0.3, "b", low=0.2, high=0.4), row(1, None, "c")]
    made = kinds.points(rows, of)
    assert [(line.label, line.points, line.line) for line in made.series] == [(name, True, False) for name in "abc"]
    assert (made.series[1].low, made.series[1].high) == ([None, 0.2, None], [None, 0.4, None])
    bars = kinds.counts(rows, of)
    assert bars is not None
    assert [line.values for line in bars.series] == [[0.001, 0.3, None], [0.02, None, None]]
    assert [text for _, text in bars.x_ticks] == ["a", "b", "c"]
    numbered = kinds.counts([row(0, 0.5, "10"), row(0, 0.2, "2")], of)
    assert numbered is not None
    assert (numbered.x, numbered.series[0].values) == ([2.0, 10.0], [0.2, 0.5])
    assert kinds.counts([row(0, None, "a")], of) is None
    strips = {one.name: (one.state.value, one.runs) for one in kinds.strips(rows, of, 9)}
    assert strips["a"] == ("ok", [(0, 1, "look"), (1, 1, "ok"), (2, 1, "nothing")])
    assert strips["b"][0] == "alarm"
    assert strips["c"] == ("unknown", [(0, 1, "nothing"), (1, 1, "few"), (2, 1, "nothing")])
    fallen = kinds.waterfall([row(0, 3.0, "up"), row(0, -1.0, "down"), row(0, None, "none")], of, 9)
    assert [(bar.name, bar.x, bar.wide, bar.amount) for bar in fallen] == [
        ("up", 0.0, 1000.0, 3.0),
        ("down", 666.7, 333.3, -1.0),
        ("all", 0.0, 666.7, 2.0),
    ]
    assert len(kinds.waterfall([row(0, 1.0, str(at)) for at in range(5)], of, 2)) == 4


def test_what_is_not_complete_is_hatched_in_a_line_without_axes():
    assert 'class="held" x="75.0" y="0" width="25.0"' in words.spark([1.0, 2.0], held=0.75)
    assert "held" not in words.spark([1.0, 2.0])
