"""Random donors of weighted units, several draws each, end to end against the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation.estimate.comparison._subtract_draws import Rows, subtract_rows
from mediation.estimate.table._donor_variance import DonorDesign, donor_values
from mediation.inference import Inference, mean_intervals

N, DRAWS = 24, 4


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mediator = nn.Identity()

    def forward(self, x):
        return x[:, :1] * (1.0 + self.mediator(x[:, 1:2]))


@med.outcome
def total(output):
    return output[:, 0]


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(3).uniform(0.2, 4.0, N)


@pytest.fixture(scope="module")
def results(weights):
    rng = torch.Generator().manual_seed(0)
    pairs = med.Pairs(
        base=torch.randn(N, 2, generator=rng), source=torch.randn(N, 2, generator=rng) + 1, weight=weights
    )
    options = {"rng": 0, "n_draws": DRAWS, "n_resamples": 199, "progress": False, "method": "t"}
    effects = med.mediate(med.load(Sum()), pairs, med.Site("mediator"), total, donor=med.Swap("random"), **options)
    ablated = med.ablate(med.load(Sum()), pairs, med.Swap("random").at(med.Site("mediator")), total, **options)
    return effects, ablated, pairs.base.double().numpy(), pairs.source.double().numpy()


def test_the_estimate_is_the_weighted_mean_over_receivers(results, weights):
    effects, ablated, base, source = results
    units = effects.units.sort_values(["unit", "draw"])
    who, gave = units["unit"].to_numpy(), units["donor"].to_numpy()
    np.testing.assert_allclose(units["g10"], source[who, 0] * (1 + base[gave, 1]), rtol=1e-4, atol=1e-5)
    means = units.assign(iie=units["g11"] - units["g10"], ide=units["g10"] - units["g00"]).groupby("unit")
    table = effects.tidy().set_index("estimand")["estimate"]
    for key in ("iie", "ide"):
        own = means[key].mean().to_numpy()
        assert table[key] == pytest.approx(np.average(own, weights=weights), rel=1e-9)
        assert abs(table[key] - own.mean()) > 1e-3  # weights matter
    changed = ablated.units.eval("y - ym").groupby(ablated.units["unit"]).mean().to_numpy()
    assert ablated.tidy()["estimate"].iloc[0] == pytest.approx(np.average(changed, weights=weights), rel=1e-9)


def test_the_standard_error_is_that_of_weighted_receivers_and_donors(results, weights):
    effects, ablated, *_ = results
    for units, contrast, found in (
        (effects.units, "g11 - g10", effects.tidy().set_index("estimand").loc["iie"]),
        (ablated.units, "y - ym", ablated.tidy().iloc[0]),
    ):
        units = units.sort_values(["unit", "draw"])
        design = DonorDesign(units["unit"].to_numpy(), units["donor"].to_numpy(), weights)
        numbers = donor_values(units.eval(contrast).to_numpy()[:, None], design)
        told = mean_intervals(numbers, weights=weights, settings=Inference(method="t"))
        assert found["std_error"] == pytest.approx(told.std_error[0], rel=1e-6)
        # The sum over all pairs of rows that share a unit, over (sum of weights)^2, without small-sample factors
        left = weights[units["unit"]] / DRAWS * (units.eval(contrast).to_numpy() - found["estimate"])
        sets = [{a, b} for a, b in zip(units["unit"], units["donor"], strict=True)]
        dyadic = sum(
            left[a] * left[b] for a in range(len(left)) for b in range(len(left)) if sets[a] & sets[b]
        ) / weights.sum() ** 2  # fmt: skip
        assert found["std_error"] == pytest.approx(np.sqrt(dyadic), rel=0.35)


def test_units_with_unequal_numbers_of_draws_are_subtracted_without_moving_the_difference():
    weights = np.array([1.0, 3.0])
    one = Rows(np.array([0, 0, 1]), np.array([1, 1, 0]), {"g00": np.array([1.0, 2.0, 7.0])})
    two = Rows(np.array([0, 1, 1, 1]), np.array([1, 0, 0, 0]), {"g00": np.array([5.0, 0.0, 1.0, 8.0])})
    found = subtract_rows(one, two, weights)

    def mean(rows: Rows) -> float:
        values = rows.outcomes["g00"]
        return float(np.average([values[rows.receiver == unit].mean() for unit in (0, 1)], weights=weights))

    assert len(found.receiver) == 7
    assert mean(found) == pytest.approx(mean(one) - mean(two), rel=1e-12)
    # A draw y of the first is m - m' + (D + E) / D (y - m), m and m' the weighted means of the units' means.
    m, other = mean(one), mean(two)
    assert m == (1.5 + 3 * 7.0) / 4
    expected = sorted([m - other + 3 / 2 * (y - m) for y in (1.0, 2.0)] + [m - other - 3 / 1 * (5.0 - other)])
    np.testing.assert_allclose(sorted(found.outcomes["g00"][found.receiver == 0]), expected, rtol=1e-12)
