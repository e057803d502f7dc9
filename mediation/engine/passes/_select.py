"""Reading and writing the part of an activation that a site names, for some rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from einops import rearrange
from torch import Tensor

from ...errors import SiteError
from ...sites import CHANNELS, Place
from ._inputs import Batch


@final
@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Rows of a batch, the same number of positions in each, and the features of a place.

    Attributes
    ----------
    place
        Module and features.
    rows
        Rows of the batch, ``(r,)``.
    positions
        Token positions inside each unit, ``(r, k)``; None for the whole activation of a plain module.
    """

    place: Place
    rows: tuple[int, ...]
    positions: tuple[tuple[int, ...], ...] | None


def read(activation: Tensor, selection: Selection, batch: Batch) -> Tensor:
    """Return the selected numbers: ``(r, k, features)``, or ``(r, ...)`` at plain modules."""
    full = _with_rows(activation, selection.place, batch)
    if selection.place.io == "pattern":
        return _read_pattern(full, selection, batch)
    rows = torch.tensor(selection.rows, device=full.device)
    index = _positions(selection, batch, full)
    part = full[rows] if index is None else full[rows[:, None], index]
    features = _features(selection.place, part)
    return part if features is None else features_last(part, selection.place)[..., features]


def write(activation: Tensor, selection: Selection, batch: Batch, new: Tensor) -> Tensor:
    """Replace the selected numbers of `activation` by `new`, in place, and return it."""
    full = _with_rows(activation, selection.place, batch)
    if selection.place.io == "pattern":
        return _write_pattern(full, selection, batch, new)
    rows = torch.tensor(selection.rows, device=full.device)
    index = _positions(selection, batch, full)
    features = _features(selection.place, full)
    if features is not None:
        part = full[rows] if index is None else full[rows[:, None], index]
        part = part.clone()
        features_last(part, selection.place)[..., features] = new.to(part.dtype)
        new = part
    if index is None:
        full[rows] = new.to(full.dtype)
    else:
        full[rows[:, None], index] = new.to(full.dtype)
    return activation


def _with_rows(activation: Tensor, place: Place, batch: Batch) -> Tensor:
    """Return the activation with rows first; some models flatten rows and tokens."""
    n = len(batch.starts)
    if activation.ndim and activation.shape[0] == n and not (batch.width and activation.ndim == 2 and batch.width == 1):
        return activation
    if batch.width and activation.ndim == 2 and activation.shape[0] == n * batch.width:
        return activation.reshape(n, batch.width, -1)
    raise SiteError(
        f"The {place.io} of {place.path!r} has shape {tuple(activation.shape)} for {n} rows; "
        "its first axis must be the rows of the batch."
    )


def _positions(selection: Selection, batch: Batch, full: Tensor) -> Tensor | None:
    if selection.positions is None:
        return None
    first = "decoder_input_ids" if selection.place.in_decoder else next(iter(batch.inputs))
    width = batch.width or batch.inputs[first].shape[1]
    ids = full.ndim == 2 and not full.is_floating_point()  # the input of an embedding: positions without features
    if (full.ndim < 3 and not ids) or full.shape[1] != width or channels_first(full, selection.place):
        everything = [tuple(range(batch.lengths[row])) for row in selection.rows] if batch.width else []
        if list(selection.positions) == everything:
            return None  # a pooled activation, say, and at="all"
        why = "its axis 1 holds channels" if channels_first(full, selection.place) else "it has no such axis"
        raise SiteError(
            f"The {selection.place.io} of {selection.place.path!r} has shape {tuple(full.shape)} for inputs of {width} "
            f"positions: {why}. Leave `at` out to act on the whole activation."
        )
    starts = [batch.starts[row] for row in selection.rows]
    shifted = [[start + p for p in row] for start, row in zip(starts, selection.positions, strict=True)]
    return torch.tensor(shifted, device=full.device)


def _features(place: Place, part: Tensor) -> Tensor | None:
    if place.features is None:
        return None
    size = features_last(part, place).shape[-1]
    if max(place.features) >= size:
        raise SiteError(
            f"Unit {max(place.features)} of {place.path!r} ({place.io}) is out of range; there are {size} "
            f"features (0 to {size - 1})."
        )
    return torch.tensor(place.features, device=part.device)


def channels_first(activation: Tensor, place: Place) -> bool:
    """Return True if the axis after the rows holds features, not positions."""
    return place.axis == CHANNELS and activation.ndim > 2


def features_last(part: Tensor, place: Place) -> Tensor:
    """Return a view of some rows whose last axis holds features."""
    return part.movedim(CHANNELS, -1) if channels_first(part, place) else part


def _pattern_index(selection: Selection, batch: Batch, row: int, i: int, full: Tensor) -> tuple[Tensor, slice]:
    if selection.positions is None:  # inputs without positions: all queries and all keys
        return torch.arange(full.shape[-2], device=full.device), slice(None)
    if batch.width and full.shape[-2] > batch.width:
        raise SiteError(
            f"The pattern of {selection.place.path!r} has {full.shape[-2]} queries for inputs of {batch.width} "
            "positions: the model puts something before them or computes on other tokens."
        )
    start, length = batch.starts[row], batch.lengths[row]
    queries = torch.tensor([start + p for p in selection.positions[i]], device=full.device)
    return queries, slice(start, start + length)


def _read_pattern(full: Tensor, selection: Selection, batch: Batch) -> Tensor:
    parts = []
    for i, row in enumerate(selection.rows):
        queries, keys = _pattern_index(selection, batch, row, i, full)
        heads = full[row] if selection.place.head is None else full[row, selection.place.head][None]
        parts.append(rearrange(heads[:, queries][..., keys], "heads k keys -> k (heads keys)"))
    return torch.stack(parts)


def _write_pattern(full: Tensor, selection: Selection, batch: Batch, new: Tensor) -> Tensor:
    heads = range(full.shape[1]) if selection.place.head is None else [selection.place.head]
    for i, row in enumerate(selection.rows):
        queries, keys = _pattern_index(selection, batch, row, i, full)
        block = rearrange(new[i], "k (heads keys) -> heads k keys", heads=len(heads)).to(full.dtype)
        for j, head in enumerate(heads):
            full[row, head, queries, keys] = block[j]
    return full


def same_shape_groups(keys: Sequence[tuple[object, ...]]) -> dict[tuple[object, ...], list[int]]:
    """Return the indices of equal keys, in order of first appearance."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups
