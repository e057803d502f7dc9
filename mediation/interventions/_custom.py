"""Interventions of your own: ``@intervention`` on a function from Tensor to Tensor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from .._values import Value
from ..errors import BackendError
from ._abstract import AbstractIntervention
from ._broadcast import numbers, placed
from ._function import AbstractCustom, AbstractFactory, comparable
from ._needs import NOTHING, Donor, Given, Moment, Noise, supplied


@final
@dataclass(frozen=True, slots=True, repr=False)
class InterventionFactory(AbstractFactory["Custom"]):
    """A function that `intervention` was put on; called with parameters it gives an intervention."""

    decorator = "intervention"
    makes = "intervention"
    first = "hidden"
    kind = "activation"
    known = MappingProxyType({"noise": Noise(), "donor": Donor(), "mean": Moment("mean"), "std": Moment("std")})
    beyond = "An activation of another run takes a class, whose needs() asks for it: Donor('base'), say."

    def _made(self, params: tuple[tuple[str, Hashable], ...]) -> Custom:
        return Custom(self, params)

    def _stored(self, value: object, what: str) -> Hashable:
        if isinstance(value, (list, Tensor, np.ndarray)):
            stored = Value(value)
            return numbers(value, what=what) if stored.data.is_floating_point() else stored
        return comparable(value, what, f"a {type(value).__name__}")


@final
@dataclass(frozen=True, slots=True, repr=False)
class Custom(AbstractCustom, AbstractIntervention):
    """A user's function with its parameters; made by calling what ``@intervention`` returns."""

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the function's result, in the dtype of `hidden`.

        Raises
        ------
        BackendError
            If the result is not a tensor of the shape of `hidden`.
        """
        arguments: dict[str, Any] = {name: _passed(value, hidden) for name, value in self.params}
        for name, need in self.factory.injected.items():
            arguments[name] = supplied(need, hidden, given, by=self).to(hidden.dtype)
        result: object = self.factory.function(hidden, **arguments)
        where = f"{self!r} (function {self.factory.qualname} in {self.factory.module})"
        if not isinstance(result, Tensor):
            raise BackendError(
                f"{where} returned {type(result).__name__}; a tensor of the activation's shape is needed."
            )
        if result.shape != hidden.shape:
            raise BackendError(
                f"{where} returned shape {tuple(result.shape)} for an activation of shape {tuple(hidden.shape)}; "
                "the shape must stay."
            )
        return placed(result, hidden)


def intervention(function: Callable[..., Tensor]) -> InterventionFactory:
    """Make interventions of a pure function Tensor -> Tensor.

    Parameters
    ----------
    function
        Takes the activation first, (rows, positions, features) or (rows, ...), then parameters. Keyword-only arguments
        of these names are filled in by the run: ``noise`` (standard normal draws), ``donor`` (the unit's own
        activation in the other run), ``mean`` and ``std`` (moments of the site). It returns a tensor of the same
        shape, changes none of its arguments, draws no random numbers, and treats every row alone: see ``check_laws``.

    Returns
    -------
    InterventionFactory
        Called with parameters by name, it gives the intervention.

    Raises
    ------
    DesignError
        If `function` has no name, takes ``*args`` or ``**kwargs``, or reads a variable of an enclosing function.

    Examples
    --------
    >>> @intervention
    ... def clip(hidden, limit=3.0):
    ...     return hidden.clamp(-limit, limit)
    >>> clip(limit=2.0)
    clip(limit=2.0)
    >>> clip(limit=2.0)(torch.tensor([[5.0, -1.0]]))
    tensor([[ 2., -1.]])

    >>> @intervention
    ... def halfway(hidden, *, donor):
    ...     return (hidden + donor) / 2
    >>> halfway().needs()
    frozenset({Donor(run='other', unit='own', column=None, index=None)})
    """
    return InterventionFactory(function)


def _passed(value: object, hidden: Tensor) -> object:
    if not isinstance(value, Value):
        return value
    return value.like(hidden) if value.data.is_floating_point() else torch.as_tensor(value.data, device=hidden.device)
