"""Resampling as counts: one weight matrix, shared by all columns, made in blocks from a seed.

A bootstrap resample of J clusters is a vector of J counts that sum to J, so the resampled sum of any column is a
product of the count matrix with it. Blocks are made afresh whenever they are needed, each from its own stream, so the
matrix is never held whole and any part of it is the same whatever else is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_STREAM = 0x626F6F74  # keeps these draws apart from others made with the same seed
_CELLS = 2**18
_MOST_ROWS = 512
_LEAST_ROWS = 16


def rows_per_block(n_clusters: int) -> int:
    """Return the number of resamples in one block; it depends on the number of clusters alone.

    Examples
    --------
    >>> rows_per_block(200), rows_per_block(100_000)
    (512, 16)
    """
    return min(_MOST_ROWS, max(_LEAST_ROWS, _CELLS // max(n_clusters, 1)))


def resample_counts(n_clusters: int, n_resamples: int, seed: int) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield the count matrix (B, J) in blocks of rows: how often each cluster is in each resample.

    Parameters
    ----------
    n_clusters
        Number J of clusters, drawn with replacement and equal probability, J at a time.
    n_resamples
        Number B of resamples. The first resamples of a larger B are those of a smaller one.
    seed
        Non-negative integer.

    Yields
    ------
    tuple of slice and array
        Which rows of the matrix, and their counts (rows, J) as floats; each row sums to J.

    Examples
    --------
    >>> for rows, counts in resample_counts(3, 4, seed=0):
    ...     rows, counts.shape, counts.sum(axis=1)
    (slice(0, 4, None), (4, 3), array([3., 3., 3., 3.]))
    """
    size = rows_per_block(n_clusters)
    for index, start in enumerate(range(0, n_resamples, size)):
        rows = slice(start, min(start + size, n_resamples))
        n_rows = rows.stop - rows.start
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, index)))
        picks = rng.integers(n_clusters, size=(n_rows, n_clusters))
        picks += np.arange(n_rows)[:, None] * n_clusters
        counts = np.bincount(picks.ravel(), minlength=n_rows * n_clusters)
        yield rows, counts.reshape(n_rows, n_clusters).astype(np.float64)
