"""McNemar, Bonett-Price and Wilson against scipy, statsmodels and brute-force inversion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.proportion import proportions_ztest

import mediation as med
from mediation.inference import bonett_price_interval, mcnemar, mean_intervals, wilson


def flips(a, b, n):
    return np.repeat([1.0, -1.0, 0.0], [a, b, n - a - b])[:, None]


@pytest.mark.parametrize(("a", "b"), [(1, 0), (5, 5), (9, 1), (0, 12), (30, 14), (400, 350)])
def test_mcnemar_is_the_binomial_test_of_those_that_changed(a, b):
    found = mcnemar(flips(a, b, 800))
    assert found.p_value[0] == pytest.approx(stats.binomtest(a, a + b).pvalue)
    assert found.statistic[0] == min(a, b)
    assert (found.method, found.n) == (("mcnemar (exact)",), 800)


def test_mcnemar_without_a_change_is_no_test():
    values = np.column_stack([flips(0, 0, 10), flips(2, 1, 10)])
    with pytest.warns(med.errors.DegenerateWarning, match=r"1 of 2 columns .* no unit changed.* \(column 0\)"):
        found = mcnemar(values)
    assert np.isnan(found.p_value[0])
    assert found.p_value[1] == 1.0
    assert found.reason == ("no unit changed, and the test compares those that did", "")
    assert found.method[0] == "degenerate"


@pytest.mark.parametrize(("a", "b", "n"), [(1, 0, 20), (3, 2, 50), (0, 4, 30), (8, 1, 200)])
def test_bonett_price_is_what_few_flips_are_given(a, b, n):
    named, chosen = bonett_price_interval(flips(a, b, n)), mean_intervals(flips(a, b, n))
    assert chosen.method == named.method == ("bonett-price",)
    for name in ("estimate", "conf_low", "conf_high", "p_value", "p_less", "p_greater"):
        assert getattr(named, name) == pytest.approx(getattr(chosen, name)), name


def test_bonett_price_by_its_formula():
    a, b, n = 26, 4, 48
    p, q = 27 / 50, 5 / 50
    error = np.sqrt((p + q - (p - q) ** 2) / 50)
    found = bonett_price_interval(flips(a, b, n), confidence_level=0.9)
    z = stats.norm.ppf(0.95)
    assert [found.conf_low[0], found.conf_high[0]] == pytest.approx([p - q - z * error, p - q + z * error])
    assert found.p_value[0] == pytest.approx(2 * stats.norm.sf((p - q) / error))
    assert found.std_error[0] == pytest.approx(error)


def test_bonett_price_has_an_interval_when_no_unit_changed():
    found = bonett_price_interval(flips(0, 0, 18))
    assert found.estimate[0] == 0
    assert found.p_value[0] == 1
    assert found.conf_high[0] == -found.conf_low[0] == pytest.approx(1.959964 * np.sqrt(0.1 / 20))
    ends = bonett_price_interval(np.ones((1, 1)))
    assert -1 <= ends.conf_low[0] < ends.conf_high[0] <= 1


@pytest.mark.parametrize(("ones", "n"), [(1, 20), (19, 20), (33, 70), (150, 151)])
def test_wilson_inverts_the_score_test(ones, n):
    found = wilson(np.repeat([1, 0], [ones, n - ones])[:, None], confidence_level=0.9)
    share, z = ones / n, stats.norm.ppf(0.95)

    def beyond(p):
        return abs(share - p) / np.sqrt(p * (1 - p) / n) - z

    ends = optimize.brentq(beyond, 1e-9, share), optimize.brentq(beyond, share, 1 - 1e-9)
    assert [found.conf_low[0], found.conf_high[0]] == pytest.approx(ends, abs=1e-8)
    assert found.std_error[0] == pytest.approx(np.sqrt(share * (1 - share) / n))


def test_wilsons_p_value_is_the_score_tests_and_dual_to_the_interval():
    values = (np.random.default_rng(0).random((40, 30)) < np.linspace(0.3, 0.9, 30)).astype(int)
    found = wilson(values, null=0.6)
    expected = [proportions_ztest(ones, 40, value=0.6, prop_var=0.6)[1] for ones in values.sum(axis=0)]
    assert found.p_value == pytest.approx(expected)
    outside = (found.conf_low > 0.6) | (found.conf_high < 0.6)
    assert (outside == (found.p_value < 0.05)).all()
    assert 0 < outside.sum() < 30


def test_wilson_has_an_interval_when_all_are_right():
    found = wilson(np.column_stack([np.ones(20), np.zeros(20)]))
    z2 = stats.norm.ppf(0.975) ** 2
    assert found.conf_low.tolist() == pytest.approx([20 / (20 + z2), 0.0])
    assert found.conf_high.tolist() == pytest.approx([1.0, z2 / (20 + z2)])
    assert (found.conf_high[0], found.conf_low[1]) == (1.0, 0.0)
    assert np.isnan(found.std_error).all()


@pytest.mark.parametrize(
    ("call", "values"), [(mcnemar, [[0.5]]), (bonett_price_interval, [[2]]), (wilson, [[-1]]), (wilson, [[0.2]])]
)
def test_other_numbers_are_refused(call, values):
    with pytest.raises(med.errors.DataError, match=r"at unit 0, column 0 .* is needed. For numbers of any kind"):
        call(values)


def test_wrong_options():
    for call in (wilson, bonett_price_interval):
        with pytest.raises(med.errors.DesignError, match="confidence_level = 1"):
            call(np.ones((3, 1)), confidence_level=1)
    with pytest.raises(med.errors.DesignError, match="null = 0"):
        wilson(np.ones((3, 1)), null=0)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_ends_are_cut_where_a_difference_of_answers_ends(value):
    found = bonett_price_interval(np.full((3, 1), value))
    assert (found.conf_low[0] == -1.0, found.conf_high[0] == 1.0) == (value < 0, value > 0)
    assert -1.0 <= found.conf_low[0] < found.conf_high[0] <= 1.0
