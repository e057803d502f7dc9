"""Resampling as counts: one weight matrix, shared by all columns, made in blocks from a seed.

A bootstrap resample of J clusters is a vector of J counts that sum to J, so the resampled sum of any column is a
product of the count matrix with it. Blocks are made afresh whenever they are needed, each from its own stream, so the
matrix is never held whole and any part of it is the same whatever else is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_STREAM = 0x626F6F74  # keeps these draws apart from others made with the same seed
_CELLS = 2**18
_MOST_ROWS = 512
_LEAST_ROWS = 16
_KEPT_BLOCKS = 256  # of one byte a count: 64 MB in all


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
    for start in range(0, n_resamples, size):
        rows = slice(start, min(start + size, n_resamples))
        yield rows, block_of_counts(n_clusters, rows, seed)


def row_blocks(n_clusters: int, n_resamples: int, *, at_once: int = 1) -> list[slice]:
    """Return the rows of each block of the count matrix, or of each `at_once` of them together.

    Examples
    --------
    >>> row_blocks(200, 600)
    [slice(0, 512, None), slice(512, 600, None)]
    """
    size = at_once * rows_per_block(n_clusters)
    return [slice(start, min(start + size, n_resamples)) for start in range(0, n_resamples, size)]


def block_of_counts(n_clusters: int, rows: slice, seed: int) -> NDArray[np.float64]:
    """Return the block of the count matrix (rows, J) that starts at `rows.start`."""
    return _block(n_clusters, rows, seed).astype(np.float64)


def counts_of(n_clusters: int, rows: slice, seed: int) -> NDArray[np.float64]:
    """Return the rows of the count matrix (rows, J) of one block or of several that follow each other."""
    size = rows_per_block(n_clusters)
    counts = np.empty((rows.stop - rows.start, n_clusters))
    for start in range(rows.start, rows.stop, size):
        block = slice(start, min(start + size, rows.stop))
        counts[start - rows.start : block.stop - rows.start] = _block(n_clusters, block, seed)
    return counts


def _block(n_clusters: int, rows: slice, seed: int) -> NDArray[np.unsignedinteger]:
    """Return a block, kept for the next columns and the next call of the study unless it is large."""
    n_rows = rows.stop - rows.start
    make = _kept_counts if n_rows * n_clusters <= _CELLS else _counts
    return make(n_clusters, rows.start, n_rows, seed)


def _counts(n_clusters: int, start: int, n_rows: int, seed: int) -> NDArray[np.unsignedinteger]:
    """Return a block of counts in the smallest type that holds them."""
    index = start // rows_per_block(n_clusters)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, index)))
    picks = rng.integers(n_clusters, size=(n_rows, n_clusters))
    picks += np.arange(n_rows)[:, None] * n_clusters
    counts = np.bincount(picks.ravel(), minlength=n_rows * n_clusters).reshape(n_rows, n_clusters)
    return counts.astype(np.min_scalar_type(counts.max()))


_kept_counts = lru_cache(maxsize=_KEPT_BLOCKS)(_counts)
