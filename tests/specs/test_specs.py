"""What a spec can say beside the named systems: which state is fed, what ends a thought, how many there are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import mediation as med
from tests.rollouts.replay import END, SPEC, START, embed, exact, thought
from tests.rollouts.scenarios import build

PROMPT = [31, 41, 59, 26, 53, START]


@torch.no_grad()
def _states(model: med.Model, embeds: torch.Tensor, layer: int) -> torch.Tensor:
    """The output of a block at the last position, by a hook of its own."""
    seen = []
    block = model.module.model.layers[layer]
    handle = block.register_forward_hook(lambda _, __, output: seen.append(output[0, -1].clone()))
    model.module.model(inputs_embeds=embeds[None], use_cache=False)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize(("hidden", "layer"), [("pre_norm", -1), (0, 0), (1, 1), (-2, -2)])
def test_which_state_is_fed_back(hidden, layer):
    model = exact()
    found = med.rollout(model, [PROMPT], replace(SPEC, hidden=hidden), max_new_tokens=6)
    embeds = embed(model, PROMPT)
    for step in range(SPEC.steps):
        state = _states(model, embeds, layer)
        torch.testing.assert_close(found.latents[0][step], state.float(), atol=1e-5, rtol=1e-5)
        embeds = torch.cat([embeds, state[None]])


def test_every_latent_goes_through_a_module():
    model = exact()
    model.module.bridge = torch.nn.Linear(16, 16, dtype=torch.float64)
    try:
        found = med.rollout(model, [PROMPT], replace(SPEC, projection="bridge"), max_new_tokens=6)
        own = thought(model, PROMPT, change=lambda step, state: model.module.bridge(state))
        torch.testing.assert_close(found.latents[0], own.float(), atol=1e-5, rtol=1e-5)
    finally:
        del model.module.bridge


@pytest.mark.parametrize("metric", ["mse", "cosine"])
def test_a_thought_ends_near_a_vector_which_is_still_fed(metric):
    model = exact()
    own = thought(model, PROMPT, steps=5)
    model.module.register_buffer("goal", own[1].clone(), persistent=False)
    try:
        spec = replace(SPEC, steps=5, stop=med.specs.Near("goal", 1e-9, metric))
        found = med.rollout(model, [PROMPT], spec, max_new_tokens=8)
        assert found.segments == (((0, 2),),)
        assert found.ids[0][2] == END
        torch.testing.assert_close(found.latents[0], own[:2].float(), atol=1e-5, rtol=1e-5)
        far = replace(spec, stop=med.specs.Near("goal", 0.0))
        assert med.rollout(model, [[9, 2, START]], far, max_new_tokens=8).segments == (((0, 5),),)
    finally:
        del model.module.goal


@pytest.mark.parametrize(("most", "count"), [(1, 1), (None, 2)])
def test_how_many_thoughts_a_generation_opens(most, count):
    case = build("lvr", [{1: "start", 8: "start"}], seed=15)
    model = med.load(case.model, processor=case.processor)
    spec = replace(med.specs.LVR, steps=3, segments=most)
    found = med.rollout(model, [med.Prompt(case.texts[0], case.images[0])], spec, max_new_tokens=12)
    assert len(found.segments[0]) == count
    assert ("several thoughts" in found.flags[0]) == (most == 1)


def test_weights_of_ones_own_need_a_path_and_a_spec(tmp_path):
    """What a user with Monet's weights writes, on tiny ones of the same class."""
    from mediation.testing import tiny_processor, tiny_vision_model
    from tests.rollouts.vision import picture

    tokens = (med.specs.MONET.start, med.specs.MONET.end, med.specs.MONET.pad)
    processor = tiny_processor("qwen2_5_vl", extra_tokens=tokens)
    network = tiny_vision_model("qwen2_5_vl")
    network.save_pretrained(tmp_path / "Monet-7B")
    processor.save_pretrained(tmp_path / "Monet-7B")
    model = med.load(tmp_path / "Monet-7B", spec=med.specs.MONET)
    assert model.spec == med.specs.MONET
    here = med.load(network, processor=processor, spec=med.specs.MONET)
    found = []
    for one in (model, here):
        asked = med.prompts(one, ["Is it red?"], [picture((56, 84), 0)], answer=med.specs.MONET.start)
        found.append(med.rollout(one, asked, max_new_tokens=12))
    assert found[0].ids == found[1].ids
    assert found[0].segments[0][0] == (0, 10)


def test_a_spec_given_to_a_question_goes_before_the_models_own():
    model = med.load(exact(), spec=SPEC)
    assert med.rollout(model, [PROMPT], max_new_tokens=6).segments == (((0, 3),),)
    assert med.rollout(model, [PROMPT], replace(SPEC, steps=1), max_new_tokens=6).segments == (((0, 1),),)
