"""What the tokens of a suffix may attend to: one row of mask and positions that serves a batch of any size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...errors import BackendError
from ...models import Model

_KINDS = ("full_attention", "sliding_attention")


def suffix_inputs(model: Model, start: int, length: int) -> dict[str, Any]:
    """Return the mask and the positions of tokens `start` to `length` of an unpadded input.

    Returns
    -------
    dict
        ``position_ids`` ``(1, suffix)``, where the model takes them, and ``attention_mask`` ``(1, 1, suffix, length)``,
        0 where a key is seen, or one such mask for each kind of layer. Flash attention gets no mask: it aligns the last
        query with the last key by itself.

    Raises
    ------
    BackendError
        If some layers attend neither to all earlier tokens nor to a window of them.
    """
    inputs: dict[str, Any] = {}
    if "position_ids" in model.forward_names:
        inputs["position_ids"] = torch.arange(start, length, device=model.device)[None]
    if not _takes_no_mask(model):
        inputs["attention_mask"] = _masks(model, start, length)
    return inputs


def _takes_no_mask(model: Model) -> bool:
    implementation = getattr(getattr(model.module, "config", None), "_attn_implementation", None) or ""
    return "flash" in implementation


def _masks(model: Model, start: int, length: int) -> Tensor | dict[str, Tensor]:
    config = getattr(model.module, "config", None)
    config = config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config
    try:
        window = getattr(config, "sliding_window", None)
    except RuntimeError as error:
        raise BackendError("the windows of its layers differ") from error
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds <= set(_KINDS):
        raise BackendError(f"some layers are of the kinds {sorted(kinds - set(_KINDS))}")
    full = _mask(model, start, length, None)
    if window is None or window >= length or kinds == {"full_attention"}:
        return full
    sliding = _mask(model, start, length, window)
    return {"full_attention": full, "sliding_attention": sliding} if len(kinds) == 2 else sliding


def _mask(model: Model, start: int, length: int, window: int | None) -> Tensor:
    queries, keys = torch.arange(start, length)[:, None], torch.arange(length)[None]
    hidden = keys > queries if window is None else (keys > queries) | (keys <= queries - window)
    mask = torch.zeros(length - start, length, dtype=model.dtype)
    return mask.masked_fill(hidden, torch.finfo(model.dtype).min)[None, None].to(model.device)
