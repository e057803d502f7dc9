"""All that a processor returns reaches the model, and image tokens that see later ones are known to."""

from __future__ import annotations

import pytest
import torch

import mediation as med
from mediation.engine.passes._inputs import make_batch
from mediation.testing import tiny_model, tiny_processor, tiny_tokenizer, tiny_vision_model
from mediation.units import encode
from tests.models.gemma_images import PLACEHOLDER, fed, pictures, prompts, tiny

TOKENIZER = tiny_tokenizer()
PARIS, ROME = (TOKENIZER(word)["input_ids"][0] for word in (" Paris", " Rome"))
OUTCOME = med.LogitDiff(" Paris", " Rome")
OPTIONS = {"n_resamples": 99, "rng": 0, "progress": False}

pytestmark = [
    pytest.mark.filterwarnings("ignore::mediation.MediationWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # of transformers
]


def _difference(net, inputs) -> float:
    with torch.no_grad():
        logits = net(**inputs).logits[0, -1]
    return float(logits[PARIS] - logits[ROME])


def _patched(model: med.Model, base: dict, source: dict, layer: int, at: int) -> float:
    """The base with the source's residual at one token, by plain hooks."""
    block, kept = model.module.get_submodule(model.architecture.path(layer)), []

    def first(output):
        return output[0] if isinstance(output, tuple) else output

    handle = block.register_forward_hook(lambda _, __, output: kept.append(first(output).clone()))
    _difference(model.module, source)
    handle.remove()

    def put(_, __, output):
        changed = first(output).clone()
        changed[:, at] = kept[0][:, at]
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = block.register_forward_hook(put)
    found = _difference(model.module, base)
    handle.remove()
    return found


@pytest.mark.parametrize("family", ["gemma3", "paligemma"])
def test_image_tokens_that_see_one_another(family):
    model, base, source = tiny(family), prompts(family), prompts(family, seed=1)
    inputs = [[fed(model, one) for one in run] for run in (base, source)]
    without = {name: value for name, value in inputs[0][0].items() if name != "token_type_ids"}
    assert abs(_difference(model.module, inputs[0][0]) - _difference(model.module, without)) > 1e-4
    at = 4  # inside the picture, where a change reaches earlier tokens of the picture
    units = med.mediate(model, med.Pairs(base=base, source=source), med.residual(0, at=at), OUTCOME, **OPTIONS).units
    for unit, (mine, theirs) in enumerate(zip(*inputs, strict=True)):
        assert units.y00[unit] == pytest.approx(_difference(model.module, mine), abs=2e-5)
        assert units.y01[unit] == pytest.approx(_patched(model, mine, theirs, 0, at), abs=2e-5)


@pytest.mark.parametrize("family", ["gemma3", "paligemma", "mllama"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_row_in_a_padded_batch_is_the_row_alone(family, side):
    model, given = tiny(family), prompts(family)
    encoded = encode(med.Pairs(base=given), model).runs["base"]
    batch = make_batch(model, encoded, [(PARIS,), (), (PARIS, ROME)], side=side)
    with torch.no_grad():
        logits = model.module(**batch.inputs).logits
    for row, (one, more) in enumerate(zip(given, [(PARIS,), (), (PARIS, ROME)], strict=True)):
        alone = fed(model, one)
        n, added = alone["input_ids"].shape[1], len(more)
        alone["input_ids"] = torch.cat([alone["input_ids"], torch.tensor([more], dtype=torch.long)], 1)
        alone["attention_mask"] = torch.ones_like(alone["input_ids"])
        if "token_type_ids" in alone:
            kinds = torch.full((1, added), 1 if family == "paligemma" else 0)
            alone["token_type_ids"] = torch.cat([alone["token_type_ids"], kinds], 1)
        if "cross_attention_mask" in alone:
            mask = alone["cross_attention_mask"]
            alone["cross_attention_mask"] = torch.cat([mask, mask[:, -1:].expand(-1, added, -1, -1)], 1)
        with torch.no_grad():
            wanted = model.module(**alone).logits[0, n - 1 :]
        start = batch.starts[row]
        torch.testing.assert_close(logits[row, start + n - 1 : start + n + added], wanted, atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["gemma3", "paligemma"])
def test_texts_run_together_with_images(family):
    model = tiny(family)
    given = [prompts(family)[0], med.Prompt("The capital of Peru is")]
    batch = make_batch(model, encode(med.Pairs(base=given), model).runs["base"])
    with torch.no_grad():
        logits = model.module(**batch.inputs).logits[:, -1]
        alone = model.module(input_ids=torch.tensor([TOKENIZER(given[1].text)["input_ids"]])).logits[0, -1]
        beside = model.module(**fed(model, given[0])).logits[0, -1]
    torch.testing.assert_close(logits, torch.stack([beside, alone]), atol=5e-4, rtol=1e-3)


@pytest.mark.parametrize("family", ["gemma3", "paligemma"])
def test_rollouts_read_the_pictures_as_generate_does(family):
    model, given = tiny(family), prompts(family)
    found = med.rollout(model, given, max_new_tokens=4, backend="hooks", log_probs="recorded")
    for unit, prompt in enumerate(given):
        inputs = fed(model, prompt)
        said = model.module.generate(**inputs, max_new_tokens=4, do_sample=False, pad_token_id=0)
        n = inputs["input_ids"].shape[1]
        assert list(found.ids[unit]) == said[0, n:].tolist()[: len(found.ids[unit])]
        with torch.no_grad():
            logs = model.module(**inputs).logits[0, -1].log_softmax(-1)
        assert float(found.log_probs[unit][0, 0]) == pytest.approx(float(logs.max()), abs=1e-4)


def test_tensors_given_directly_arrive():
    model, given = tiny("gemma3"), prompts("gemma3")[:1] * 2
    both = [fed(model, one) for one in given]
    stacked = {name: torch.cat([one[name] for one in both]) for name in both[0]}
    stacked["pixel_values"][1] = fed(model, prompts("gemma3", seed=2)[0])["pixel_values"][0]
    labels = stacked["input_ids"].clone()
    pairs = med.Pairs(base={**stacked, "labels": labels}, source={**stacked, "labels": labels})
    units = med.mediate(model, pairs, med.residual(0, at="last"), OUTCOME, **OPTIONS).units
    for unit in range(2):
        alone = {name: value[unit : unit + 1] for name, value in stacked.items()}
        assert units.y00[unit] == pytest.approx(_difference(model.module, alone), abs=2e-5)
    assert (
        encode(pairs, model).runs["base"][0].spans["image"]
        == encode(med.Pairs(base=given), model).runs["base"][0].spans["image"]
    )


def test_a_padded_batch_of_a_processor_is_each_prompt_alone():
    model, given = tiny("gemma3"), prompts("gemma3")
    found = model.processor(
        text=[one.text for one in given], images=[list(one.images) for one in given], padding=True, return_tensors="pt"
    )
    assert not bool(found["attention_mask"].all())
    for one, wanted in zip(encode(med.Pairs(base=dict(found)), model).runs["base"], given, strict=True):
        alone = fed(model, wanted)
        batch = make_batch(model, [one]).inputs
        for name in ("input_ids", "token_type_ids", "pixel_values"):
            torch.testing.assert_close(batch[name], alone[name])


def test_several_tokens_do_not_follow_tensors():
    model = tiny("gemma3")
    inputs = fed(model, prompts("gemma3")[0])
    inputs["position_ids"] = torch.arange(inputs["input_ids"].shape[1])[None]
    pairs = med.Pairs(base=inputs, source=inputs)
    with pytest.raises(med.errors.OutcomeError, match="answers of several tokens"):
        med.mediate(model, pairs, med.residual(0), med.LogProb(" New York"), **OPTIONS)


def test_types_of_tokens_in_a_padded_batch():
    model = med.load(tiny_model("bert"), TOKENIZER)
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    mask, kinds = (ids > 0).long(), torch.tensor([[0, 0, 1, 1], [0, 1, 0, 0]])
    encoded = encode(med.Pairs(base={"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}), model)
    batch = make_batch(model, encoded.runs["base"])
    with torch.no_grad():
        found = model.module(**batch.inputs)[0]
        for row, n in enumerate((4, 2)):
            alone = model.module(input_ids=ids[row : row + 1, :n], token_type_ids=kinds[row : row + 1, :n])[0]
            torch.testing.assert_close(found[row, :n], alone[0])


def test_what_the_model_does_not_take_is_refused_by_name():
    processor = tiny_processor("llava")
    model = med.load(tiny_vision_model("llava"), processor=processor)
    (picture,) = pictures(1, 0)
    plain = type(processor).__call__

    class More(type(processor)):
        def __call__(self, *args, **kwargs):
            return {**plain(processor, *args, **kwargs), "labels": torch.zeros(1, 1), "image_depths": torch.zeros(1, 3)}

    processor_more = object.__new__(More)
    processor_more.__dict__.update(processor.__dict__)
    other = med.load(model.module, processor=processor_more, tokenizer=processor.tokenizer)
    with pytest.raises(
        med.errors.DataError, match="returns 'image_depths', and LlavaForConditionalGeneration takes no such"
    ):
        encode(med.Pairs(base=[med.Prompt("<image> is", [picture])]), other)
    llama = med.load(tiny_model("llama"), TOKENIZER)
    ids = torch.tensor([[5, 6, 7]])
    with pytest.raises(med.errors.DataError, match="takes no argument 'token_type_ids'"):
        encode(med.Pairs(base={"input_ids": ids, "token_type_ids": torch.ones_like(ids)}), llama)


def test_a_run_whose_model_was_told_less_says_so(monkeypatch):
    from mediation.engine.passes import _inputs

    model = tiny("gemma3")
    pairs = med.Pairs(base=prompts("gemma3"), source=prompts("gemma3", seed=1))
    monkeypatch.setattr(_inputs, "join_aligned", lambda *args: {})
    with pytest.raises(med.errors.BackendError, match="off those of the model called on what Gemma3Processor returns"):
        med.mediate(model, pairs, med.residual(0, at="last"), OUTCOME, **OPTIONS)


@pytest.mark.parametrize("family", ["gemma3_text", "bert"])
def test_text_models_that_see_both_ways_are_not_causal(family):
    from transformers import BertConfig, BertLMHeadModel, Gemma3ForCausalLM, Gemma3TextConfig

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    if family == "bert":
        nets = [BertLMHeadModel(BertConfig(vocab_size=300, is_decoder=one, **sizes)) for one in (False, True)]
    else:
        more = {"vocab_size": 300, "head_dim": 8, "num_key_value_heads": 1, "attn_implementation": "eager", **sizes}
        nets = [Gemma3ForCausalLM(Gemma3TextConfig(use_bidirectional_attention=one, **more)) for one in (True, False)]
    ids = torch.tensor([[5, 6, 7, 8]])
    for net, causal in zip(nets, (False, True), strict=True):
        net.eval()
        with torch.no_grad():
            changed = net(torch.tensor([[5, 6, 7, 9]])).logits[0, 0] - net(ids).logits[0, 0]
        assert (float(changed.abs().max()) < 1e-6) == causal
        assert med.load(net, TOKENIZER).is_causal == causal


def test_cross_attention_runs_images_alone():
    model = tiny("mllama")
    given = [prompts("mllama")[0], med.Prompt("The capital of Peru is")]
    assert PLACEHOLDER["mllama"] in given[0].text
    with pytest.raises(med.errors.DataError, match="batch_size=1"):
        make_batch(model, encode(med.Pairs(base=given), model).runs["base"])
