"""What rounding of outcomes can make of a contrast: a limit for each unit, from its own outcomes alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...estimands import Linear

Array = NDArray[np.float64]
Precision = Literal["float32", "float64"]
"""In which precision outcomes were computed."""

PRECISIONS: tuple[Precision, ...] = ("float32", "float64")
MAGNITUDE = "magnitude"
"""Column of the differences of two results: the largest outcome, without sign, that was subtracted."""

_STEPS = 8  # roundings that the outcomes of one contrast may differ by


def coarsest(precisions: Iterable[Precision]) -> Precision:
    """Return the coarsest of several precisions.

    Examples
    --------
    >>> coarsest(["float64", "float32"]), coarsest([])
    ('float32', 'float64')
    """
    return "float32" if "float32" in set(precisions) else "float64"


def limits(weights: Linear, outcomes: Mapping[str, Array], precision: Precision) -> Array:
    """Return how far each contrast may be from exact by rounding of the outcomes that enter it, in their shape.

    It is 8 eps times the largest ``|weight * outcome|``, unit by unit and group by group: what other units, sites and
    arms are like has no part in it.

    Examples
    --------
    >>> outcomes = {"y00": np.array([[1.0], [2.0]]), "y01": np.array([[1.0], [4.0]]), "y10": np.array([[9e9], [0.0]])}
    >>> limits({"y01": 1.0, "y00": -1.0}, outcomes, "float64") / np.finfo(float).eps
    array([[ 8.],
           [32.]])
    """
    sizes = [abs(weight) * np.abs(outcomes[name]) for name, weight in weights.items() if weight]
    if MAGNITUDE in outcomes:
        sizes.append(max(map(abs, weights.values())) * np.abs(outcomes[MAGNITUDE]))
    found: Array = _STEPS * float(np.finfo(precision).eps) * np.maximum.reduce(sizes)
    return found


def is_one(values: Array, limit: Array, axis: int | tuple[int, ...] = 0) -> NDArray[np.bool_]:
    """Return whether all values along `axis` are within their limits of one number."""
    return np.asarray((values - limit).max(axis=axis) <= (values + limit).min(axis=axis))


def resolved(values: Array, limit: Array, axis: int | tuple[int, ...] = 0) -> Array:
    """Return contrasts in which a spread that the precision of the outcomes cannot resolve is none.

    An interaction that is the same in all units, say, differs between them by rounding only; its interval would be as
    narrow as the rounding. Where all units are within their limits of one number, each becomes that number: 0 if it can
    be, else their mean.

    Examples
    --------
    >>> resolved(np.array([[1e-9, 2.0], [-1e-9, 2.1]]), np.full((2, 2), 1e-8)).tolist()
    [[0.0, 2.0], [0.0, 2.1]]
    """
    low, high = (values - limit).max(axis=axis, keepdims=True), (values + limit).min(axis=axis, keepdims=True)
    mean = np.clip(values.mean(axis=axis, keepdims=True), low, np.maximum(low, high))
    one = np.where((low <= 0) & (high >= 0), 0.0, mean)
    return np.where(low <= high, one, values)
