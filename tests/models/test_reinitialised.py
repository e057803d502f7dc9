"""Models with fresh random weights: the same architecture, other numbers, and the given model untouched."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import LlamaForCausalLM

import mediation as med
from mediation.errors import BackendError, DesignError
from mediation.models import reinitialised
from mediation.testing import FAMILIES, Gate, TraitGate, tiny_model, tiny_tokenizer

IDS = torch.tensor([[5, 9, 40, 7, 12]])


def everything(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gets_new_weights_and_keeps_the_rest(family):
    model = med.load(tiny_model(family), tiny_tokenizer())
    before, digest, state = everything(model.module), model.digest, torch.get_rng_state()
    fresh = reinitialised(model, 3)
    assert torch.equal(state, torch.get_rng_state())
    after = everything(model.module)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert med.load(model.module).digest == digest
    shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in before.items()}
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in everything(fresh.module).items()} == shapes
    matrices = {name: p for name, p in model.module.named_parameters() if p.ndim > 1}
    new = dict(fresh.module.named_parameters())
    assert all(not torch.equal(matrices[name], new[name]) for name in matrices)
    assert not {id(p) for p in new.values()} & {id(p) for p in model.module.parameters()}
    assert not fresh.module.training
    assert (fresh.tokenizer, fresh.architecture) == (model.tokenizer, model.architecture)
    assert fresh.module.config._attn_implementation == model.module.config._attn_implementation
    with torch.no_grad():
        one, other = (module(input_ids=IDS).logits for module in (model.module, fresh.module))
    assert one.shape == other.shape
    assert not torch.allclose(one, other, atol=1e-3)


def test_the_seed_decides():
    model = med.load(tiny_model("llama"))
    one, same, other = (reinitialised(model, seed) for seed in (1, 1, 2))
    assert one.digest == same.digest
    assert len({model.digest, one.digest, other.digest}) == 3
    assert one.name == "LlamaForCausalLM, re-initialised with seed 1"


@pytest.mark.parametrize("make", [lambda: nn.Linear(5, 4), lambda: LlamaForCausalLM(tiny_model("llama").config)])
def test_a_model_made_from_the_same_seed_is_another_one(make):
    torch.manual_seed(7)
    model = med.load(make())
    fresh = reinitialised(model, 7)
    old, new = (dict(one.module.named_parameters()) for one in (model, fresh))
    assert all(not torch.equal(old[name], new[name]) for name in old if old[name].ndim > 1)


def test_types_and_attention_are_kept_in_half_precision():
    model = med.load(tiny_model("llama", attention="sdpa").to(torch.bfloat16))
    fresh = reinitialised(model, 0)
    assert fresh.dtype == torch.bfloat16
    assert {p.dtype for p in fresh.module.parameters()} == {torch.bfloat16}
    assert fresh.module.config._attn_implementation == "sdpa"
    assert {name: b.dtype for name, b in fresh.module.named_buffers()} == {
        name: b.dtype for name, b in model.module.named_buffers()
    }


def test_tied_weights_stay_tied():
    model = med.load(tiny_model("llama", tie_word_embeddings=True))
    fresh = reinitialised(model, 0).module
    assert fresh.lm_head.weight is fresh.model.embed_tokens.weight


class Own(nn.Module):
    """A layer with its own reset, a parameter without, and one shared by two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(5.0 + 0.5 * torch.randn(4000, generator=torch.Generator().manual_seed(0)))
        self.shift = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x)) * self.scale[:4] + self.shift


def test_plain_modules_are_copied_and_reset():
    model = med.load(Own())
    before = everything(model.module)
    fresh = reinitialised(model, 0).module
    assert all(torch.equal(before[name], now) for name, now in everything(model.module).items())
    assert fresh.second.weight is fresh.first.weight
    new = everything(fresh)
    assert all(not torch.equal(before[name], new[name]) for name in before)
    # 4000 draws: the mean is within 4 standard errors of the old one, 0.5 / sqrt(4000) each, and so is the spread.
    assert float(new["scale"].mean()) == pytest.approx(float(before["scale"].mean()), abs=4 * 0.5 / 4000**0.5)
    assert float(new["scale"].std()) == pytest.approx(float(before["scale"].std()), rel=4 / 8000**0.5)
    assert float(new["first.weight"].abs().max()) <= 0.5  # a linear layer draws uniformly within 1 / sqrt(4)


def test_hooks_and_graphs_of_the_given_module_are_not_touched():
    seen = []
    module = nn.Sequential(nn.Linear(3, 2))
    module[0].register_forward_hook(lambda *_: seen.append(1))
    reinitialised(med.load(module), 0)
    assert seen == []
    module(torch.ones(1, 3))
    assert seen == [1]


def test_a_closed_form_is_drawn_anew():
    model = med.load(Gate("and"))
    fresh = reinitialised(model, 0)
    bits = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    assert model.module(bits).flatten().tolist() == [1.0, 0.0]
    assert fresh.module(bits).flatten().tolist() != [1.0, 0.0]


def test_what_cannot_be_drawn_anew_is_said():
    with pytest.raises(DesignError, match="TraitGate has no parameters"):
        reinitialised(med.load(TraitGate()), 0)
    with pytest.raises(DesignError, match=r"model is Linear; what med\.load returns is needed"):
        reinitialised(nn.Linear(2, 2), 0)
    with pytest.raises(DesignError, match="seed = -1"):
        reinitialised(med.load(nn.Linear(2, 2)), -1)
    whole = nn.Linear(2, 2)
    whole.codes = nn.Parameter(torch.zeros(3, dtype=torch.int8), requires_grad=False)
    with pytest.raises(BackendError, match=r"the weights of Linear are quantised \(codes: int8 on cpu\)"):
        reinitialised(med.load(whole), 0)
    with pytest.raises(BackendError, match="held elsewhere by accelerate"):
        reinitialised(med.load(nn.Linear(2, 2, device="meta")), 0)
    spread = nn.Linear(2, 2)
    spread.hf_device_map = {"a": 0, "b": "cpu"}
    with pytest.raises(BackendError, match="spread over 2 devices"):
        reinitialised(med.load(spread), 0)
