"""What an estimand is: a named contrast, per unit, of potential outcomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Linear = Mapping[str, float]
Array = NDArray[np.float64]


class AbstractEstimand(ABC):
    """A contrast of potential outcomes.

    Potential outcomes are named as in ``y_xm`` = Y(x, M(m)): the input x runs with the mediator that
    input m has; 0 is the base and 1 the source. ``y0m`` and ``y1m`` have the mediator ablated to m*;
    ``g_xm`` have the mediator of a random other unit; ``y`` and ``ym`` are one input, plain and ablated.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def key(self) -> str:
        """Key in the tidy table, such as ``"pnie"``."""

    @property
    @abstractmethod
    def weights(self) -> Linear:
        """Coefficient of each potential outcome (of the numerator, for a ratio)."""

    @property
    def denominator(self) -> Linear | None:
        """Coefficients of the denominator, for ratios of means; None for plain contrasts."""
        return None

    @property
    def needs(self) -> frozenset[str]:
        """Names of the potential outcomes that the estimand is made of."""
        below = self.denominator or {}
        return frozenset(self.weights) | frozenset(below)


def contrast(weights: Linear, outcomes: Mapping[str, Array]) -> Array:
    """Return the weighted sum of potential outcomes, unit by unit.

    Examples
    --------
    >>> contrast({"y11": 1, "y00": -1}, {"y11": np.array([3.0]), "y00": np.array([1.0])})
    array([2.])
    """
    first = next(iter(weights))
    total = np.zeros_like(np.asarray(outcomes[first], dtype=float))
    for name, weight in weights.items():
        total = total + weight * outcomes[name]
    return total
