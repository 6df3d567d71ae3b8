"""Ranked causes out of what is seen: shares, what follows from what, and ties."""

import numpy as np
import pytest
from weir.monitor.diagnosis import Circumstances, Group, Kind, Stages, diagnose
from weir.monitor.moves import LEVELS, Pair, Part, Seen, distance, moved

ROWS = 2000


def part(shift=0.0, missing=0, rows=ROWS):
    return Part(rows, missing, shift + np.interp(LEVELS, [0, 1], [0.0, 1.0]))


def pair(shift=0.0, missing=0):
    return Pair(part(), part(shift, missing))


CALM = Seen(values={"": pair(), "a": pair(), "b": Pair(part(5), part(5))})


def test_nothing_that_moved_has_no_cause():
    found = diagnose(CALM, [], Circumstances())
    assert (found.change, found.causes) == (0.0, ())


def test_a_feature_explains_itself_and_its_part_of_the_score():
    seen = Seen(values={"": pair(0.2), "a": pair(0.4), "b": pair(0.1)})
    causes = diagnose(seen, [], Circumstances()).causes
    assert [cause.subject for cause in causes] == ["a", "b"]
    assert sum(cause.share for cause in causes) == pytest.approx(1.0)


def test_two_features_that_changed_places_are_one_cause():
    seen = Seen(values={"": pair(), "a": Pair(part(), part(5)), "b": Pair(part(5), part())})
    causes = diagnose(seen, [], Circumstances()).causes
    assert [(cause.name, cause.subject, cause.kind) for cause in causes] == [("swapped columns", "a, b", Kind.DATA)]


def test_a_new_group_comes_before_the_feature_that_it_breaks_and_two_such_groups_are_a_tie():
    seen = Seen(values={"": pair(), "a": pair(0.5)})
    new = [
        Group(dimension="contract", value="8", before=0.0, window=0.6, without=CALM),
        Group(dimension="tenant", value="x", before=0.0, window=0.6, without=CALM),
        Group(dimension="team", value="old", before=0.5, window=0.5, without=CALM),
    ]
    causes = diagnose(seen, new, Circumstances()).causes
    assert [(cause.name, cause.tied) for cause in causes] == [
        ("new producer version", True),
        ("new segment", True),
        ("broken feature", False),
    ]


def test_a_group_whose_rows_are_like_the_others_explains_nothing():
    seen = Seen(values={"": pair(), "a": pair(0.5)})
    group = Group(dimension="bundle", value="new", before=0.0, window=0.5, without=seen)
    assert [cause.name for cause in diagnose(seen, [group], Circumstances()).causes] == ["broken feature"]


def test_a_slow_store_explains_what_is_missing_because_of_it_and_lag_alone_is_the_consumers():
    calm = Stages(lookup_us=2000, run_us=500, other_us=500, lag_us=10_000)
    slow = Stages(lookup_us=90_000, run_us=500, other_us=500, lag_us=200_000)
    late = Stages(lookup_us=2000, run_us=500, other_us=500, lag_us=9_000_000)
    seen = Seen(values={"": pair(), "shop__a": pair(missing=ROWS // 2)})
    there = Circumstances(stages=(calm, slow), unavailable={"shop": 0.5}, views={"shop__a": "shop"})
    causes = diagnose(seen, [], there).causes
    assert (causes[0].name, causes[0].share) == ("slow store", 1.0)
    assert [cause.name for cause in diagnose(CALM, [], Circumstances(stages=(calm, late))).causes] == [
        "lagging consumer"
    ]


def test_a_truth_that_moved_alone_is_a_changed_label_and_noise_is_none():
    truths = {place: ((400, 0.1 * place, 0.4), (200, 0.1 * place + 0.3, 0.4)) for place in range(5)}
    assert [cause.name for cause in diagnose(Seen(values=CALM.values, truths=truths), [], Circumstances()).causes] == [
        "changed label"
    ]
    noise = {place: ((400, 0.5, 0.5), (200, 0.5 + 0.03 * (-1) ** place, 0.5)) for place in range(20)}
    assert diagnose(Seen(values=CALM.values, truths=noise), [], Circumstances()).change == 0


def test_distances_need_numbers_on_both_sides():
    empty, none = Part(0, 0, np.zeros(len(LEVELS))), part(missing=ROWS)
    assert distance(part(), none) == 0
    assert moved(Pair(part(), none)) > 0.9, "all of it is missing"
    assert moved(Pair(empty, part())) == 0
    constant = Part(ROWS, 0, np.full(len(LEVELS), 3.0))
    assert moved(Pair(constant, constant)) == 0
    assert moved(Pair(part(), constant)) > 0.3
    assert moved(Pair(constant, Part(ROWS, 0, np.full(len(LEVELS), 4.0)))) > 0.9
