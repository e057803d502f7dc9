"""Random donors: numbers of units that count what they gave, in closed form, by simulation, and end to end."""

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.engine._draws import cycle
from mediation.estimate._roles import both_roles
from mediation.inference import Inference, mean_intervals


def drawn(rng, a, b, n_draws, noise=0.0):
    """Outcomes a_i + b_j of random donors j, (n, D, 1), and the donors (n, D)."""
    n = len(a)
    donors = np.stack([cycle(n, rng) for _ in range(n_draws)], axis=1)
    return (a[:, None] + b[donors] + noise * rng.normal(size=donors.shape))[:, :, None], donors


def test_with_every_donor_once_the_two_roles_are_found_exactly():
    rng = np.random.default_rng(0)
    n = 9
    a, b = rng.normal(size=(2, n))
    donors = np.stack([np.roll(np.arange(n), -shift) for shift in range(1, n)], axis=1)
    found = both_roles((a[:, None] + b[donors])[:, :, None], donors, np.ones(n))[:, 0]
    # Of b a unit has its share of all donors' mean, and then all of its own.
    np.testing.assert_allclose(found - found.mean(), a + b - (a + b).mean(), atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_stays_the_mean_over_units_and_draws(weighted):
    rng = np.random.default_rng(1)
    values, donors = drawn(rng, *rng.normal(size=(2, 12)), 4, noise=1.0)
    weights = rng.uniform(0.5, 2.0, size=12) if weighted else np.ones(12)
    found = both_roles(values, donors, weights)
    assert np.average(found[:, 0], weights=weights) == pytest.approx(
        np.average(values.mean(axis=1)[:, 0], weights=weights)
    )


def test_without_donors_and_with_one_draw_it_is_the_mean_of_the_unit():
    rng = np.random.default_rng(2)
    values, donors = drawn(rng, *rng.normal(size=(2, 8)), 3)
    np.testing.assert_array_equal(both_roles(values, np.full_like(donors, -1), np.ones(8)), values.mean(axis=1))
    one = both_roles(values[:, :1], donors[:, :1], np.ones(8))
    np.testing.assert_array_equal(one, values[:, 0])


@pytest.mark.statistical
def test_strong_donors_are_covered_and_means_of_units_alone_are_not():
    rng = np.random.default_rng(3)
    n, studies = 40, 400
    alone, roles = np.empty((2, n, studies))
    for study in range(studies):
        values, donors = drawn(rng, 0.3 * rng.normal(size=n), rng.normal(size=n), 10, noise=0.3)
        alone[:, study] = values.mean(axis=1)[:, 0]
        roles[:, study] = both_roles(values, donors, np.ones(n))[:, 0]

    def coverage(units):
        found = mean_intervals(units, settings=Inference(n_resamples=499))
        return ((found.conf_low <= 0) & (found.conf_high >= 0)).mean()

    assert coverage(alone) < 0.75
    assert 0.93 < coverage(roles) < 0.99


class Sum(torch.nn.Module):
    """The outcome is x0 + the mediator, which is x1."""

    def __init__(self):
        super().__init__()
        self.mediator = torch.nn.Identity()

    def forward(self, x):
        return x[:, :1] + self.mediator(x[:, 1:])


@med.outcome
def total(output):
    return output[:, 0]


@pytest.fixture(scope="module")
def swapped():
    rng = torch.Generator().manual_seed(0)
    base, source = torch.randn(30, 2, generator=rng), torch.randn(30, 2, generator=rng) + 1
    pairs = med.Pairs(base=base, source=source)
    options = {"rng": 0, "n_draws": 12, "n_resamples": 199, "progress": False}
    effects = med.mediate(med.load(Sum()), pairs, med.Site("mediator"), total, donor=med.Swap(), **options)
    ablated = med.ablate(med.load(Sum()), pairs, med.Swap().at(med.Site("mediator")), total, **options)
    return effects, ablated, base.numpy().astype(float), source.numpy().astype(float)


@pytest.mark.filterwarnings("ignore::mediation.DegenerateWarning")
def test_interventional_effects_end_to_end(swapped):
    effects, ablated, base, source = swapped
    units = effects.units
    j = units["donor"].to_numpy()
    assert (j != units["unit"]).all()
    np.testing.assert_allclose(units["g10"], source[units["unit"], 0] + base[j, 1], rtol=1e-4, atol=1e-6)
    # IIE = mean over units of M(1) - M(0); all of its spread comes from the donors.
    change = source[:, 1] - base[:, 1]
    iie = effects.tidy().set_index("estimand").loc["iie"]
    assert iie["estimate"] == pytest.approx(change.mean(), abs=1e-5)
    assert iie["std_error"] == pytest.approx(change.std(ddof=1) / np.sqrt(30), rel=0.1)
    # The ablation effect is the unit's own mediator minus a donor's: 0 on average, exactly so for derangements.
    assert ablated.tidy()["estimate"].iloc[0] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.filterwarnings("ignore::mediation.DegenerateWarning")
def test_the_units_frame_gives_the_same_numbers_again(swapped):
    for result in swapped[:2]:
        again = med.effects(result.units, rng=0, n_resamples=199).tidy()
        pd.testing.assert_frame_equal(again, result.tidy())


def test_a_column_of_donors_that_are_no_units_changes_nothing():
    frame = pd.DataFrame({"unit": [0, 1, 2], "y00": [0.0, 0.1, 0.3], "y11": [1.0, 1.3, 1.1]})
    plain = med.effects(frame, rng=0).tidy()
    pd.testing.assert_frame_equal(med.effects(frame.assign(donor=["x", "y", "z"]), rng=0).tidy(), plain)
