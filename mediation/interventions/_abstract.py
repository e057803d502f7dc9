"""The idea of an intervention: a pure function of the activation at a site, as a value."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import Tensor

from .._checks import shown
from .._values import Value
from ..errors import DesignError
from ._needs import NOTHING, Given, Need

if TYPE_CHECKING:
    from ..sites import InputSite, Site, SiteSet, ThoughtSite
    from ._assignment import Assignment


class AbstractIntervention(ABC):
    """What is done to the activation at a site: a pure function of it, frozen and compared by value.

    ``hidden`` has shape (rows, positions, features) at sequence sites and (rows, ...) elsewhere. A row is a
    unit. Rows come in any order and any number, so no intervention may look from one row at another.

    Laws (``check_laws`` tests them for one of your own):

    - the result has the shape, dtype and device of ``hidden``, and neither ``hidden`` nor ``given`` changes;
    - the same arguments give the same bits; randomness comes in through ``given`` alone;
    - every row of the result depends on that row only;
    - ``Identity()`` is neutral for ``>>``, and ``>>`` is associative, as objects and as functions;
    - equal parameters make equal interventions with equal hashes, and ``repr`` evaluates back
      (except for long tensors, which are printed by digest).

    Examples
    --------
    >>> import torch
    >>> from mediation.interventions import Add, Scale
    >>> double_then_shift = Scale(2.0) >> Add(1.0)
    >>> double_then_shift(torch.tensor([[3.0]]))
    tensor([[7.]])
    """

    __slots__ = ()

    @abstractmethod
    def needs(self) -> frozenset[Need]:
        """Return what `__call__` must find in `given`."""

    @abstractmethod
    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the activation that the model goes on with.

        Parameters
        ----------
        hidden
            The activation, (rows, positions, features) or (rows, ...). It is not changed.
        given
            A tensor for everything in `needs`, of the shape of `hidden` or broadcasting to it.

        Returns
        -------
        Tensor
            Shape, dtype and device of `hidden`.

        Raises
        ------
        DesignError
            If something needed is not given, or a parameter does not fit the shape of `hidden`.
        """

    @abstractmethod
    def __repr__(self) -> str: ...

    def at(self, site: Site | SiteSet | ThoughtSite | InputSite) -> Assignment:
        """Return the assignment of this intervention to `site`."""
        from ._assignment import Assignment

        return Assignment(((site, self),))

    def __rshift__(self, other: AbstractIntervention) -> AbstractIntervention:
        if not isinstance(other, AbstractIntervention):
            return NotImplemented
        from ._compose import chain

        return chain(self, other)


def spelled(instance: AbstractIntervention) -> str:
    """Return the call that makes `instance`: required arguments by place, others by name where they are not default.

    Examples
    --------
    >>> from mediation.interventions import GaussianNoise
    >>> GaussianNoise(0.5, relative=True)
    GaussianNoise(0.5, relative=True)
    """
    words = []
    for item in dataclasses.fields(instance):  # type: ignore[arg-type]
        value = getattr(instance, item.name)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            if item.init:
                words.append(spelled_value(value))
        elif item.init and value != item.default:
            words.append(f"{item.name}={spelled_value(value)}")
    return f"{type(instance).__name__}({', '.join(words)})"


def spelled_value(value: object) -> str:
    """Return `value` as an argument is written: short tensors as plain numbers or lists."""
    text = repr(value)
    if isinstance(value, Value) and text.startswith("Value("):
        return text.removeprefix("Value(").removesuffix(")")
    return text


def an_intervention(value: object, *, what: str) -> AbstractIntervention:
    """Return `value` if it is an intervention.

    Raises
    ------
    DesignError
        If it is not; a class or an ``@intervention`` that was not called is told so.
    """
    if isinstance(value, AbstractIntervention):
        return value
    if isinstance(value, type) and issubclass(value, AbstractIntervention):
        raise DesignError(f"{what}: an intervention is needed, found the class {value.__name__}. Call it first.")
    if callable(value):
        raise DesignError(
            f"{what}: an intervention is needed, found {shown(value)}. "
            "A function becomes one by @intervention, and then a call with its parameters."
        )
    raise DesignError(f"{what}: an intervention is needed, such as Zero(), found {shown(value)}.")
