"""Interventions that replace the activation by something that does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from .._checks import one_of
from ._abstract import AbstractIntervention
from ._broadcast import Numbers, numbers, placed, spread
from ._needs import NOTHING, Given, Moment, Need, supplied


@final
@dataclass(frozen=True, slots=True, repr=False)
class Zero(AbstractIntervention):
    """Zero ablation: I(h) = 0.

    Zero is rarely a value that the activation takes; ``Mean()`` and ``Swap()`` stay nearer to what the model knows.

    Examples
    --------
    >>> Zero()(torch.ones(1, 2))
    tensor([[0., 0.]])
    """

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return zeros of the shape of `hidden`."""
        return torch.zeros_like(hidden)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Constant(AbstractIntervention):
    """A value set by hand: I(h) = c, the ``do(M = c)`` of Pearl (2009, section 3.2).

    Parameters
    ----------
    value
        A number, list or tensor that broadcasts to one row: () or (features,) or (positions, features).

    Raises
    ------
    DesignError
        If `value` does not hold finite numbers or, when called, does not broadcast to the activation.

    Examples
    --------
    >>> Constant([0.5, -1.0])(torch.zeros(2, 2))
    tensor([[ 0.5000, -1.0000],
            [ 0.5000, -1.0000]])
    """

    value: Numbers

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", numbers(self.value, what="Constant"))

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the value, repeated to the shape of `hidden`."""
        return placed(spread(self.value, hidden, what="Constant"), hidden)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Mean(AbstractIntervention):
    """Mean ablation: I(h) = mean of the activation at the site over the study.

    Parameters
    ----------
    over
        ``"units"``: a mean for each position. ``"tokens"``: one mean over units and positions.
    run
        Input whose runs are averaged: ``"base"``, ``"source"``, or the ``"same"`` as the one that runs.

    Raises
    ------
    DesignError
        If `over` or `run` is not known.

    Examples
    --------
    >>> Mean().needs()
    frozenset({Moment(kind='mean', over='units', run='same')})
    >>> Mean()(torch.zeros(1, 2), {Moment("mean"): torch.tensor([3.0, 4.0])})
    tensor([[3., 4.]])
    """

    over: Literal["units", "tokens"] = "units"
    run: Literal["same", "base", "source"] = "same"

    def __post_init__(self) -> None:
        one_of(self.over, ("units", "tokens"), what="Mean: over")
        one_of(self.run, ("same", "base", "source"), what="Mean: run")

    def needs(self) -> frozenset[Need]:
        """Return the mean."""
        return frozenset({self._moment()})

    def __call__(self, hidden: Tensor, given: Given = NOTHING) -> Tensor:
        """Return the given mean, repeated to the shape of `hidden`."""
        return placed(supplied(self._moment(), hidden, given, by=self), hidden)

    def _moment(self) -> Moment:
        return Moment("mean", over=self.over, run=self.run)
