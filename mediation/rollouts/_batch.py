"""The batches of a rollout: which prompts run together, and how they are padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..engine._batching import split, tokens_per_pass
from ..engine._inputs import Batch
from ..models import Model
from ..units import Encoded


def batches(
    model: Model, encoded: Sequence[Encoded], *, max_new_tokens: int, batch_size: int | None
) -> Iterator[list[int]]:
    """Yield the units of each batch; prompts of unequal length run together where padding is exact."""
    units: dict[int, list[int]] = {}
    for unit, one in enumerate(encoded):
        units.setdefault(0 if _pads(model) else _length(one), []).append(unit)
    for some in units.values():
        yield from split(
            some,
            lambda unit: _length(encoded[unit]) + max_new_tokens,
            tokens=tokens_per_pass(model),
            rows=batch_size,
        )


def _pads(model: Model) -> bool:
    """Return True if the model can be told of padding, and gives numbers there.

    Eager attention computes probabilities in float32, in which the mask of float64 is infinite: a padded position,
    which sees nothing, would be NaN.
    """
    open_in_double = (
        model.dtype == torch.float64 and getattr(model.module.config, "_attn_implementation", "") == "eager"
    )
    return "attention_mask" in model.forward_names and not open_in_double


def prompt_batch(model: Model, encoded: Sequence[Encoded]) -> Batch:
    """Return the batch of `encoded`, padded on the left, where new tokens can follow every row."""
    lengths = tuple(map(_length, encoded))
    width = max(lengths)
    tokens = torch.zeros(len(encoded), width, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    positions = torch.zeros_like(tokens)
    for row, one in enumerate(encoded):
        assert one.ids is not None
        tokens[row, width - lengths[row] :] = one.ids
        mask[row, width - lengths[row] :] = 1
        positions[row, width - lengths[row] :] = torch.arange(lengths[row])
    inputs: dict[str, Any] = {"input_ids": tokens.to(model.device)}
    if min(lengths) < width:
        inputs["attention_mask"] = mask.to(model.device)
        if "position_ids" in model.forward_names:
            inputs["position_ids"] = positions.to(model.device)
    return Batch(inputs, tuple(width - length for length in lengths), lengths, width)


def next_batch(model: Model, prompt: Batch, tokens: Sequence[int], step: int) -> Batch:
    """Return the batch of one new position, `step` after the prompt's last one."""
    n, device = len(tokens), model.device
    inputs: dict[str, Any] = {"input_ids": torch.tensor(tokens, device=device)[:, None]}
    if "attention_mask" in prompt.inputs:
        mask = prompt.inputs["attention_mask"]
        inputs["attention_mask"] = torch.cat([mask, mask.new_ones(n, step)], dim=1)
        if "position_ids" in model.forward_names:
            inputs["position_ids"] = torch.tensor([[length + step - 1] for length in prompt.lengths], device=device)
    return Batch(inputs, (0,) * n, (1,) * n, 1)


def _length(encoded: Encoded) -> int:
    return encoded.length or 0
