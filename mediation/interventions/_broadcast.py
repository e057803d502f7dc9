"""How numbers that a user writes meet an activation: as values, by broadcasting, in a working precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .._checks import finite, shown
from .._values import Value
from ..errors import DesignError

Numbers: TypeAlias = float | Sequence[Any] | npt.NDArray[Any] | Tensor | Value


def numbers(data: Numbers, *, what: str) -> Value:
    """Return `data` as a float64 value, so that equal numbers are equal whatever type they came in.

    Raises
    ------
    DesignError
        If `data` is not made of finite real numbers.

    Examples
    --------
    >>> numbers(1, what="factor") == numbers(torch.tensor(1.0), what="factor")
    True
    """
    tensor = _tensor(data, what=what)
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise DesignError(f"{what}: real numbers are needed, found {_dtype(tensor)}.")
    if not bool(torch.isfinite(tensor).all()):
        raise DesignError(f"{what} of shape {tuple(tensor.shape)} holds NaN or infinity; finite numbers are needed.")
    # Adding 0.0 turns -0.0, which equals 0.0 but has other bytes, into 0.0.
    return Value(tensor + 0.0)


def number_within(value: object, low: float, high: float, *, what: str, wanted: str) -> float:
    """Return `value` as a float if it is a number from `low` to `high`.

    Raises
    ------
    DesignError
        If it is not; the message says what is `wanted`.

    Examples
    --------
    >>> number_within(1, 0, 1, what="weight", wanted="a number from 0 to 1")
    1.0
    """
    found = finite(value)
    if found is None or not low <= found <= high:
        raise DesignError(f"{what} = {shown(value)}: {wanted} is needed, such as 0.5.")
    return found


def truths(data: object, *, what: str) -> Value:
    """Return `data` as a boolean value.

    Raises
    ------
    DesignError
        If `data` is not made of True and False.
    """
    tensor = _tensor(data, what=what)
    if tensor.dtype != torch.bool:
        raise DesignError(f"{what}: True and False are needed, found numbers. Write such as [True, False].")
    return Value(tensor)


def _tensor(data: object, *, what: str) -> Tensor:
    raw: Any = data.data if isinstance(data, Value) else data
    if isinstance(raw, np.ndarray) and not raw.flags.writeable:
        # PyTorch warns of arrays that must not be written to, such as the values of States; nothing writes here.
        raw = raw.copy()
    try:
        tensor = torch.as_tensor(raw)
        # From the raw data again: Python's floats are doubles, and as_tensor alone rounds them.
        plain = tensor.dtype == torch.bool or tensor.is_complex()
        return tensor if plain else torch.as_tensor(raw, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError, OverflowError, KeyError):
        kind = type(raw).__name__
        raise DesignError(f"{what}: a number, a list of numbers or a tensor is needed, found {kind}.") from None


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def fits(shape: Sequence[int], hidden: Sequence[int]) -> bool:
    """Return True if a tensor of `shape` broadcasts to the shape `hidden` without enlarging it.

    Examples
    --------
    >>> fits((4,), (2, 3, 4)), fits((5,), (2, 3, 4)), fits((1, 2, 3, 4), (2, 3, 4))
    (True, False, False)
    """
    if len(shape) > len(hidden):
        return False
    return all(mine in (1, theirs) for mine, theirs in zip(reversed(shape), reversed(hidden), strict=False))


def spread(value: Numbers, hidden: Tensor, *, what: str) -> Tensor:
    """Return a stored value on the device of `hidden`, after checking that it is the same for every row.

    Raises
    ------
    DesignError
        If the value does not broadcast to `hidden`, or differs between rows: rows are units, in any order.
    """
    stored = cast("Value", value)
    mine, theirs = stored.shape, tuple(hidden.shape)
    if not fits(mine, theirs):
        raise DesignError(
            f"{what} of shape {mine} does not broadcast to the activation's shape {theirs}. "
            f"Give shape () for all alike, or {theirs[-1:]} for one per feature."
        )
    if len(mine) == len(theirs) and mine[:1] != (1,):
        raise DesignError(
            f"{what} of shape {mine} differs between the rows of the activation's shape {theirs}; rows are units, "
            f"which come in any order. Give at most shape {theirs[1:]}."
        )
    dtype = stored.data.dtype if stored.data.dtype == torch.bool else working_dtype(hidden)
    return cast("Tensor", stored.data).to(dtype=dtype, device=hidden.device)


def working_dtype(hidden: Tensor) -> torch.dtype:
    """Return the precision to compute in: float32 for half precisions, otherwise that of `hidden`.

    Raises
    ------
    DesignError
        If `hidden` does not hold floating-point numbers.
    """
    if not hidden.is_floating_point():
        raise DesignError(
            f"The activation holds {_dtype(hidden)}, and only floating-point activations can be calculated with. "
            "Choose a site after the embedding, or an intervention that replaces the activation, such as Interchange()."
        )
    return torch.promote_types(hidden.dtype, torch.float32)


def norms(hidden: Tensor) -> Tensor:
    """Return Euclidean norms over the last axis, kept; of one number a row, which is its only feature, its size."""
    if hidden.ndim == 1:
        return hidden.abs()
    found: Tensor = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
    return found


def placed(source: Tensor, hidden: Tensor) -> Tensor:
    """Return a copy of `source` with the shape, dtype and device of `hidden`.

    A copy, so that a model that works in place never writes into what was given.
    """
    return torch.empty_like(hidden).copy_(source)
