"""The small vision-language model: its tokenizer, its processor and its configuration, of the real classes."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from mediation.datasets import synthetic
from mediation.models.loading._processor import image_only

CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VISION = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
# Those of Monet, LVR, Mirage and CapImagine, under their real names.
THOUGHTS = (
    *("<abs_vis_token>", "</abs_vis_token>", "<abs_vis_token_pad>", "<|lvr_start|>", "<|lvr_end|>", "<|lvr|>"),
    *("<|latent_start|>", "<|latent_end|>", "<|latent_pad|>", "<think_image>", "</think_image>"),
)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PATCH = 4
WIDTH, LAYERS, HEADS, FEED = 128, 4, 4, 384
VISION_WIDTH, VISION_DEPTH, VISION_FEED = 64, 2, 192


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that was trained on the tasks' words: each word is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=list(CHAT),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(synthetic.sentences(), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>", model_max_length=512
    )
    wrapped.add_tokens([*VISION, *THOUGHTS], special_tokens=True)
    words = set(itertools.chain.from_iterable(sentence.split(" ")[1:] for sentence in synthetic.sentences()))
    split = [word for word in sorted(words) if len(wrapped(f" {word.strip('.,:;?')}")["input_ids"]) != 1]
    if split:
        raise RuntimeError(f"Words of several tokens: {split}")
    return wrapped


def make_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    """Return a Qwen2.5-VL processor for pictures whose every cell of 8 x 8 pixels is one token."""
    from transformers import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    cell = 2 * PATCH
    images = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        merge_size=2,
        size={"shortest_edge": cell * cell, "longest_edge": (12 * cell) ** 2},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return image_only(Qwen2_5_VLProcessor, images, tokenizer, chat_template=TEMPLATE)


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """Return an untrained model: four blocks of width 128 behind a vision tower of two blocks of width 64."""

    def named(token: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(token))

    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": FEED,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [4, 6, 6]},
        "pad_token_id": named("<|endoftext|>"),
        "bos_token_id": named("<|im_start|>"),
        "eos_token_id": named("<|im_end|>"),
    }
    vision = {
        "depth": VISION_DEPTH,
        "hidden_size": VISION_WIDTH,
        "intermediate_size": VISION_FEED,
        "num_heads": 4,
        "patch_size": PATCH,
        "window_size": 96,
        "fullatt_block_indexes": list(range(VISION_DEPTH)),
        "out_hidden_size": WIDTH,
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=True,
        image_token_id=named("<|image_pad|>"),
        video_token_id=named("<|video_pad|>"),
        vision_start_token_id=named("<|vision_start|>"),
        vision_end_token_id=named("<|vision_end|>"),
    )
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(config)
