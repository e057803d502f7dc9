"""Arguments with one entry a token, such as ``token_type_ids``: which there are, and what follows the prompt's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._checks import called, suggestion
from ..errors import DataError
from ..models import Model

_SAY_NOTHING = ("attention_mask", "special_tokens_mask", "offset_mapping", "overflow_to_sample_mapping", "length")
"""Outputs of tokenizers and processors that describe the text, not the input."""

_DERIVED = ("mm_token_type_ids",)
"""What a processor makes of the token ids alone, for models that ask for it."""

_NOT_ALIGNED = ("pixel", "image_sizes", "image_grid", "aspect_ratio")

_FOLLOWS = {"paligemma": 1}
"""Type of the tokens after a prompt, by `model_type`, where it is not 0, which in PaliGemma sees all of the prompt."""


def taken(name: str, value: Any, model: Model, by: Any) -> bool:
    """Return whether an output of a tokenizer or processor goes into the model; False if it is known to say nothing.

    Labels are left out: they are the targets of a loss, which no outcome reads.

    Raises
    ------
    DataError
        If the model does not take it.
    """
    if name == "labels" or name in _SAY_NOTHING:
        return False
    if model.takes(name):
        if isinstance(value, Tensor):
            return True
        raise DataError(
            f"{type(by).__name__} returns {name!r} as {called(value)}, and {type(model.module).__name__} takes it; a "
            "tensor is needed. Give the inputs as a dict of tensors: Pairs(base={...})."
        )
    if name in _DERIVED or (name == "token_type_ids" and not _holds_something(value)):
        return False
    raise DataError(
        f"{type(by).__name__} returns {name!r}, and {type(model.module).__name__} takes no such argument, so it would "
        f"be lost. {suggestion(name, model.arguments)} Load the processor that belongs to the weights, or "
        "give the inputs as a dict of tensors: Pairs(base={...})."
    )


def is_aligned(name: str, value: Tensor, tokens: int) -> bool:
    """Return True if an argument of one input, ``(1, tokens, ...)``, has one entry a token."""
    return value.ndim > 1 and value.shape[:2] == (1, tokens) and not name.startswith(_NOT_ALIGNED)


def following(name: str, own: Tensor, model: Model, count: int) -> Tensor:
    """Return the entries of `count` tokens that follow a prompt: text that is read from left to right.

    Parameters
    ----------
    own
        Entries of the prompt, ``(T, ...)``.

    Returns
    -------
    Tensor
        ``(count, ...)``. What may be looked at (``cross_attention_mask``) stays as for the prompt's last token, and so
        does the type of a text model's tokens; beside images, new tokens are of the type of text.
    """
    if own.ndim > 1 or not model.reads_images:
        return own[-1:].expand(count, *own.shape[1:])
    return own.new_full((count,), type_of_text(model))


def type_of_text(model: Model) -> int:
    """Return the type of tokens that are text and see earlier tokens alone."""
    return _FOLLOWS.get(getattr(getattr(model.module, "config", None), "model_type", None) or "", 0)


def _holds_something(value: Any) -> bool:
    return bool(value.any()) if isinstance(value, Tensor) else bool(torch.as_tensor(value).any())
