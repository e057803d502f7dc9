"""The systems of the worked examples, each a spec of a few lines.

Read off the systems' own decoding code: Monet's vLLM runner (NOVAglow646/Monet), LVR's ``generate``
(VincentLeebang/lvr), Mirage's fork of ``_sample`` (UMass-Embodied-AGI/Mirage), and CapImagine's data format
(AI9Stars/CapImagine). All four are Qwen2.5-VL models whose fed-back vector is the hidden state after the final norm.
Tokens are named, since the same ids mean different things in different systems.
"""

from __future__ import annotations

from ._latent import LatentSpec
from ._text import TextSpec

MONET = LatentSpec(
    "<abs_vis_token>",
    "</abs_vis_token>",
    pad="<abs_vis_token_pad>",
    steps=10,
    stop="end_token",
    feed_start_token=False,
    eos_ends=True,
)
"""Monet: 10 latents, the first in the place of the start token, fewer if the model says the end token."""

LVR = LatentSpec("<|lvr_start|>", "<|lvr_end|>", pad="<|lvr|>", steps=8, force_end=False)
"""LVR: exactly 8 latents after the start token; then the model goes on by itself."""

MIRAGE = LatentSpec(
    "<|latent_start|>",
    "<|latent_end|>",
    pad="<|latent_pad|>",
    steps=8,
    stop="end_token",
    record="pad",
    segments=1,
)
"""Mirage: latents until the model says the end token, at most 8; one thought a generation."""

CAPIMAGINE = TextSpec("<think_image>", "</think_image>")
"""CapImagine: the imagination is text between two markers."""
