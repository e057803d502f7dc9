"""Inputs of units as a user gives them: texts, token ids or tensors, checked one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .._checks import called, shown
from .._texts import check_letters
from ..errors import DataError
from ._prompt import Prompt

Inputs = tuple[str, ...] | tuple[Prompt, ...] | tuple[Tensor, ...] | Tensor | dict[str, Tensor]


def inputs_from(given: Any, what: str) -> Inputs:
    """Return `given` as a tuple of texts, of prompts or of token ids, a tensor or a dict of tensors.

    Parameters
    ----------
    given
        Inputs, one a unit.
    what
        "base" or "source", for errors.

    Raises
    ------
    DataError
        If it is something else, or one of its units is.

    Examples
    --------
    >>> inputs_from(["a cat"], "base")
    ('a cat',)
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "biuf":
        given = torch.tensor(given)
    if isinstance(given, Tensor):
        if given.ndim == 0:
            raise DataError(f"Pairs: {what} is a single number; a tensor with one row a unit is needed.")
        return given
    if isinstance(given, Mapping):
        return _tensors(given, what)
    if isinstance(given, str):
        raise DataError(f"Pairs: {what} is one text, {shown(given)}; a list with one text a unit is needed.")
    if isinstance(given, pd.DataFrame):
        raise DataError(
            f"Pairs: {what} is a DataFrame. Name the columns that hold the inputs: "
            "Pairs.from_frame(frame, base='...', source='...')."
        )
    if not isinstance(given, (Sequence, np.ndarray, pd.Series)):
        raise DataError(f"Pairs: {what} is {called(given)}; a list of texts, lists of token ids or a tensor is needed.")
    items = list(given)
    if any(isinstance(item, Prompt) for item in items):
        return _prompts(items, what)
    if any(isinstance(item, str) for item in items):
        return _texts(items, what)
    return tuple(_ids(item, what, unit) for unit, item in enumerate(items))


def _tensors(given: Mapping[Any, Any], what: str) -> dict[str, Tensor]:
    tensors = {str(name): value for name, value in given.items()}
    wrong = [name for name, value in tensors.items() if not isinstance(value, Tensor) or value.ndim == 0]
    if wrong or not tensors:
        found = f"{wrong[0]!r} is {called(tensors[wrong[0]])}" if wrong else "it is empty"
        raise DataError(
            f"Pairs: {what} is a mapping, which must go from argument names to tensors with one row a unit, but "
            f"{found}."
        )
    rows = {name: len(value) for name, value in tensors.items()}
    if len(set(rows.values())) > 1:
        raise DataError(f"Pairs: the tensors of {what} differ in rows, {rows}; each needs one row a unit.")
    return tensors


def _texts(items: list[Any], what: str) -> tuple[str, ...]:
    for unit, item in enumerate(items):
        if not isinstance(item, str):
            text = next(unit for unit, item in enumerate(items) if isinstance(item, str))
            raise DataError(
                f"Pairs: {what} of unit {unit} is {shown(item)}, and unit {text} has a text; every unit needs a text. "
                "Drop the unit, or correct it."
            )
        if not item:
            raise DataError(f"Pairs: {what} of unit {unit} is an empty text; drop the unit, or correct it.")
        check_letters(item, f"Pairs: {what} of unit {unit}")
    return tuple(items)


def _prompts(items: list[Any], what: str) -> tuple[Prompt, ...]:
    for unit, item in enumerate(items):
        if not isinstance(item, (Prompt, str)):
            raise DataError(f"Pairs: {what} of unit {unit} is {shown(item)}; every unit needs a med.Prompt.")
    return tuple(item if isinstance(item, Prompt) else Prompt(item) for item in items)


def _ids(item: Any, what: str, unit: int) -> Tensor:
    where = f"Pairs: {what} of unit {unit}"
    try:
        ids = torch.as_tensor(item)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise DataError(
            f"{where} is {shown(item)}; a text, or a list of token ids (whole numbers), is needed."
        ) from None
    if ids.numel() == 0:
        raise DataError(f"{where} has no tokens; drop the unit, or correct it.")
    if ids.ndim == 0:
        raise DataError(
            f"{where} is {shown(item)}; each unit needs a list of its own. A single unit of token ids is written "
            "[[...]]."
        )
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise DataError(
            f"{where} holds {str(ids.dtype).removeprefix('torch.')}, and token ids are whole numbers. Inputs of a "
            "plain module are one tensor with a row a unit: torch.stack(...) makes it from a list."
        )
    if ids.ndim > 1:
        raise DataError(f"{where} has shape {tuple(ids.shape)}; the token ids of one unit have one axis, (tokens,).")
    return ids.long()


def count(inputs: Inputs) -> int:
    """Return the number of units."""
    if isinstance(inputs, dict):
        return len(next(iter(inputs.values())))
    return len(inputs)


def take(inputs: Inputs, keep: list[int]) -> Any:
    """Return the inputs of some units."""
    if isinstance(inputs, dict):
        return {name: value[keep] for name, value in inputs.items()}
    return inputs[keep] if isinstance(inputs, Tensor) else [inputs[i] for i in keep]


def kind_of(inputs: Inputs) -> str:
    """Return what the inputs are, in words.

    Examples
    --------
    >>> kind_of(("a cat",))
    'texts'
    """
    if isinstance(inputs, dict):
        return f"tensors {', '.join(inputs)}"
    if isinstance(inputs, Tensor):
        return f"a tensor of shape {tuple(inputs.shape)}"
    if isinstance(inputs[0], Prompt):
        return "prompts"
    return "texts" if isinstance(inputs[0], str) else "token ids"


def digest(inputs: Inputs) -> str:
    """Return 16 characters that tell these inputs from others (sha256 of texts, or of shapes, types and bytes).

    Examples
    --------
    >>> digest(("a cat",)) == digest(("a cat",)), digest(("a cat",)) == digest(("a dog",))
    (True, False)
    """
    state = hashlib.sha256()
    parts = inputs.items() if isinstance(inputs, dict) else enumerate(inputs)
    for name, part in parts:
        state.update(f"|{name}|".encode())
        if isinstance(part, str):
            state.update(part.encode())
        elif isinstance(part, Prompt):
            state.update(part.digest())
        else:
            state.update(f"{tuple(part.shape)}|{part.dtype}|".encode())
            state.update(part.detach().to("cpu").contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return state.hexdigest()[:16]
