"""Bands of few clusters: Bonferroni's t for normal data, wider where the columns are skewed, never wider than max-t."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mediation.inference import Inference, group_difference_intervals, mean_intervals
from mediation.inference.resampling._joint import holm, joint
from mediation.inference.sample._sampling import sampling
from mediation.inference.sample._skewness import STUDENT, of_normal, squared_skewness, tail_of
from mediation.inference.sample._variance import linearise

SETTINGS = Inference(n_resamples=999)


def gamma(rng, skewness, shape):
    k = 4 / skewness**2
    return (rng.gamma(k, size=shape) - k) / np.sqrt(k)


@pytest.mark.parametrize("n", [4, 6, 12, 40])
def test_expected_squared_skewness_of_normal_values(n):
    values = np.random.default_rng(n).normal(size=(n, 40_000))
    found = squared_skewness(linearise(values, sampling(n, None, None)))
    assert found[:50] == pytest.approx(stats.skew(values[:, :50], axis=0) ** 2)
    assert found.mean() == pytest.approx(of_normal(n), rel=0.05)


def test_normal_columns_have_students_tail():
    for n, seed in ((6, 0), (12, 1), (30, 2)):
        values = np.random.default_rng(seed).normal(size=(n, 400))
        tail = tail_of(squared_skewness(linearise(values, sampling(n, None, None))), n)
        assert tail.level(0.001) > 0.00045  # a critical value at most a little further out than Student's


@pytest.mark.parametrize(("n", "skewness"), [(6, 2.0), (8, 1.0), (15, 2.0), (30, 1.5), (150, 2.0)])
def test_the_tail_of_skewed_columns_is_that_of_their_t_statistics(n, skewness):
    rng = np.random.default_rng(n)
    observed = gamma(rng, skewness, (n, 2000))
    tail = tail_of(squared_skewness(linearise(observed, sampling(n, None, None))), n)
    x = gamma(rng, skewness, (min(400_000, 12_000_000 // n), n))
    t = np.abs(x.mean(axis=1)) * np.sqrt(n) / x.std(axis=1, ddof=1)
    for alpha in (0.05, 0.01, 0.001):
        critical = stats.t.isf(tail.level(alpha) / 2, n - 1)
        assert 0.75 * alpha < (t > critical).mean() < 1.3 * alpha
        assert tail.p_value(np.array([tail.level(alpha)]))[0] == pytest.approx(alpha, rel=1e-6)
    assert (t > stats.t.isf(0.0005, n - 1)).mean() > 0.0019  # Student's own is exceeded far too often


def test_a_level_beyond_what_was_simulated_goes_on_along_the_slope():
    values = gamma(np.random.default_rng(0), 2.0, (8, 500))
    tail = tail_of(squared_skewness(linearise(values, sampling(8, None, None))), 8)
    levels = [tail.level(alpha) for alpha in (1e-3, 1e-4, 1e-5, 1e-6)]
    assert (np.diff(levels) < 0).all()
    assert all(level < alpha for level, alpha in zip(levels, (1e-3, 1e-4, 1e-5, 1e-6), strict=True))


@pytest.mark.parametrize(("clusters", "sites"), [(6, 90), (8, 270), (5, 12), (12, 500)])
def test_bands_of_normal_columns_are_not_wider_than_bonferronis(clusters, sites):
    values = np.random.default_rng(clusters).normal(size=(clusters, sites))
    found = mean_intervals(values, settings=SETTINGS, bands=True)
    reach = (found.band_high - found.band_low) / 2 / found.std_error
    assert np.median(reach) <= 1.05 * stats.t.isf(0.025 / sites, clusters - 1)


def test_bands_of_skewed_columns_are_as_wide_as_their_skewness_demands():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(8, 200)) - 1
    found = mean_intervals(values, settings=SETTINGS, bands=True)
    reach = np.median((found.band_high - found.band_low) / 2 / found.std_error)
    assert reach > 1.5 * stats.t.isf(0.025 / 200, 7)


def test_the_smaller_critical_value_decides_and_p_values_are_of_the_same_family():
    observed, squared = np.array([0.5, 2.0, 9.0]), np.zeros(3)
    step_down = np.array([0.9, 0.3, 0.001])
    by_max_t = joint(observed, (2.8, step_down), squared, 10, 9.0, SETTINGS)
    assert by_max_t.critical == 2.8 < stats.t.isf(0.05 / 6, 9)
    assert by_max_t.p_adjusted is step_down
    by_student = joint(observed, (12.0, step_down), squared, 10, 9.0, SETTINGS)
    assert by_student.critical == pytest.approx(stats.t.isf(0.05 / 6, 9))
    p_values = 2 * stats.t.sf(observed, 9)
    assert by_student.p_adjusted == pytest.approx(np.minimum(step_down, multipletests(p_values, method="holm")[1]))


def test_holm_is_statsmodels_in_any_order_and_with_any_degrees_of_freedom():
    rng = np.random.default_rng(0)
    observed, df = np.abs(rng.standard_t(3, size=40)), rng.uniform(3, 30, size=40)
    wanted = multipletests(2 * stats.t.sf(observed, df), method="holm")[1]
    assert holm(observed, STUDENT, df) == pytest.approx(wanted)


@pytest.mark.parametrize("skewed", [False, True])
def test_what_bands_exclude_is_rejected_and_bands_hold_intervals(skewed):
    rng = np.random.default_rng(3)
    noise = rng.exponential(size=(9, 60)) - 1 if skewed else rng.normal(size=(9, 60))
    found = mean_intervals(noise + np.linspace(0, 9, 60), settings=SETTINGS, bands=True)
    outside = (found.band_low > 0) | (found.band_high < 0)
    assert 5 < outside.sum() < 60
    assert (found.p_adjusted[outside] <= 0.05 + 1e-12).all()
    assert (found.band_low <= found.conf_low).all()
    assert (found.band_high >= found.conf_high).all()


def test_bands_of_two_small_groups_are_bonferronis_with_welchs_degrees_of_freedom():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(6, 90)), rng.normal(size=(7, 90))
    found = group_difference_intervals(first, second, settings=SETTINGS, bands=True)
    df = (first.var(axis=0, ddof=1) / 6 + second.var(axis=0, ddof=1) / 7) ** 2 / (
        (first.var(axis=0, ddof=1) / 6) ** 2 / 5 + (second.var(axis=0, ddof=1) / 7) ** 2 / 6
    )
    wanted = np.maximum(stats.t.isf(0.025 / 90, df) * found.std_error, (found.conf_high - found.conf_low) / 2)
    assert np.median((found.band_high - found.band_low) / 2 / wanted) <= 1.05


def test_many_clusters_are_taken_as_fewer_with_as_much_less_skewness():
    from mediation.inference.sample._skewness import MOST, _simulated, of_normal, tail_of

    n, skewness = 16 * MOST, 2.4  # beyond 1024, skewness is what its square exceeds that of normal values by
    found = tail_of(np.full(5, skewness**2 + of_normal(n)), n)
    assert found is _simulated(MOST, 0.6)  # t depends on skewness over the root of n
