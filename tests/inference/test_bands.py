"""Simultaneous bands and adjusted p-values against their definition, with all replicates in memory."""

import numpy as np
import pytest
from scipy import stats

from mediation.errors import DegenerateWarning
from mediation.inference import Inference, group_difference_intervals, mean_intervals
from mediation.inference.resampling._resample import resample_counts
from tests.inference import naive


def correlated(n=25, k=6, seed=0):
    rng = np.random.default_rng(seed)
    effects = np.linspace(0.0, 0.9, k)
    return effects + 0.7 * rng.normal(size=(n, 1)) + rng.normal(size=(n, k)) + rng.exponential(0.5, (n, k)) - 0.5


def by_definition(values, settings, clusters=None):
    """Single-step critical value and step-down p-values from the whole matrix of |t*|."""
    n, k = values.shape
    labels = list(range(n)) if clusters is None else clusters
    blocks = resample_counts(len(set(labels)), settings.n_resamples, settings.seed)
    counts = np.concatenate([block for _, block in blocks])
    parts = [naive.replicates(values[:, j], labels, np.ones(n), counts) for j in range(k)]
    t0 = np.array([abs(mean / error) for mean, error, *_ in parts])
    t = np.abs([bounded for *_, bounded in parts])
    critical = np.sort(t.max(axis=0))[-settings.joint_rank]
    p, left, last = np.empty(k), list(range(k)), 0.0
    for column in np.argsort(-t0):
        exceed = (t[left].max(axis=0) >= t0[column]).sum()
        last = p[column] = max(last, (1 + exceed) / (settings.n_resamples + 1))
        left.remove(column)
    return critical, p


@pytest.mark.parametrize("clusters", [None, [i // 2 for i in range(25)]], ids=["units", "clusters"])
def test_bands_and_p_values_are_those_of_the_definition(clusters):
    values, settings = correlated(), Inference(n_resamples=299, confidence_level=0.9)
    found = mean_intervals(values, clusters=clusters, settings=settings, bands=True)
    critical, p = by_definition(values, settings, clusters)
    assert critical <= stats.t.isf(0.1 / 2 / 6, found.n_clusters - 1)  # otherwise Bonferroni's decides: test_joint
    reach = critical * found.std_error
    np.testing.assert_allclose(found.band_low, np.minimum(found.estimate - reach, found.conf_low), rtol=1e-9)
    np.testing.assert_allclose(found.band_high, np.maximum(found.estimate + reach, found.conf_high), rtol=1e-9)
    np.testing.assert_allclose(found.p_adjusted, np.maximum(p, found.p_value), rtol=1e-12)
    assert (found.band_low < found.conf_low).any()
    assert len(set(found.p_adjusted)) > 2


def test_replicates_without_spread_do_not_blow_up_the_bands():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 5))
    values[:, 0] = 0.0
    values[:2, 0] = [0.3, 0.5]  # a resample holds neither with probability 0.12
    settings = Inference(n_resamples=999)
    found = mean_intervals(values, settings=settings, bands=True)
    assert found.method[0] == "t (bootstrap-t unbounded)"
    assert np.isfinite([found.band_low, found.band_high]).all()
    critical, p = by_definition(values, settings)
    reach = critical * found.std_error
    np.testing.assert_allclose(found.band_high, np.maximum(found.estimate + reach, found.conf_high), rtol=1e-9)
    np.testing.assert_allclose(found.p_adjusted, np.maximum(p, found.p_value), rtol=1e-12)


@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_bands_hold_the_pointwise_intervals_and_reject_less(method):
    values = correlated(k=40, seed=3)
    found = mean_intervals(values, settings=Inference(method=method, n_resamples=999), bands=True)
    assert (found.band_low <= found.conf_low).all()
    assert (found.band_high >= found.conf_high).all()
    assert (found.p_adjusted >= found.p_value).all()
    excluded = (found.band_low > 0) | (found.band_high < 0)
    assert (found.p_adjusted[excluded] <= 0.05).all()
    assert 0 < excluded.sum() < 40


def test_asking_for_bands_leaves_the_intervals_as_they_are():
    values = correlated(k=30, seed=1)
    with_bands, without = (mean_intervals(values, settings=Inference(n_resamples=499), bands=b) for b in (True, False))
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(getattr(with_bands, name), getattr(without, name), rtol=1e-11)
    assert without.band_low is None
    assert without.band_high is None
    assert without.p_adjusted is None


def test_columns_that_are_copies_cost_nothing():
    values = correlated(k=2)
    settings = Inference(n_resamples=999)
    one, four = (mean_intervals(np.tile(values, (1, r)), settings=settings, bands=True) for r in (1, 4))
    np.testing.assert_allclose(four.band_low, np.tile(one.band_low, 4), rtol=1e-9)
    np.testing.assert_allclose(four.p_adjusted, np.tile(one.p_adjusted, 4))


def test_more_columns_widen_the_bands():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 60))
    settings = Inference(n_resamples=999)
    few, many = (mean_intervals(values[:, :k], settings=settings, bands=True) for k in (3, 60))
    width = [(b.band_high - b.band_low)[:3] for b in (few, many)]
    assert (width[0] < width[1]).all()


def test_degenerate_columns_have_no_band_and_do_not_touch_the_others():
    values = correlated(k=4)
    spoilt = np.insert(values, 2, 5.0, axis=1)
    settings = Inference(n_resamples=499)
    with pytest.warns(DegenerateWarning):
        found = mean_intervals(spoilt, settings=settings, bands=True)
    plain = mean_intervals(values, settings=settings, bands=True)
    assert np.isnan([found.band_low[2], found.band_high[2], found.p_adjusted[2]]).all()
    kept = [0, 1, 3, 4]
    for name in ("band_low", "band_high", "p_adjusted"):
        np.testing.assert_allclose(getattr(found, name)[kept], getattr(plain, name), rtol=1e-11)


def test_bands_of_nothing_but_degenerate_columns_are_nan():
    with pytest.warns(DegenerateWarning):
        found = mean_intervals(np.ones((5, 3)), bands=True)
    assert np.isnan([found.band_low, found.band_high, found.p_adjusted]).all()


def test_no_columns_are_no_bands():
    found = mean_intervals(np.ones((5, 0)), bands=True)
    assert found.band_low.shape == found.p_adjusted.shape == (0,)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_band_reaches_as_far_as_a_skewed_interval_on_its_long_side(sign, groups):
    # Of one column the maximum of |t*| is symmetric, and the interval on the long tail's side goes beyond it.
    rng, settings = np.random.default_rng(4), Inference(n_resamples=1999)
    values = sign * rng.exponential(size=(15, 1)) ** 2
    if groups == 1:
        found = mean_intervals(values, settings=settings, bands=True)
    else:
        found = group_difference_intervals(values, 0.01 * rng.normal(size=(15, 1)), settings=settings, bands=True)
    reach = found.estimate[0] - found.band_low[0], found.band_high[0] - found.estimate[0]
    long, short = reach[::-1] if sign > 0 else reach
    conf = found.estimate[0] - found.conf_low[0], found.conf_high[0] - found.estimate[0]
    far, near = conf[::-1] if sign > 0 else conf
    assert long == far  # the interval's own end
    assert near < short < far  # the band's reach, which is the same on both sides
    assert found.p_adjusted[0] >= found.p_value[0]
