"""Power against statsmodels, scipy's noncentral t, quadrature, enumeration of all samples, and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestPower

from mediation.inference import Inference, mean_equivalence, mean_intervals
from mediation.inference.power._flip_power import (
    Flips,
    flip_detectable,
    flip_intervals,
    flip_margin,
    flip_power,
    flip_units,
    flips_of,
)
from mediation.inference.power._power import (
    detectable_effect,
    equivalence_power,
    fewest,
    pilot_of,
    smallest_margin,
    t_power,
)
from mediation.inference.power._simulated_power import simulated_power


@pytest.mark.parametrize("n", [2, 5, 34, 400])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_power_of_the_t_test_is_that_of_statsmodels(n, alpha):
    for effect in (0.0, 0.1, -0.3, 0.8 if n < 400 else 0.2):  # beyond, statsmodels gives NaN
        expected = TTestPower().power(effect, n, alpha)
        assert t_power(effect, 1 / np.sqrt(n), n, alpha=alpha) == pytest.approx(expected, abs=1e-9)


def test_power_is_finite_and_rises_with_the_effect_to_1():
    for n in (2, 3, 4, 10, 1000, 10**6):
        found = t_power(np.geomspace(1e-3, 1e4, 300), 1 / np.sqrt(n), n)
        assert np.isfinite(found).all()
        assert (np.diff(found) >= -1e-12).all()
        assert found[-1] == pytest.approx(1.0)


def test_needed_numbers_are_those_of_statsmodels():
    for effect in (0.2, 0.5, 1.0):
        exact = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)
        assert fewest(lambda n, d=effect: float(t_power(d, 1 / np.sqrt(n), n)), 0.8) == np.ceil(exact)
        assert detectable_effect(1 / np.sqrt(30), 30) == pytest.approx(
            TTestPower().solve_power(nobs=30, alpha=0.05, power=0.8), rel=1e-6
        )


def tost_by_quadrature(margin, n, effect, alpha):
    """Chance that |mean| + q s / sqrt(n) < margin, by integrating over the mean inside the sample variance."""
    q, root = stats.t.ppf(1 - alpha / 2, n - 1), np.sqrt(n)

    def given(s):
        half = margin - q * s / root
        inside = stats.norm.cdf((half - effect) * root) - stats.norm.cdf((-half - effect) * root)
        return inside * stats.chi.pdf(s * np.sqrt(n - 1), n - 1) * np.sqrt(n - 1)

    return integrate.quad(given, 0, margin * root / q, limit=200, epsabs=1e-12)[0]


@pytest.mark.parametrize(("n", "margin", "effect"), [(3, 2.0, 0.0), (10, 0.9, 0.2), (34, 0.6, 0.0), (200, 0.3, -0.1)])
def test_power_of_equivalence_is_the_integral(n, margin, effect):
    for alpha in (0.05, 0.1):
        found = equivalence_power(margin, 1 / np.sqrt(n), n, effect=effect, alpha=alpha)
        assert found == pytest.approx(tost_by_quadrature(margin, n, effect, alpha), abs=1e-8)


def test_power_of_equivalence_is_two_noncentral_tails_where_both_tests_cannot_fail_at_once():
    n, margin, effect = 200, 0.35, 0.05
    q, root = stats.t.ppf(0.975, n - 1), np.sqrt(n)
    tails = stats.nct.cdf(-q, n - 1, (effect - margin) * root) - stats.nct.cdf(q, n - 1, (effect + margin) * root)
    assert equivalence_power(margin, 1 / root, n, effect=effect) == pytest.approx(tails, abs=1e-8)


def test_the_smallest_margin_has_the_power_that_was_asked_for():
    for n in (2, 10, 500):
        margin = smallest_margin(1 / np.sqrt(n), n, power=0.9)
        assert equivalence_power(margin, 1 / np.sqrt(n), n) == pytest.approx(0.9, abs=1e-7)


def test_a_pilot_keeps_the_variance_that_a_cluster_adds():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), [3, 4, 5, 6, 7, 3, 4, 5, 6, 7, 5, 5])
    values = rng.normal(size=60) + rng.normal(size=12)[clusters]
    pilot = pilot_of(values, clusters)
    shown = mean_intervals(values[:, None], clusters=clusters, settings=Inference(n_resamples=99))
    assert pilot.std_error == pytest.approx(shown.std_error[0])
    assert (pilot.n, pilot.n_clusters) == (60, 12)
    assert pilot.error_at(48) == pytest.approx(pilot.std_error / 2)


def test_the_upper_limit_of_the_error_is_chi_square_for_normal_data():
    normal = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    pilot = pilot_of(normal)
    assert pilot.spread_df == pytest.approx(399, rel=0.05)
    expected = np.sqrt(pilot.spread_df / stats.chi2.ppf(0.2, pilot.spread_df))
    assert pilot.widened(0.8).std_error / pilot.std_error == pytest.approx(expected)
    heavy = pilot_of(stats.t.ppf((np.arange(400) + 0.5) / 400, 3))
    assert heavy.spread_df < 150


def test_the_upper_limit_of_the_error_holds_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for draw, sd, least in ((rng.normal, 1.0, 0.77), (lambda size: rng.exponential(1.0, size), 1.0, 0.66)):
        above = [pilot_of(draw(size=30)).widened(0.8).std_error * np.sqrt(30) > sd for _ in range(1000)]
        assert least < np.mean(above) < 0.87


def every_ternary_sample(n):
    return np.array(list(itertools.product([1.0, 0.0, -1.0], repeat=n))).T


def test_power_of_flips_is_the_sum_over_every_sample():
    n, flips = 7, Flips(0.3, 0.1)
    samples = every_ternary_sample(n)
    chance = np.prod(np.select([samples == 1, samples == -1], [0.3, 0.1], 0.6), axis=0)
    with pytest.warns(match="no interval"):
        shown = mean_intervals(samples, settings=Inference(n_resamples=99))
    hit = (shown.conf_low > 0) | (shown.conf_high < 0)
    assert flip_power(flips, n) == pytest.approx(chance[hit].sum(), abs=1e-9)
    with pytest.warns(match="no interval"):
        inside = mean_equivalence(samples, 0.55, settings=Inference(n_resamples=99)).inside
    assert inside.sum() > 0
    assert flip_power(flips, n, margin=0.55) == pytest.approx(chance[inside].sum(), abs=1e-9)


def test_intervals_of_few_flips_are_those_of_the_test():
    a, b, n = np.array([3.0, 0.0, 5.0]), np.array([1.0, 2.0, 4.0]), 60
    columns = np.zeros((n, 3))
    for k in range(3):
        columns[: int(a[k]), k] = 1.0
        columns[int(a[k]) : int(a[k] + b[k]), k] = -1.0
    shown = mean_intervals(columns, settings=Inference(n_resamples=99))
    assert set(shown.method) == {"bonett-price"}
    low, high = flip_intervals(a, b, n, 0.95)
    np.testing.assert_allclose(low, shown.conf_low)
    np.testing.assert_allclose(high, shown.conf_high)


def test_many_flips_come_to_the_t_formula():
    flips = Flips(0.28, 0.22)
    sd = np.sqrt(0.5 - 0.06**2)
    for n in (400, 1500):
        assert flip_power(flips, n) == pytest.approx(float(t_power(0.06, sd / np.sqrt(n), n)), abs=0.01)


def test_flips_found_and_needed_have_the_power_that_was_asked_for():
    flips = Flips(0.08, 0.05)
    effect = flip_detectable(flips, 150)
    assert flip_power(flips.shifted(effect), 150) == pytest.approx(0.8, abs=0.01)
    assert flip_power(flips.shifted(0.0), 150, margin=flip_margin(flips, 150)) == pytest.approx(0.8, abs=0.06)
    n = flip_units(Flips(0.2, 0.05))
    assert flip_power(Flips(0.2, 0.05), n) >= 0.8 > flip_power(Flips(0.2, 0.05), n - 1)


def test_flips_are_told_from_other_numbers():
    assert flips_of([0.0, 1.0, 0.5]) is None
    assert flips_of([0.0, 1.0, -1.0, 0.0]) == Flips(0.25, 0.25)


FAST = Inference(n_resamples=499)


def test_simulated_power_agrees_with_the_formula_for_normal_pilots():
    values = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    pilot = pilot_of(values)
    found = simulated_power(values, 40, 0.45, settings=Inference(method="t"), n_samples=2000)
    assert found.power == pytest.approx(float(t_power(0.45, pilot.error_at(40), 40)), abs=0.03)
    found = simulated_power(values, 80, 0.0, margin=0.4, settings=Inference(method="t"), n_samples=2000)
    assert found.power == pytest.approx(float(equivalence_power(0.4, pilot.error_at(80), 80)), abs=0.03)
    wide = simulated_power(values, 40, 0.45, spread=1.5, settings=Inference(method="t"), n_samples=2000)
    assert wide.power == pytest.approx(float(t_power(0.45, 1.5 * pilot.error_at(40), 40)), abs=0.03)


def test_simulated_power_with_clusters_of_one_size_is_that_of_whole_clusters():
    """The fast path tests cluster means; the slow one, which equal but unsorted weights force, whole clusters."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(15), 4)
    values = rng.normal(size=60) + rng.normal(size=15)[clusters]
    fast = simulated_power(values, 20, 0.9, clusters=clusters, settings=FAST, n_samples=400)
    nearly = np.where(np.arange(60) == 0, 1.0 + 1e-9, 1.0)
    slow = simulated_power(values, 20, 0.9, clusters=clusters, weights=nearly, settings=FAST, n_samples=400)
    assert fast.power == pytest.approx(slow.power, abs=0.07)
    assert (fast.n_clusters, slow.n) == (20, 80)


def test_simulated_flips_agree_with_enumeration():
    values = np.repeat([1.0, -1.0, 0.0], [12, 6, 82])
    found = simulated_power(values, 60, 0.1, settings=FAST, n_samples=3000)
    assert found.low - 0.01 < flip_power(Flips(0.12, 0.06).shifted(0.1), 60) < found.high + 0.01


def test_the_same_seed_gives_the_same_power():
    values = np.random.default_rng(0).normal(size=20)
    first, again, other = (
        simulated_power(values, 10, 0.5, settings=FAST, n_samples=100, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.low <= first.power <= first.high
    assert other != first
