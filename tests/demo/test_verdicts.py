"""The verdict table: what is said of effects whose answer is known."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.demo import verdict_of
from mediation.demo._verdicts import _alike

N = 200


def told(indirect, direct, **options):
    """Return the verdict on units with these direct and indirect effects, one number a unit."""
    direct, indirect = np.broadcast_to(direct, N), np.broadcast_to(indirect, N)
    units = pd.DataFrame({"y00": 0.0, "y10": direct, "y11": direct + indirect})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)  # some have no spread, on purpose
        effects = med.effects(units, estimands=["te", "tnie"], rng=0, n_resamples=999)
    return verdict_of(effects, **options)


def noise(mean, spread=0.1, seed=0):
    """Return numbers with exactly this mean and standard deviation."""
    drawn = np.random.default_rng(seed).normal(size=N)
    return mean + spread * (drawn - drawn.mean()) / drawn.std()


ONE = noise(1.0, seed=1)


@pytest.mark.parametrize(
    ("indirect", "direct", "verdict"),
    [
        (0.0, ONE, "exactly zero"),
        (ONE, 0.0, "wholly mediated"),
        (noise(0.5), noise(0.5, seed=1), "mediated"),
        (noise(1.2), noise(-0.2, seed=1), "mediated"),  # more than all of it
        (noise(-0.5), noise(1.5, seed=1), "opposed"),
        (noise(-1.2), noise(0.2, seed=1), "mediated"),  # all is negative: the signs agree
        (noise(0.05), ONE, "real but negligible"),  # 0.05 +- 0.014, margin about 0.1
        (noise(0.0), ONE, "negligible"),
        (noise(0.0, spread=2.0), ONE, "undecided"),  # 0 +- 0.28
    ],
)
def test_verdict_is_the_one_that_was_built_in(indirect, direct, verdict):
    assert told(indirect, direct) == verdict


def test_margin_decides_what_is_negligible():
    assert told(noise(0.05), ONE, margin=0.2) == "real but negligible"
    assert told(noise(0.05), ONE, margin=0.01) == "mediated"


def test_without_any_spread_there_is_no_test():
    assert told(0.5, 0.5) == "no interval"


def test_exact_zero_is_exact():
    assert told(noise(0.0, spread=1e-6), ONE) == "negligible"


def test_weak_total_effect_is_undecided_without_a_warning():
    assert told(noise(0.0), noise(0.0, seed=1)) == "undecided"


@pytest.mark.parametrize(("steps", "centred"), [(1, False), (3, True)])
def test_thoughts_of_a_single_step_have_no_centred_cosine(steps, centred):
    states = med.probing.States(np.random.default_rng(0).normal(size=(12, steps, 4)))
    found = _alike(states, seed=0)
    assert np.isfinite(found["cosine"])
    assert np.isfinite(found["centred cosine"]) == centred
