"""Models whose potential outcomes are known: every number of the package, unit by unit, through ``med.load``."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import mediation as med
from mediation import Pairs, Site, SiteSet
from mediation.estimands import known_estimands
from mediation.testing import (
    AbstractClosedForm,
    Gate,
    LinearInteraction,
    ParallelMediators,
    SharedNoise,
    TraitGate,
    first_output,
)
from tests.engine.studies import WORLDS

# Gates give the same effect for many units on purpose; what intervals make of that is tested with the statistics.
pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning"),
]

N = 12
BITS = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))


def numbers(*columns: int, seed: int = 0, n: int = N) -> torch.Tensor:
    return torch.randn(n, *columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shared_noise_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    noise = 10 * numbers(1, seed=3)
    return torch.cat([numbers(1, seed=1), noise], 1), torch.cat([numbers(1, seed=2), noise], 1)


def trait_inputs(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    trait = torch.tensor([[0.0], [0.0], [1.0], [1.0]]).repeat(n // 4, 1)
    return torch.cat([torch.zeros(n, 1), trait], 1), torch.cat([torch.ones(n, 1), trait], 1)


ALL_BITS = (BITS.repeat_interleave(4, 0), BITS.repeat(4, 1))
CASES: dict[str, tuple[AbstractClosedForm, tuple[torch.Tensor, torch.Tensor]]] = {
    "linear": (LinearInteraction(), (numbers(1), numbers(1, seed=1))),
    "zero weight": (LinearInteraction(b=0, c=0), (numbers(1), numbers(1, seed=1))),
    "and": (Gate("and"), ALL_BITS),
    "or": (Gate("or"), ALL_BITS),
    "xor": (Gate("xor"), ALL_BITS),
    "parallel": (ParallelMediators(), (numbers(1), numbers(1, seed=1))),
    "shared noise": (SharedNoise(), shared_noise_inputs()),
    "trait": (TraitGate(), trait_inputs()),
}
every = pytest.mark.parametrize("name", CASES)


def units_of(module, base, source, mediator, **options) -> pd.DataFrame:
    effects = med.mediate(
        module, Pairs(base=base, source=source), mediator, first_output, rng=0, n_resamples=99, **options
    )
    return effects.units


def expected(module: AbstractClosedForm, base, source, through) -> pd.DataFrame:
    found = module.potential_outcomes(base.double(), source.double(), through)
    return pd.DataFrame({name: value.numpy() for name, value in found.items()})


@every
@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
def test_every_potential_outcome_of_every_site(name, backend):
    module, (base, source) = CASES[name]
    sites = SiteSet(tuple(map(Site, module.sites)))
    found = units_of(module.double(), base, source, sites, backend=backend, batch_size=5)
    for site in module.sites:
        mine = found[found["site"] == site].set_index("unit")[list(WORLDS)]
        truth = expected(module, base, source, [site])
        np.testing.assert_allclose(mine, truth, rtol=0, atol=1e-12)


@every
def test_single_precision(name):
    module, (base, source) = CASES[name]
    found = units_of(module.float(), base, source, SiteSet(tuple(map(Site, module.sites))).jointly())
    truth = expected(module, base, source, None)
    np.testing.assert_allclose(found[list(WORLDS)], truth, rtol=0, atol=1e-5 * (1 + np.abs(truth.to_numpy()).max()))


@every
def test_sites_as_one_mediator(name):
    module, (base, source) = CASES[name]
    joint = SiteSet(tuple(map(Site, module.sites))).jointly()
    found = units_of(module.double(), base, source, joint)
    np.testing.assert_allclose(found[list(WORLDS)], expected(module, base, source, None), rtol=0, atol=1e-12)


@every
def test_identities_unit_by_unit(name):
    module, (base, source) = CASES[name]
    found = units_of(module.double(), base, source, Site(module.sites[0]), ablation=med.Constant(0.7))
    contrast = {key: sum(w * found[y] for y, w in one.weights.items()) for key, one in _contrasts().items()}
    for parts in (
        ("pnde", "tnie"),
        ("tnde", "pnie"),
        ("pnde", "pnie", "int_med"),
        ("cde", "int_ref", "int_med", "pnie"),
        ("cde", "pe"),
    ):
        np.testing.assert_allclose(sum(contrast[part] for part in parts), contrast["te"], rtol=0, atol=1e-12)


def _contrasts():
    keys = ("te", "pnde", "tnde", "pnie", "tnie", "int_med", "cde", "int_ref", "pe")
    return {key: known_estimands()[key] for key in keys}


def test_every_estimand_of_the_linear_model():
    a, d, b, c, m = 2.0, 3.0, 4.0, 5.0, 0.5
    base, source = numbers(1), numbers(1, seed=1)
    effects = med.mediate(
        LinearInteraction(a, d, b, c).double(),
        Pairs(base=base, source=source),
        Site("mediator"),
        first_output,
        ablation=med.Constant(m),
        estimands=[key for key in known_estimands() if key not in ("ide", "iie", "oe", "ablation")],
        rng=0,
        n_resamples=99,
    )
    x0, x1 = base[:, 0].numpy(), source[:, 0].numpy()
    change = x1 - x0
    truth = {
        "te": (d + a * b) * change + a * c * (x1**2 - x0**2),
        "pnde": (d + c * a * x0) * change,
        "tnde": (d + c * a * x1) * change,
        "pnie": (b + c * x0) * a * change,
        "tnie": (b + c * x1) * a * change,
        "int_med": c * a * change**2,
        "cde": (d + c * m) * change,
        "int_ref": c * (a * x0 - m) * change,
        "pe": ((d + a * b) - (d + c * m)) * change + a * c * (x1**2 - x0**2),
    }
    means = {key: value.mean() for key, value in truth.items()}
    means |= {
        "pm": means["tnie"] / means["te"],
        "pm_pure": means["pnie"] / means["te"],
        "pm_average": (means["tnie"] + means["pnie"]) / (2 * means["te"]),
    }
    found = effects.tidy().set_index("estimand")["estimate"]
    assert set(found.index) == set(means)
    for key, value in means.items():
        assert found[key] == pytest.approx(value, abs=1e-10), key


@pytest.mark.parametrize(
    ("kind", "pnie", "tnie", "joint"),
    [("and", (0, 0), (1, 1), 1), ("or", (1, 1), (0, 0), 1), ("xor", (1, 1), (-1, -1), 0)],
)
def test_single_sites_do_not_add_up_to_the_joint_effect_of_a_gate(kind, pnie, tnie, joint):
    base, source = torch.zeros(2, 2), torch.ones(2, 2)
    sites = Site("first") | Site("second")
    pairs = Pairs(base=base, source=source)
    asked = {"estimands": ["pnie", "tnie"], "rng": 0, "n_resamples": 99}
    single = med.mediate(Gate(kind), pairs, sites, first_output, **asked).tidy().set_index("estimand")["estimate"]
    both = (
        med.mediate(Gate(kind), pairs, sites.jointly(), first_output, **asked).tidy().set_index("estimand")["estimate"]
    )
    assert tuple(single["pnie"]) == pnie
    assert tuple(single["tnie"]) == tnie
    assert both["pnie"] == both["tnie"] == joint


def test_noise_of_the_unit_cancels():
    base, source = shared_noise_inputs()
    found = units_of(SharedNoise(a=2, d=3, b=4).double(), base, source, Site("mediator"))
    change = (source - base)[:, 0].numpy()
    np.testing.assert_allclose(found["y01"] - found["y00"], 4 * 2 * change, atol=1e-10)
    np.testing.assert_allclose(found["y11"] - found["y10"], 4 * 2 * change, atol=1e-10)
    np.testing.assert_allclose(found["y10"] - found["y00"], 3 * change, atol=1e-10)


def test_a_mediator_that_nothing_reads_has_no_effect_at_all():
    module, (base, source) = CASES["zero weight"]
    found = units_of(module.double(), base, source, Site("mediator"))
    assert (found["y01"] == found["y00"]).all()
    assert (found["y10"] == found["y11"]).all()
    assert (found["y11"] != found["y00"]).all()


def test_interventional_effects_are_not_the_natural_ones():
    pairs = Pairs(*trait_inputs())
    asked = {"rng": 0, "n_resamples": 99}
    natural = med.mediate(TraitGate(), pairs, Site("mediator"), first_output, **asked).tidy().set_index("estimand")
    # Donors of which half share the unit's trait, as a random one does in the long run.
    donor = med.Swap("index", index=(1, 2, 3, 0))
    found = med.mediate(TraitGate(), pairs, Site("mediator"), first_output, donor=donor, **asked)
    interventional = found.tidy().set_index("estimand")
    assert natural["estimate"]["tnie"] == natural["estimate"]["te"] == natural["estimate"]["pm"] == 1
    assert list(interventional.index) == ["ide", "iie", "oe"]
    assert interventional["estimate"]["iie"] == 0
    assert interventional["estimate"]["oe"] == interventional["estimate"]["ide"] == 0.5


def test_random_donors_come_near_it():
    n, draws = 40, 50
    pairs = Pairs(*trait_inputs(n))
    found = med.mediate(
        TraitGate(),
        pairs,
        Site("mediator"),
        first_output,
        donor=med.Swap("random"),
        n_draws=draws,
        rng=0,
        n_resamples=99,
    )
    # Another unit has the other trait with probability 20/39. Units of one draw are independent given the traits.
    estimate, iie = found.tidy().set_index("estimand")["estimate"], 19 / 39 - 20 / 39
    assert estimate["iie"] == pytest.approx(iie, abs=4 / np.sqrt(n * draws))
    assert estimate["oe"] == pytest.approx(19 / 39, abs=4 * 0.5 / np.sqrt(n * draws))


# ---------------------------------------------------------------------------------------------- ablation


def ablation_units(module, base, arms, *, source=None, frame=None, **options) -> pd.DataFrame:
    pairs = Pairs(base=base, source=source, frame=frame)
    return med.ablate(module, pairs, arms, first_output, rng=0, n_resamples=99, **options).units


def test_ablated_outcomes():
    module, base, source = LinearInteraction().double(), numbers(1), numbers(1, seed=1)
    site = Site("mediator")
    m = 2 * source
    arms = {
        "zero": (med.Zero(), torch.zeros(N, 1)),
        "constant": (med.Constant(1.5), torch.full((N, 1), 1.5)),
        "mean": (med.Mean(), m.mean(0).expand(N, 1)),
        "mean of the base": (med.Mean(run="base"), (2 * base).mean(0).expand(N, 1)),
        "scaled": (med.Scale(-0.5), -0.5 * m),
        "shifted": (med.Add(2.0), m + 2),
        "half": (med.Blend(med.Zero(), 0.25), 0.75 * m),
        "then": (med.Scale(3.0) >> med.Add(1.0), 3 * m + 1),
        "other": (med.Interchange(), 2 * base),
        "masked out": (med.Masked(med.Zero(), [False]), m),
        "masked in": (med.Masked(med.Zero(), [True]), torch.zeros(N, 1)),
    }
    assigned = {name: what.at(site) for name, (what, _) in arms.items()}
    found = ablation_units(module, base, assigned, source=source)
    for name, (_, value) in arms.items():
        mine = found[found["arm"] == name]
        np.testing.assert_allclose(mine["y"], module.outcome_of(source, m), rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            mine["ym"], module.outcome_of(source, value.double()), rtol=0, atol=1e-11, err_msg=name
        )


def test_ablation_effects_and_their_difference():
    module, base, source = LinearInteraction().double(), numbers(1), numbers(1, seed=1)
    found = units_of(module, base, source, Site("mediator"), ablation=med.Constant(1.5))
    np.testing.assert_allclose(found["y0m"], module.ablated(base, 1.5), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["y1m"], module.ablated(source, 1.5), rtol=0, atol=1e-12)


def test_the_mean_is_that_of_the_run_it_names_over_all_units():
    base = numbers(1, n=150)  # more than are held together, and the mean is over all of them
    found = ablation_units(LinearInteraction(a=1, d=0, b=1, c=0).double(), base, med.Mean().at(Site("mediator")))
    np.testing.assert_allclose(found["ym"], float(base.mean()), rtol=0, atol=1e-12)


def test_dose_response():
    module, base = LinearInteraction(a=1, d=0, b=1, c=0).double(), numbers(1)
    arms = med.doses(
        lambda dose: med.Blend(med.Constant(1.0), dose).at(Site("mediator")), [0.0, 0.25, 1.0], name="to one"
    )
    found = med.ablate(module, Pairs(base=base), arms, first_output, rng=0, n_resamples=99)
    for dose, group in found.units.groupby("dose"):
        np.testing.assert_allclose(group["ym"], (1 - dose) * base[:, 0] + dose, rtol=0, atol=1e-12)
    table = found.tidy()
    assert list(table["dose"]) == [0.0, 0.25, 1.0]
    np.testing.assert_allclose(table["estimate"], table["dose"] * (float(base.mean()) - 1), atol=1e-12)


def test_two_sites_in_one_arm():
    module, base = ParallelMediators(direct=1.0).double(), numbers(1)
    arm = med.Zero().at(Site("mediators.0")) | med.Constant(2.0).at(Site("mediators.1"))
    found = ablation_units(module, base, arm)
    np.testing.assert_allclose(found["ym"], base[:, 0] + 4.0 * 2.0, rtol=0, atol=1e-12)


@pytest.mark.statistical
def test_noise_has_the_scale_it_names():
    draws, base = 400, numbers(1)
    module = LinearInteraction(a=1, d=0, b=1, c=0).double()
    std = float(base.std(unbiased=False))
    arms = {
        "added": (med.GaussianNoise(0.5), base[:, 0].numpy(), 0.5),
        "relative": (med.GaussianNoise(0.5, relative=True, stream=1), base[:, 0].numpy(), 0.5 * std),
        "replacing": (med.GaussianNoise(2.0, replace=True, stream=2), np.zeros(N), 2.0),
    }
    found = ablation_units(
        module, base, {name: what.at(Site("mediator")) for name, (what, _, _) in arms.items()}, n_draws=draws
    )
    for name, (_, mean, scale) in arms.items():
        drawn = (
            found[found["arm"] == name].pivot_table(index="unit", columns="draw", values="ym").to_numpy()
            - mean[:, None]
        )
        assert drawn.shape == (N, draws)
        standard = drawn / scale
        error = 1 / np.sqrt(standard.size)
        assert abs(standard.mean()) < 4 * error, name
        assert abs(standard.std() - 1) < 4 * error / np.sqrt(2), name
        assert len(np.unique(standard)) == standard.size, name  # no draw is shared by units, or used twice


def test_noise_of_matched_norm():
    base = numbers(3)

    @med.outcome
    def length(output):
        return output.norm(dim=1)

    @med.outcome
    def first(output):
        return output[:, 0]

    model = nn.Sequential(nn.Identity(), nn.Identity())
    arm = med.GaussianNoise(3.0, norm_matched=True).at(Site("0"))
    norms, entries = (
        med.ablate(model, Pairs(base=base), arm, outcome, rng=0, n_resamples=99).units for outcome in (length, first)
    )
    np.testing.assert_allclose(norms["ym"], base.norm(dim=1), rtol=1e-6)
    assert (np.abs(entries["ym"] - base[:, 0].numpy()) > 1e-3).all()


# ---------------------------------------------------------------------------------------------- donors

READ = LinearInteraction(a=1, d=0, b=1, c=0).double()  # y is the mediator, so that ym names its donor


def donors_of(found: pd.DataFrame, base: torch.Tensor) -> np.ndarray:
    """Return ``(units, draws)``: which unit's activation, exactly, each outcome is."""
    wide = found.pivot_table(index="unit", columns="draw", values="ym").to_numpy()
    matches = wide[..., None] == base[:, 0].numpy()
    assert (matches.sum(-1) == 1).all()
    return matches.argmax(-1)


@pytest.mark.parametrize("kind", ["derangement", "random"])
def test_swapped_activations_are_those_of_another_unit(kind):
    base, draws = numbers(1), 20
    found = ablation_units(READ, base, med.Swap(kind).at(Site("mediator")), n_draws=draws)
    donors = donors_of(found, base)
    assert (donors != np.arange(N)[:, None]).all()
    assert len({tuple(column) for column in donors.T}) == draws
    permutations = [len(set(column)) == N for column in donors.T]
    assert all(permutations) if kind == "derangement" else not all(permutations)


def test_matched_donors_agree_in_the_column():
    base = numbers(1)
    frame = pd.DataFrame({"template": list("aabbbccccaab")})
    found = ablation_units(
        READ, base, med.Swap("matched", column="template").at(Site("mediator")), frame=frame, n_draws=8
    )
    donors, labels = donors_of(found, base), frame["template"].to_numpy()
    assert (labels[donors] == labels[:, None]).all()
    assert (donors != np.arange(N)[:, None]).all()
    assert len(np.unique(donors, axis=1).T) > 1


def test_donors_by_index():
    base, index = numbers(1), tuple(int(i) for i in np.random.default_rng(0).permutation(N))
    found = ablation_units(READ, base, med.Swap("index", index=index).at(Site("mediator")), n_draws=2)
    assert donors_of(found, base)[:, 0].tolist() == list(index)


def test_donors_from_the_other_input():
    base, source = numbers(1), numbers(1, seed=1)
    found = ablation_units(READ, base, med.Swap(run="other").at(Site("mediator")), source=source, run="source")
    assert (donors_of(found, base) != np.arange(N)[:, None]).all()


def test_outcomes_are_those_of_worlds():
    """The names of the potential outcomes: the input that runs comes first, the mediator's second."""
    module, (base, source) = CASES["linear"]
    found = units_of(module.double(), base, source, Site("mediator"))
    x0, x1 = base[:, 0].numpy(), source[:, 0].numpy()
    np.testing.assert_allclose(found["y01"], 3 * x0 + 4 * (2 * x1) + 5 * x0 * (2 * x1), atol=1e-12)
    np.testing.assert_allclose(found["y10"], 3 * x1 + 4 * (2 * x0) + 5 * x1 * (2 * x0), atol=1e-12)
