"""Two one-sided tests against intervals, textbook t tests and brute-force inversion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.inference import (
    Inference,
    mean_equivalence,
    mean_intervals,
    ratio_equivalence,
    ratio_intervals,
    relative_equivalence,
)

METHODS = ("bootstrap-t", "percentile", "basic", "bca", "expanded-percentile", "normal", "t")
FAST = Inference(n_resamples=999)


def columns(n=40, k=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k)) * rng.uniform(0.2, 2.0, k), rng.uniform(0.1, 0.9, k)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_the_claim_is_that_the_interval_lies_inside_the_margin(method, alpha):
    values, margin = columns()
    settings = Inference(method=method, n_resamples=999, confidence_level=0.8)
    found = mean_equivalence(values, margin, alpha=alpha, settings=settings)
    shown = mean_intervals(values, settings=Inference(method=method, n_resamples=999, confidence_level=1 - 2 * alpha))
    inside = (shown.conf_low > -margin) & (shown.conf_high < margin)
    assert 5 < inside.sum() < 55
    np.testing.assert_array_equal(found.inside, inside)
    np.testing.assert_array_equal(found.p_value <= alpha, inside)
    np.testing.assert_allclose(found.low, shown.conf_low)
    np.testing.assert_allclose(found.high, shown.conf_high)
    assert (found.p_value > 0).all()


def test_by_student_t_it_is_the_tost_of_statsmodels():
    values, margin = columns()
    found = mean_equivalence(values, margin, settings=Inference(method="t"))
    expected = [DescrStatsW(values[:, k]).ttost_mean(-margin[k], margin[k])[0] for k in range(len(margin))]
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-9)


def test_a_larger_margin_is_never_harder_and_the_sign_of_the_values_does_not_matter():
    values, margin = columns()
    small, large = (mean_equivalence(values, m, settings=FAST).p_value for m in (margin, 1.5 * margin))
    assert (large <= small).all()
    turned = mean_equivalence(-values, margin, settings=Inference(method="t"))
    np.testing.assert_allclose(turned.p_value, mean_equivalence(values, margin, settings=Inference(method="t")).p_value)


def test_clusters_and_weights_are_those_of_the_intervals():
    values, margin = columns()
    labels, weights = np.arange(40) // 4, np.linspace(1, 2, 40)
    found = mean_equivalence(values, margin, clusters=labels, weights=weights, settings=FAST)
    shown = mean_intervals(values, clusters=labels, weights=weights, settings=FAST)
    np.testing.assert_allclose(found.high, shown.conf_high)
    assert found.method[0].startswith("cluster")


def test_rare_flips_have_their_own_interval():
    values = np.zeros((80, 1))
    values[:3] = 1.0
    found = mean_equivalence(values, 0.15)
    assert found.method == ("bonett-price",)
    centre, n = (3 + 1 - 1) / 82, 82  # a unit of +1 and one of -1 are added
    p, q = 4 / 82, 1 / 82
    z = (centre - 0.15) / np.sqrt((p + q - centre**2) / n)
    assert found.p_value[0] == pytest.approx(stats.norm.cdf(z))
    assert found.inside[0]


def test_a_relative_margin_is_the_two_tests_of_contrasts_and_the_test_of_the_total():
    rng = np.random.default_rng(0)
    total = rng.normal(rng.choice([-1, 1], 60) * rng.uniform(0, 1.0, 60), 1.0, size=(40, 60))
    values = rng.normal(size=(40, 60)) * rng.uniform(0.1, 1.0, 60)
    found = relative_equivalence(values, total, 0.5, settings=Inference(method="t"))
    for k in range(60):
        shift = 0.5 * np.sign(total[:, k].mean()) * total[:, k]
        p = (
            stats.ttest_1samp(values[:, k] - shift, 0, alternative="less").pvalue,
            stats.ttest_1samp(values[:, k] + shift, 0, alternative="greater").pvalue,
            stats.ttest_1samp(total[:, k], 0).pvalue,
        )
        assert found.p_value[k] == pytest.approx(max(p))
        assert found.weak[k] == (p[2] > 0.025)
    margin = 0.5 * np.abs(total.mean(axis=0))
    np.testing.assert_allclose(found.margin, margin)
    inside = (found.low > -margin) & (found.high < margin) & ~found.weak
    np.testing.assert_array_equal(found.inside, inside)
    assert 3 < inside.sum() < 57
    assert 3 < found.weak.sum() < 57


def test_the_sign_and_the_scale_of_the_total_do_not_matter():
    rng = np.random.default_rng(1)
    total, values = rng.normal(1.0, 1.0, size=(40, 20)), rng.normal(0.0, 0.3, size=(40, 20))
    first = relative_equivalence(values, total, 0.2, settings=FAST)
    np.testing.assert_allclose(relative_equivalence(values, -total, 0.2, settings=FAST).p_value, first.p_value)
    np.testing.assert_allclose(relative_equivalence(8 * values, 8 * total, 0.2, settings=FAST).p_value, first.p_value)
    np.testing.assert_allclose(relative_equivalence(values, 2 * total, 0.1, settings=FAST).p_value, first.p_value)


@pytest.mark.parametrize("method", ["bootstrap-t", "t"])
def test_a_ratio_is_equivalent_where_fiellers_set_lies_inside(method):
    rng = np.random.default_rng(2)
    total = rng.normal(rng.uniform(-1.0, 1.0, 200), 1.0, size=(40, 200))
    values = rng.normal(size=(40, 200)) * rng.uniform(0.05, 1.0, 200)
    settings = Inference(n_resamples=999) if method == "bootstrap-t" else Inference(method=method)
    found = ratio_equivalence(values, total, 0.5, settings=settings)
    shown = ratio_intervals(values, total, settings=settings)
    inside = (shown.conf_low > -0.5) & (shown.conf_high < 0.5)
    told = mean_intervals(total, settings=settings).p_value <= 0.025
    np.testing.assert_array_equal(found.inside, inside & told)
    np.testing.assert_array_equal(found.p_value <= 0.025, inside & told)
    np.testing.assert_array_equal(found.weak, ~told)
    assert 20 < inside.sum() < 180
    assert np.isinf(found.low[~np.isfinite(shown.conf_low)]).all()


def test_the_ratio_and_the_relative_margin_are_one_question():
    rng = np.random.default_rng(3)
    total, values = rng.normal(0.6, 1.0, size=(40, 30)), rng.normal(0.0, 0.5, size=(40, 30))
    settings = Inference(n_resamples=999)
    ratio = ratio_equivalence(values, total, 0.4, settings=settings)
    relative = relative_equivalence(values, total, 0.4, settings=settings)
    np.testing.assert_allclose(ratio.p_value, relative.p_value, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_values_that_are_all_alike_are_not_tested():
    rng = np.random.default_rng(0)
    values = np.column_stack([np.zeros(20), np.full(20, 0.05), rng.normal(0, 0.1, 20)])
    total = np.tile(rng.normal(2.0, 1.0, size=(20, 1)), 3)
    for found in (
        mean_equivalence(values, 0.5),
        relative_equivalence(values, total, 0.5),
    ):
        assert np.isnan(found.p_value).tolist() == [True, True, False]
        assert np.isnan(found.low).tolist() == [True, True, False]
        assert found.inside.tolist() == [False, False, True]
        assert found.method[0] == "degenerate"


def test_a_known_total_is_not_weak_unless_it_is_0():
    rng = np.random.default_rng(0)
    values = rng.normal(0.0, 0.1, size=(20, 2))
    found = relative_equivalence(values, np.tile([1.0, 0.0], (20, 1)), 0.5)
    assert found.weak.tolist() == [False, True]
    assert found.inside.tolist() == [True, False]
    plain = mean_equivalence(values[:, :1], 0.5)
    assert found.p_value[0] == pytest.approx(plain.p_value[0])
    assert found.high[0] == pytest.approx(plain.high[0])


@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_one_cluster_says_nothing():
    found = mean_equivalence(np.ones((4, 1)) * [[1.0], [2.0], [3.0], [4.0]], 9.0, clusters=["a"] * 4)
    assert np.isnan(found.p_value[0])
    assert not found.inside[0]


def test_degenerate_columns_are_warned_of_once():
    with pytest.warns(DegenerateWarning) as caught:
        mean_equivalence(np.zeros((5, 1)), 0.1)
    assert len(caught) == 1


@pytest.mark.parametrize("margin", [0.0, -0.1, np.nan, np.inf, "small", None, True, [0.1, 0.2, 0.3]])
def test_a_margin_is_a_positive_number_or_one_a_column(margin):
    with pytest.raises(DesignError, match="margin"):
        mean_equivalence(np.zeros((5, 2)), margin)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, True, "5%"])
def test_alpha_is_the_level_of_one_side(alpha):
    with pytest.raises(DesignError, match="alpha"):
        mean_equivalence(np.zeros((5, 1)), 0.1, alpha=alpha)


def test_values_and_reference_are_of_the_same_units():
    with pytest.raises(DataError, match="same units"):
        relative_equivalence(np.zeros((5, 1)), np.zeros((6, 1)), 0.1)
