"""Interventions that shift or stretch the activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from ._abstract import AbstractIntervention
from ._broadcast import Numbers, numbers, spread, working_dtype
from ._needs import NOTHING, Given


@final
@dataclass(frozen=True, slots=True, repr=False)
class Scale(AbstractIntervention):
    """The activation, stretched: I(h) = a h, computed in float32 for half precisions.

    Parameters
    ----------
    factor
        A number, or a list or tensor that broadcasts to one row, such as (features,).

    Raises
    ------
    DesignError
        If `factor` does not hold finite numbers or, when called, does not broadcast to the activation.

    Examples
    --------
    >>> import torch
    >>> Scale(0.5)(torch.tensor([[2.0, 4.0]]))
    tensor([[1., 2.]])
    """

    factor: Numbers

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", numbers(self.factor, what="Scale"))

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return `hidden` times the factor."""
        product = hidden.to(working_dtype(hidden)) * spread(self.factor, hidden, what="Scale")
        return product.to(hidden.dtype)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Add(AbstractIntervention):
    """The activation, shifted: I(h) = h + v; steering when v is a direction.

    Parameters
    ----------
    value
        A number, or a list or tensor that broadcasts to one row, such as (features,).

    Raises
    ------
    DesignError
        If `value` does not hold finite numbers or, when called, does not broadcast to the activation.

    Examples
    --------
    >>> import torch
    >>> Add([1.0, 2.0])(torch.zeros(1, 2))
    tensor([[1., 2.]])
    """

    value: Numbers

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", numbers(self.value, what="Add"))

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return `hidden` plus the value."""
        total = hidden.to(working_dtype(hidden)) + spread(self.value, hidden, what="Add")
        return total.to(hidden.dtype)
