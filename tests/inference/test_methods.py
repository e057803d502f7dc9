"""Every interval by its name: scipy on the same draws, textbook formulas, duality with p-values, degenerate data."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from mediation.errors import DegenerateWarning
from mediation.inference import (
    Inference,
    basic,
    bca,
    bootstrap_t,
    expanded_percentile,
    mean_intervals,
    normal,
    percentile,
    t,
)  # fmt: skip
from mediation.inference.resampling._resample import resample_counts
from tests.inference import naive

NAMED = {one.__name__: one for one in (bootstrap_t, percentile, basic, bca, expanded_percentile, normal, t)}
B, LEVEL, SEED = 1999, 0.9, 3
RESAMPLED = ["percentile", "basic", "bca", "expanded_percentile"]


def sample(n=40, k=4, seed=2):
    rng = np.random.default_rng(seed)
    return rng.exponential(1.0, size=(n, k)) - 0.8 + rng.normal(0.0, 0.2, size=(n, 1))


def means_of(values, n_resamples=B, seed=SEED):
    """Resampled means (K, B) of the count matrix, one gather at a time."""
    picks = [
        np.repeat(np.arange(len(values)), row.astype(int))
        for _, counts in resample_counts(len(values), n_resamples, seed)
        for row in counts
    ]
    return np.stack([values[one].mean(axis=0) for one in picks], axis=1)


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_the_method_of_the_settings(name):
    values, method = sample(), name.replace("_", "-")
    named = NAMED[name](values, confidence_level=LEVEL, n_resamples=B, seed=SEED, null=0.1)
    settings = Inference(method=method, confidence_level=LEVEL, n_resamples=B, seed=SEED)
    asked = mean_intervals(values, settings=settings, null=0.1)
    np.testing.assert_array_equal(named.conf_low, asked.conf_low)
    np.testing.assert_array_equal(named.p_value, asked.p_value)
    assert all(one.startswith(method) for one in named.method)
    assert "Notes" in NAMED[name].__doc__


@pytest.mark.parametrize("name", ["percentile", "basic", "bca"])
def test_scipy_on_the_same_draws(name):
    # scipy interpolates between two order statistics; ours is the outer one of the two.
    values = sample()
    found = NAMED[name](values, confidence_level=LEVEL, n_resamples=B, seed=SEED)
    drawn = means_of(values)
    for column in range(values.shape[1]):
        given_draws = SimpleNamespace(bootstrap_distribution=drawn[column])
        theirs = stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=0, confidence_level=LEVEL,
            method={"bca": "BCa"}.get(name, name), bootstrap_result=given_draws,
        ).confidence_interval  # fmt: skip
        ordered = np.sort(drawn[column] if name != "basic" else 2 * values[:, column].mean() - drawn[column])
        for ours, scipys, outward in (
            (found.conf_low[column], theirs.low, -1),
            (found.conf_high[column], theirs.high, 1),
        ):
            step = np.searchsorted(ordered, scipys) - np.searchsorted(ordered, ours - 1e-12)
            assert 0 <= -outward * step <= 2
            assert outward * (ours - scipys) >= -1e-12


def test_bca_ends_follow_from_bias_and_acceleration_by_hand():
    values = sample(n=25, k=1, seed=5)
    drawn, mean = means_of(values)[0], values.mean()
    z0 = stats.norm.ppf(((drawn < mean - 1e-12).sum() + 0.5 * (np.abs(drawn - mean) <= 1e-12).sum()) / B)
    jackknife = np.array([np.delete(values[:, 0], i).mean() for i in range(25)])
    d = jackknife.mean() - jackknife
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    shares = [stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in stats.norm.ppf([0.05, 0.95])]
    ordered = np.sort(drawn)
    found = bca(values, confidence_level=LEVEL, n_resamples=B, seed=SEED)
    assert found.conf_low[0] == pytest.approx(ordered[int(shares[0] * (B + 1)) - 1])
    assert found.conf_high[0] == pytest.approx(ordered[-int((1 - shares[1]) * (B + 1))])


def test_bca_counts_ties_with_the_estimate_half():
    # Four symmetric values: many resamples have exactly the mean of the sample, which must not move the median.
    values = np.array([[-1.0], [1.0], [-1.0], [1.0], [-3.0], [3.0]])
    drawn = means_of(values)[0]
    ties = (np.abs(drawn) < 1e-12).mean()
    assert ties > 0.05
    found = bca(values, n_resamples=B, seed=SEED)
    strict = stats.norm.ppf((drawn < -1e-12).mean())
    half = stats.norm.ppf((drawn < -1e-12).mean() + ties / 2)
    assert abs(half) < 0.06 < abs(strict)
    ordered = np.sort(drawn)
    assert found.conf_low[0] == pytest.approx(
        ordered[int(stats.norm.cdf(2 * half + stats.norm.ppf(0.025)) * (B + 1)) - 1]
    )


def test_acceleration_is_that_of_the_jackknife_over_clusters():
    values, clusters = sample(n=24, k=1, seed=8), np.repeat(np.arange(8), [1, 2, 3, 4, 5, 4, 3, 2])
    whole = bca(values, clusters=clusters, n_resamples=B, seed=SEED)
    counts = np.concatenate([c for _, c in resample_counts(8, B, SEED)])
    mean, _, drawn, _, _ = naive.replicates(values[:, 0], clusters, np.ones(24), counts)
    below, ties = (drawn < mean - 1e-12).sum(), (np.abs(drawn - mean) <= 1e-12).sum()
    z0 = stats.norm.ppf((below + ties / 2) / B)
    jackknife = np.array([values[clusters != j].mean() for j in range(8)])
    d = jackknife.mean() - jackknife
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    share = stats.norm.cdf(z0 + (z0 - 1.959964) / (1 - a * (z0 - 1.959964)))
    assert whole.conf_low[0] == pytest.approx(np.sort(drawn)[int(share * (B + 1)) - 1])


def test_expanded_percentile_is_percentile_at_the_level_of_hesterberg():
    values = sample(n=15)
    tail = stats.norm.cdf(-np.sqrt(15 / 14) * stats.t.ppf(0.95, 14))
    ordered = np.sort(means_of(values), axis=1)
    found = expanded_percentile(values, confidence_level=LEVEL, n_resamples=B, seed=SEED)
    rank = int(tail * (B + 1))
    np.testing.assert_allclose(found.conf_low, ordered[:, rank - 1])
    np.testing.assert_allclose(found.conf_high, ordered[:, -rank])


def test_expanded_percentile_of_normal_data_is_students_interval():
    values = np.random.default_rng(0).normal(size=(12, 6))
    found = expanded_percentile(values, n_resamples=39_999)
    low, high = stats.t.interval(0.95, 11, found.estimate, found.std_error)
    assert np.abs(found.conf_low - low).max() < 0.25 * found.std_error.max()
    width = (found.conf_high - found.conf_low) / (high - low)
    assert width.mean() == pytest.approx(1.0, abs=0.04)


def test_normal_and_t_by_their_formulas():
    values = sample()
    drawn = means_of(values)
    found = normal(values, n_resamples=B, seed=SEED)
    reach = stats.norm.ppf(0.975) * drawn.std(axis=1, ddof=1)
    np.testing.assert_allclose(found.conf_low, values.mean(axis=0) - reach)
    np.testing.assert_allclose(found.conf_high, values.mean(axis=0) + reach)
    student = t(values, null=0.1)
    theirs = stats.ttest_1samp(values, 0.1)
    np.testing.assert_allclose(student.p_value, theirs.pvalue)
    np.testing.assert_allclose(student.conf_low, theirs.confidence_interval(0.95).low)
    np.testing.assert_allclose(student.p_less, stats.ttest_1samp(values, 0.1, alternative="less").pvalue)


def test_standard_error_of_every_resample_is_the_closed_form():
    # Over all n^n resamples the variance of the mean is sum e^2 / n^2.
    values = np.array([[0.3], [-1.2], [2.5], [0.9], [4.0]])
    found = normal(values, n_resamples=99_999)
    exact = np.sqrt(((values - values.mean()) ** 2).sum()) / 5
    reach = (found.conf_high[0] - found.conf_low[0]) / 2 / stats.norm.ppf(0.975)
    assert reach == pytest.approx(exact, rel=0.01)


@given(
    name=st.sampled_from(list(NAMED)),
    seed=st.integers(0, 50),
    null=st.floats(-0.6, 0.8),
    clustered=st.booleans(),
    discrete=st.booleans(),
)
def test_an_interval_leaves_out_exactly_what_its_p_value_rejects(name, seed, null, clustered, discrete):
    values = sample(n=24, k=5, seed=seed)
    if discrete:
        values, null = np.round(values * 2) / 2, round(null * 4) / 4
    clusters = np.arange(24) // 3 if clustered else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        found = NAMED[name](values, clusters=clusters, confidence_level=0.9, n_resamples=199, seed=seed, null=null)
    outside = (found.conf_low > null) | (found.conf_high < null)
    there = np.isfinite(found.conf_low)
    assert (found.p_value[there] > 0).all()
    sharp = np.abs(found.p_value - 0.1) > 1e-9  # at the level itself rounding decides
    assert (outside == (found.p_value <= 0.1))[there & sharp].all()
    two_sided = np.minimum(1.0, 2 * np.minimum(found.p_less, found.p_greater))
    np.testing.assert_array_equal(found.p_value[there], two_sided[there])


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(
    ("values", "clusters", "why"),
    [
        ([[2.0]], None, "1 unit"),
        ([[2.0]] * 9, None, "same value"),
        ([[1.0], [2.0], [4.0]], ["a"] * 3, "one cluster"),
        ([[1.0], [3.0], [1.0], [3.0]], list("aabb"), "same mean"),
    ],
    ids=["one unit", "same value", "one cluster", "same clusters"],
)
def test_no_method_makes_an_interval_of_nothing(name, values, clusters, why):
    with pytest.warns(DegenerateWarning, match=why):
        found = NAMED[name](values, clusters=clusters, n_resamples=99)
    for array in (found.std_error, found.conf_low, found.conf_high, found.p_value, found.p_less):
        assert np.isnan(array).all()
    assert found.method == ("degenerate",)
    assert found.estimate[0] == np.mean(values)


@pytest.mark.parametrize("name", NAMED)
def test_two_units_have_a_wide_interval_or_none_and_never_a_width_of_zero(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        found = NAMED[name]([[1.0], [2.0]], n_resamples=999)
    if found.method[0] == "degenerate":
        assert np.isnan(found.conf_low[0])
        assert found.reason[0]
    else:
        assert found.conf_high[0] - found.conf_low[0] > 0.5
        assert found.p_value[0] > (1e-3 if name != "normal" else 0)  # normal takes the error as known


def test_a_tail_without_a_resample_is_no_interval():
    with pytest.warns(DegenerateWarning, match="no resample lies in a tail"):
        found = expanded_percentile([[1.0], [2.0], [4.0]], n_resamples=99)
    assert found.method == ("degenerate",)
    assert "more resamples" in found.reason[0]


def test_null_values_are_per_column_and_shift_the_question_only():
    values = sample()
    nulls = np.array([0.0, 0.3, -0.2, 1.0])
    found = mean_intervals(values, settings=Inference(n_resamples=B), null=nulls, bands=True)
    plain = mean_intervals(values, settings=Inference(n_resamples=B), bands=True)
    shifted = mean_intervals(values - nulls, settings=Inference(n_resamples=B), bands=True)
    np.testing.assert_allclose(found.conf_low, plain.conf_low)
    np.testing.assert_allclose(found.conf_low - nulls, shifted.conf_low, atol=1e-12)
    np.testing.assert_array_equal(found.p_value, shifted.p_value)
    np.testing.assert_array_equal(found.p_adjusted, shifted.p_adjusted)


def test_families_are_each_as_if_asked_alone():
    values, settings = sample(k=9), Inference(n_resamples=B)
    labels = list("aabbbabca")
    together = mean_intervals(values, settings=settings, bands=True, families=labels)
    for label in "abc":
        mine = [i for i, one in enumerate(labels) if one == label]
        alone = mean_intervals(values[:, mine], settings=settings, bands=True)
        np.testing.assert_allclose(together.band_low[mine], alone.band_low)
        np.testing.assert_array_equal(together.p_adjusted[mine], alone.p_adjusted)
    everything = mean_intervals(values, settings=settings, bands=True)
    assert (everything.band_low <= together.band_low + 1e-12).all()
