"""Tests, evidence and intervals beside SciPy, and beside numbers that other implementations gave."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from weir.monitor import chi_square, dependence, evidence, multiplicity, sequence, unchanged

# Inputs without randomness: equidistributed in [0, 1), and of mean about 0.05.
U = (0.6180339887498949 * np.arange(1, 201)) % 1.0
D = U - 0.45
RHO = sequence.best_rho(100, 0.05)


@given(st.floats(0, 1e5), st.floats(0.1, 2000))
def test_chi_square_is_that_of_scipy(x, dof):
    wanted = stats.chi2.logsf(x, dof)
    if np.isfinite(wanted) and wanted > -600:  # SciPy's own logarithm of a rounded probability ends there
        assert chi_square.log_sf(x, dof) == pytest.approx(wanted, rel=1e-9, abs=1e-11)


def test_chi_square_goes_on_where_the_probability_is_no_float():
    x, dof = np.array([1500.0, 5000.0, 1e6]), np.array([9.0, 29.0, 999.0])
    lead = (dof / 2 - 1) * np.log(x / 2) - x / 2 - [math.lgamma(d / 2) for d in dof]
    assert np.all(chi_square.log_sf(x, dof) > lead)  # Q(a, y) = y^(a-1) exp(-y) / Gamma(a) * (1 + (a-1)/y + ...)
    assert chi_square.log_sf(x, dof) == pytest.approx(lead - np.log1p(-(dof / 2 - 1) / (x / 2)), rel=1e-4)


@pytest.mark.parametrize(("p", "dof"), [(0.05, 1), (0.001, 9), (1e-12, 19), (0.999, 99), (1e-200, 9), (1.0, 4)])
def test_the_critical_value_is_that_of_scipy(p, dof):
    assert chi_square.isf(p, dof) == pytest.approx(stats.chi2.isf(p, dof), rel=1e-12, abs=1e-12)


def test_chi_square_of_odd_input():
    assert chi_square.log_sf([0.0, -1.0, np.nan], 3).tolist()[:2] == [0.0, 0.0]
    assert np.isnan(chi_square.log_sf(np.nan, 3))
    assert chi_square.log_sf(np.empty(0), 3).tolist() == []


@pytest.mark.parametrize(
    ("bins", "n", "mean", "q99"),
    [(10, 50, 0.164, 0.428), (10, 200, 0.045, 0.109), (10, 1000, 0.0099, 0.024), (30, 500, 0.059, 0.103)],
)
def test_psi_of_an_unchanged_feature(bins, n, mean, q99):
    """Beside 20,000 windows that were drawn; in small windows the approximation is 10 % too large."""
    assert unchanged.expected_psi(bins, n, 10_000) == pytest.approx(mean, rel=0.11)
    assert unchanged.critical_psi(bins, n, 10_000, 0.01) == pytest.approx(q99, rel=0.11)
    at = unchanged.critical_psi(bins, n, 10_000, 0.01)
    assert unchanged.log_p_of_psi(at, bins, n, 10_000) == pytest.approx(np.log(0.01))


P25 = (
    *(0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34),
    *(0.341, 0.384, 0.569, 0.594, 0.696, 0.762, 0.94, 0.942, 0.975, 0.986),
)


def test_corrected_p_values_are_those_of_scipy():
    found = multiplicity.benjamini_hochberg(P25)
    assert found[:6].tolist() == pytest.approx([0.025, 0.1, 0.21, 0.21, 0.21, 0.25])
    assert found == pytest.approx(stats.false_discovery_control(P25))
    assert multiplicity.benjamini_hochberg([]).tolist() == []
    assert multiplicity.benjamini_hochberg([np.nan, 0.2]).tolist()[1] == 0.2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_corrected_p_values_of_any_order(p):
    assert multiplicity.benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_rejections_by_e_values():
    e = np.log([1000, 400, 90, 60, 20, 1, 0.5, 0.1])
    assert multiplicity.e_bh(e, 0.1).tolist() == [True] * 5 + [False] * 3
    assert multiplicity.e_bh(e[::-1], 0.05).tolist() == [False] * 4 + [True] * 4
    assert multiplicity.e_bh([-np.inf, np.nan], 0.5).tolist() == [False, False]
    assert multiplicity.e_bh([], 0.5).tolist() == []


@given(st.lists(st.floats(-5, 12), min_size=1, max_size=30), st.sampled_from([0.1, 0.01, 0.001]))
def test_where_anything_is_rejected_the_mean_is_large_enough_for_the_run_length(log_e, alpha):
    if multiplicity.e_bh(log_e, alpha).any():
        assert np.exp(log_e).mean() >= 1 / alpha * (1 - 1e-12)


def test_evidence_of_p_values():
    assert np.exp(evidence.log_e_of_p([0.05, 0.01, 0.001])) == pytest.approx(
        [2.23606797749979, 5.0, 15.811388300841896], rel=1e-14
    )
    assert np.exp(evidence.log_e_of_p_mixed([0.05, 0.01, 0.001])) == pytest.approx(
        [1.783322181482338, 4.45099226008582, 20.791133540988064], rel=1e-12
    )
    assert evidence.log_e_of_p(0.0) > 340, "more than any p-value that a float can hold"
    assert np.isnan(evidence.log_e_of_p(np.nan))


def test_detectors_step_by_step():
    log_e = np.log([2.0, 0.5, 4.0])
    m = c = -np.inf
    for each in log_e:
        m, c = evidence.shiryaev_roberts(m, each), evidence.cusum(c, each)
    assert np.exp(m) == pytest.approx((1 + (1 + 2.0) * 0.5) * 4.0)
    assert np.exp(c) == pytest.approx(4.0)


def test_evidence_of_rates_and_means():
    assert evidence.log_e_of_rate(3, 1000, 0.001) == pytest.approx(0.32547109837451926, rel=1e-12)
    assert evidence.log_e_of_rate(10, 1000, 0.001) == pytest.approx(12.315768026185708, rel=1e-12)
    found = evidence.log_e_of_mean(D)[[9, 49, 99, 199]]
    wanted = [0.07767509708252794, 0.3910327451740622, 0.8734135835060122, 2.1363673099043257]
    assert found == pytest.approx(wanted, rel=1e-12)


def test_the_two_sided_detector_finds_either_side_and_is_deaf_within_its_tolerance():
    def steps(value, tolerance=0.1, arl=1000, most=2000):
        seen = evidence.TwoSided.new(tolerance)
        for step in range(1, most + 1):
            seen = seen.after(value)
            if seen.log_m >= math.log(arl):
                return step
        return most

    assert steps(0.5) == steps(-0.5) < 40
    assert steps(0.1) > 1000, "the average run length, at the edge of the tolerance"
    assert steps(0.05) == 2000
    assert steps(7.0) == steps(1.0) < 20


def test_intervals_that_hold_at_every_look():
    assert pytest.approx(12.60056097925634, rel=1e-13) == RHO
    assert sequence.normal_mixture_bound(100, 0.05, RHO) == pytest.approx(30.352089903762529, rel=1e-13)
    assert sequence.log_e_normal_mixture(30, 100, RHO) == pytest.approx(2.901375010405018, rel=1e-12)
    low, high = sequence.interval_of_blocks(np.ones(200), D, 0.05, 200 / 12)
    wanted = {
        20: (-0.2035190476154639, 0.2822328113632569),
        50: (-0.0828987746215959, 0.18263220086623594),
        100: (-0.03794950765402859, 0.13938237139341358),
        200: (-0.009395149022575176, 0.11422688775145073),
    }
    for block, ends in wanted.items():
        assert (low[block - 1], high[block - 1]) == pytest.approx(ends, rel=1e-10)
    n = 20 + (7 * np.arange(1, 201)) % 41
    low, high = sequence.interval_of_blocks(n, n * D, 0.05, float(np.sum(n * n) / 12))
    for block, ends in {
        20: (-0.2155519789934549, 0.308070315537763),
        200: (-0.006111001946027865, 0.12333890014332966),
    }.items():
        assert (low[block - 1], high[block - 1]) == pytest.approx(ends, rel=1e-10)


def test_dependence_of_neighbours():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=4000)
    slow = np.zeros(4000)
    for step in range(1, 4000):
        slow[step] = 0.8 * slow[step - 1] + noise[step]
    assert dependence.autocorrelation(slow, 3) == pytest.approx(0.8 ** np.arange(1, 4), abs=0.05)
    assert dependence.autocorrelation([1.0, 1.0], 2).tolist() == [0.0, 0.0]
    assert dependence.block_length(noise) <= 4
    assert 10 <= dependence.block_length(slow) <= 60
    assert dependence.block_length([1.0, 2.0]) == 1
    days = slow[:4000].reshape(-1, 100)
    effect = dependence.design_effect(np.full(40, 100), days.sum(axis=1), slow.var())
    assert 5 < effect < 14  # (1 + rho) / (1 - rho) = 9
    assert dependence.design_effect([5], [1.0], 1.0) == 1.0
