"""Equivalence of two groups row by row, and p-values of sites that a screen chose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from mediation.estimands import estimands_from
from mediation.estimate._equivalence import Margin, tabulate_equivalence
from mediation.estimate.table._shared import _wider
from mediation.inference import Inference, group_equivalence, mean_intervals
from mediation.results.account._balance import balance_note, balance_of
from mediation.results.kinds._adjustment import first_of_its_test
from mediation.results.questions._adjust import _by_p_values


def group(number: int, n: int, level: float, large: float) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    y00 = rng.normal(0.0, 0.1, n)
    frame = {"site": "s", "unit": np.arange(n) + 100 * number, "draw": 0, "group": number, "y00": y00}
    frame |= {"y01": y00 + level + rng.normal(0.0, 0.2, n), "weight": np.linspace(1.0, 2.0 + number, n)}
    found = pd.DataFrame(frame).assign(cluster=frame["unit"])
    found.loc[0, "y01"] = large
    return found


@pytest.mark.parametrize("order", [1, -1])
def test_the_size_is_of_the_largest_outcome_of_either_group(order):
    halves = [group(0, 20, 1.0, 3.0), group(1, 24, 0.9, -7.5)][::order]
    halves = [half.assign(group=code) for code, half in enumerate(halves)]
    (pnie,) = estimands_from(["y00", "y01"], ["pnie"])
    told = tabulate_equivalence(pd.concat(halves), [pnie], Inference(n_resamples=199), Margin(1.0)).iloc[0]
    assert told["size"] == 7.5
    means = [np.average(half["y01"] - half["y00"], weights=half["weight"]) for half in halves]
    assert told["estimate"] == pytest.approx(means[0] - means[1], rel=1e-12)
    assert not told["zero"]


@pytest.mark.parametrize(("method", "name"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_sites_that_were_not_run_count_as_tests_without_an_effect(method, name):
    p = [0.001, 0.02, 0.3]
    table = pd.DataFrame({"estimand": "pnie", "estimate": [3.0, 2.0, 1.0], "std_error": 1.0, "p_value": p})
    found = _by_p_values(table, table["estimand"], first_of_its_test(table), method, 12)
    expected = multipletests([*p, *[1.0] * 9], method=name)[1][:3]
    np.testing.assert_allclose(found, expected)
    plain = _by_p_values(table, table["estimand"], first_of_its_test(table), method, 0)
    np.testing.assert_allclose(plain, multipletests(p, method=name)[1])


def test_a_group_of_answers_has_the_span_of_one_result():
    # The width of a comparison is 2, of a difference of two results; each of two groups is of one.
    rng = np.random.default_rng(2)
    halves = [
        pd.DataFrame({"site": "s", "unit": np.arange(n) + 100 * code, "draw": 0, "group": code, "weight": 1.0}).assign(
            y00=0.0, y01=(rng.random(n) < 0.1).astype(float), cluster=np.arange(n) + 100 * code
        )
        for code, n in enumerate((30, 40))
    ]
    (pnie,) = estimands_from(["y00", "y01"], ["pnie"])
    settings = Inference(n_resamples=199)
    told = tabulate_equivalence(pd.concat(halves), [pnie], settings, Margin(0.5, width=2.0)).iloc[0]
    one, two = ((half["y01"] - half["y00"]).to_numpy()[:, None] for half in halves)
    ends = {
        span: group_equivalence(one, two, 0.5, alpha=0.025, settings=settings, span=span).low[0] for span in (1.0, 2.0)
    }
    assert ends[1.0] != pytest.approx(ends[2.0], rel=1e-3)
    assert told["equivalence_low"] == pytest.approx(ends[1.0], rel=1e-9)


@pytest.mark.parametrize(("effective", "told"), [(8.1, False), (7.9, True)])
def test_units_that_count_nearly_alike_are_not_worth_a_note(effective, told):
    note = balance_note({"pairs": {"n": 10, "n_clusters": 10, "effective": {"units": effective}}})
    assert (note == f"Kish's effective number of units: {effective} of 10.") == told
    assert (note == "") != told


def test_the_wider_of_two_intervals_has_the_larger_p_value():
    rng = np.random.default_rng(0)
    flips = np.zeros((30, 2))
    flips[:3] = 1.0
    plain = mean_intervals(flips, settings=Inference(n_resamples=199))
    assert plain.method == ("bonett-price",) * 2
    both = replace(
        mean_intervals(rng.normal(size=(30, 2)), settings=Inference(method="t")),
        p_value=np.array([plain.p_value[0] / 2, min(1.0, plain.p_value[1] * 2)]),
    )
    found = _wider(both, plain)
    np.testing.assert_array_equal(found.p_value, np.maximum(both.p_value, plain.p_value))
    np.testing.assert_array_equal(found.conf_low, np.minimum(both.conf_low, plain.conf_low))
    np.testing.assert_array_equal(found.conf_high, np.maximum(both.conf_high, plain.conf_high))


def test_effective_clusters_count_the_weights_of_their_units():
    units = pd.DataFrame({"unit": range(5), "cluster": list("aabbc"), "weight": [1.0, 3.0, 1.0, 1.0, 2.0]})
    found = balance_of(units)
    sums = np.array([4.0, 2.0, 2.0])
    assert found["weighted"]
    assert found["effective"]["clusters"] == pytest.approx(sums.sum() ** 2 / (sums**2).sum())
    assert found["effective"]["units"] == pytest.approx(8.0**2 / (1 + 9 + 1 + 1 + 4))
