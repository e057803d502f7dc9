"""Rollouts of vision-language models: every class, images of different sizes in one batch, positions of latents."""

from __future__ import annotations

import copy

import pytest
import torch

import mediation as med
from mediation.engine.passes._inputs import join_features
from mediation.units import encode

from .vision import END, FAMILIES, START, asked, generated, thinker

N = 8
SPEC = med.LatentSpec(START, END, steps=3)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_spec_it_is_generate(family):
    model = thinker(family)
    prompts = asked(model)
    found = med.rollout(model, prompts, max_new_tokens=N)
    assert [list(ids) for ids in found.ids] == generated(model, prompts, N)
    assert len({len(ids) for ids in found.prompt_ids}) > 1, "the batch should be padded"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_picture_matters(family):
    model = thinker(family)
    one, other = (med.rollout(model, asked(model, seed=seed), max_new_tokens=N).ids for seed in (0, 50))
    assert one != other


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_joined_as_the_processor_does(family):
    model = thinker(family)
    prompts = asked(model)
    encoded = encode(med.Pairs(base=prompts), model).runs["base"]
    whole = model.processor(
        text=[one.text for one in prompts],
        images=[list(one.images) for one in prompts],
        return_tensors="pt",
        padding=True,
        padding_side="left",
    )
    joined = join_features(model, encoded)
    assert joined
    for name, tensor in joined.items():
        torch.testing.assert_close(tensor, whole[name].to(tensor.dtype), atol=0, rtol=0, msg=name)
    for one, ids, mask in zip(encoded, whole["input_ids"], whole["attention_mask"], strict=True):
        assert one.ids.tolist() == ids[mask.bool()].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_thoughts_equals_one_by_one(family):
    model = thinker(family)
    prompts = asked(model, answer=START)
    batch = med.rollout(model, prompts, SPEC, max_new_tokens=N)
    assert all(spans[0] == (0, 3) for spans in batch.segments)
    for unit, prompt in enumerate(prompts):
        alone = med.rollout(model, [prompt], SPEC, max_new_tokens=N)
        assert alone.ids[0] == batch.ids[unit]
        torch.testing.assert_close(alone.latents[0], batch.latents[unit], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_latents_are_the_hidden_states_of_a_run_without_cache(family):
    """The thought restated: all input embeddings again at every step, at positions that go on by one."""
    model = thinker(family)
    prompt = asked(model, answer=START)[0]
    found = med.rollout(model, [prompt], SPEC, max_new_tokens=N)
    encoded = encode(med.Pairs(base=[prompt]), model).runs["base"][0]
    held = {}
    inner = model.module.model
    language = getattr(inner, "language_model", None) or inner.text_model
    keep = language.register_forward_pre_hook(lambda _, args, kwargs: held.update(kwargs), with_kwargs=True)
    with torch.no_grad():
        features = join_features(model, [encoded])
        positions = {} if encoded.axes is None else {"position_ids": encoded.axes[:, None]}
        model.module(input_ids=encoded.ids[None], **positions, **features)
    keep.remove()
    embeds, deep = held["inputs_embeds"], {k: v for k, v in held.items() if "deepstack" in k or "visual_pos" in k}
    for step in range(SPEC.steps):
        length = embeds.shape[1]
        if deep.get("visual_pos_masks") is not None:
            mask = deep["visual_pos_masks"]
            deep["visual_pos_masks"] = torch.cat([mask, mask.new_zeros(1, length - mask.shape[1])], dim=1)
        if encoded.axes is not None:
            more = torch.arange(encoded.next_position, encoded.next_position + step).expand(3, step)
            positions = {"position_ids": torch.cat([encoded.axes, more], dim=1)[:, None]}
        with torch.no_grad():
            state = language(inputs_embeds=embeds, use_cache=False, **positions, **deep).last_hidden_state[:, -1:]
        torch.testing.assert_close(state[0, 0], found.latents[0][step], atol=1e-5, rtol=1e-5)
        embeds = torch.cat([embeds, state], dim=1)


@pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_natural_effects_through_a_thought(family):
    """Y(x, M(m)) restated: a rollout of x whose latents are those that a plain rollout of m left."""
    model = thinker(family)
    inputs = {"0": asked(model, seed=0, answer=START), "1": asked(model, seed=50, answer=START)}
    pairs = med.Pairs(base=inputs["0"], source=inputs["1"])
    found = med.mediate(model, pairs, med.latents(), med.LogProb(7), spec=SPEC, rng=0, n_resamples=99, max_new_tokens=N)
    assert found.provenance["checks"]["consistency"]["cells"] == 6
    own = {run: med.rollout(model, some, SPEC, max_new_tokens=N) for run, some in inputs.items()}
    for x in "01":
        for m in "01":
            put = med.interventions.Oracle([latents[:3] for latents in own[m].latents]).at(med.latents(segment=0))
            again = med.rollout(model, inputs[x], SPEC, max_new_tokens=5, assignment=put, log_probs=[7])
            # The logits after the end token are those of the fifth new position.
            expected = torch.stack([logs[4, 0] for logs in again.log_probs])
            assert found.units[f"y{x}{m}"].tolist() == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)
@pytest.mark.parametrize("family", FAMILIES)
def test_layers_of_a_model_that_sees(family):
    """Hidden states of prompts with images: rows of a padded batch against one plain forward pass a world."""
    model = thinker(family, attention="eager")
    base, source = asked(model, seed=0), asked(model, seed=50)
    words = [prompt.question.split()[-1] for prompt in base]
    pairs = med.Pairs(base=base, source=source, spans={"word": (words, words)})
    sites = med.residual(0, at="image") | med.mlp(1, at="word.last") | med.attention(1, head=2, at="last")
    batch, naive = (
        med.mediate(model, pairs, sites, med.LogProb(7), rng=0, n_resamples=99, backend=backend)
        for backend in ("nnsight", "reference")
    )
    for world in ("y00", "y01", "y10", "y11"):
        assert batch.units[world].tolist() == pytest.approx(naive.units[world].tolist(), abs=1e-5)
    # All that the two inputs differ in passes through the images' positions after block 0, but for the text's own.
    image = batch.units[batch.units["site"] == "residual[0]@image"]
    assert (image["y01"] - image["y00"]).abs().max() > 1e-3
    encoded = encode(pairs, model).runs["base"]
    placeholder = model.module.config.image_token_id
    for one, word in zip(encoded, words, strict=True):
        assert {int(one.ids[i]) for i in one.spans["image"]} == {placeholder}
        assert "".join(one.tokens[i] for i in one.spans["word"]).strip() == word


@pytest.mark.gpu
@pytest.mark.parametrize("family", FAMILIES)
def test_on_cuda_as_on_cpu(family):
    model = thinker(family)
    prompts = asked(model, answer=START)
    here = med.rollout(model, prompts, SPEC, max_new_tokens=N)
    there = med.load(copy.deepcopy(model.module), processor=model.processor, device="cuda")
    found = med.rollout(there, prompts, SPEC, max_new_tokens=N)
    assert found.ids == here.ids
    for mine, theirs in zip(found.latents, here.latents, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_a_text_after_images_has_positions_of_its_own(family):
    """Qwen keeps the shift of positions of its last call with images; a rollout must not take it for its own."""
    model = thinker(family)
    (kept,) = [module for module in model.module.modules() if hasattr(module, "rope_deltas")]
    found = []
    for shift in (None, torch.full((1, 1), -7), torch.full((5, 1), -7)):
        kept.rope_deltas = shift
        found.append(med.rollout(model, ["Is it red?"], max_new_tokens=6, log_probs=[3, 50], backend="hooks"))
    kept.rope_deltas = None
    for again in found[1:]:
        assert again.ids == found[0].ids
        assert torch.equal(again.log_probs[0], found[0].log_probs[0])


@pytest.mark.parametrize("kind", [med.LatentSpec(START, END, steps=3), med.TextSpec(START, END), None])
def test_answers_are_what_is_said_after_the_last_thought(kind):
    model = thinker("qwen2_5_vl")
    inputs = asked(model, answer="" if kind is None else START)
    found = med.rollout(model, inputs, kind, max_new_tokens=10)
    for text, answer in zip(found.text, found.answers, strict=True):
        if kind is None:
            assert answer == text
        elif isinstance(kind, med.LatentSpec):
            assert END in text
            assert answer == text.split(END)[-1]
        else:  # the prompt opens a thought that random weights hardly ever close
            assert answer == (text.split(END)[-1] if END in text else "")
    closed = med.TextSpec(START, model.tokenizer.decode(found.ids[0][2]))
    if kind is not None:
        again = med.rollout(model, inputs[:1], closed, max_new_tokens=10)
        assert again.answers[0] == again.text[0].partition(closed.end)[2]
