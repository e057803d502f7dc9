"""Tiny vision-language models of every family, with prompts whose pictures differ in size."""

from __future__ import annotations

import functools

import numpy as np
import torch

import mediation as med
from mediation.testing import VISION_FAMILIES, tiny_processor, tiny_vision_model

FAMILIES = VISION_FAMILIES
START, END, PAD = "<|latent_start|>", "<|latent_end|>", "<|latent_pad|>"
SIZES = [(56, 84), (28, 28), (84, 56), (56, 56)]
QUESTIONS = ["Is it red?", "Where is the cat, and where is the dog?", "How many?", "Name the city."]


@functools.cache
def thinker(family: str, *, spec: med.LatentSpec | med.TextSpec | None = None, attention: str = "sdpa") -> med.Model:
    """A tiny random model of the family, that knows the tokens of a latent thought."""
    processor = tiny_processor(family, extra_tokens=(START, END, PAD))
    module = tiny_vision_model(family, seed=3, attention=attention)
    module.generation_config.eos_token_id = None
    module.config.eos_token_id = None
    module.config.get_text_config().eos_token_id = None
    return med.load(module, processor=processor, spec=spec)


def picture(size: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def asked(model: med.Model, *, seed: int = 0, answer: str = "") -> list[med.Prompt]:
    """Prompts with a picture each, all of different lengths."""
    pictures = [picture(size, seed + i) for i, size in enumerate(SIZES)]
    return med.prompts(model, QUESTIONS, pictures, answer=answer)


def generated(model: med.Model, prompts: list[med.Prompt], n: int) -> list[list[int]]:
    """New tokens of the model's own `generate` on the processor's own batch, padded on the left."""
    batch = model.processor(
        text=[one.text for one in prompts],
        images=[list(one.images) for one in prompts],
        return_tensors="pt",
        padding=True,
        padding_side="left",
    )
    with torch.no_grad():
        found = model.module.generate(**batch, do_sample=False, max_new_tokens=n, pad_token_id=0)
    return found[:, batch["input_ids"].shape[1] :].tolist()
