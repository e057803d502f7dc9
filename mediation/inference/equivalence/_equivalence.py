"""Equivalence: is a mean within a margin of 0? Two one-sided tests by the interval that is shown.

A mean is claimed to lie in (-m, m) when both "mean >= m" and "mean <= -m" are rejected at level alpha, that is when the
interval of level 1 - 2 alpha lies inside the margin (Schuirmann 1987, J. Pharmacokin. Biopharm. 15, 657-680). A claim
needs both tests, so its error is at most alpha (an intersection-union test; Berger 1982, Technometrics 24, 295-300).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ..._checks import pair_of
from .._settings import Inference
from ..groups import group_difference_intervals
from ..intervals import Intervals, mean_intervals
from ..sample import Array, checked_columns
from ._claim import Equivalence, at_level, decided_by, margins

_DEFAULT = Inference()


def mean_equivalence(
    values: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    span: ArrayLike | None = None,
) -> Equivalence:
    """Return the tests of -margin < mean < margin for each column of `values`.

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K).
    margin
        A positive number, or one per column.
    alpha
        Level of each of the two tests; the interval that decides has level 1 - 2 alpha.
    clusters, weights, span
        As in `mean_intervals`.
    settings
        Method, resamples and seed; its level is not used.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN.
    DesignError
        If a margin is not positive, or alpha is not between 0 and 1/2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> found = mean_equivalence(rng.normal(0.0, 1.0, size=(200, 2)), [0.5, 0.05])
    >>> found.inside
    array([ True, False])
    """
    array = checked_columns(values, "values")
    m = margins(margin, array.shape[1])
    level = at_level(settings, alpha)

    def tested(null: Array) -> Intervals:
        return mean_intervals(array, clusters=clusters, weights=weights, settings=level, null=null, span=span)

    return decided_by(tested, m, alpha)


def group_equivalence(
    first: ArrayLike,
    second: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
    weights: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    settings: Inference = _DEFAULT,
    span: ArrayLike | None = None,
) -> Equivalence:
    """Return the tests of -margin < mean(first) - mean(second) < margin, of two independent groups of units.

    Parameters
    ----------
    first, second
        One number per unit and quantity, (n1, K) and (n2, K).
    margin
        A positive number, or one per column.
    alpha, settings
        As in `mean_equivalence`.
    clusters, weights, span
        Of the first and the second group, as in `group_difference_intervals`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> found = group_equivalence(rng.normal(size=(200, 1)), rng.normal(size=(150, 1)), 0.5)
    >>> found.inside
    array([ True])
    """
    one, two = checked_columns(first, "first"), checked_columns(second, "second")
    m = margins(margin, one.shape[1])
    clusters = pair_of(clusters, what="clusters", needed="a pair, of the first and of the second group,")
    weights = pair_of(weights, what="weights", needed="a pair, of the first and of the second group,")

    def tested(null: Array) -> Intervals:
        return group_difference_intervals(
            one, two, clusters_first=clusters[0], clusters_second=clusters[1], weights_first=weights[0],
            weights_second=weights[1], settings=at_level(settings, alpha), null=null, span=span,
        )  # fmt: skip

    return decided_by(tested, m, alpha)
