"""Order statistics near both ends of long rows, without sorting or reordering what lies between."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..sample import Array

_SHARE = 8  # every eighth replicate shows about where the ends are
_LEAST = 2048  # shorter rows are partitioned whole
_SLACK = 5.0  # standard errors of the rank in that share


def outer(rows: Array, rank: int) -> tuple[Array, Array]:
    """Return the `rank`-th smallest and the `rank`-th largest of each row, (k,) each, exactly.

    A share of each row bounds where they can be; what lies beyond the bounds, a few percent, is all that is looked at.
    A row whose bound was too tight is partitioned whole.

    Parameters
    ----------
    rows
        Replicates, (k, B), without NaN; the same afterwards.
    rank
        From 1 to B.

    Examples
    --------
    >>> outer(np.array([[3.0, 1.0, 2.0, 5.0, 4.0]]), 2)
    (array([2.]), array([4.]))
    """
    length = rows.shape[1]
    in_share = math.ceil(rank / _SHARE + _SLACK * math.sqrt(rank / _SHARE))
    share = length // _SHARE
    if length < _LEAST or in_share >= share // 4 or not len(rows):
        return _whole(rows, rank)
    some = rows[:, :share].copy()
    some.partition((in_share, share - 1 - in_share), axis=1)
    low, found_low = _smallest(rows, rows <= some[:, in_share, None], rank)
    high, found_high = _smallest(rows, rows >= some[:, share - 1 - in_share, None], rank, sign=-1.0)
    missed = ~(found_low & found_high)
    if missed.any():
        low[missed], high[missed] = _whole(rows[missed], rank)
    return low, high


def _whole(rows: Array, rank: int) -> tuple[Array, Array]:
    length = rows.shape[1]
    parted = np.partition(rows, (rank - 1, length - rank), axis=1)
    return parted[:, rank - 1].copy(), parted[:, length - rank].copy()


def _smallest(rows: Array, mask: NDArray[np.bool_], rank: int, *, sign: float = 1.0) -> tuple[Array, NDArray[np.bool_]]:
    """Return sign times the `rank`-th smallest of sign x the masked entries of each row, and whether it exists."""
    counts = np.count_nonzero(mask, axis=1)
    width = max(int(counts.max()), rank)
    kept = np.full((len(rows), width), np.inf)
    kept[np.arange(width) < counts[:, None]] = sign * rows.ravel()[np.flatnonzero(mask)]
    kept.partition(rank - 1, axis=1)
    return sign * kept[:, rank - 1], counts >= rank
