"""Attribution scores: closed forms, finite differences, completeness, and the same restated with plain hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediation as med
from mediation import Interchange, LogitDiff, LogProb, Masked, Model, Pairs, Site, Subspace, World, embedding, residual
from mediation.engine import Scores, attribution_scores, make_study
from mediation.testing import (
    Gate,
    LinearInteraction,
    ParallelMediators,
    SharedNoise,
    first_output,
    tiny_model,
    tiny_tokenizer,
)
from tests.engine.studies import gap, token_pairs, values
from tests.engine.test_families import OUTCOME, PAIRS, expanded, sites_of
from tests.interventions.examples import toward

EQUAL = token_pairs((5, 7, 7, 6))
BASIS = [[1.0, *[0.0] * 14, -1.0], [0.5, 1.0, *[0.0] * 13, 2.0]]
MASK = [True, False] * 8


def scores(model: Model, pairs: Pairs, sites: Any, outcome: Any, what: Any = None, **options: Any) -> Scores:
    """Return scores of concrete sites."""
    what = Interchange() if what is None else what
    sites = list(sites)
    worlds = [World(run, what.at(site)) for run in ("base", "source") for site in sites]
    study = make_study(model, pairs, worlds, outcome, seed=0)
    return attribution_scores(
        study, [study.placed(world)[0][0] for world in study.worlds[: len(sites)]], what, **options
    )


def double(family: str, **options: Any) -> Model:
    model = med.load(tiny_model(family, **options))
    model.module.double()
    return model


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------------------------------- closed forms


BITS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
CLOSED_FORMS = [
    (ParallelMediators(gains=(1.0, -2.0, 0.5), weights=(3.0, 4.0, 0.0)), numbers(6, 1, seed=1), numbers(6, 1, seed=2)),
    (LinearInteraction(), numbers(6, 1, seed=1), numbers(6, 1, seed=2)),
    (SharedNoise(), numbers(6, 2, seed=1), numbers(6, 2, seed=2)),
    (Gate("and"), BITS, BITS.flip(0)),
    (Gate("xor"), BITS, BITS.flip(0)),
]


@pytest.mark.parametrize(("module", "base", "source"), CLOSED_FORMS)
@pytest.mark.parametrize("steps", [None, 2])
def test_models_that_are_linear_in_the_mediator(module, base, source, steps):
    """There the score of each unit is its effect; on the line between inputs it is the mean of both slopes."""
    module = module.double()
    found = scores(
        med.load(module), Pairs(base=base, source=source), [Site(s) for s in module.sites], first_output, steps=steps
    )
    for index, site in enumerate(module.sites):
        known = {name: value.numpy() for name, value in module.potential_outcomes(base, source, [site]).items()}
        expected = {"y01": known["y01"] - known["y00"], "y10": known["y11"] - known["y10"]}
        if steps:  # slopes of these models are linear along the line, so their mean is the mean of the ends
            expected = dict.fromkeys(expected, (expected["y01"] + expected["y10"]) / 2)
        for direction, value in expected.items():
            assert gap(found.values[direction][index], value) < 1e-6  # closed forms keep weights in float32
    assert gap(found.plain["base"], module(base)[:, 0].detach().numpy()) < 1e-12


# ---------------------------------------------------------------------------------------------- finite differences


def slopes(model: Model, pairs: Pairs, sites: Any, outcome: Any, h: float = 0.02) -> np.ndarray:
    """Return dY/dw ``(runs, sites, units)`` at w = 0 of moving a site by w of the way to its donor.

    By the five-point formula, whose error is of order h^4: some norms compute in float32, so that h cannot be small.
    """
    doses = {h: 8.0, -h: -8.0, 2 * h: -1.0, -2 * h: 1.0}
    runs = ("base", "source")
    worlds = [World(run, toward(weight=dose).at(site)) for run in runs for dose in doses for site in sites]
    moved = values(model, pairs, worlds, outcome, checks=0, backend="hooks")[..., 0].reshape(
        2, 4, len(sites), len(pairs)
    )
    return np.einsum("d,rdsu->rsu", list(doses.values()), moved) / (12 * h)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox", "gemma3", "bert"])
def test_every_kind_of_site_against_finite_differences(family):
    model, pairs = double(family, layers=3), PAIRS.subset(range(3))
    sites = expanded(model, sites_of(model))[:: 1 if family in ("llama", "bert") else 3]
    found = scores(model, pairs, sites, OUTCOME)
    expected = slopes(model, pairs, sites, OUTCOME)
    for index, (direction, sign) in enumerate((("y01", 1), ("y10", -1))):
        size = np.abs(expected[index]).max(axis=1, keepdims=True)
        off = np.abs(found.values[direction] - sign * expected[index]) / (size + 0.01)
        assert off.max() < 3e-3, sites[int(off.max(axis=1).argmax())]


@pytest.mark.parametrize("what", [Subspace(BASIS, Interchange()), Masked(Interchange(), MASK), toward(weight=0.3)])
def test_parts_of_the_donor_where_the_outcome_is_linear_in_the_mediator(what):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 16), nn.Linear(16, 1)).double()
    pairs, model = Pairs(base=numbers(5, 4, seed=1), source=numbers(5, 4, seed=2)), med.load(module)
    found = scores(model, pairs, [Site("2")], first_output, what)
    worlds = [World("base"), World("source"), *(World(run, what.at(Site("2"))) for run in ("base", "source"))]
    y00, y11, y01, y10 = values(model, pairs, worlds, first_output)[..., 0]
    assert gap(found.values["y01"][0], y01 - y00) < 1e-10
    assert gap(found.values["y10"][0], y11 - y10) < 1e-10


def test_parts_add_up():
    model, sites = double("llama"), [residual(0, at="last"), residual(1)]
    whole = scores(model, PAIRS, sites, OUTCOME).values
    parts = [
        scores(model, PAIRS, sites, OUTCOME, Masked(Interchange(), mask)).values
        for mask in (MASK, [not one for one in MASK])
    ]
    for direction, value in whole.items():
        assert gap(value, parts[0][direction] + parts[1][direction]) < 1e-12


# ---------------------------------------------------------------------------------------------- restated


def by_hand(
    model: Model, ids: list[Tensor], path: str, position: int, target: int, at: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return both activations of one block output at a position, and the gradient of log P(target) there.

    The gradient is that of the base input, or of the point `at` of the line between both embedded inputs.
    """
    held: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> None:
        tensor = output if isinstance(output, Tensor) else output[0]
        if tensor.requires_grad:
            tensor.retain_grad()
        held.append(tensor)

    embedded = [model.module.get_input_embeddings()(one[None]) for one in ids]
    inputs = [*embedded, embedded[0] if at is None else (1 - at) * embedded[0] + at * embedded[1]]
    handle = model.module.get_submodule(path).register_forward_hook(keep)
    for one in inputs:
        logits = model.module(inputs_embeds=one).logits
    handle.remove()
    torch.log_softmax(logits[0, -1], -1)[target].backward()
    gradient = held[2].grad[0, position].clone()
    model.module.zero_grad()
    return held[0][0, position].detach(), held[1][0, position].detach(), gradient


@pytest.mark.parametrize("family", ["llama", "qwen3", "opt"])
def test_one_unit_and_one_site_at_a_time_with_plain_hooks(family):
    model, target = double(family), 9
    sites = [residual(layer, at=position) for layer in (0, 1) for position in (2, 4)]
    found = scores(model, EQUAL, sites, LogProb(target))
    mixed = scores(model, EQUAL, sites, LogProb(target), steps=3)
    nodes, weights = np.polynomial.legendre.leggauss(3)
    for s, site in enumerate(sites):
        path = model.architecture.path(site.layer)
        for unit in (0, 3):
            ids = [EQUAL.base[unit], EQUAL.source[unit]]
            base, source, gradient = by_hand(model, ids, path, site.at, target)
            assert found.values["y01"][s, unit] == pytest.approx(float(gradient @ (source - base)), abs=1e-10)
            source, base, gradient = by_hand(model, ids[::-1], path, site.at, target)
            assert found.values["y10"][s, unit] == pytest.approx(float(gradient @ (source - base)), abs=1e-10)
            slopes = [by_hand(model, ids, path, site.at, target, at=(node + 1) / 2)[2] for node in nodes]
            mean = sum(w / 2 * slope for w, slope in zip(weights, slopes, strict=True))
            for direction in ("y01", "y10"):
                assert mixed.values[direction][s, unit] == pytest.approx(float(mean @ (source - base)), abs=1e-10)


# ---------------------------------------------------------------------------------------------- integrated


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "bert"])
def test_integrated_scores_of_the_whole_embedding_tend_to_the_total_effect(family):
    model = double(family)
    plain = values(model, EQUAL, [World("base"), World("source")], LogProb(5))[..., 0]
    total = plain[1] - plain[0]
    off = [
        gap(scores(model, EQUAL, [embedding()], LogProb(5), steps=steps).values["y01"][0], total)
        for steps in (1, 8, 64)
    ]
    assert off[0] > 10 * off[1] > 100 * off[2]
    assert off[2] < 1e-4


def test_integrated_scores_of_a_smooth_module_tend_to_the_total_effect():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    pairs = Pairs(base=numbers(5, 4, seed=1), source=numbers(5, 4, seed=2))
    total = (module(pairs.source) - module(pairs.base))[:, 0].detach().numpy()
    for site in (Site("0", io="input"), Site("0")):  # linear in the input, so its own line is that of the input
        found = scores(med.load(module), pairs, [site], first_output, steps=12)
        assert gap(found.values["y01"][0], total) < 1e-6
        assert gap(found.values["y10"][0], total) < 1e-6
    assert gap(scores(med.load(module), pairs, [Site("0")], first_output).values["y01"][0], total) > 1e-2


def test_divergence_needs_steps_in_the_base_run():
    model = double("llama")
    with pytest.raises(med.errors.DesignError, match="steps=5"):
        scores(model, EQUAL, [residual(0)], med.KL())
    only = scores(model, EQUAL, [residual(0)], med.KL(), directions=("y10",))
    assert set(only.values) == {"y10"}
    found = scores(model, EQUAL, [embedding()], med.KL(), steps=64).values["y01"][0]
    assert gap(found, values(model, EQUAL, [World("source")], med.KL())[0, :, 0]) < 1e-3


# ---------------------------------------------------------------------------------------------- invariances


@pytest.mark.parametrize("family", ["llama", "opt", "bert"])
@pytest.mark.parametrize("steps", [None, 2])
def test_batches_padding_and_order_do_not_matter(family, steps):
    model = med.load(tiny_model(family, layers=3))
    pairs = PAIRS.subset(range(4))
    sites = expanded(model, sites_of(model))
    expected = scores(model, pairs, sites, LogProb(5), steps=steps, batch_size=1).values
    order = np.random.default_rng(0).permutation(len(sites))
    for options in ({}, {"side": "right"}, {"side": "left", "batch_size": 3}, {"units": [2, 0]}):
        found = scores(model, pairs, [sites[i] for i in order], LogProb(5), steps=steps, **options).values
        for direction, value in expected.items():
            units = options.get("units", range(4))
            assert gap(found[direction], value[order][:, units]) < 1e-5, options


def test_answers_of_several_tokens_and_inputs_of_mixed_lengths():
    model = med.load(tiny_model("llama"), tiny_tokenizer())
    model.module.double()
    pairs = Pairs(
        base=["The capital of Italy is", "The book is in"],
        source=["When in France the capital of Spain is", "The city is in"],
        spans={"noun": (["Italy", "book"], ["Spain", "city"])},
    )
    sites = [residual(0, at="last"), residual(0, at="noun"), med.attention(0, head=2, at=-2)]
    for outcome in (LogProb(" Peru"), LogitDiff(" Rome", " Paris")):
        found, expected = scores(model, pairs, sites, outcome).values, slopes(model, pairs, sites, outcome)
        assert gap(found["y01"], expected[0]) < 1e-3
        assert gap(found["y10"], -expected[1]) < 1e-3
        assert np.abs(expected).min() > 1e-4


class InPlace(nn.Module):
    """What comes out of a module is changed in place by the next."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.last = nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.gate(self.first(x)))


def test_modules_that_work_in_place():
    torch.manual_seed(0)
    module = InPlace().double()
    base, source = numbers(4, 3, seed=1), numbers(4, 3, seed=2)
    found = scores(med.load(module), Pairs(base=base, source=source), [Site("first")], first_output).values["y01"][0]
    h0, h1 = ((one @ module.first.weight.T + module.first.bias).detach() for one in (base, source))
    slope = (h0 > 0) * module.last.weight[0].detach()
    assert gap(found, (slope * (h1 - h0)).sum(1).numpy()) < 1e-12


def test_the_model_is_left_as_it_was():
    model = med.load(tiny_model("llama"))
    asked = [parameter.requires_grad for parameter in model.module.parameters()]
    assert any(asked)
    with torch.inference_mode():
        inside = scores(model, EQUAL, [residual(0)], OUTCOME, steps=2)
    outside = scores(model, EQUAL, [residual(0)], OUTCOME, steps=2)
    assert gap(inside.values["y01"], outside.values["y01"]) == 0
    assert [parameter.requires_grad for parameter in model.module.parameters()] == asked
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.module.modules())


# ---------------------------------------------------------------------------------------------- refused


class Cut(nn.Module):
    """Gradients end at `round`; `unread` feeds nothing; `pick` puts out whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.unread, self.pick, self.out = nn.Identity(), nn.Identity(), nn.Identity(), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        self.unread(2 * x)
        self.pick(x.argmax(-1))
        return self.out(self.cut(x).detach() + x)


def test_sites_without_a_gradient():
    model = med.load(Cut().double())
    pairs = Pairs(base=numbers(3, 3), source=numbers(3, 3, seed=1))
    for site, word in (("cut", "No gradient"), ("unread", "No gradient"), ("pick", "whole numbers")):
        with pytest.raises(med.errors.SiteError, match=word):
            scores(model, pairs, [Site("out"), Site(site)], first_output)
    with pytest.raises(med.errors.OutcomeError, match="does not depend on the sites"):
        scores(model, pairs, [Site("cut")], first_output)


def test_outcomes_without_a_gradient():
    model = med.load(tiny_model("llama"))

    @med.outcome
    def right(logits: Tensor) -> Tensor:
        return (logits[:, 5] > logits[:, 6]).float()

    for outcome in (med.Accuracy(5), right):
        with pytest.raises(med.errors.OutcomeError, match="has no gradient"):
            scores(model, EQUAL, [residual(0)], outcome)


def test_no_line_between_inputs_of_other_lengths():
    model = med.load(tiny_model("llama"))
    pairs = Pairs(base=[[5, 6, 7]], source=[[5, 6, 7, 8]])
    with pytest.raises(med.errors.DesignError, match="unit 0 has 3 tokens in its base input and 4"):
        scores(model, pairs, [residual(0, at="last")], OUTCOME, steps=3)
    assert np.isfinite(scores(model, pairs, [residual(0, at="last")], OUTCOME).values["y01"]).all()
