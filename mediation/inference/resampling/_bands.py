"""Many columns at once: max-t bands and step-down p-values from one set of studentised replicates.

All columns are resampled with the same counts, so the maximum over columns of |t*| in a resample keeps their
dependence. Its upper alpha quantile c gives bands mean +- c se that hold jointly (Romano & Wolf 2005; Westfall & Young
1993, chapter 2), and successive maxima over the columns that are not yet rejected give the step-down p-values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..sample import Array
from ._studentized import TIE


@final
class MaxT:
    """Successive maxima of |t*| over columns, gathered block by block.

    Columns come in the order of increasing |t0|, so the maximum over the first k of them is the step-down maximum of
    the k-th, and the maximum over all of them the single-step one.

    Parameters
    ----------
    observed
        |t0| = |mean| / se of the columns, (K,), increasing.
    n_resamples
        Number of resamples B.
    """

    __slots__ = ("_exceed", "_maximum", "_observed")

    def __init__(self, observed: Array, n_resamples: int) -> None:
        self._observed = observed - TIE * np.maximum(1.0, observed)
        self._exceed = np.zeros(len(observed), dtype=np.int64)
        self._maximum = np.zeros(n_resamples)

    def update(self, columns: slice, rows: slice, t: Array) -> NDArray[np.int64]:
        """Take in the replicates `t` (k, b) of consecutive `columns` for the resamples `rows`.

        Returns how many of these resamples exceed each column, for `count`. Calls for other `rows` may run at once.
        """
        size = np.abs(t)
        np.maximum(size[0], self._maximum[rows], out=size[0])
        for column in range(1, len(size)):  # much faster than maximum.accumulate along this axis
            np.maximum(size[column], size[column - 1], out=size[column])
        self._maximum[rows] = size[-1]
        exceeding: NDArray[np.int64] = np.count_nonzero(size >= self._observed[columns, None], axis=1)
        return exceeding

    def count(self, columns: slice, exceeding: Sequence[NDArray[np.int64]]) -> None:
        """Add up what `update` returned for `columns`."""
        self._exceed[columns] += np.sum(exceeding, axis=0)

    def critical_value(self, rank: int) -> float:
        """Return c, the `rank`-th largest maximum (the largest for ranks below 1): mean +- c se are the bands."""
        rank = max(rank, 1)
        position = len(self._maximum) - rank
        return float(np.partition(self._maximum, position)[position])

    def p_adjusted(self) -> Array:
        """Return step-down p-values, (K,), in the order of the columns; at least 1 / (B + 1).

        (1 + #{max over columns with |t0| no larger of |t*| >= |t0|}) / (B + 1), made monotone (Westfall & Young 1993,
        algorithm 2.8; Romano & Wolf 2016 for the added ones).
        """
        p_value = (1 + self._exceed) / (len(self._maximum) + 1)
        monotone: Array = np.maximum.accumulate(p_value[::-1])[::-1]
        return monotone
