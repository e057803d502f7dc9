"""Odd thoughts: flagged, and nothing lost for the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import mediation as med
from tests.rollouts.scenarios import build, scenario
from tests.rollouts.tiny import PROMPTS, decoder
from tests.rollouts.vision import END, START, asked, thinker

SPEC = med.LatentSpec("w5", "w6", steps=3)


def test_never_opened_never_closed_and_empty():
    found = med.rollout(decoder("llama"), [[3, 14, 15], [11, 4, 5]], SPEC, max_new_tokens=2)
    assert found.flags == (("never opened",), ("never closed",))
    case = scenario("mirage")
    model = med.load(case.model, processor=case.processor)
    prompts = [med.Prompt(text, images) for text, images in zip(case.texts, case.images, strict=True)]
    found = med.rollout(model, prompts, replace(med.specs.MIRAGE, steps=4), max_new_tokens=12)
    assert found.flags[2] == ("never opened",)
    assert found.flags[3] == ("empty thought",)
    assert found.segments[3][0][0] == found.segments[3][0][1]
    assert "flags: empty thought 1" in repr(found)


def test_two_thoughts_where_one_is_expected():
    case = build("mirage", [{1: "start", 3: "end", 7: "start"}], seed=15)
    model = med.load(case.model, processor=case.processor)
    found = med.rollout(
        model, [med.Prompt(case.texts[0], case.images[0])], replace(med.specs.MIRAGE, steps=4), max_new_tokens=12
    )
    assert found.flags == (("several thoughts",),)
    assert len(found.segments[0]) == 1


def test_nan_latents_end_one_row_and_leave_the_others_as_they_are():
    model = decoder("llama")

    @med.intervention
    def broken(hidden, *, noise):
        return torch.where(noise[..., :1] > 1e9, hidden, hidden + torch.log(noise[..., :1].clamp(max=1)))

    prompts = [[*prompt, 5] for prompt in PROMPTS]
    plain = med.rollout(model, prompts, SPEC, max_new_tokens=8)
    found = med.rollout(model, prompts, SPEC, max_new_tokens=8, assignment=broken().at(med.latents(step=0)), rng=0)
    bad = [unit for unit, flags in enumerate(found.flags) if "nan" in flags]
    assert 0 < len(bad) < len(prompts), "noise of both signs should occur"
    alone = med.rollout(model, prompts, SPEC, max_new_tokens=8, batch_size=1,
                        assignment=broken().at(med.latents(step=0)), rng=0)  # fmt: skip
    assert found.ids == alone.ids
    for unit in bad:
        assert found.stopped[unit] == "nan"
        assert found.ids[unit][:1] == plain.ids[unit][:1]


def test_a_refused_picture_is_an_error_or_a_flag():
    model = thinker("qwen2_5_vl")
    prompts = asked(model, answer=START)
    stripe = Image.fromarray(np.zeros((2, 500, 3), dtype=np.uint8))
    prompts[1] = prompts[1].with_(images=(stripe,))
    spec = med.LatentSpec(START, END, steps=2)
    with pytest.raises(
        med.errors.DataError, match=r"refuses the base input of unit 1 \(absolute aspect ratio.*500 x 2"
    ):
        med.rollout(model, prompts, spec, max_new_tokens=5)
    found = med.rollout(model, prompts, spec, max_new_tokens=5, errors="flag")
    assert found.flags[1] == ("refused",)
    assert found.ids[1] == ()
    others = med.rollout(model, [prompts[0], *prompts[2:]], spec, max_new_tokens=5)
    assert (found.ids[0], *found.ids[2:]) == others.ids
    with pytest.raises(med.errors.DataError, match="every input was refused"):
        med.rollout(model, [prompts[1]], spec, errors="flag")


def test_placeholders_and_pictures_must_agree():
    model = thinker("llava")
    prompt = asked(model)[0]
    with pytest.raises(med.errors.DataError, match="refuses the base input of unit 0"):
        med.rollout(model, [prompt.with_(text="No placeholder here.", question=None)])
    with pytest.raises(med.errors.DataError, match="reads no images"):
        med.rollout(decoder("llama"), [prompt])


def test_thoughts_as_one_tensor():
    found = med.rollout(decoder("llama"), [[11, 4, 5], [3, 14, 15]], SPEC, max_new_tokens=6)
    latents, lengths = found.thoughts()
    assert latents.shape == (2, 3, 16)
    assert lengths.tolist() == [3, 0]
    assert torch.equal(latents[0], found.latents[0])
    assert latents[1].isnan().all()
    with pytest.raises(med.errors.DataError, match="no unit has a latent thought 1"):
        found.thoughts(1)


def test_log_probabilities_are_those_of_the_tokens():
    model = decoder("llama")
    found = med.rollout(model, PROMPTS[:2], max_new_tokens=4, log_probs="recorded")
    asked_for = med.rollout(model, PROMPTS[:2], max_new_tokens=4, log_probs=[3, "w4"])
    for unit, prompt in enumerate(PROMPTS[:2]):
        whole = torch.tensor([prompt + list(found.ids[unit])])
        with torch.no_grad():
            logs = model.module(whole).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        own = logs.gather(1, torch.tensor(found.ids[unit])[:, None])
        torch.testing.assert_close(found.log_probs[unit], own, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(asked_for.log_probs[unit], logs[:, [3, 4]], atol=1e-5, rtol=1e-5)
    assert med.rollout(model, PROMPTS[:2], max_new_tokens=4).log_probs is None
