"""Tiny vision-language models and their processors: do they fit each other, and does what goes in matter?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

import mediation as med
from mediation.models.loading._processor import load_processor
from mediation.testing import VISION_FAMILIES, tiny_processor, tiny_tokenizer, tiny_vision_model

every_family = pytest.mark.parametrize("family", VISION_FAMILIES)
qwen = pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
CLASSES = {
    "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
    "qwen3_vl": transformers.Qwen3VLForConditionalGeneration,
    "llava": transformers.LlavaForConditionalGeneration,
    "llava_onevision": transformers.LlavaOnevisionForConditionalGeneration,
    "idefics3": transformers.Idefics3ForConditionalGeneration,
    "smolvlm": transformers.SmolVLMForConditionalGeneration,
}
# Tokens of an image of 56 x 84 and of one of 112 x 56 (height x width).
TOKENS = {
    # One for 28 x 28 pixels (32 x 32 in Qwen3-VL, to the nearest whole number).
    "qwen2_5_vl": (2 * 3, 4 * 2),
    "qwen3_vl": (2 * 3, 4 * 2),
    # The middle square, in 2 x 2 patches.
    "llava": (4, 4),
    # The whole in 4; in 56 x 56 a strip of 2 x 4 patches, in 56 x 28 one of 4 x 2; and one more at each row's end.
    "llava_onevision": (4 + 2 * 4 + 2, 4 + 4 * 2 + 4),
    # Tiles of 28 x 28 of the image at 56 pixels (56 x 38, 56 x 28), and the whole.
    "idefics3": (2 * 2 + 1, 2 * 1 + 1),
    "smolvlm": (2 * 2 + 1, 2 * 1 + 1),
}


def picture(height, width, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


WIDE, TALL, OTHER = picture(56, 84, 0), picture(112, 56, 1), picture(56, 84, 2)
TEXTS = ("The cat is in", "When Mary and John went to the city of")


def placeholder(family):
    return "<|vision_start|><|image_pad|><|vision_end|>" if family.startswith("qwen") else "<image>"


def prompts(processor, family, images, texts=TEXTS):
    text = [placeholder(family) + text for text in texts]
    images = [[image] for image in images]
    return processor(text=text, images=images, return_tensors="pt", padding=True, padding_side="left")


@torch.no_grad()
def logits(model, inputs):
    return model(**inputs).logits


@every_family
def test_a_batch_of_images_of_different_sizes_is_each_on_its_own(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    assert type(model) is CLASSES[family]
    together = logits(model, prompts(processor, family, [WIDE, TALL]))
    assert torch.isfinite(together).all()
    for row, (image, text) in enumerate(zip([WIDE, TALL], TEXTS, strict=True)):
        alone = logits(model, prompts(processor, family, [image], [text]))[0]
        torch.testing.assert_close(together[row, -len(alone) :], alone, atol=1e-5, rtol=0)


@every_family
def test_the_number_of_image_tokens(family):
    processor = tiny_processor(family)
    inputs = prompts(processor, family, [WIDE, TALL])
    image_token = processor.tokenizer.convert_tokens_to_ids(processor.image_token)
    assert (inputs["input_ids"] == image_token).sum(1).tolist() == list(TOKENS[family])


@every_family
def test_the_image_matters_to_its_own_row(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    last = [logits(model, prompts(processor, family, [image, TALL]))[:, -1] for image in (WIDE, OTHER)]
    spread = last[0][0].std()
    assert (last[0][0] - last[1][0]).abs().max() > 0.2 * spread
    torch.testing.assert_close(last[0][1], last[1][1], atol=1e-5, rtol=0)


@every_family
def test_generation_in_a_batch_is_that_one_by_one(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    how = {"max_new_tokens": 6, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    # No token ends a text, so that all rows are equally long.
    how |= {"eos_token_id": None, "pad_token_id": 0}
    inputs = prompts(processor, family, [WIDE, TALL])
    together = model.generate(**inputs, **how)
    scores = torch.stack(together.logits, 1)
    assert scores.shape[:2] == (2, 6)
    for row, (image, text) in enumerate(zip([WIDE, TALL], TEXTS, strict=True)):
        alone = model.generate(**prompts(processor, family, [image], [text]), **how)
        torch.testing.assert_close(scores[row], torch.stack(alone.logits, 1)[0], atol=1e-5, rtol=0)
        assert together.sequences[row, -6:].tolist() == alone.sequences[0, -6:].tolist()


@every_family
def test_generation_with_a_cache_is_that_without(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    inputs = dict(prompts(processor, family, [WIDE, TALL]))
    how = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    expected = model.generate(**inputs, **how)
    for _ in range(4):
        chosen = logits(model, inputs)[:, -1:].argmax(-1)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], chosen], 1)
        inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(chosen)], 1)
        if "mm_token_type_ids" in inputs:
            inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(chosen)], 1)
    assert inputs["input_ids"].tolist() == expected.tolist()


@every_family
def test_saved_files_load_again(family, tmp_path):
    model, processor = tiny_vision_model(family, seed=3), tiny_processor(family, ["<think>"])
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again = transformers.AutoModelForImageTextToText.from_pretrained(tmp_path, attn_implementation="eager").eval()
    assert type(again) is CLASSES[family]
    texts = ["The<think> cat is in", "When<think> Mary"]
    inputs = prompts(processor, family, [WIDE, TALL], texts)
    assert torch.equal(logits(again, inputs), logits(model, inputs))
    reread = prompts(load_processor(str(tmp_path)), family, [WIDE, TALL], texts)
    assert torch.equal(reread["input_ids"], inputs["input_ids"])
    # Pillow and torchvision may differ by one intensity of 255.
    torch.testing.assert_close(reread["pixel_values"], inputs["pixel_values"], atol=0.05, rtol=0)


@every_family
def test_token_ids_of_the_model_are_those_of_the_tokenizer(family):
    processor, config = tiny_processor(family), tiny_vision_model(family).config
    tokenizer = processor.tokenizer
    assert config.image_token_id == tokenizer.convert_tokens_to_ids(processor.image_token)
    if family.startswith("qwen"):
        names = ("vision_start", "vision_end", "video_pad")
        found = [config.vision_start_token_id, config.vision_end_token_id, config.video_token_id]
        assert found == tokenizer.convert_tokens_to_ids([f"<|{name}|>" for name in names])
    if family == "llava_onevision":
        assert config.video_token_id == tokenizer.convert_tokens_to_ids("<video>")
    special = (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert special == (0, 1, 2)
    text = config.text_config
    assert (text.pad_token_id, text.bos_token_id, text.eos_token_id) == special
    assert text.max_position_embeddings >= 512
    assert tokenizer.model_max_length == text.max_position_embeddings


@every_family
def test_room_for_sixteen_more_tokens(family):
    extra = [f"<latent_{i}>" for i in range(16)]
    processor, model = tiny_processor(family, extra), tiny_vision_model(family)
    plain = tiny_processor(family).tokenizer
    ids = processor.tokenizer("The" + "".join(extra), add_special_tokens=False)["input_ids"][1:]
    assert ids == list(range(len(plain), len(plain) + 16))
    assert len(processor.tokenizer) == model.get_input_embeddings().num_embeddings
    assert torch.isfinite(logits(model, prompts(processor, family, [WIDE], ["".join(extra)]))).all()
    assert plain("The city")["input_ids"] == tiny_tokenizer()("The city")["input_ids"]
    large = tiny_vision_model(family, vocabulary=500)
    assert large.get_input_embeddings().num_embeddings == large.get_output_embeddings().out_features == 500
    with pytest.raises(med.errors.DesignError, match=f"has {len(plain)} tokens"):
        tiny_vision_model(family, vocabulary=len(plain) - 1)


@every_family
def test_seeds(family):
    state = torch.random.get_rng_state()
    first, same, other = (tiny_vision_model(family, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not first.training
    for (name, one), two, three in zip(first.named_parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two), name
        assert not torch.equal(one, three), name


@every_family
def test_sizes_and_attention(family):
    processor = tiny_processor(family)
    inputs = prompts(processor, family, [WIDE], TEXTS[:1])
    settings = {"hidden_size": 64, "num_key_value_heads": 4}
    models = [tiny_vision_model(family, layers=3, attention=kind, **settings) for kind in ("eager", "sdpa")]
    eager, sdpa = (logits(model, inputs) for model in models)
    torch.testing.assert_close(eager, sdpa, atol=1e-4, rtol=0)
    for model, kind in zip(models, ("eager", "sdpa"), strict=True):
        assert model.config.text_config._attn_implementation == kind
        assert len(model.model.get_decoder().layers) == 3
        assert model.get_input_embeddings().embedding_dim == 64
        assert model.config.text_config.num_key_value_heads == 4


@qwen
def test_each_axis_of_the_positions_matters(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    inputs = prompts(processor, family, [WIDE], TEXTS[:1])
    wanted = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    positions, _ = model.model.get_rope_index(**{name: inputs[name] for name in wanted})
    expected = logits(model, inputs)
    torch.testing.assert_close(logits(model, {**inputs, "position_ids": positions}), expected, atol=1e-5, rtol=0)
    image = inputs["mm_token_type_ids"][0] == 1
    assert positions[1:, 0, image].tolist() == [[1, 1, 1, 2, 2, 2], [1, 2, 3, 1, 2, 3]]
    for axis in range(3):
        moved = positions.clone()
        moved[axis, 0, image] += 1
        change = logits(model, {**inputs, "position_ids": moved})[0, -1] - expected[0, -1]
        assert change.abs().max() > 0.01 * expected[0, -1].std(), axis


def test_deepstack_reaches_the_language_model():
    model, processor = tiny_vision_model("qwen3_vl"), tiny_processor("qwen3_vl")
    inputs = prompts(processor, "qwen3_vl", [WIDE], TEXTS[:1])
    before = logits(model, inputs)[0, -1]
    with torch.no_grad():
        for parameter in model.model.visual.deepstack_merger_list.parameters():
            parameter.zero_()
    assert (logits(model, inputs)[0, -1] - before).abs().max() > 0.1 * before.std()


@every_family
def test_conversations(family):
    model, processor = tiny_vision_model(family), tiny_processor(family)
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "And now?"}]},
    ]
    text = processor.apply_chat_template(talk, add_generation_prompt=True)
    image = placeholder(family)
    places = [text.index(part) for part in ("Be brief.", image, "What is it?", "A cat.", "And now?")]
    assert places == sorted(places)
    assert text.count(image) == 2
    assert text.rstrip().endswith(("assistant", "Assistant:", "ASSISTANT:"))
    assert text.startswith(processor.apply_chat_template(talk))
    inputs = processor(text=[text], images=[[WIDE, TALL]], return_tensors="pt")
    assert torch.isfinite(logits(model, inputs)).all()
    talk[1]["content"][0]["image"], talk[3]["content"][0]["image"] = WIDE, TALL
    direct = processor.apply_chat_template(
        talk, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    for name, value in inputs.items():
        assert torch.equal(direct[name], value), name


def test_an_unknown_family_is_named():
    with pytest.raises(med.errors.DesignError, match="llava"):
        tiny_vision_model("lava")
    with pytest.raises(med.errors.DesignError, match="smolvlm"):
        tiny_processor("smolvl")
