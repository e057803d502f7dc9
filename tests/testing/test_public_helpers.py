"""What `mediation.testing` offers: does it keep what it promises?"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st

import mediation as med
from mediation.testing import (
    FAMILIES,
    CooperativeGame,
    Gate,
    LinearInteraction,
    ParallelMediators,
    SharedNoise,
    TraitGate,
    check_laws,
    tiny_model,
    tiny_tokenizer,
)

NUMBERS = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
BITS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
SIZED = torch.cat([BITS, torch.tensor([[2.0], [0.5], [-1.0], [3.0]])], 1)
CLOSED = [
    (LinearInteraction(), NUMBERS[:, :1]),
    (LinearInteraction(a=-1, d=0.5, b=0, c=0), NUMBERS[:, :1]),
    (Gate("and"), BITS),
    (Gate("or"), BITS),
    (Gate("xor"), BITS),
    (ParallelMediators(), NUMBERS[:, :1]),
    (SharedNoise(), NUMBERS),
    (TraitGate(), BITS),
    (CooperativeGame(2, lambda players: len(players) ** 2 - 3.0 * (0 in players)), SIZED),
]
closed = pytest.mark.parametrize(("module", "inputs"), CLOSED, ids=lambda x: type(x).__name__)


@closed
def test_the_module_computes_what_it_states(module, inputs):
    module = module.double()
    with torch.no_grad():
        output = module(inputs)[:, 0]
    torch.testing.assert_close(output, module.outcome_of(inputs, module.mediators_of(inputs)))


@closed
def test_sites_are_submodules_and_hold_the_mediators(module, inputs):
    module = module.double()
    seen = {}
    for site in module.sites:
        module.get_submodule(site).register_forward_hook(lambda _, __, out, site=site: seen.update({site: out}))
    with torch.no_grad():
        module(inputs)
    torch.testing.assert_close(torch.cat([seen[site] for site in module.sites], 1), module.mediators_of(inputs))


@closed
def test_worlds_without_a_mediator_are_the_inputs_own(module, inputs):
    worlds = module.potential_outcomes(inputs, inputs.flip(0), through=())
    torch.testing.assert_close(worlds["y01"], worlds["y00"])
    torch.testing.assert_close(worlds["y10"], worlds["y11"])


def test_ablated_mediators():
    module = ParallelMediators(gains=(1.0, 2.0), weights=(3.0, 4.0), direct=5.0)
    inputs = torch.tensor([[1.0]])
    assert float(module.ablated(inputs, 10.0)) == 5 + 30 + 40
    assert float(module.ablated(inputs, 10.0, through=["mediators.1"])) == 5 + 3 + 40


def test_sites_that_are_not_there():
    with pytest.raises(med.errors.DesignError, match="'third'"):
        Gate().potential_outcomes(BITS, BITS, through=["third"])
    with pytest.raises(med.errors.DesignError, match="'nand'"):
        Gate("nand")
    with pytest.raises(med.errors.DesignError, match="as many are needed"):
        ParallelMediators(gains=(1.0,), weights=())


@pytest.mark.parametrize("family", FAMILIES)
def test_tiny_models(family):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = tiny_model(family), tiny_model(family), tiny_model(family, seed=1, layers=3)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.state_dict() for model in (one, same, other)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert not torch.equal(one.get_input_embeddings().weight, other.get_input_embeddings().weight)
    loaded = [med.load(model) for model in (one, other)]
    assert [model.n_layers for model in loaded] == [2, 3]
    known = loaded[0].architecture
    assert None not in (known.attention, known.attention_out, known.mlp, known.mlp_out, known.embedding)
    assert known.n_heads == 4
    assert known.causal == (family not in ("bert", "roberta", "distilbert"))
    assert not one.training


def test_a_family_that_is_not_known():
    with pytest.raises(med.errors.DesignError, match="Closest: 'llama'"):
        tiny_model("lama")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_the_tokenizer_gives_back_any_text(text):
    tokenizer = tiny_tokenizer()
    batch = tokenizer(text, return_offsets_mapping=True)
    assert tokenizer.decode(batch["input_ids"], clean_up_tokenization_spaces=False) == text
    covered = {i for start, end in batch["offset_mapping"] for i in range(start, end)}
    assert covered == set(range(len(text)))


def test_the_tokenizer_fits_the_models():
    tokenizer = tiny_tokenizer()
    assert len(tokenizer) <= tiny_model("llama").config.vocab_size
    assert tokenizer.is_fast
    assert [len(tokenizer(word)["input_ids"]) for word in (" Paris", "Paris", " Rome", " Peru")] == [1, 5, 1, 4]


def test_the_laws_of_interventions_are_offered_too():
    check_laws(med.Zero(), torch.randn(2, 3, 4))
