"""Interventions on the steps of a thought, or on the positions of any site: repeat, shuffle, shorten, leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, final

import torch
from torch import Tensor

from .._checks import elements, positive_int, seed_number
from .._values import Value
from ..errors import DesignError
from ._abstract import AbstractIntervention
from ._broadcast import numbers
from ._constant import Constant
from ._needs import NOTHING, Given, Need, Noise, supplied


@final
@dataclass(frozen=True, slots=True, repr=False)
class FirstRepeat(AbstractIntervention):
    """The first position in the place of all: I(h)_i = h_0, the first-repeat of token replacement tests.

    Matched with `RepeatFirst` on a written thought.

    Examples
    --------
    >>> FirstRepeat()(torch.tensor([[[1.0], [2.0], [3.0]]])).flatten()
    tensor([1., 1., 1.])
    """

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the first position, repeated; an activation without positions, (rows, features), stays."""
        return hidden.clone() if hidden.ndim < 3 else hidden[:, :1].expand_as(hidden).clone()


@final
@dataclass(frozen=True, slots=True, repr=False)
class ShuffleSteps(AbstractIntervention):
    """The positions in a random order, another one for each unit and draw; never the order that they had.

    The order is that of the first feature's noise. At latents it is asked for after the fact: in the loop, later
    latents are not known yet. Matched with `ShuffleWords` on a written thought.

    Parameters
    ----------
    stream
        Interventions with the same stream see the same noise; give another number for an independent order.

    Examples
    --------
    >>> hidden = torch.tensor([[[1.0], [2.0], [3.0]]])
    >>> ShuffleSteps()(hidden, {Noise(): torch.tensor([[[0.3], [-1.0], [0.1]]])}).flatten()
    tensor([2., 3., 1.])
    """

    stream: int = 0

    def __post_init__(self) -> None:
        seed_number(self.stream, what="ShuffleSteps: stream")

    def needs(self) -> frozenset[Need]:
        """Return the noise that is sorted."""
        return frozenset({Noise(self.stream)})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the positions of `hidden` in another order; an activation without any, (rows, features), stays."""
        noise = supplied(Noise(self.stream), hidden, given, by=self).expand_as(hidden)
        if hidden.ndim < 3:
            return hidden.clone()
        order = noise.flatten(start_dim=2)[..., 0].argsort(dim=1)
        same = (order == torch.arange(order.shape[1], device=order.device)).all(dim=1, keepdim=True)
        order = torch.where(same, order.roll(1, dims=1), order)
        return hidden.gather(1, order.reshape(*order.shape, *(1,) * (hidden.ndim - 2)).expand_as(hidden))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Skip(AbstractIntervention):
    """No thought at all: where it would open, it is closed at once. For latents and for written thoughts.

    Examples
    --------
    >>> Skip()
    Skip()
    """

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> NoReturn:
        """Refuse: an activation cannot be left out."""
        raise DesignError(_only_thoughts(self, "med.Zero() puts zeros in the place of an activation."))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Shorten(AbstractIntervention):
    """The first `keep` latents of a thought, and no more; `Truncate` is its match on a written thought.

    Parameters
    ----------
    keep
        Latents that stay.

    Examples
    --------
    >>> Shorten(2)
    Shorten(2)
    """

    keep: int

    def __post_init__(self) -> None:
        positive_int(self.keep, what="Shorten: keep", least=0)

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> NoReturn:
        """Refuse: an activation keeps its positions."""
        raise DesignError(_only_thoughts(self, "Name fewer positions in the site instead."))


@final
@dataclass(frozen=True, slots=True, repr=False)
class Oracle(AbstractIntervention):
    """Latents given by hand for each unit, such as the features of the region that the question is about.

    Parameters
    ----------
    values
        ``(units, steps, features)``, or a list with one ``(steps, features)`` a unit. At all steps of a thought its
        length becomes that of the given latents.

    Raises
    ------
    DesignError
        If a value does not hold finite numbers of that shape.

    Examples
    --------
    >>> Oracle(torch.zeros(2, 3, 4)).of(1).value.data.shape
    torch.Size([3, 4])
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        given: Any = self.values
        given = elements(given, what="Oracle: values", needed="one (steps, features) tensor a unit")
        if not given:
            raise DesignError("Oracle: values is empty; one (steps, features) tensor a unit is needed.")
        found = tuple(numbers(one, what=f"Oracle: unit {unit}") for unit, one in enumerate(given))
        for unit, one in enumerate(found):
            if one.data.ndim != 2:
                raise DesignError(
                    f"Oracle: unit {unit} has shape {tuple(one.data.shape)}; (steps, features) is needed."
                )
        object.__setattr__(self, "values", found)

    def of(self, unit: int) -> Constant:
        """Return the constant that stands for one unit.

        Raises
        ------
        DesignError
            If there is no such unit.
        """
        positive_int(unit, what="Oracle.of: unit", least=0)
        if unit >= len(self.values):
            raise DesignError(f"Oracle has values for {len(self.values)} units, and unit {unit} is asked for.")
        return Constant(self.values[unit])

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> NoReturn:
        """Refuse: which unit a row is, is known in a rollout alone."""
        raise DesignError(_only_thoughts(self, "For one unit: oracle.of(unit)."))


def _only_thoughts(what: AbstractIntervention, instead: str) -> str:
    return f"{type(what).__name__} is for thoughts: place it at med.latents() or med.imagination(). {instead}"
