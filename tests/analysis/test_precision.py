"""Half precision: numbers of a copy of the model, cells again in float32, and what the bound promises."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import mediation as med
from mediation.analysis._recheck_bound import bound_of, sample_cells
from mediation.engine.verify import _precision
from mediation.engine.verify._precision import copy_as
from mediation.testing import tiny_model
from tests.engine.studies import token_pairs

pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.DegenerateWarning",
    "ignore::mediation.errors.PrecisionWarning",
    "ignore::mediation.errors.WeakTotalEffectWarning",
)
HALF = {"precision": "bfloat16", "n_resamples": 99, "rng": 0}
OUTCOME = med.LogitDiff(7, 9)


@med.outcome
def first(output):
    return output[:, 0]


class Chain(nn.Module):
    """Layers one after another, of which each adds to what comes in."""

    def __init__(self, depth: int, width: int, seed: int, *, whole: bool = False) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        layers = []
        for _ in range(depth):
            layer = nn.Linear(width, width)
            with torch.no_grad():
                for parameter in layer.parameters():
                    drawn = torch.randn(parameter.shape, generator=generator) / width**0.5
                    parameter.copy_(drawn.round() if whole else drawn)
            layers.append(layer)
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = x + torch.relu(layer(x))
        return x


def chain_pairs(n: int, width: int, seed: int) -> med.Pairs:
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(n, width, generator=generator)
    return med.Pairs(base=base, source=base + torch.randn(n, width, generator=generator))


def some(model: str = "llama") -> tuple[med.Model, med.Pairs]:
    return med.load(tiny_model(model, layers=3)), token_pairs((6, 6, 7, 9, 6, 7))


def potential(found: med.Effects) -> np.ndarray:
    return found.units[["y00", "y01", "y10", "y11"]].to_numpy()


def test_what_half_precision_holds_exactly_has_no_error():
    # Weights are whole numbers, and so are all activations, below 256: bfloat16 has eight bits for them.
    module = Chain(2, 4, 3, whole=True)
    generator = torch.Generator().manual_seed(0)
    base, source = (torch.randint(-2, 3, (12, 4), generator=generator).float() for _ in range(2))
    assert module(torch.cat([base, source])).abs().max() < 256
    sites = med.Site("layers.0") | med.Site("layers.1")
    found = med.mediate(med.load(module), med.Pairs(base=base, source=source), sites, first, **HALF)
    full = med.mediate(med.load(module), med.Pairs(base=base, source=source), sites, first, n_resamples=99, rng=0)
    assert (potential(found) == potential(full)).all()
    account = found.provenance["precision"]
    assert account["outcomes"]["max_error"] == 0
    assert {one["bound"] for one in account["effects"].values()} == {0.0}


@pytest.mark.parametrize("backend", ["hooks", "nnsight"])
@pytest.mark.parametrize("outcome", [OUTCOME, med.LogProb(7), med.KL()], ids=["LogitDiff", "LogProb", "KL"])
@pytest.mark.parametrize("fan_out", [True, False])
def test_close_to_float32_on_every_path(backend, outcome, fan_out):
    model, pairs = some()
    sites = med.residual(1, at="last") | med.attention(1, head=1, at=-2) | med.mlp(0, at="last")
    how = {"backend": backend, "fan_out": fan_out}
    found = med.mediate(model, pairs, sites, outcome, **HALF, **how)
    full = med.mediate(model, pairs, sites, outcome, n_resamples=99, rng=0, **how)
    gap = np.abs(potential(found) - potential(full)).max()
    assert 0 < gap < 0.05 * (1 + np.abs(potential(full)).max())
    account = found.provenance["precision"]
    assert account["passes"] == "bfloat16"
    assert account["against"] == "float32"
    assert account["cells"] == 3 * 6  # all that there are
    assert account["outcomes"]["max_error"] == pytest.approx(gap, abs=1e-5)
    assert account["float32_path"]["cells"] == 3
    assert account["float32_path"]["max_abs_difference"] < 1e-4
    # With all cells in the sample, the bound is the largest error of an effect.
    for key in ("pnie", "tnie", "te"):
        error = [
            abs(float(one) - float(other))
            for one, other in zip(
                found.tidy().query("estimand == @key")["estimate"],
                full.tidy().query("estimand == @key")["estimate"],
                strict=True,
            )
        ]
        assert account["effects"][key]["bound"] == pytest.approx(max(error), abs=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "bert"])
def test_module_is_untouched(family):
    module = tiny_model(family, layers=2).double() if family == "bert" else tiny_model(family, layers=2)
    model, pairs = med.load(module), token_pairs((6, 6, 7))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    kinds = {name: tensor.dtype for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
    full = med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, n_resamples=99, rng=0)
    found = [med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, **HALF) for _ in range(2)]
    again = med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, n_resamples=99, rng=0)
    assert found[0] == found[1]
    assert full == again
    assert not (potential(found[0]) == potential(full)).all()
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert kinds == {name: tensor.dtype for name, tensor in [*module.named_parameters(), *module.named_buffers()]}
    assert model.dtype == (torch.float64 if family == "bert" else torch.float32)


def test_copy_shares_nothing_and_keeps_what_is_tied():
    module = tiny_model("llama", layers=2)
    module.lm_head.weight = module.model.embed_tokens.weight
    model = med.load(module)
    copied = copy_as(model, torch.bfloat16).module
    assert copied.lm_head.weight is copied.model.embed_tokens.weight
    assert {one.dtype for one in copied.parameters()} == {torch.bfloat16}
    assert copied.model.rotary_emb.inv_freq.dtype == torch.float32  # as where transformers loads in this type
    mine = {tensor.data_ptr() for tensor in [*module.parameters(), *module.buffers()]}
    assert not mine & {tensor.data_ptr() for tensor in [*copied.parameters(), *copied.buffers()]}
    assert all(
        torch.equal(one.bfloat16(), other) for one, other in zip(module.parameters(), copied.parameters(), strict=True)
    )


def test_training_between_two_calls_counts():
    model, pairs = some()
    one = med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, **HALF)
    with torch.no_grad():
        model.module.lm_head.weight.data[7] += 1.0
    other = med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, **HALF)
    fresh = med.mediate(med.load(model.module), pairs, med.residual(1, at="last"), OUTCOME, **HALF)
    assert (potential(other) == potential(fresh)).all()
    assert not (potential(one) == potential(other)).all()


def test_own_functions_of_the_output_get_float32():
    weights = torch.linspace(-1, 1, 6)

    @med.outcome
    def weighed(output):
        assert output.dtype == torch.float32
        return output @ weights

    model, pairs = med.load(Chain(2, 6, 0)), chain_pairs(8, 6, 1)
    found = med.mediate(model, pairs, med.Site("layers.0"), weighed, **HALF)
    assert found.provenance["precision"]["outcomes"]["max_error"] > 0


def test_arms_and_draws():
    model, pairs = some()
    arms = {"zero": med.Zero(), "noise": med.GaussianNoise(0.1), "swap": med.Swap(), "mean": med.Mean()}
    arms = {name: what for name, what in arms.items() if name != "mean"} | {"mean": med.Mean(over="tokens")}
    found = med.ablate(model, pairs, arms, OUTCOME, sites=med.residual(1, at="last"), n_draws=3, **HALF)
    account = found.provenance["precision"]
    assert account["sites"] == 4
    assert account["cells"] == 4 * 6
    assert account["float32_path"]["max_abs_difference"] < 1e-4
    assert account["effects"]["ablation"]["bound"] < 0.2


def test_weights_of_zero_are_not_sampled():
    cells = sample_cells(["a"], np.array([1.0, 0.0, 2.0, 1.0]), {"a": 1}, 32, 0)
    assert {cell.unit for cell in cells} == {0, 2, 3}


def errors_of(rng, sites, n, bias, spread, shift, *, heavy):
    scale = np.exp(0.5 * rng.standard_normal((sites, 1))) if heavy else 1.0
    drawn = rng.standard_t(5, (sites, n)) if heavy else rng.standard_normal((sites, n))
    return shift + scale * (bias * rng.standard_normal((sites, 1)) + spread * drawn)


@pytest.mark.slow
@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize(
    ("sites", "n", "cells", "bias", "spread", "shift"),
    [
        (200, 50, 32, 0.0, 1.0, 0.0),
        (200, 50, 32, 0.3, 1.0, 0.1),
        (200, 50, 32, 1.0, 0.5, 0.0),
        (200, 4, 32, 1.0, 1.0, 0.3),
        (5, 50, 32, 0.5, 1.0, 0.0),
        (1, 50, 32, 0.5, 1.0, 0.0),
        (1, 500, 32, 0.0, 1.0, 0.1),
    ],
)
def test_bound_covers(sites, n, cells, bias, spread, shift, heavy):  # noqa: PLR0917
    """In at least 93% of samples, the bound is no smaller than the error of an effect at a site drawn at random."""
    rng, held, tries = np.random.default_rng(sites * n), 0, 600
    keys = list(range(sites))
    for seed in range(tries):
        errors = errors_of(rng, sites, n, bias, spread, shift, heavy=heavy)
        sampled = sample_cells(keys, np.ones(n), dict.fromkeys(keys, 1), cells, seed)
        chosen = list(dict.fromkeys(cell.key for cell in sampled))
        seen = np.array([errors[cell.key, cell.unit] for cell in sampled]).reshape(len(chosen), -1)
        found = bound_of(seen, sites=sites, cells_of_a_site=n).bound
        held += found >= abs(errors[rng.integers(sites)].mean())
    assert held / tries >= 0.93


@pytest.mark.slow
def test_bound_covers_the_true_errors_of_runs():
    """Against full float32 runs of random models: 12 sites and two effects each, from 16 of 288 cells."""
    held = []
    sites = med.SiteSet(tuple(med.Site(f"layers.{i}") for i in range(12)))
    for seed in range(6):
        model, pairs = med.load(Chain(12, 6, seed)), chain_pairs(24, 6, seed)
        asked = {"estimands": ["pnie", "tnie"], "backend": "hooks"}
        found = med.mediate(model, pairs, sites, first, **HALF, **asked, recheck=16)
        full = med.mediate(model, pairs, sites, first, n_resamples=99, rng=0, **asked)
        both = found.tidy().merge(full.tidy(), on=["estimand", "site"])
        account = found.provenance["precision"]
        assert account["cells"] == 16
        assert account["sites"] == 4
        for row in both.to_dict("records"):
            error = abs(row["estimate_x"] - row["estimate_y"])
            held.append(error <= account["effects"][row["estimand"]]["bound"] + 1e-9)
    assert np.mean(held) >= 0.93


def test_rounding_beyond_a_tenth_of_an_interval_is_said():
    # Activations of a thousand are kept to the nearest four, and the effect is of a few.
    module = Chain(1, 4, 0)
    base = 1000 + chain_pairs(20, 4, 0).inputs("base")
    pairs = med.Pairs(base=base, source=base + 1)
    with pytest.warns(med.errors.PrecisionWarning, match="half-width of a typical interval"):
        found = med.mediate(med.load(module), pairs, med.Site("layers.0"), first, **HALF)
    assert found.provenance["precision"]["effects"]["te"]["bound_to_half_width"] > 0.1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*half-width", med.errors.PrecisionWarning)
        med.mediate(med.load(module), pairs, med.Site("layers.0"), first, **HALF, recheck=0)


def test_models_in_half_precision(monkeypatch):
    model, pairs = med.load(tiny_model("llama", layers=2).bfloat16()), token_pairs((6, 6, 7))
    question = (model, pairs, med.residual(1, at="last"), OUTCOME)
    silent = med.mediate(*question, n_resamples=99, rng=0).provenance["precision"]
    assert silent["not_rechecked"] == "not asked for; recheck=32 does it"
    found = med.mediate(*question, n_resamples=99, rng=0, recheck=8)
    assert found.provenance["precision"]["cells"] == 3
    assert found.provenance["precision"]["against"] == "float32"
    assert model.dtype == torch.bfloat16
    assert (potential(med.mediate(*question, **HALF)) == potential(found)).all()
    monkeypatch.setattr(_precision, "free_bytes", lambda device: 1000)
    account = med.mediate(*question, n_resamples=99, rng=0, recheck=8).provenance["precision"]
    assert account["cells"] == 0
    assert "not free" in account["not_rechecked"]


def test_float32_runs_say_nothing_of_it():
    model, pairs = some()
    found = med.mediate(model, pairs, med.residual(1, at="last"), OUTCOME, n_resamples=99, rng=0)
    assert "precision" not in found.provenance


def test_kept_pieces_are_those_of_one_precision(tmp_path):
    model, pairs = some()
    question = (model, pairs, med.residual(1, at="last"), OUTCOME)
    found = med.mediate(*question, **HALF, out=tmp_path)
    again = med.mediate(*question, **HALF, out=tmp_path, recheck=4)
    assert (potential(found) == potential(again)).all()
    with pytest.raises(med.errors.DesignError, match="dtype"):
        med.mediate(*question, n_resamples=99, rng=0, out=tmp_path)


@pytest.mark.parametrize(("slower", "warned"), [(40.0, True), (0.5, False)])
def test_a_cpu_without_instructions_for_it_is_said(monkeypatch, slower, warned):
    monkeypatch.setattr(_precision, "slowdown", lambda dtype: slower)
    model = med.load(Chain(2, 4, 0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        med.mediate(model, chain_pairs(8, 4, 0), med.Site("layers.0"), first, **HALF)
    said = [str(one.message) for one in caught if "as long as in float32" in str(one.message)]
    assert len(said) == warned
    assert all("40 times" in one and "Leave precision out" in one for one in said)
