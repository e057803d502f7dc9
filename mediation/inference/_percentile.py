"""Percentile bootstrap: equal-tailed quantiles of the resampled means."""

from __future__ import annotations

import numpy as np

from ._sampling import Array, Sampling
from ._studentized import Ends
from ._variance import SAME, Linearised


def shifts(part: Linearised, design: Sampling, counts: Array) -> Array:
    """Return mean* - mean, (k, b), of the columns in `part` for the resamples in `counts` (b, J)."""
    moved = part.residuals @ counts.T
    moved /= counts @ design.cluster_weights
    return moved


def percentile_ends(shift: Array, mean: Array, rank: int) -> Ends:
    """Return equal-tailed percentile intervals and the p-values dual to them, in the units of `mean`.

    The interval is (mean*_(k), mean*_(B+1-k)), with k the `rank` (Efron & Tibshirani 1993, section 13.3). The p-value
    of mean = 0 inverts it: 2 min(1 + #{mean* <= 0}, 1 + #{mean* >= 0}) / (B + 1), at most 1. It is at most alpha
    exactly when the interval leaves out 0, and never 0.

    Parameters
    ----------
    shift
        Replicates of mean* - mean, (k, B), for columns scaled to magnitude about 1; reordered in place.
    mean
        Mean of each column, (k,).
    rank
        Rank k of the ends from either side.

    Returns
    -------
    Ends
        `finite` is False where the two ends are the same number: no interval.

    Examples
    --------
    >>> ends = percentile_ends(np.linspace(-1, 1, 99)[None], np.array([2.0]), rank=5)
    >>> ends.low.round(3), ends.high.round(3), ends.p_value
    (array([1.082]), array([2.918]), array([0.02]))
    """
    n_resamples = shift.shape[1]
    below = np.count_nonzero(shift <= (SAME - mean)[:, None], axis=1)
    above = np.count_nonzero(shift >= (-SAME - mean)[:, None], axis=1)
    p_value = np.minimum(1.0, 2.0 * (1 + np.minimum(above, below)) / (n_resamples + 1))
    shift.partition((rank - 1, n_resamples - rank), axis=1)
    ends = mean + shift[:, [rank - 1, n_resamples - rank]].T
    low, high = np.where(np.abs(ends) <= SAME, 0.0, ends)
    return Ends(low, high, p_value, high - low > SAME * np.maximum(1.0, np.abs(mean)))
