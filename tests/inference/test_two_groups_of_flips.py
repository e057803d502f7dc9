"""Two groups of which answers hardly vary in one: which interval they get, and bands over them against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mediation.inference import Inference, group_difference_intervals
from mediation.inference.groups._group_ends import group_seeds
from mediation.inference.resampling._resample import resample_counts


def answers(right: int, n: int) -> np.ndarray:
    return np.r_[np.ones(right), np.zeros(n - right)]


def joined(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Mean of the units and of two pseudo-units, and its variance."""
    more = np.append(values, [low, high])
    return more.mean(), ((more - more.mean()) ** 2).sum() / len(more) ** 2


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("few", "many"), [(2, 20), (0, 15), (28, 20)])
def test_one_group_of_few_is_enough_for_agresti_and_caffo(few, many, swapped):
    first, second = answers(few, 30), answers(many, 40)
    first, second = (second, first) if swapped else (first, second)
    found = group_difference_intervals(first[:, None], second[:, None], settings=Inference(n_resamples=199))
    assert found.method == ("agresti-caffo",)
    (p, v), (q, w) = joined(first, 0.0, 1.0), joined(second, 0.0, 1.0)
    reach = stats.norm.ppf(0.975) * np.sqrt(v + w)
    assert found.conf_low[0] == pytest.approx(p - q - reach, rel=1e-10)
    assert found.conf_high[0] == pytest.approx(p - q + reach, rel=1e-10)
    assert found.p_value[0] == pytest.approx(2 * stats.norm.sf(abs(p - q) / np.sqrt(v + w)), rel=1e-9)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_group_of_few_flips_is_enough_for_bonett_and_price(swapped):
    first, second = np.r_[1.0, -1.0, np.zeros(28)], np.r_[np.ones(12), -np.ones(8), np.zeros(20)]
    first, second = (second, first) if swapped else (first, second)
    found = group_difference_intervals(first[:, None], second[:, None], settings=Inference(n_resamples=199))
    (p, v), (q, w) = joined(first, -1.0, 1.0), joined(second, -1.0, 1.0)
    assert found.method == ("bonett-price (two groups)",)
    assert found.conf_high[0] == pytest.approx(p - q + stats.norm.ppf(0.975) * np.sqrt(v + w), rel=1e-10)


def test_ten_in_either_group_are_not_few():
    found = group_difference_intervals(
        answers(10, 30)[:, None], answers(30, 40)[:, None], settings=Inference(n_resamples=199)
    )
    assert found.method[0].startswith("two-sample bootstrap-t")


@pytest.mark.parametrize("signed", [False, True], ids=["answers", "flips"])
def test_bands_of_flips_are_the_maximum_of_a_loop(signed):
    rng, n_columns, settings = np.random.default_rng(8), 5, Inference(n_resamples=499, seed=3)
    low = -1.0 if signed else 0.0
    chance = ([0.06, 0.86, 0.08], [0.05, 0.75, 0.2]) if signed else ([0.9, 0.1], [0.8, 0.2])
    values = [-1.0, 0.0, 1.0] if signed else [0.0, 1.0]
    first, second = (rng.choice(values, p=p, size=(n, n_columns)) for p, n in zip(chance, (26, 22), strict=True))
    first[0] = low  # so that each column of flips has one of either kind
    found = group_difference_intervals(first, second, settings=settings, bands=True)
    assert {name.split(" ")[0] for name in found.method} == {"bonett-price" if signed else "agresti-caffo"}
    counts = [
        np.concatenate([block for _, block in resample_counts(n, settings.n_resamples, seed)]).astype(int)
        for n, seed in zip((26, 22), group_seeds(3), strict=True)
    ]
    t, centre, error = np.empty((n_columns, settings.n_resamples)), np.empty(n_columns), np.empty(n_columns)
    for k in range(n_columns):
        (p, v), (q, w) = joined(first[:, k], low, 1.0), joined(second[:, k], low, 1.0)
        centre[k], error[k] = p - q, np.sqrt(v + w)
        for b, (one, two) in enumerate(zip(*counts, strict=True)):
            (p_b, v_b), (q_b, w_b) = (
                joined(np.repeat(column[:, k], row), low, 1.0) for column, row in ((first, one), (second, two))
            )
            t[k, b] = (p_b - q_b - centre[k]) / np.sqrt(v_b + w_b)
    critical = np.sort(np.abs(t).max(axis=0))[-settings.joint_rank]
    assert critical <= 1.02 * stats.norm.isf(0.05 / 2 / n_columns)  # otherwise Bonferroni's decides
    low_end, high_end = centre - critical * error, centre + critical * error
    np.testing.assert_allclose(found.band_low, np.minimum(low_end, found.conf_low), rtol=1e-9)
    np.testing.assert_allclose(found.band_high, np.maximum(high_end, found.conf_high), rtol=1e-9)
    assert (found.band_low < found.conf_low).all()
    t0, before = np.abs(centre) / error, 0.0
    order = np.argsort(-t0)
    for place, k in enumerate(order):
        p = (1 + (np.abs(t[order[place:]]).max(axis=0) >= t0[k] - 1e-9).sum()) / (settings.n_resamples + 1)
        before = max(before, p)
        assert found.p_adjusted[k] == pytest.approx(max(before, found.p_value[k]), rel=1e-9)
