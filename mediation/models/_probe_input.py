"""A few tokens, or one picture, on which a model of transformers can be run to see what its blocks do."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ._find import text_config

ROWS, TOKENS, ANSWER = 1, 11, 9  # lengths that tell keys of a decoder from those of its encoder, and both from widths


def probe_input(module: nn.Module) -> dict[str, Any] | None:
    """Return the arguments of a small forward pass; None where it is not known what the module takes."""
    names = inspect.signature(type(module).forward).parameters
    config = getattr(module, "config", None)
    found: dict[str, Any] = {}
    if "input_ids" in names:
        found["input_ids"] = _ids(module, TOKENS)
    elif "pixel_values" in names and config is not None:
        found["pixel_values"] = _picture(config)
    elif "input_features" in names and config is not None:
        found["input_features"] = _sound(config)
    if not found or any(value is None for value in found.values()):
        return None
    if "decoder_input_ids" in names:
        found["decoder_input_ids"] = _ids(module, ANSWER)
    if "use_cache" in names and config is not None:
        found["use_cache"] = False
    device = next((one.device for one in module.parameters() if one.device.type != "meta"), torch.device("cpu"))
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in found.items()}


def _ids(module: nn.Module, length: int) -> Tensor | None:
    """Return ids that stand for no picture and end no text, ``(rows, tokens)``."""
    config = text_config(module)
    size = getattr(config, "vocab_size", None)
    if not isinstance(size, int):
        found = [inner.num_embeddings for inner in module.modules() if isinstance(inner, nn.Embedding)]
        size = max(found, default=0)
    special = set(_special(getattr(module, "config", None))) | set(_special(config))
    usable = [one for one in range(min(size, 1000)) if one not in special]
    if not usable:
        return None
    return torch.tensor([usable[(3 + i) % len(usable)] for i in range(ROWS * length)]).view(ROWS, length)


def _special(config: Any) -> list[int]:
    values = vars(config) if config is not None else {}
    ids = [value for name, value in values.items() if name.endswith(("_token_id", "_token_index"))]
    return [one for value in ids for one in (value if isinstance(value, list) else [value]) if isinstance(one, int)]


def _picture(config: Any) -> Tensor | None:
    vision = getattr(config, "vision_config", None) or getattr(config, "encoder", None) or config
    size, channels = getattr(vision, "image_size", None), getattr(vision, "num_channels", 3)
    if not isinstance(size, (int, list, tuple)):
        return None
    high, wide = (size, size) if isinstance(size, int) else size
    return torch.sin(torch.arange(ROWS * channels * high * wide, dtype=torch.float32)).view(ROWS, channels, high, wide)


def _sound(config: Any) -> Tensor | None:
    bins, length = getattr(config, "num_mel_bins", None), getattr(config, "max_source_positions", None)
    if not isinstance(bins, int) or not isinstance(length, int):
        return None
    return torch.sin(torch.arange(ROWS * bins * 2 * length, dtype=torch.float32)).view(ROWS, bins, 2 * length)
