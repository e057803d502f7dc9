"""Tiny Gemma 3, PaliGemma and Llama 3.2 Vision, with their processors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from PIL import Image

import mediation as med

_TOWER = {
    "model_type": "siglip_vision_model",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 7,
}
_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}


def pictures(n: int, seed: int) -> list[Any]:
    """Random pictures."""
    random = np.random.default_rng(seed)
    return [Image.fromarray(random.integers(0, 255, (28, 28, 3), dtype=np.uint8)) for _ in range(n)]


def _boosted(net: Any) -> Any:
    """Pictures and every layer matter."""
    with torch.no_grad():
        for name, one in net.named_parameters():
            gain = 8.0 if "projector" in name or "vision" in name else 4.0
            one.mul_(gain) if one.ndim > 1 else one.add_(0.1 * torch.randn_like(one))
            if name.endswith("mm_input_projection_weight"):  # 0 at first, so that pictures do not matter
                one.normal_()
    return net.eval()


def _gemma3() -> tuple[Any, Any]:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    tokenizer = med.testing.tiny_tokenizer()
    names = {"image": "<image_soft_token>", "boi": "<start_of_image>", "eoi": "<end_of_image>"}
    tokenizer.add_special_tokens({"additional_special_tokens": list(names.values())})
    ids = {}
    for name, token in names.items():
        ids[name] = tokenizer.convert_tokens_to_ids(token)
        setattr(tokenizer, f"{name}_token", token)
        setattr(tokenizer, f"{name}_token_id", ids[name])
    images = Gemma3ImageProcessorPil(size={"height": 28, "width": 28})
    processor = Gemma3Processor(image_processor=images, tokenizer=tokenizer, image_seq_length=16)
    text = {**_TEXT, "vocab_size": len(tokenizer) + 8, "head_dim": 4, "sliding_window": 64, "query_pre_attn_scalar": 4}
    config = Gemma3Config(
        text_config=text,
        vision_config=_TOWER,
        mm_tokens_per_image=16,
        image_token_index=ids["image"],
        boi_token_index=ids["boi"],
        eoi_token_index=ids["eoi"],
        attn_implementation="eager",
    )
    return Gemma3ForConditionalGeneration(config), processor


def _paligemma() -> tuple[Any, Any]:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    images = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=med.testing.tiny_tokenizer())
    tokenizer = processor.tokenizer
    text = {**_TEXT, "model_type": "gemma", "vocab_size": len(tokenizer) + 8, "head_dim": 4}
    config = PaliGemmaConfig(
        text_config=text,
        vision_config={**_TOWER, "projection_dim": 16},
        projection_dim=16,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        attn_implementation="eager",
    )
    return PaliGemmaForConditionalGeneration(config), processor


def _mllama() -> tuple[Any, Any]:
    from transformers import MllamaConfig, MllamaForConditionalGeneration, MllamaProcessor
    from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

    tokenizer = med.testing.tiny_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|image|>"]})
    tokenizer.image_token, tokenizer.image_token_id = "<|image|>", tokenizer.convert_tokens_to_ids("<|image|>")
    images = MllamaImageProcessorPil(size={"height": 28, "width": 28}, max_image_tiles=2)
    processor = MllamaProcessor(image_processor=images, tokenizer=tokenizer)
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "attention_heads": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
        "vision_output_dim": 32,
        "intermediate_layers_indices": [0],
        "max_num_tiles": 2,
        "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }
    text = {**_TEXT, "vocab_size": len(tokenizer) - 1, "cross_attention_layers": [1], "pad_token_id": 0}
    config = MllamaConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.image_token_id, attn_implementation="eager"
    )
    net = MllamaForConditionalGeneration(config)
    with torch.no_grad():
        for name, one in net.named_parameters():
            if "gate" in name:
                one.fill_(0.5)
    return net, processor


_MAKE = {"gemma3": _gemma3, "paligemma": _paligemma, "mllama": _mllama}
PLACEHOLDER = {"gemma3": "<start_of_image>", "paligemma": "<image>", "mllama": "<|image|>"}


@functools.cache
def tiny(family: str) -> med.Model:
    """A random model of the family with its processor."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net, processor = _MAKE[family]()
        net = _boosted(net) if family != "mllama" else net.eval()
    return med.load(net, processor=processor, tokenizer=processor.tokenizer)


def prompts(family: str, seed: int = 0) -> list[med.Prompt]:
    """Prompts of unequal length, with a picture each."""
    words = ("Italy", "Spain and Peru and Italy", "France")
    mark = PLACEHOLDER[family]
    return [
        med.Prompt(f"{mark}The capital of {word} is", [one]) for word, one in zip(words, pictures(3, seed), strict=True)
    ]


def fed(model: med.Model, prompt: med.Prompt) -> dict[str, Any]:
    """What the processor makes of a prompt, without labels."""
    found = dict(model.processor(text=[prompt.text], images=[list(prompt.images)], return_tensors="pt"))
    found.pop("labels", None)
    return found
