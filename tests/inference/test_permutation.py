"""Sign flips against enumeration by hand, scipy, the binomial law and their own exactness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import mediation as med
from mediation.inference import mcnemar, sign_flip


def by_hand(values, clusters, weights, alternative):
    """All sign vectors, one at a time."""
    labels = list(dict.fromkeys(clusters))
    means = []
    for signs in itertools.product([1.0, -1.0], repeat=len(labels)):
        flipped = [signs[labels.index(c)] * v for c, v in zip(clusters, values, strict=True)]
        means.append(np.average(flipped, weights=weights))
    observed = np.average(values, weights=weights)
    means = np.array(means)
    if alternative == "two-sided":
        means, observed = np.abs(means), abs(observed)
    extreme = means <= observed + 1e-9 if alternative == "less" else means >= observed - 1e-9
    return extreme.mean()


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_p_values_are_those_of_all_sign_vectors(alternative, clustered, weighted):
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(0.4, 1.0, size=(10, 4)), 1)  # one decimal, so that there are ties
    clusters = list("aabbccdeef") if clustered else list(range(10))
    weights = rng.uniform(1, 3, size=10) if weighted else np.ones(10)
    found = sign_flip(values, clusters=clusters, weights=weights, alternative=alternative)
    expected = [by_hand(values[:, k], clusters, weights, alternative) for k in range(4)]
    assert found.p_value == pytest.approx(expected, abs=1e-12)
    assert found.statistic == pytest.approx(np.average(values, axis=0, weights=weights))
    flips = 2 ** (6 if clustered else 10)
    assert set(found.method) == {f"{'cluster ' if clustered else ''}sign-flip (exact, {flips} flips)"}
    assert (found.n, found.n_clusters) == (10, 6 if clustered else 10)


def test_scipy_agrees_exactly_and_at_random():
    values = np.random.default_rng(0).normal(0.5, 1.0, size=(11, 1))
    flip = stats.permutation_test((values[:, 0],), np.mean, permutation_type="samples", n_resamples=2**11)
    assert sign_flip(values).p_value == pytest.approx([flip.pvalue])
    sampled = sign_flip(values, n_flips=1999)
    assert sampled.method == ("sign-flip (B=1999)",)
    assert sampled.p_value[0] == pytest.approx(flip.pvalue, abs=4 * np.sqrt(flip.pvalue / 2000))


def test_the_mean_and_students_t_give_the_same_test():
    """Each sign vector is at least as extreme by one exactly when it is by the other."""
    values = np.random.default_rng(1).exponential(size=9) - 0.3
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=9)))
    by_t = np.abs(stats.ttest_1samp(signs * values, 0.0, axis=1).statistic)
    assert sign_flip(values[:, None]).p_value[0] == (by_t >= by_t[0] - 1e-9).mean()


def test_flips_of_one_size_are_mcnemars_test():
    values = np.repeat([1, -1, 0], [8, 2, 3])[:, None]
    found = sign_flip(values)
    assert found.p_value[0] == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert found.p_value == pytest.approx(mcnemar(values).p_value)


def test_the_size_is_exact_when_units_are_symmetric():
    values = np.random.default_rng(2).standard_t(3, size=(8, 20_000))
    p_value = sign_flip(values).p_value
    for alpha in (1 / 128, 5 / 128, 20 / 128):
        error = np.sqrt(alpha * (1 - alpha) / 20_000)
        assert np.mean(p_value <= alpha) == pytest.approx(alpha, abs=4 * error)


def test_a_sampled_p_value_is_never_0_and_the_draws_do_not_depend_on_the_columns():
    values = np.random.default_rng(0).normal([5.0, 0.1, 0.3], 1.0, size=(60, 3))
    found = sign_flip(values, n_flips=999, seed=4)
    assert found.p_value[0] == 1 / 1000
    alone = sign_flip(values[:, [1]], n_flips=999, seed=4)
    assert alone.p_value[0] == found.p_value[1]
    assert sign_flip(values, n_flips=999, seed=5).p_value[1] != found.p_value[1]


def test_opposite_alternatives_share_their_ties():
    values = np.random.default_rng(6).normal(0.2, 1.0, size=(12, 5))
    less, greater = (sign_flip(values, alternative=side).p_value for side in ("less", "greater"))
    assert less + greater == pytest.approx(1 + 1 / 2**12)  # the data themselves are in both


def test_values_far_from_1_are_tested_the_same():
    values = np.random.default_rng(0).normal(0.5, 1.0, size=(10, 2))
    assert (sign_flip(values * 1e-200).p_value == sign_flip(values).p_value).all()
    assert (sign_flip(values * 1e200).p_value == sign_flip(values).p_value).all()


def test_no_test_is_nan_with_its_reason():
    values = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    with pytest.warns(med.errors.DegenerateWarning, match="every unit is 0, so that a flip changes nothing .column 0."):
        found = sign_flip(values)
    assert np.isnan(found.p_value[0])
    assert found.p_value[1] == 2 / 8  # all alike is no reason: signs can be flipped
    assert found.method == ("degenerate", "sign-flip (exact, 8 flips)")
    assert found.reason == ("every unit is 0, so that a flip changes nothing", "")
    assert found.statistic.tolist() == [0.0, 1.0]
    with pytest.warns(med.errors.DegenerateWarning, match="all units belong to one cluster"):
        assert np.isnan(sign_flip(values, clusters=["a"] * 3).p_value).all()
    with pytest.warns(med.errors.DegenerateWarning, match="there is 1 unit and a test needs 2"):
        assert np.isnan(sign_flip(values[:1]).p_value).all()
    with pytest.raises(ValueError, match="read-only"):
        found.p_value[1] = 0.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_flips": 0}, "n_flips = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"alternative": "two sided"}, "Closest: 'two-sided'"),
    ],
)
def test_wrong_options(options, says):
    with pytest.raises(med.errors.DesignError, match=says):
        sign_flip(np.ones((4, 1)), **options)
