"""What the names of sites mean: their activations against what `transformers` itself gives out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import mediation as med
from mediation import Interchange, LogitDiff, Site, World, attention, embedding, mlp, neurons, pattern, residual
from mediation.engine import Reference, make_study
from mediation.testing import FAMILIES, tiny_model
from tests.engine.studies import token_pairs

PAIRS = token_pairs((6, 6))
LAYERS = 3
SEQUENTIAL = ("llama", "mistral", "qwen2", "qwen3", "phi3", "gpt2", "opt")
every = pytest.mark.parametrize("family", FAMILIES)


class Looking:
    """Activations of the first base input, by site."""

    def __init__(self, family: str) -> None:
        self.model = med.load(tiny_model(family, layers=LAYERS))
        self.ids = PAIRS.base[0][None]

    def at(self, site: Site) -> Tensor:
        world = World("base", Interchange().at(site))
        return Reference(make_study(self.model, PAIRS, [world], LogitDiff(5, 6), seed=0)).activation(site, "base", 0)

    def output(self, **asked: bool):
        with torch.no_grad():
            return self.model.module(input_ids=self.ids, output_hidden_states=True, output_attentions=True, **asked)

    def input_of(self, path: str) -> Tensor:
        seen = []
        handle = self.model.module.get_submodule(path).register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        self.output()
        handle.remove()
        return seen[0].reshape(-1, seen[0].shape[-1])


@every
def test_the_residual_stream_after_each_block(family):
    look = Looking(family)
    states = look.output().hidden_states
    assert len(states) == LAYERS + 1
    for layer in range(LAYERS - 1):  # after the last one, transformers gives out the normed state
        torch.testing.assert_close(look.at(residual(layer)), states[layer + 1][0])


@every
def test_attention_patterns(family):
    look = Looking(family)
    for layer, probabilities in enumerate(look.output().attentions):
        for head in range(4):
            torch.testing.assert_close(look.at(pattern(layer, head=head)), probabilities[0, head])
        rows = look.at(pattern(layer, at="last"))  # all heads side by side
        torch.testing.assert_close(rows.reshape(4, 6), probabilities[0, :, -1])
        torch.testing.assert_close(rows.reshape(4, 6).sum(1), torch.ones(4))


@every
def test_heads_stand_side_by_side_before_the_output_projection(family):
    look = Looking(family)
    known = look.model.architecture
    for layer in (0, LAYERS - 1):
        heads = [look.at(attention(layer, head=head)) for head in range(4)]
        assert {head.shape for head in heads} == {(6, 4)}
        torch.testing.assert_close(torch.cat(heads, -1), look.input_of(known.path(layer, known.attention_out)))
        torch.testing.assert_close(look.at(attention(layer, head=1, units=(2, 0))), heads[1][:, [2, 0]])


@every
def test_neurons_stand_before_the_last_map_of_the_mlp(family):
    look = Looking(family)
    known = look.model.architecture
    found = look.at(neurons(1))
    assert found.shape == (6, 64 if family == "gpt2" else 32)
    torch.testing.assert_close(found, look.input_of(known.path(1, known.mlp_out)))
    torch.testing.assert_close(look.at(neurons(1, (5, 3), at=(0, 2))), found[[0, 2]][:, [5, 3]])


@pytest.mark.parametrize("family", SEQUENTIAL)
def test_blocks_add_attention_and_mlp_to_the_residual_stream(family):
    look = Looking(family)
    for layer in (1, 2):
        total = look.at(residual(layer - 1)) + look.at(attention(layer)) + look.at(mlp(layer))
        torch.testing.assert_close(total, look.at(residual(layer)))


@pytest.mark.parametrize("family", ["gpt_neox"])
def test_blocks_that_run_attention_and_mlp_side_by_side(family):
    look = Looking(family)
    total = look.at(residual(0)) + look.at(attention(1)) + look.at(mlp(1))
    torch.testing.assert_close(total, look.at(residual(1)))


@every
def test_the_outputs_of_attention_and_mlp_are_their_last_maps_of_heads_and_neurons(family):
    look = Looking(family)
    known = look.model.architecture
    heads = torch.cat([look.at(attention(1, head=head)) for head in range(4)], -1)
    for part, given, found in (
        (known.attention_out, heads, look.at(attention(1))),
        (known.mlp_out, look.at(neurons(1)), look.at(mlp(1))),
    ):
        last = look.model.module.get_submodule(known.path(1, part))
        with torch.no_grad():
            expected = last(given)
        torch.testing.assert_close(found, expected if expected.shape == found.shape else expected[0])


@every
def test_token_embeddings(family):
    look = Looking(family)
    rows = look.model.module.get_input_embeddings()
    with torch.no_grad():
        torch.testing.assert_close(look.at(embedding()), rows(look.ids)[0])
        torch.testing.assert_close(look.at(embedding(at=-2, units=(1,))), rows(look.ids)[0, [4]][:, [1]])
