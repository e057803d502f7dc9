"""Bands after a screen hold for all sites, also where effects are skewed and scores are no more than a proxy."""

import functools
import operator
import warnings

import numpy as np
import pytest
import torch

import mediation as med
from tests.statistical.found import standard
from tests.statistical.screens import screened

pytestmark = pytest.mark.statistical

MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)


@pytest.mark.parametrize(
    ("tails", "noise"), [("normal", 0.0), ("normal", 1.0), ("exponential", 0.0), ("lognormal", 0.0)]
)
def test_bands_of_screened_sites_keep_the_family_wise_error(tails, noise):
    found = screened(50, tails, noise, studies=100, n_resamples=499)
    assert found.default <= found.by_student <= found.named
    assert found.default <= MOST


def test_scores_that_are_less_skewed_than_effects_do_no_harm_because_sites_that_were_run_show_the_skewness():
    found = screened(50, "exponential", 1.0, studies=100, n_resamples=499)
    assert found.default <= MOST < found.named


def test_bands_of_the_chosen_sites_alone_do_not():
    assert screened(50, "normal", 0.0, studies=60, n_resamples=499).named > 0.4


class _Sum(torch.nn.Module):
    """The sum of the mediator's features, so that the effect of feature s in unit i is its difference."""

    def __init__(self):
        super().__init__()
        self.mediator = torch.nn.Identity()

    def forward(self, v):
        return self.mediator(v).sum(1)


@med.outcome
def value(output):
    """The output itself."""
    return output


@pytest.mark.slow
def test_the_bands_of_mediate_with_a_screen_keep_it_too():
    net, rng, n, sites, samples, wrong = med.load(_Sum().double()), np.random.default_rng(1), 50, 200, 100, 0
    places = functools.reduce(operator.or_, (med.Site("mediator", units=(k,)) for k in range(sites)))
    for seed in range(samples):
        effect = np.sqrt(0.2) * standard(rng, "exponential", (n, 1))
        effect = effect + np.sqrt(0.8) * standard(rng, "exponential", (n, sites))
        pairs = med.Pairs(base=torch.zeros(n, sites, dtype=torch.float64), source=torch.tensor(effect))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = med.mediate(
                net, pairs, places, value, estimands="pnie", screen=med.Screen(10, sample=0), n_resamples=999,
                rng=seed, checks=0, backend="hooks",
            ).tidy()  # fmt: skip
        wrong += bool(((found["band_low"] > 0) | (found["band_high"] < 0)).any())
    assert wrong / samples <= MOST
