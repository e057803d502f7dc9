"""Laws of a run: what may change its numbers, and what may not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings, strategies as st

import mediation as med
from mediation import (
    Constant,
    GaussianNoise,
    Interchange,
    LogitDiff,
    Mean,
    Pairs,
    Scale,
    Site,
    SiteSet,
    Swap,
    World,
    Zero,
    attention,
    embedding,
    mlp,
    neurons,
    pattern,
    residual,
)
from mediation.testing import LinearInteraction, ParallelMediators, first_output, tiny_model
from tests.engine.studies import exchanges, finish, gap, token_pairs, values

pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning"),
    pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning"),  # random models, random inputs
]

MODEL = med.load(tiny_model("llama"))
PAIRS = token_pairs((5, 7, 7, 9))
OUTCOME = LogitDiff(5, 6)
SITES = (
    embedding(at=1),
    residual(0, at="last"),
    residual(1, at=-2),
    residual(0),
    mlp(1, at="last"),
    attention(0),
    attention(1, head=2, at="last"),
    pattern(1, head=1),
    neurons(0, (0, 3)),
)
WORLDS = tuple(
    dict.fromkeys(
        [
            *exchanges(SITES),
            World("base", GaussianNoise(0.5).at(residual(0, at="last"))),
            World("source", GaussianNoise(0.5, relative=True).at(mlp(1))),
            World("base", Swap().at(residual(0, at="last"))),
            World("base", Mean().at(mlp(1, at="last"))),
            World("source", Mean(over="tokens").at(attention(0))),
            World("source", Zero().at(attention(1, head=2)) | Swap("random").at(residual(0, at=1))),
        ]
    )
)
_NAIVE: dict[World, np.ndarray] = {}


def naive() -> dict[World, np.ndarray]:
    """Outcomes of all worlds by one forward pass each, computed once."""
    if not _NAIVE:
        found = values(MODEL, PAIRS, WORLDS, OUTCOME, backend="reference", n_draws=2, seed=3)
        _NAIVE.update(zip(WORLDS, found, strict=True))
    return _NAIVE


@settings(max_examples=12)
@given(
    worlds=st.lists(st.sampled_from(WORLDS), min_size=1, max_size=8, unique=True),
    batch_size=st.sampled_from([None, 1, 2, 5]),
    side=st.sampled_from(["left", "right"]),
    backend=st.sampled_from(["nnsight", "hooks"]),
    fan_out=st.booleans(),
)
@example(worlds=list(WORLDS), batch_size=None, side="left", backend="nnsight", fan_out=True)
@example(worlds=list(reversed(WORLDS)), batch_size=4, side="right", backend="nnsight", fan_out=False)
def test_how_a_study_is_run_changes_no_number(worlds, batch_size, side, backend, fan_out):
    found = values(
        MODEL,
        PAIRS,
        worlds,
        OUTCOME,
        n_draws=2,
        seed=3,
        batch_size=batch_size,
        padding_side=side,
        backend=backend,
        fan_out=fan_out,
    )
    for world, mine in zip(worlds, found, strict=True):
        assert gap(mine, naive()[world]) < 1e-5, world


def test_the_order_of_units_changes_no_number_of_a_unit():
    order = [2, 0, 3, 1]
    worlds = exchanges(SITES[:3])
    found = values(MODEL, PAIRS.subset(order), worlds, OUTCOME)
    assert gap(found, values(MODEL, PAIRS, worlds, OUTCOME)[:, order]) < 1e-6


def test_one_seed_one_result():
    ask = {"ablation": GaussianNoise(0.5), "n_draws": 2, "n_resamples": 99}
    sites = residual((0, 1), at="last")
    one, same, other = (med.mediate(MODEL, PAIRS, sites, OUTCOME, rng=rng, **ask) for rng in (7, 7, 8))
    assert one.units.equals(same.units)
    assert one.tidy().equals(same.tidy())
    assert one.units["y01"].equals(other.units["y01"])
    assert (one.units["y0m"] != other.units["y0m"]).all()
    generators = [np.random.default_rng(5) for _ in range(2)]
    drawn = [med.mediate(MODEL, PAIRS, sites, OUTCOME, rng=rng, **ask).units for rng in generators]
    assert drawn[0].equals(drawn[1])


def test_a_sweep_has_the_numbers_of_its_sites_alone():
    sweep = med.mediate(MODEL, PAIRS, SiteSet(SITES), OUTCOME, rng=0, n_resamples=99, ablation=GaussianNoise(0.3))
    columns = ["y00", "y01", "y10", "y11", "y0m", "y1m"]
    for site in SITES[::3]:
        alone = med.mediate(MODEL, PAIRS, site, OUTCOME, rng=0, n_resamples=99, ablation=GaussianNoise(0.3))
        mine = sweep.units[sweep.units["site"] == str(site)]
        assert gap(mine[columns].to_numpy(), alone.units[columns].to_numpy()) < 1e-5, site


def test_a_unit_interchanged_with_itself_is_as_it_was():
    worlds = [World(run, Interchange(run="same").at(site)) for run in ("base", "source") for site in SITES]
    worlds.append(World("source", Interchange(run="source").at(SiteSet(SITES[2:5]))))
    plain = values(MODEL, PAIRS, [World("base"), World("source")], OUTCOME)[:, :, 0]
    for world, found in zip(worlds, values(MODEL, PAIRS, worlds, OUTCOME, fan_out=False)[..., 0], strict=True):
        assert gap(found, plain[int(world.run == "source")]) < 1e-6, world


def test_a_pair_of_one_input_has_no_effects_at_all():
    same = Pairs(base=PAIRS.base, source=PAIRS.base)
    found = med.mediate(MODEL, same, SiteSet(SITES), OUTCOME, rng=0, n_resamples=99)
    assert (found.tidy()["estimate"] == 0).all()


def test_worlds_before_the_first_difference_are_not_run():
    base = [torch.tensor([5, 6, 7, 8, 9]), torch.tensor([9, 8, 7, 6, 5])]
    source = [torch.tensor([5, 6, 7, 8, 10]), torch.tensor([9, 8, 7, 60, 5])]
    pairs = Pairs(base=base, source=source)
    sites = [residual(0, at=at) for at in range(5)]
    found = finish(MODEL, pairs, exchanges(sites), OUTCOME)
    assert found.report["null_rows"] == 2 * (4 + 3)
    assert gap(found.values, values(MODEL, pairs, exchanges(sites), OUTCOME, backend="reference")) < 1e-5


def test_equal_worlds_are_run_once():
    layers = [residual(-1, at="last"), residual(1, at="last"), Site("model.layers.1", at=-1)]
    found = finish(MODEL, PAIRS, exchanges(layers), OUTCOME)
    assert len(found.study.worlds) == 2 + 2 * 2
    assert gap(found.values[2], found.values[3]) < 1e-6


# ---------------------------------------------------------------------------------------------- draws


def noise_of(module, base: torch.Tensor, arms, **options) -> dict[str, np.ndarray]:
    """Return ``ym - y`` of each arm, ``(units, draws)``: with weights of one, the noise itself."""
    asked = {"rng": 0, "n_resamples": 99, "n_draws": 3, **options}
    found = med.ablate(module, Pairs(base=base), arms, first_output, **asked).units
    found["noise"] = found["ym"] - found["y"]
    return {
        arm: group.pivot_table(index="unit", columns="draw", values="noise").to_numpy()
        for arm, group in found.groupby("arm")
    }


READ = LinearInteraction(a=1, d=0, b=1, c=0).double()
BASE = torch.randn(7, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("batch_size", [1, 4, None])
@pytest.mark.parametrize("backend", ["nnsight", "hooks", "reference"])
def test_draws_do_not_depend_on_how_they_are_run(batch_size, backend):
    arms = {"noise": GaussianNoise(1.0).at(Site("mediator"))}
    found = noise_of(READ, BASE, arms, batch_size=batch_size, backend=backend)
    np.testing.assert_allclose(found["noise"], noise_of(READ, BASE, arms)["noise"], atol=1e-12)


def test_draws_are_common_to_sites_and_arms_and_of_their_own_in_each_unit():
    module = ParallelMediators(gains=(1.0, 1.0), weights=(1.0, 1.0), direct=0.0).double()
    one, other = Site("mediators.0"), Site("mediators.1")
    found = noise_of(
        module,
        BASE,
        {
            "one": GaussianNoise(1.0).at(one),
            "other": GaussianNoise(1.0).at(other),
            "larger": GaussianNoise(2.0).at(one),
            "both": GaussianNoise(1.0).at(one | other),
            "stream": GaussianNoise(1.0, stream=1).at(one),
        },
    )
    np.testing.assert_allclose(found["other"], found["one"], atol=1e-12)
    np.testing.assert_allclose(found["larger"], 2 * found["one"], atol=1e-12)
    np.testing.assert_allclose(found["both"], 2 * found["one"], atol=1e-12)
    assert (np.abs(found["stream"] - found["one"]) > 1e-6).all()
    assert len(np.unique(found["one"].round(12))) == found["one"].size


def test_a_draw_of_a_unit_does_not_depend_on_the_other_units():
    arms = {"noise": GaussianNoise(1.0).at(Site("mediator"))}
    np.testing.assert_allclose(
        noise_of(READ, BASE[:3], arms)["noise"], noise_of(READ, BASE, arms)["noise"][:3], atol=1e-12
    )


def test_draws_of_a_language_model_are_common_too():
    alone = World("base", GaussianNoise(0.5).at(residual(0, at="last")))
    found = values(MODEL, PAIRS, [alone], OUTCOME, n_draws=2)
    for options in ({"fan_out": False}, {"batch_size": 1}, {"padding_side": "right", "fan_out": False}):
        assert gap(values(MODEL, PAIRS, [*exchanges(SITES), alone], OUTCOME, n_draws=2, **options)[-1:], found) < 1e-5


# ---------------------------------------------------------------------------------------------- moments


def test_means_of_both_runs_in_one_batch():
    # As many positions as rows, where the mean of one row could pass for that of a position.
    pairs = token_pairs((4, 4, 4, 4))
    sites = (residual(0), mlp(1), attention(0, head=1))
    arms = (Mean(over="tokens"), GaussianNoise(0.5, relative=True), Mean(), Scale(0.5) >> Mean(over="tokens"))
    worlds = [World(run, what.at(site)) for what in arms for site in sites for run in ("base", "source")]
    expected = values(MODEL, pairs, worlds, OUTCOME, backend="reference")
    for options in ({}, {"fan_out": False}, {"fan_out": False, "batch_size": 4}):
        assert gap(values(MODEL, pairs, worlds, OUTCOME, **options), expected) < 1e-5


def test_more_units_than_are_held_together():
    pairs = token_pairs([4, 6] * 70, seed=2)
    for worlds in (
        exchanges([residual(0, at="last")]),
        [World("base", Mean(over="tokens").at(mlp(0))), World("source", Swap().at(mlp(1, at="last")))],
    ):
        expected = values(MODEL, pairs, worlds, OUTCOME, backend="reference")
        assert gap(values(MODEL, pairs, worlds, OUTCOME), expected) < 1e-5


def test_sites_after_the_point_where_only_the_last_logits_are_kept():
    worlds = [
        *exchanges([Site("lm_head"), Site("lm_head", at="last"), Site("model.norm", at=1), Site("model.norm", at=-1)]),
        World("base", Zero().at(Site("lm_head", at=0))),
        World("base", Mean(over="tokens").at(Site("lm_head"))),
        World("base", GaussianNoise(1.0).at(Site("lm_head", io="input"))),
        World("base", Constant(1.0).at(residual(0, at="last"))),
    ]
    expected = values(MODEL, PAIRS, worlds, OUTCOME, backend="reference")
    for options in ({}, {"fan_out": False}, {"fan_out": False, "padding_side": "right"}):
        assert gap(values(MODEL, PAIRS, worlds, OUTCOME, **options), expected) < 1e-5
