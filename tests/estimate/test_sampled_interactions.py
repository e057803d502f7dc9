"""p-values of sampled Shapley effects, adjusted over the sites."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from statsmodels.stats.multitest import multipletests

import mediation as med
from mediation.estimate._interactions import _holm
from mediation.testing import CooperativeGame, first_output


def table(**options):
    rng = torch.Generator().manual_seed(1)
    size = torch.randn(24, 1, generator=rng) + 0.6
    pairs = med.Pairs(base=torch.cat([torch.zeros(24, 4), size], 1), source=torch.cat([torch.ones(24, 4), size], 1))
    game = CooperativeGame(
        4, lambda players: len(players) ** 1.5 + 0.3 * (0 in players) * (1 in players) - 1.2 * (2 in players)
    )
    sites = med.SiteSet(tuple(med.Site(f"players.{i}") for i in range(4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.MediationWarning)
        found = med.interactions(
            med.load(game), pairs, sites, first_output, rng=0, n_resamples=199, progress=False, **options
        )
    return found.tidy()


def test_sampled_shapley_effects_are_adjusted_by_holm_over_the_sites():
    found = table(exact_up_to=0, n_orders=6, pairwise=False)
    rows = found[found["estimand"] == "shapley"]
    assert len(rows) == 4
    expected = multipletests(rows["p_value"].to_numpy(), method="holm")[1]
    np.testing.assert_allclose(rows["p_adjusted"], expected, rtol=1e-12)
    assert (rows["p_adjusted"] > 1.2 * rows["p_value"]).any()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.01, 0.02, 0.03], [0.03, 0.04, 0.04]),
        ([0.04, 0.001], [0.04, 0.002]),
        ([0.5, np.nan, 0.2], [0.5, np.nan, 0.4]),
        ([np.nan], [np.nan]),
        ([0.7, 0.8], [1.0, 1.0]),
    ],
)
def test_holm_by_hand(given, expected):
    np.testing.assert_allclose(_holm(given), expected)
