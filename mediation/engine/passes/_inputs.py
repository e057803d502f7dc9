"""From rows to one padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ...errors import DataError
from ...models import Model
from ...units import Encoded, type_of_text
from ..study import Side, remembers


@final
@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Arguments of one forward pass and where each row's tokens are in it.

    Attributes
    ----------
    inputs
        Keyword arguments; the key "" is the first positional one.
    starts
        First real token of each row, ``(rows,)``.
    lengths
        Prompt tokens of each row (without a continuation); empty for plain modules.
    width
        Tokens of the padded batch; 0 for plain modules.
    """

    inputs: dict[str, Any]
    starts: tuple[int, ...]
    lengths: tuple[int, ...]
    width: int


def make_batch(
    model: Model,
    encoded: Sequence[Encoded],
    continuations: Sequence[tuple[int, ...]] | None = None,
    *,
    side: Side = "left",
) -> Batch:
    """Return the batch of `encoded` inputs, each followed by its continuation, padded on `side`.

    Models that are not causal are padded on the right, where they expect it. So are causal ones that take no mask,
    which cannot see padding there, and those in float64, of which some are NaN where a row sees nothing but padding.

    Raises
    ------
    DataError
        If padding is needed, and the model can neither be told of it nor is blind to it.
    """
    if encoded[0].ids is None:
        return Batch(_stack(model, encoded), (0,) * len(encoded), (), 0)
    ids = [_with(one, continuations[i] if continuations else ()) for i, one in enumerate(encoded)]
    lengths = tuple(int(one.length or 0) for one in encoded)
    width = max(map(len, ids))
    padded = any(len(row) < width for row in ids)
    masked = "attention_mask" in model.forward_names
    if padded and not masked and not model.is_causal:
        raise DataError(
            f"Inputs of {min(map(len, ids))} to {width} tokens are padded to run together, and "
            f"{type(model.module).__name__} takes no attention_mask. Run one at a time with batch_size=1; or, if no "
            "token sees a later one, say so: med.load(model, architecture=med.models.Architecture(..., causal=True))."
        )
    left = side == "left" and model.is_causal and masked and model.dtype != torch.float64
    starts = tuple(width - len(row) if left else 0 for row in ids)
    tokens = torch.full((len(ids), width), _pad_id(model), dtype=torch.long)
    mask = torch.zeros(len(ids), width, dtype=torch.long)
    for row, (start, one) in enumerate(zip(starts, ids, strict=True)):
        tokens[row, start : start + len(one)] = one
        mask[row, start : start + len(one)] = 1
    inputs: dict[str, Any] = {"input_ids": tokens.to(model.device), **join_features(model, encoded)}
    by_axis = any(one.axes is not None for one in encoded)
    if padded and masked:
        inputs["attention_mask"] = mask.to(model.device)
    told = by_axis or (padded and masked) or remembers(model)
    if model.is_causal and "position_ids" in model.forward_names and told:
        inputs["position_ids"] = position_rows(encoded, starts, list(map(len, ids)), width).to(model.device)
    inputs |= join_aligned(model, encoded, starts, list(map(len, ids)), width)
    if "use_cache" in model.forward_names:
        inputs["use_cache"] = False
    return Batch(inputs, starts, lengths, width)


def position_rows(encoded: Sequence[Encoded], starts: Sequence[int], lengths: Sequence[int], width: int) -> Tensor:
    """Return the rotary positions of a padded batch: ``(rows, width)``, or ``(axes, rows, width)`` where they differ.

    Parameters
    ----------
    encoded
        The inputs.
    starts, lengths
        First token of each row and how many follow, those after its own input included.
    width
        Tokens of the padded batch.
    """
    axes = max((one.axes.shape[0] for one in encoded if one.axes is not None), default=1)
    positions = torch.zeros(axes, len(encoded), width, dtype=torch.long)
    for row, (one, start, length) in enumerate(zip(encoded, starts, lengths, strict=True)):
        own = one.length or 0
        mine = torch.arange(own).expand(axes, own) if one.axes is None else one.axes
        more = torch.arange(one.next_position, one.next_position + length - own).expand(axes, length - own)
        positions[:, row, start : start + length] = torch.cat([mine, more], dim=1)
    return positions if any(one.axes is not None for one in encoded) else positions[0]


def join_features(model: Model, encoded: Sequence[Encoded]) -> dict[str, Any]:
    """Return the features of inputs one after another, smaller ones filled up with zeros as processors do."""
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in encoded for name in one.features):
        parts = [one.features[name] for one in encoded if name in one.features]
        sizes = [max(part.shape[axis] for part in parts) for axis in range(1, parts[0].ndim)]
        tensor = torch.cat([_filled(part, sizes) for part in parts]).to(model.device)
        joined[name] = tensor.to(model.dtype) if tensor.is_floating_point() else tensor
    return joined


def join_aligned(
    model: Model, encoded: Sequence[Encoded], starts: Sequence[int], lengths: Sequence[int], width: int
) -> dict[str, Any]:
    """Return the arguments with one entry a token of a padded batch, ``(rows, width, ...)``, 0 where padding is.

    A row without one has the type of text there, so that it is the same as alone.

    Parameters
    ----------
    starts, lengths
        First token of each row and how many follow, those after its own input included.

    Raises
    ------
    DataError
        If some rows have images that every token looks at (cross attention), and others have none.
    """
    joined: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in encoded for name in one.aligned):
        having = [one.aligned[name] for one in encoded if name in one.aligned]
        shape = [max(sizes) for sizes in zip(*(own.shape[1:] for own in having), strict=True)]
        if shape and len(having) < len(encoded):
            raise DataError(
                f"Some inputs have images and others have none, and {type(model.module).__name__} looks at them by "
                f"{name}, which runs them together with images alone. Run one input at a time: batch_size=1."
            )
        together = having[0].new_zeros(len(encoded), width, *shape)
        for row, (one, start, length) in enumerate(zip(encoded, starts, lengths, strict=True)):
            mine = together[row, start : start + length]
            if name not in one.aligned:
                mine[:] = type_of_text(model)
                continue
            found = one.entries(name, model, length - (one.length or 0))
            mine[(slice(None), *(slice(0, size) for size in found.shape[1:]))] = found
        joined[name] = together.to(model.device)
    return joined


def _filled(part: Tensor, sizes: Sequence[int]) -> Tensor:
    grown = part.new_zeros(part.shape[0], *sizes)
    grown[tuple(slice(0, size) for size in part.shape)] = part
    return grown


def _with(encoded: Encoded, continuation: tuple[int, ...]) -> Tensor:
    assert encoded.ids is not None
    return torch.cat([encoded.ids, torch.tensor(continuation, dtype=torch.long)]) if continuation else encoded.ids


def _pad_id(model: Model) -> int:
    for holder in (getattr(model.module, "config", None), model.tokenizer):
        found = getattr(holder, "pad_token_id", None)
        if isinstance(found, int) and found >= 0:
            return found
    return 0


def _stack(model: Model, encoded: Sequence[Encoded]) -> dict[str, Any]:
    stacked = {}
    for name in encoded[0].tensors:
        rows = [one.tensors[name] for one in encoded]
        tensor = torch.stack(rows).to(model.device)
        if tensor.is_floating_point() and tensor.dtype != model.dtype:
            tensor = tensor.to(model.dtype)
        stacked[name] = tensor
    if not stacked:
        raise DataError("The inputs hold no tensor.")
    return stacked
