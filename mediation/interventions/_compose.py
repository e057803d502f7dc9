"""Interventions made of interventions: in part, at some features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ._abstract import AbstractIntervention, Identity, an_intervention
from ._broadcast import Numbers, number_within, spread, truths, working_dtype
from ._needs import NOTHING, Given, Need


@final
@dataclass(frozen=True, slots=True, repr=False)
class Blend(AbstractIntervention):
    """A dose of an intervention: (1 - w) h + w I(h), computed in float32 for half precisions.

    Always in normal form: ``Blend(i, 0)`` is ``Identity()``, ``Blend(i, 1)`` is ``i``, and a blend of a blend is one
    blend with the product of the weights. So calling `Blend` may return another class.

    Parameters
    ----------
    intervention
        The intervention at full dose.
    weight
        Dose w, from 0 to 1.

    Raises
    ------
    DesignError
        If `weight` is not a number from 0 to 1.

    Examples
    --------
    >>> from mediation.interventions import Zero
    >>> Blend(Zero(), 0.25)(torch.tensor([[4.0]]))
    tensor([[3.]])
    >>> Blend(Zero(), 0), Blend(Zero(), 1), Blend(Blend(Zero(), 0.5), 0.5)
    (Identity(), Zero(), Blend(Zero(), 0.25))
    """

    intervention: AbstractIntervention
    weight: float

    def __new__(cls, intervention: AbstractIntervention, weight: float) -> Any:
        """Return the normal form; never an existing `Blend`, which Python would initialise again."""
        one, dose = an_intervention(intervention, what="Blend"), _dose(weight)
        if dose == 0 or isinstance(one, Identity):
            return Identity()
        if dose == 1 and not isinstance(one, Blend):
            return one
        return object.__new__(cls)

    def __post_init__(self) -> None:
        inner, dose = self.intervention, _dose(self.weight)
        if isinstance(inner, Blend):
            object.__setattr__(self, "intervention", inner.intervention)
            dose *= inner.weight
        object.__setattr__(self, "weight", dose)

    def __getnewargs__(self) -> tuple[AbstractIntervention, float]:
        return self.intervention, self.weight

    def needs(self) -> frozenset[Need]:
        """Return what the intervention needs."""
        return self.intervention.needs()

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the weighted mean of `hidden` and the intervention's result."""
        dtype = working_dtype(hidden)
        before = hidden.to(dtype)
        # lerp returns its arguments exactly where they agree, which (1 - w) h + w h need not.
        return torch.lerp(before, self.intervention(hidden, given).to(dtype), self.weight).to(hidden.dtype)


def _dose(weight: float) -> float:
    return number_within(weight, 0, 1, what="Blend: weight", wanted="a number from 0 to 1")


@final
@dataclass(frozen=True, slots=True, repr=False)
class Masked(AbstractIntervention):
    """An intervention where a mask is True, nothing elsewhere.

    Parameters
    ----------
    intervention
        What is done where the mask is True.
    mask
        Booleans that broadcast to one row: (features,) or (positions, features).

    Raises
    ------
    DesignError
        If `mask` does not hold booleans or, when called, does not broadcast to the activation.

    Examples
    --------
    >>> from mediation.interventions import Zero
    >>> Masked(Zero(), [True, False])(torch.tensor([[3.0, 4.0]]))
    tensor([[0., 4.]])
    """

    intervention: AbstractIntervention
    mask: Numbers

    def __post_init__(self) -> None:
        an_intervention(self.intervention, what="Masked")
        object.__setattr__(self, "mask", truths(self.mask, what="Masked: mask"))

    def needs(self) -> frozenset[Need]:
        """Return what the intervention needs."""
        return self.intervention.needs()

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the intervention's result where the mask is True, `hidden` elsewhere."""
        return torch.where(spread(self.mask, hidden, what="Masked: mask"), self.intervention(hidden, given), hidden)
