"""Interventions made of interventions: nothing, one after another, in part, at some features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from .._checks import shown
from ..errors import DesignError
from ._abstract import AbstractIntervention, an_intervention, spelled
from ._broadcast import Numbers, number_within, spread, truths, working_dtype
from ._needs import NOTHING, Given, Need


@final
@dataclass(frozen=True, slots=True)
class Identity(AbstractIntervention):
    """The activation as it is: I(h) = h; neutral for ``>>``.

    Examples
    --------
    >>> Identity() >> Identity()
    Identity()
    """

    __repr__ = spelled

    def needs(self) -> frozenset[Need]:
        """Return nothing."""
        return frozenset()

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return `hidden` itself."""
        return hidden


@final
@dataclass(frozen=True, slots=True)
class Then(AbstractIntervention):
    """Interventions one after another, first to last; written ``a >> b``.

    Always in normal form: at least two parts, none of them `Identity` or `Then`. So ``(a >> b) >> c`` equals
    ``a >> (b >> c)``. What a part is given belongs to the site, not to the result of the part before it.

    Parameters
    ----------
    parts
        Two or more interventions; nested ones are flattened, `Identity` is left out.

    Raises
    ------
    DesignError
        If fewer than two are left. ``chain`` takes any number.

    Examples
    --------
    >>> from mediation.interventions import Add, Scale, Zero
    >>> Scale(2.0) >> (Add(1.0) >> Scale(3.0))
    (Scale(2.0) >> Add(1.0) >> Scale(3.0))
    """

    parts: tuple[AbstractIntervention, ...]

    def __post_init__(self) -> None:
        flat = _flat(self.parts)
        if len(flat) < 2:
            found = f"only {flat[0]!r}" if flat else "none"
            raise DesignError(
                f"Then: at least two interventions other than Identity() are needed, found {found}. "
                "Use chain(...), which takes any number."
            )
        object.__setattr__(self, "parts", flat)

    def __repr__(self) -> str:
        return f"({' >> '.join(map(repr, self.parts))})"

    def needs(self) -> frozenset[Need]:
        """Return what the parts need."""
        return frozenset[Need]().union(*(part.needs() for part in self.parts))

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the result of the last part on that of the one before it, and so on."""
        for part in self.parts:
            hidden = part(hidden, given)
        return hidden


def chain(*parts: AbstractIntervention) -> AbstractIntervention:
    """Return the interventions one after another: none is `Identity`, one is itself, more are `Then`.

    Parameters
    ----------
    parts
        Any number of interventions, first to last.

    Examples
    --------
    >>> from mediation.interventions import Zero
    >>> chain(), chain(Identity(), Zero())
    (Identity(), Zero())
    """
    flat = _flat(parts)
    if not flat:
        return Identity()
    return flat[0] if len(flat) == 1 else Then(flat)


def _flat(parts: object) -> tuple[AbstractIntervention, ...]:
    if not isinstance(parts, (tuple, list)):
        raise DesignError(
            f"Then: a tuple of interventions is needed, found {shown(parts)}. Write a >> b, or Then((a, b))."
        )
    flat: list[AbstractIntervention] = []
    for part in parts:
        one = an_intervention(part, what="Then")
        flat.extend(one.parts if isinstance(one, Then) else () if isinstance(one, Identity) else (one,))
    return tuple(flat)


@final
@dataclass(frozen=True, slots=True)
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

    __repr__ = spelled

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
@dataclass(frozen=True, slots=True)
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

    __repr__ = spelled

    def __post_init__(self) -> None:
        an_intervention(self.intervention, what="Masked")
        object.__setattr__(self, "mask", truths(self.mask, what="Masked: mask"))

    def needs(self) -> frozenset[Need]:
        """Return what the intervention needs."""
        return self.intervention.needs()

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the intervention's result where the mask is True, `hidden` elsewhere."""
        return torch.where(spread(self.mask, hidden, what="Masked: mask"), self.intervention(hidden, given), hidden)
