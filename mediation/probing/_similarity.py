"""How similar states are: cosines, centred cosines, alignment of representations, effective rank."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import true_or_false
from ..errors import DataError, DegenerateWarning
from ._states import matrix

Array = NDArray[np.float64]
_ROUNDING = 1e-12


def cosine_similarity_matrix(features: ArrayLike) -> Array:
    """Return the cosine similarity of every pair of rows, ``<x_i, x_j> / (|x_i| |x_j|)``.

    Parameters
    ----------
    features
        One state a row, ``(n, d)``: the same position of n inputs, or n positions of one input.

    Returns
    -------
    ndarray
        ``(n, n)``, symmetric, with 1 on the diagonal. A row of zeros has no direction: NaN, and a warning.

    Raises
    ------
    DataError
        If `features` is not two-dimensional, or holds NaN or infinity.

    Warns
    -----
    DegenerateWarning
        If a row is 0.

    Examples
    --------
    >>> cosine_similarity_matrix([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]).round(3)
    array([[1.   , 0.   , 0.707],
           [0.   , 1.   , 0.707],
           [0.707, 0.707, 1.   ]])
    """
    x = matrix(features, "features")
    return _cosines(x, np.zeros(len(x)))


def centred_cosine(features: ArrayLike) -> Array:
    """Return the cosine similarity of every pair of rows after their mean is taken away.

    Hidden states share a large mean, which makes all raw cosines high; what is left tells inputs apart. The mean of
    these cosines off the diagonal is near -1 / (n - 1) for states without structure, not 0.

    Parameters
    ----------
    features
        ``(n, d)``, n >= 2.

    Returns
    -------
    ndarray
        ``(n, n)``. A row that is the mean, to rounding, has NaN.

    Raises
    ------
    DataError
        As `cosine_similarity_matrix`, or if there is one row.

    Warns
    -----
    DegenerateWarning
        If a row is the mean.

    Examples
    --------
    >>> centred_cosine([[10.0, 1.0], [10.0, -1.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    x = matrix(features, "features", least=2)
    return _cosines(x - x.mean(axis=0), _ROUNDING * np.linalg.norm(x, axis=1))


def linear_cka(first: ArrayLike, second: ArrayLike, *, debiased: bool = False) -> float:
    """Return the linear centred kernel alignment of two representations of the same inputs.

    ``|Y'X|_F^2 / (|X'X|_F |Y'Y|_F)`` with centred columns (Kornblith et al. 2019, "Similarity of neural network
    representations revisited", section 3). It does not change when a representation is rotated or scaled.

    Parameters
    ----------
    first, second
        ``(n, d)`` and ``(n, e)``: the same n inputs, one a row.
    debiased
        With fewer inputs than features the plain value is high even for unrelated representations. True replaces the
        three terms by their unbiased estimates (Song et al. 2012, JMLR 13, section 3.2; needs n >= 4): the value is
        then near 0 for unrelated ones, and may be below it.

    Returns
    -------
    float
        Between 0 and 1 (at most 1 if debiased). NaN if a representation does not vary.

    Raises
    ------
    DataError
        If the numbers of rows differ or are too few, or a value is NaN or infinite.

    Warns
    -----
    DegenerateWarning
        If a representation is the same for all inputs.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> round(linear_cka(x, 5 * x[:, ::-1] + 1), 6)
    1.0
    """
    true_or_false(debiased, what="linear_cka: debiased")
    least = 4 if debiased else 2
    x, y = matrix(first, "first", least=least), matrix(second, "second", least=least)
    if len(x) != len(y):
        raise DataError(
            f"linear_cka: first has {len(x)} rows and second {len(y)}; both need the same inputs, in order."
        )
    if not (varies(x) and varies(y)):
        _warn("linear_cka: a representation is the same for all inputs, so its alignment is NaN.")
        return float("nan")
    a, b = _centred(x), _centred(y)
    if debiased:
        a, b = unbiased_gram(a @ a.T), unbiased_gram(b @ b.T)
        return aligned(a, b)
    # Whichever product is smaller: of features, or of inputs.
    if x.shape[1] * y.shape[1] > len(x) ** 2:
        return aligned(a @ a.T, b @ b.T)
    return float(np.sum((b.T @ a) ** 2) / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def effective_rank(features: ArrayLike, *, centred: bool = True) -> float:
    """Return the effective rank, exp(-sum_i p_i log p_i) with p_i = s_i / sum_j s_j and s the singular values.

    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality", definition 1. It is k for k
    equal singular values, and falls to 1 as the states collapse to one line.

    Parameters
    ----------
    features
        ``(n, d)``.
    centred
        Take the mean of the rows away first, so that the spread of states is measured and not their common direction.

    Returns
    -------
    float
        Between 1 and min(n, d). NaN if all rows are the same (all 0, if not centred).

    Raises
    ------
    DataError
        As `cosine_similarity_matrix`.

    Warns
    -----
    DegenerateWarning
        If there is no spread.

    Examples
    --------
    >>> round(effective_rank(np.eye(5), centred=False), 6)
    5.0
    """
    true_or_false(centred, what="effective_rank: centred")
    x = matrix(features, "features", least=2 if centred else 1)
    if not (varies(x) if centred else x.any()):
        _warn("effective_rank: all states are the same, so their effective rank is NaN.")
        return float("nan")
    return rank_of(np.linalg.svd(_centred(x) if centred else x, compute_uv=False))


def rank_of(values: NDArray[np.floating[Any]]) -> float:
    """Return the effective rank that singular values stand for."""
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def _cosines(x: Array, none: Array) -> Array:
    """Return cosines of rows; rows whose norm is at most `none` have no direction."""
    norms = np.linalg.norm(x, axis=1)
    empty = norms <= none
    if empty.any():
        first = int(np.argmax(empty))
        _warn(f"{int(empty.sum())} of {len(x)} states have no direction (first: row {first}): NaN there.", stacklevel=4)
    unit = x / np.where(empty, np.nan, norms)[:, None]
    cosines: Array = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(cosines, np.where(empty, np.nan, 1.0))
    return cosines


def _centred(x: Array) -> Array:
    centred: Array = x - x.mean(axis=0)
    return centred


def varies(x: Array) -> bool:
    """Return whether rows differ by more than rounding."""
    return bool(np.abs(_centred(x)).max() > _ROUNDING * max(1e-300, float(np.abs(x).max())))


def aligned(a: Array, b: Array) -> float:
    """Return the cosine of two matrices as vectors, <A, B> / (|A| |B|)."""
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def unbiased_gram(gram: Array) -> Array:
    """Return the U-centred Gram matrix, of which sum(A * B) / (n (n - 3)) is the unbiased HSIC; `gram` is changed."""
    np.fill_diagonal(gram, 0.0)
    n = len(gram)
    means = gram.sum(axis=1) / (n - 2)
    gram += means.sum() / (n - 1) - means[:, None] - means[None, :]
    np.fill_diagonal(gram, 0.0)
    found: Array = gram
    return found


def _warn(message: str, *, stacklevel: int = 3) -> None:
    warnings.warn(message, DegenerateWarning, stacklevel=stacklevel)
