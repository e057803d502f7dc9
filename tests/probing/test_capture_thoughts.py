"""States of thoughts and of parts of inputs, against single passes of the model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mediation as med
from mediation.probing import States, capture
from tests.rollouts.tiny import PROMPTS, decoder
from tests.rollouts.vision import END, SIZES, START, asked, thinker

WORDS = med.TextSpec("w5", "w6")
LATENT = med.LatentSpec("w5", "w6", steps=3)
OPENED = [[*prompt, 5] for prompt in PROMPTS]


def _last_hidden(model: med.Model, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model.module.model(torch.tensor([ids])).last_hidden_state[0].numpy()


@pytest.mark.parametrize("backend", ["nnsight", "hooks"])
def test_a_written_thought_has_the_states_of_one_pass_over_what_was_said(backend):
    model = decoder("llama")
    said = med.rollout(model, OPENED, WORDS, max_new_tokens=6, backend="hooks")
    found = capture(model, OPENED, med.imagination(), spec=WORDS, max_new_tokens=6, backend=backend)
    assert found.name == "imagination, last hidden state"
    for unit, (prompt, ids, segments) in enumerate(zip(OPENED, said.ids, said.segments, strict=True)):
        states = _last_hidden(model, [*prompt, *ids])
        rows = [len(prompt) + i for start, stop in segments for i in range(start, stop)]
        assert found.lengths[unit] == len(rows)
        np.testing.assert_allclose(found[unit, : len(rows)], states[rows], atol=1e-5)
    one = capture(model, OPENED, med.imagination(segment=0), spec=WORDS, layer=1, max_new_tokens=6, backend="hooks")
    with torch.no_grad():
        ids = torch.tensor([[*OPENED[1], *said.ids[1]]])
        block = model.module.model(ids, output_hidden_states=True).hidden_states[2][0].numpy()
    start, stop = said.segments[1][0]
    np.testing.assert_allclose(one[1, : stop - start], block[len(OPENED[1]) + start : len(OPENED[1]) + stop], atol=1e-5)


def test_latents_are_those_of_the_rollout():
    model = decoder("llama")
    said = med.rollout(model, OPENED, LATENT, max_new_tokens=6, backend="hooks")
    thoughts, lengths = said.thoughts()
    first = capture(model, OPENED, med.latents(segment=0), spec=LATENT, max_new_tokens=6, backend="hooks")
    np.testing.assert_allclose(first.values, thoughts.numpy(), atol=1e-5)
    assert first.lengths.tolist() == lengths.tolist()
    np.testing.assert_array_equal(capture(None, said, med.latents(segment=0)).values, thoughts.numpy())
    some = capture(None, said, med.latents(segment=0, step=[0, 2]))
    np.testing.assert_array_equal(some.values, thoughts.numpy()[:, [0, 2]])
    last = capture(None, said, med.latents(segment=0, step=-1, when="after-the-fact"))
    np.testing.assert_array_equal(last[:, 0], thoughts.numpy()[:, -1])


def test_a_unit_without_a_thought_has_no_steps():
    model = decoder("llama")
    mixed = [OPENED[0], PROMPTS[2], OPENED[1]]
    plain = med.rollout(model, mixed, WORDS, max_new_tokens=3, backend="hooks")
    assert not plain.segments[1]
    found = capture(model, mixed, med.imagination(), spec=WORDS, max_new_tokens=3, backend="hooks")
    assert found.lengths[1] == 0
    assert np.isnan(found[1]).all()
    with pytest.raises(med.errors.DataError, match="no unit has a thought at imagination"):
        capture(model, mixed[1:2], med.imagination(), spec=WORDS, max_new_tokens=3, backend="hooks")
    with pytest.raises(med.errors.DataError, match="no unit has a latent"):
        capture(model, mixed[1:2], med.latents(), spec=LATENT, max_new_tokens=2, backend="hooks")


def _passed(model: med.Model, prompt: med.Prompt, more: tuple[int, ...] = ()) -> tuple[list[int], list[np.ndarray]]:
    """Token ids and hidden states (embeddings, after each block, and the last hidden state) of one prompt."""
    batch = model.processor(text=[prompt.text], images=[list(prompt.images)], return_tensors="pt")
    ids = torch.cat([batch.pop("input_ids"), torch.tensor([more], dtype=torch.long)], dim=1)
    batch.pop("attention_mask")
    kinds = (ids == model.module.config.image_token_id).int()
    batch["mm_token_type_ids"] = kinds
    with torch.no_grad():
        out = model.module.model(input_ids=ids, **batch, output_hidden_states=True)
    states = [one[0].numpy() for one in out.hidden_states]
    return ids[0].tolist(), [*states[:-1], out.last_hidden_state[0].numpy()]


def test_parts_of_a_prompt_with_an_image():
    model = thinker("qwen2_5_vl")
    prompts = asked(model)
    image = {layer: capture(model, prompts, med.image(), layer=layer, backend="hooks") for layer in (None, "input", 0)}
    question = capture(model, prompts, med.question(), backend="hooks")
    whole = capture(model, prompts, med.prompt(), backend="hooks")
    for unit, prompt in enumerate(prompts):
        ids, states = _passed(model, prompt)
        rows = [i for i, one in enumerate(ids) if one == model.module.config.image_token_id]
        assert len(rows) == SIZES[unit][0] * SIZES[unit][1] // 28**2
        for layer, at in ((None, -1), ("input", 0), (0, 1)):
            np.testing.assert_allclose(image[layer][unit, : len(rows)], states[at][rows], atol=2e-5)
        np.testing.assert_allclose(whole[unit, : len(ids)], states[-1], atol=2e-5)
        asked_ids = model.tokenizer(prompt.question)["input_ids"]
        start = next(i for i in range(len(ids)) if ids[i : i + 3] == asked_ids[:3])
        assert question.lengths[unit] == len(asked_ids)
        np.testing.assert_allclose(
            question[unit, : len(asked_ids)], states[-1][start : start + len(asked_ids)], atol=2e-5
        )


def test_a_box_in_an_image_is_the_tokens_that_it_touches():
    model = thinker("qwen2_5_vl")
    prompts = asked(model)
    whole = capture(model, prompts, med.image(), layer="input", backend="hooks")
    # Unit 0 is 56 x 84 pixels: two rows of three tokens of 28 x 28.
    left = capture(model, prompts, med.image(box=(0.0, 0.0, 0.3, 1.0)), layer="input", backend="hooks")
    np.testing.assert_array_equal(left[0, :2], whole[0][[0, 3]])
    assert left.lengths.tolist() == [2, 1, 3, 2]
    boxes = [(0.4, 0.6, 0.5, 0.7), (0, 0, 1, 1), (0, 0, 1, 0.3), (0.6, 0.6, 1, 1)]
    own = capture(
        model, med.Pairs(base=prompts, frame=_frame(boxes)), med.image(box="region"), layer="input", backend="hooks"
    )
    assert own.lengths.tolist() == [1, 1, 2, 1]
    np.testing.assert_array_equal(own[0, 0], whole[0, 4])
    np.testing.assert_array_equal(own[2, :2], whole[2, :2])
    np.testing.assert_array_equal(own[3, 0], whole[3, 3])
    np.testing.assert_array_equal(capture(model, prompts, med.image(index=0), layer="input").values, whole.values)


def _frame(boxes):
    import pandas as pd

    return pd.DataFrame({"region": boxes})


def test_a_written_thought_about_an_image():
    spec = med.TextSpec(START, END)
    model = thinker("qwen2_5_vl", spec=spec)
    prompts = asked(model, answer=START)
    said = med.rollout(model, prompts, max_new_tokens=5, backend="hooks")
    found = capture(model, prompts, med.imagination(), max_new_tokens=5, backend="hooks")
    for unit, prompt in enumerate(prompts):
        ids, states = _passed(model, prompt, said.ids[unit])
        rows = [len(ids) - len(said.ids[unit]) + i for a, b in said.segments[unit] for i in range(a, b)]
        np.testing.assert_allclose(found[unit, : len(rows)], states[-1][rows], atol=2e-5)


@pytest.mark.parametrize(
    ("site", "options", "error", "says"),
    [
        (med.latents(), {}, med.errors.DesignError, "needs a LatentSpec"),
        (med.latents(), {"spec": WORDS}, med.errors.DesignError, "the spec is a TextSpec"),
        (med.imagination(), {"spec": LATENT}, med.errors.DesignError, "needs a TextSpec"),
        (med.latents(), {"spec": LATENT, "layer": 1}, med.errors.DesignError, "which have no layer"),
        (med.residual(0), {"layer": 1}, med.errors.DesignError, "Leave layer out"),
        (med.prompt(), {"layer": 9}, med.errors.SiteError, "out of range"),
        (med.prompt(), {"layer": "first"}, med.errors.SiteError, "'input'"),
        (med.image(), {}, med.errors.DataError, "part of a Prompt"),
        (med.question(), {}, med.errors.DataError, "part of a Prompt"),
    ],
)
def test_wrong_questions(site, options, error, says):
    with pytest.raises(error, match=says):
        capture(decoder("llama"), OPENED, site, backend="hooks", **options)


def test_wrong_prompts():
    model = thinker("qwen2_5_vl")
    with pytest.raises(med.errors.DataError, match="unit 0 does not say which part is the question"):
        capture(model, [med.Prompt("How many?")], med.question())
    with pytest.raises(med.errors.DataError, match="unit 0 has no image token"):
        capture(model, [med.Prompt("How many?")], med.image())
    with pytest.raises(med.errors.DataError, match="unit 0 has 1 images"):
        capture(model, asked(model), med.image(index=1))
    said = med.rollout(decoder("llama"), OPENED, LATENT, max_new_tokens=4, backend="hooks")
    with pytest.raises(med.errors.DesignError, match="holds latents only"):
        capture(model, said, med.imagination())


# ------------------------------------------------------------------------------------------------ States


def test_states_are_an_array_with_lengths():
    values = np.arange(12.0).reshape(2, 3, 2)
    states = States(values, [3, 1], "z")
    assert np.isnan(states[1, 1:]).all()
    assert states.has.tolist() == [[True] * 3, [True, False, False]]
    np.testing.assert_array_equal(np.asarray(states)[0], values[0])
    np.testing.assert_array_equal(states.mean()[:, 0], [values[0].mean(0), values[1, 0]])
    some = states.take(units=[1, 0], steps=[0, 2])
    assert some.lengths.tolist() == [1, 2]
    np.testing.assert_array_equal(some[1], values[0, [0, 2]])
    assert states.named("y").name == "y"
    assert states.name == "z"
    with pytest.raises(ValueError, match="read-only"):
        states.values[0] = 0


@pytest.mark.parametrize(
    ("values", "lengths", "says"),
    [
        (np.zeros(3), None, "shape"),
        (np.zeros((2, 2, 2)), [1], "whole number from 0 to 2"),
        (np.zeros((2, 2, 2)), [1, 3], "whole number from 0 to 2"),
        (np.full((2, 2, 2), np.nan), [0, 2], "unit 1 at step 0"),
    ],
)
def test_wrong_states(values, lengths, says):
    with pytest.raises(med.errors.DataError, match=says):
        States(values, lengths)


def test_steps_that_there_are_not():
    with pytest.raises(med.errors.DataError, match="one of steps = 2: a whole number from 0 to 1"):
        States(np.zeros((2, 2, 2))).take(steps=[2])
