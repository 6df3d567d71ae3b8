"""Estimates without outcomes: NannyML's own numbers, scikit-learn's calibration, and when they cannot tell."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weir.monitor import estimate
from weir.settings import ROOT

LOAN = json.loads((ROOT / "tests/golden/car_loan.json").read_text())
LEVELS = np.arange(101) / 100
AUC = [0.970744, 0.971011, 0.971407, 0.971091, 0.971123, 0.961090, 0.961825, 0.961073, 0.962533, 0.961316]
REALISED = [0.970962, 0.970248, 0.976282, 0.967721, 0.969886, 0.960050, 0.958530, 0.959041, 0.963094, 0.957556]


@pytest.fixture(scope="module")
def loan():
    """The ten windows behind one of reference, of which alone the truth is known."""
    cells = [np.array(chunk["n"], float).T for chunk in LOAN["chunks"]]
    reference = [np.array(LOAN["reference"][name], float) for name in ("n", "hits")]
    before, hits = (np.stack([of, np.zeros(101)], axis=1) for of in reference)
    n = np.array([before, *cells])[:, None]
    known, came = np.zeros_like(n), np.zeros_like(n)
    known[0, 0], came[0, 0] = before, hits
    return n, known, came


def test_chances_of_nannyml_by_its_calibration(loan):
    n, known, came = loan
    chances = estimate.isotonic(LEVELS, known[0, 0].sum(1), came[0, 0].sum(1))(LEVELS)
    found = [estimate.of_classes(LEVELS[None], one, one * chances[None, :, None]) for one in n[1:]]
    assert [one["auc"] for one in found] == pytest.approx(AUC, abs=1e-6)
    assert [found[at]["f1"] for at in (0, 9)] == pytest.approx([0.943030, 0.914751], abs=1e-6)
    assert [found[at]["accuracy"] for at in (0, 9)] == pytest.approx([0.941792, 0.911731], abs=1e-6)


def test_what_came_true_is_scikit_learns():
    real = []
    for chunk in LOAN["chunks"]:
        n, hits = (np.array(chunk[name], float).T[None] for name in ("n", "hits"))
        real.append(estimate.of_classes(LEVELS[None], n, hits)["auc"])
    assert real == pytest.approx(REALISED, abs=1e-6)


ROWS = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 3)), min_size=1, max_size=30)


@given(rows=ROWS)
@settings(max_examples=30)
def test_the_calibration_and_the_area_are_scikit_learns(rows):
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import roc_auc_score

    scores, truth = np.array([at / 5 for at, _, _ in rows]), np.array([float(came) for _, came, _ in rows])
    weights = np.array([weight for *_, weight in rows], float)
    at = np.arange(6) / 5
    bins = np.array([at_ for at_, _, _ in rows])
    n, hits = np.bincount(bins, weights, 6), np.bincount(bins, weights * truth, 6)
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, truth, weights)
    assert estimate.isotonic(at, n, hits)(at) == pytest.approx(reference.predict(at), abs=1e-12)
    found = estimate.auc(scores, weights * truth, weights * (1 - truth))
    if len(set(truth)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights), abs=1e-12)


def stream(windows, chance_of, *, rows=2000, seed=1):
    """Windows of rows whose scores are spread evenly; what comes true has the chance that is given for it."""
    chance, bins = np.random.default_rng(seed), 50
    scores = (np.arange(bins) + 0.5) / bins
    n = np.zeros((windows, 1, bins, 2))
    hits = np.zeros_like(n)
    for window in range(windows):
        at = chance.integers(0, bins, rows)
        came = chance.random(rows) < chance_of(window, scores[at])
        called = (scores[at] >= 0.5).astype(int)
        np.add.at(n[window, 0], (at, called), 1)
        np.add.at(hits[window, 0], (at[came], called[came]), 1)
    return scores[None], n, hits


def test_a_model_that_is_not_calibrated_is_estimated_right_and_believed():
    """Its scores are twice the chances: calibrated by the past, its accuracy is seen; as it speaks, it is not."""
    windows = 60
    scores, n, hits = stream(windows, lambda _, score: score / 2)
    figures, unseen = estimate.classes(scores, n, n, hits, np.ones(windows, bool))
    found = [estimate.judge(figures[0], at, unseen[at]) for at in range(12, windows)]
    assert {one.doubts for one in found} == {()}
    assert max(one.high - one.low for one in found) < 0.1
    assert 0.8 <= np.mean([one.low <= one.realised <= one.high for one in found]) <= 1
    plain = [estimate.of_classes(scores, rows, rows * scores[:, :, None])["accuracy"] for rows in n[12:]]
    off = [np.abs(np.subtract(said, [one.realised for one in found])) for said in (plain, [one.value for one in found])]
    assert off[0].min() > off[1].max()


def test_what_is_not_mature_is_not_taken_for_true():
    scores, n, hits = stream(12, lambda _, score: score)
    mature = np.arange(12) < 11
    figures, unseen = estimate.classes(scores, n, n * mature[:, None, None, None], hits, mature)
    last = estimate.judge(figures[0], 11, unseen[11])
    assert math.isnan(last.realised)
    assert last.compared == 9
    assert last.low < last.value < last.high


def test_one_that_is_calibrated_is_taken_as_it_is():
    scores, n, hits = stream(4, lambda _, score: score, rows=400)
    rows, came = n[:, 0].sum(2), hits[:, 0].sum(2)
    assert not estimate.helps(scores[0], rows, came)


def test_when_what_a_score_means_has_changed_it_says_so():
    scores, n, hits = stream(20, lambda window, score: np.clip(score - 0.02 * window, 0, 1))
    figures, unseen = estimate.classes(scores, n, n, hits, np.ones(20, bool))
    assert any("too high by" in doubt for doubt in estimate.judge(figures[1], 19, unseen[19]).doubts)


def test_too_little_of_a_past_is_said():
    scores, n, hits = stream(6, lambda _, score: score)
    figures, unseen = estimate.classes(scores, n, n, hits, np.ones(6, bool))
    first, last = (estimate.judge(figures[0], at, unseen[at]) for at in (0, 5))
    assert math.isnan(first.value)
    assert "fewer than 2 mature windows with 500 outcomes" in first.doubts[0]
    assert last.doubts == ("of 3 windows before it estimate and truth are known, 9 are needed",)
    assert math.isnan(last.low)


def test_scores_that_the_past_never_had_are_said():
    scores, n, hits = stream(12, lambda _, score: score)
    n[:11, 0, 40:], hits[:11, 0, 40:] = 0, 0
    figures, unseen = estimate.classes(scores, n, n, hits, np.ones(12, bool))
    assert unseen[11] == pytest.approx(0.2, abs=0.05)
    assert "are where no outcome is known" in estimate.judge(figures[0], 11, unseen[11]).doubts[0]


def test_several_classes():
    """Three of them, each decided where it is likeliest: accuracy is the mean chance of the decided ones."""
    chance = np.random.default_rng(2)
    shares = chance.dirichlet((1, 1, 1), 30_000)
    truth = (shares.cumsum(1) < chance.random((30_000, 1))).sum(1)
    decided, bins = shares.argmax(1), np.minimum((shares * 100).astype(int), 99)
    n = np.zeros((3, 3, 100, 2))
    hits = np.zeros_like(n)
    for row in range(30_000):
        for k in range(3):
            cell = (row // 10_000, k, bins[row, k], int(decided[row] == k))
            n[cell] += 1
            hits[cell] += truth[row] == k
    scores = np.tile((np.arange(100) + 0.5) / 100, (3, 1))
    figures, _ = estimate.classes(scores, n, n, hits, np.ones(3, bool))
    for figure in figures:
        assert figure.expected[2] == pytest.approx(figure.realised[2], abs=0.015), figure.name


def test_losses_follow_what_is_predicted():
    """The error grows with the value; in the last window large values are twice as many."""
    chance, bins = np.random.default_rng(3), 20
    n, absolute, squared = np.zeros((3, 12, bins))
    for window in range(12):
        values = chance.random(3000) ** (0.5 if window == 11 else 1)
        off, at = chance.normal(0, values), (values * bins).astype(int)
        n[window], absolute[window] = np.bincount(at, None, bins), np.bincount(at, np.abs(off), bins)
        squared[window] = np.bincount(at, off**2, bins)
    figures, unseen = estimate.losses(n, n, absolute, squared, np.ones(12, bool))
    for figure in figures:
        found = estimate.judge(figure, 11, unseen[11])
        assert found.doubts == (), figure.name
        assert found.value == pytest.approx(found.realised, rel=0.05)
        assert abs(found.value - figure.realised[10]) > 5 * abs(found.value - found.realised)


def test_a_window_without_rows_has_no_figure():
    nothing = estimate.of_classes(LEVELS[None], np.zeros((1, 101, 2)), np.zeros((1, 101, 2)))
    assert all(math.isnan(value) for value in nothing.values())
    empty = np.zeros((2, 5))
    figures, unseen = estimate.losses(empty, empty, empty, empty, np.ones(2, bool))
    assert np.isnan(figures[0].expected).all()
    assert (unseen == 1).all()
