from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from mediation.inference import Inference, homogeneity

FEW = Inference(n_resamples=199)


def test_the_statistic_of_independent_groups_is_welchs_and_the_p_value_no_smaller():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], [7, 12, 20])
    values = rng.normal(size=(39, 1)) * np.repeat([3.0, 1.0, 2.0], [7, 12, 20])[:, None]
    found = homogeneity(values, groups, settings=FEW)
    welch = anova_oneway(values[:, 0], groups, use_var="unequal")
    k, weight = 3, [len(x) / x.var(ddof=1) for x in (values[groups == g, 0] for g in "abc")]
    assert found.p_value[0] >= welch.pvalue - 1e-12
    mean = [values[groups == g, 0].mean() for g in "abc"]
    centre = np.average(mean, weights=weight)
    assert found.statistic[0] == pytest.approx(np.sum(weight * (np.array(mean) - centre) ** 2))
    assert found.n_groups[0] == k


def test_two_groups_are_welchs_t_squared():
    values = np.random.default_rng(1).normal(size=(20, 1))
    groups = np.repeat([0, 1], [6, 14])
    t = stats.ttest_ind(values[groups == 0, 0], values[groups == 1, 0], equal_var=False)
    found = homogeneity(values, groups, settings=FEW)
    assert found.statistic[0] == pytest.approx(t.statistic**2)
    assert found.p_value[0] >= t.pvalue - 1e-12


def test_two_groups_in_every_cluster_are_the_paired_t_squared():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 15))
    found = homogeneity(
        np.concatenate([first, second])[:, None],
        np.repeat([0, 1], 15),
        clusters=np.tile(np.arange(15), 2),
        settings=FEW,
    )
    t = stats.ttest_rel(first, second)
    assert found.statistic[0] == pytest.approx(t.statistic**2)
    assert found.p_value[0] >= t.pvalue - 1e-12
    assert found.method.startswith("cluster Wald")


def test_three_groups_in_every_cluster_are_hotellings():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(12, 3)) + rng.normal(size=(12, 1))
    found = homogeneity(
        values.T.reshape(-1, 1), np.repeat([0, 1, 2], 12), clusters=np.tile(np.arange(12), 3), settings=FEW
    )
    d = values[:, :2] - values[:, 2:]
    t2 = 12 * d.mean(0) @ np.linalg.solve(np.cov(d.T), d.mean(0))
    assert found.statistic[0] == pytest.approx(t2)
    assert found.p_value[0] >= stats.f.sf(t2 * (12 - 2) / (2 * 11), 2, 10) - 1e-12


def test_weights_count_and_scale_does_not():
    rng = np.random.default_rng(4)
    values, weights, groups = rng.normal(size=(30, 1)), rng.uniform(0.5, 2, 30), np.repeat([0, 1, 2], 10)
    one = homogeneity(values, groups, weights=weights, settings=FEW)
    two = homogeneity(1e6 * values, groups, weights=9 * weights, settings=FEW)
    assert one.p_value[0] == pytest.approx(two.p_value[0])
    assert one.statistic[0] == pytest.approx(two.statistic[0])
    assert one.statistic[0] != pytest.approx(homogeneity(values, groups, settings=FEW).statistic[0])


def test_groups_without_a_standard_error_are_left_out():
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(size=10), rng.normal(size=10), [3.0], np.zeros(5)])[:, None]
    groups = np.array([0] * 10 + [1] * 10 + [2] + [3] * 5)
    found = homogeneity(values, groups, settings=FEW)
    alone = homogeneity(values[:20], groups[:20], settings=FEW)
    assert found.n_groups[0] == 2
    assert found.p_value[0] == alone.p_value[0]
    none = homogeneity(values[20:], groups[20:], settings=FEW)
    assert np.isnan(none.p_value[0])
    assert none.n_groups[0] == 0


@pytest.mark.statistical
@pytest.mark.parametrize("kind", ["independent", "nested", "crossed"])
def test_the_level_holds_for_few_skewed_units_of_unequal_spread(kind):
    samples, size = 400, 8
    groups = np.repeat([0, 1, 2], size)
    clusters = {"independent": None, "nested": np.repeat(np.arange(12), 2), "crossed": np.tile(np.arange(size), 3)}[
        kind
    ]
    spread = np.repeat([1.0, 1.0, 3.0], size)[:, None]
    rng = np.random.default_rng(6)
    values = (rng.exponential(size=(3 * size, samples)) - 1) * spread
    if clusters is not None:
        values = values + rng.normal(size=(clusters.max() + 1, samples))[clusters]
    rejected = (homogeneity(values, groups, clusters=clusters, settings=FEW).p_value <= 0.05).mean()
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / samples)


def test_dependent_groups_are_referred_to_hotellings_t_squared():
    from mediation.inference.tests._homogeneity import _reference

    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 3)) + np.array([0.0, 0.3, 0.8])  # each of 8 clusters has all three groups
    contrast = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    d = values @ contrast.T
    t_squared = 8 * d.mean(axis=0) @ np.linalg.solve(np.cov(d.T), d.mean(axis=0))
    expected = stats.f.sf(t_squared * (8 - 2) / (2 * (8 - 1)), 2, 8 - 2)
    found = _reference(values.mean(axis=0), np.cov(values.T) / 8, np.array([8, 8, 9]), nested=False)
    assert found == pytest.approx((t_squared, expected), rel=1e-10)
