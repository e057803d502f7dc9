from __future__ import annotations

import pytest
import torch

import mediation as med
from mediation.interventions import Identity
from tests.rollouts.tiny import FAMILIES, PROMPTS, decoder, generated

N = 12
SITES = {
    "residual": med.residual(1, at="last"),
    "every layer": med.residual(at="last"),
    "mlp": med.mlp(2, at="last"),
    "head": med.attention(0, head=3, at="last"),
    "neurons": med.neurons(1, units=(0, 5), at="last"),
    "embedding": med.embedding(at="last"),
}
LATENT = med.LatentSpec("w5", "w2", steps=3, record="pad", pad="w0")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("prefill", [False, True])
def test_identity_changes_nothing(family, site, prefill):
    model, prompts = decoder(family), [*PROMPTS, [11, 5]]
    plain = med.rollout(model, prompts, LATENT, max_new_tokens=N)
    found = med.rollout(
        model, prompts, LATENT, max_new_tokens=N, assignment=Identity().at(SITES[site]), prefill=prefill
    )
    assert found.ids == plain.ids
    for mine, theirs in zip(found.latents, plain.latents, strict=True):
        assert torch.equal(mine, theirs)


def _by_hand(model: med.Model, prompt: list[int], layer: int, factor: float, *, prefill: bool) -> list[int]:
    """Scale a block's output by hand at every new position: whole sequence, no cache."""
    blocks = model.module.get_submodule(model.architecture.layers)
    ids = list(prompt)

    def scale(_, __, output):
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[:, len(prompt) - prefill :] *= factor
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = blocks[layer].register_forward_hook(scale)
    try:
        with torch.no_grad():
            for _ in range(N):
                ids.append(int(model.module(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    finally:
        handle.remove()
    return ids[len(prompt) :]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
@pytest.mark.parametrize("prefill", [False, True])
def test_an_intervention_holds_at_every_new_position(family, backend, prefill):
    model = decoder(family)
    arm = med.Scale(-1.5).at(med.residual(1, at="last"))
    found = med.rollout(model, PROMPTS, max_new_tokens=N, assignment=arm, prefill=prefill, backend=backend)
    expected = [_by_hand(model, prompt, 1, -1.5, prefill=prefill) for prompt in PROMPTS]
    assert [list(ids) for ids in found.ids] == expected
    plain = generated(model, PROMPTS, N)
    assert expected != plain
    first = [ids[0] for ids in expected], [ids[0] for ids in plain]
    assert (first[0] == first[1]) == (not prefill)


def test_heads_and_neurons_act_only_on_their_features():
    model = decoder("llama")
    both = med.Zero().at(med.attention(0, head=1, at="last")) | med.Zero().at(med.attention(0, head=2, at="last"))
    width = model.module.config.hidden_size // 4
    module = med.Site("model.layers.0.self_attn.o_proj", io="input", units=range(width, 3 * width), at="last")
    one, other = (
        med.rollout(model, PROMPTS, max_new_tokens=N, assignment=arm) for arm in (both, med.Zero().at(module))
    )
    assert one.ids == other.ids
    assert one.ids != med.rollout(model, PROMPTS, max_new_tokens=N).ids


def test_interventions_change_the_latents_that_come_later():
    model = decoder("llama")
    plain, found = (
        med.rollout(model, [[11, 5]], LATENT, max_new_tokens=N, assignment=arm)
        for arm in (None, med.Scale(2.0).at(med.mlp(1, at="last")))
    )
    assert torch.equal(plain.latents[0][0], found.latents[0][0]), "the first comes from the prompt, which is left alone"
    assert not torch.allclose(plain.latents[0][1], found.latents[0][1], atol=1e-3)


def test_latents_can_be_overwritten_where_they_are_fed():
    """Zero at the embedding is the same as feeding zeros: the paper's small constant, in the loop."""
    model = decoder("llama")
    spec = med.LatentSpec("w5", "w2", steps=3)
    arm = med.Zero().at(med.embedding(at="last"))
    found = med.rollout(model, [[11, 5]], spec, max_new_tokens=4, assignment=arm)
    table = model.module.get_input_embeddings().weight
    inputs = [table[11], table[5]]
    for step in range(3):
        with torch.no_grad():
            hidden = model.module.model(inputs_embeds=torch.stack(inputs)[None], use_cache=False)
        torch.testing.assert_close(found.latents[0][step], hidden.last_hidden_state[0, -1], atol=1e-5, rtol=1e-5)
        inputs.append(torch.zeros_like(table[0]))


def test_a_custom_intervention_needs_nothing_else():
    @med.intervention
    def clip(hidden, limit=0.1):
        return hidden.clamp(-limit, limit)

    model = decoder("gpt2")
    found = med.rollout(model, PROMPTS, max_new_tokens=N, assignment=clip(limit=0.01).at(med.mlp(0, at="last")))
    assert [list(ids) for ids in found.ids] != generated(model, PROMPTS, N)
