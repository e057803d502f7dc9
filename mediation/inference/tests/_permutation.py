"""Sign flips: a test of "the mean is 0" that is exact when differences are symmetric about 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import one_of, positive_int, seed_number
from ..sample import Array, checked_columns, sampling
from ._test_result import TestResult, reported

Alternative = Literal["two-sided", "less", "greater"]

_STREAM = 0x73696768  # keeps these draws apart from others made with the same seed
_ROWS = 512
_TIE = 1e-10  # sums closer than this, relative to the sum of magnitudes, are equal


def sign_flip(
    values: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    n_flips: int = 9999,
    seed: int = 0,
    alternative: Alternative = "two-sided",
) -> TestResult:
    """Return sign-flip permutation tests of "the mean is 0", column by column.

    With cluster totals E_j = sum of w_i D_i and signs s_j of +1 or -1, each equally likely, the mean is compared with
    sum_j s_j E_j / sum_i w_i (Fisher 1935, The Design of Experiments, section 21).

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K): differences that are symmetric about 0 when there is no effect.
    clusters
        A label per unit, (n,); the signs of whole clusters are flipped. None: each unit alone.
    weights
        A positive weight per unit, (n,). None: equal.
    n_flips
        Number B of sign vectors that are drawn. When all 2^J of them are at most B + 1, they are enumerated instead.
    seed
        Non-negative integer; the same gives the same numbers, for any set of columns.
    alternative
        ``"two-sided"``, ``"less"`` (the mean is below 0) or ``"greater"``.

    Returns
    -------
    TestResult
        `statistic` is the weighted mean.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or a weight is not positive.
    DesignError
        If `n_flips`, `seed` or `alternative` is out of range.

    Warns
    -----
    DegenerateWarning
        Where there is no test: fewer than two units or clusters, or every total 0, so that a flip changes nothing.

    Notes
    -----
    Assumes that D_i (the total of a cluster) is distributed as -D_i when there is no effect, and that clusters are
    independent. Then the test is exact for any n. When differences are skewed it tests that symmetry rather than the
    mean: for exponential units less their mean it rejects .082 at n = 20 and .068 at n = 50 where .05 is asked for
    (20,000 samples each, B = 999), so bootstrap-t is the default for the mean.

    The statistic is the mean because the sum of E_j^2 is the same for every sign vector, so Student's t (with the
    cluster-robust standard error about 0) is an increasing function of it: both give the same p-value.

    The exact p-value is #/2^J, counting the data themselves; the sampled one is (1 + #)/(B + 1) (Phipson & Smyth 2010).
    Neither is ever 0. With J clusters no two-sided p-value is below 2^(1 - J): 5 clusters cannot reach .05.

    Examples
    --------
    >>> found = sign_flip(np.arange(1.0, 9.0)[:, None])
    >>> found.p_value, found.method
    (array([0.0078125]), ('sign-flip (exact, 256 flips)',))
    """
    array = checked_columns(values, "values")
    design = sampling(len(array), clusters, weights)
    positive_int(n_flips, what="sign_flip: n_flips")
    seed_number(seed, what="sign_flip: seed")
    one_of(alternative, list(get_args(Alternative)), what="sign_flip: alternative")
    totals = design.totals(np.ascontiguousarray(array.T))
    size = np.abs(totals).sum(axis=1)
    observed = totals.sum(axis=1)
    exact = 2**design.n_clusters <= n_flips + 1
    vectors = every_sign(design.n_clusters) if exact else drawn_signs(design.n_clusters, n_flips, seed)
    count = np.zeros(len(totals), dtype=np.int64)
    for signs in vectors:
        count += np.count_nonzero(_as_extreme(totals @ signs.T, observed, size, alternative), axis=1)
    p_value = count / 2**design.n_clusters if exact else (1 + count) / (n_flips + 1)
    flips = f"exact, {2**design.n_clusters} flips" if exact else f"B={n_flips}"
    name = f"{'cluster ' if design.clustered else ''}sign-flip ({flips})"
    if design.n_clusters < 2:
        what = "there is 1 unit" if design.n < 2 else "all units belong to one cluster"
        reason = [f"{what} and a test needs 2"] * len(totals)
    else:
        what = "cluster total" if design.clustered else "unit"
        reason = [f"every {what} is 0, so that a flip changes nothing" if not one else "" for one in size.tolist()]
    mean = observed / float(design.weights.sum())
    return reported(mean, p_value, name, reason, n=design.n, n_clusters=design.n_clusters)


def _as_extreme(flipped: Array, observed: Array, size: Array, alternative: Alternative) -> NDArray[np.bool_]:
    """Return where `flipped` (K, b) is as extreme as `observed` (K,); ties within rounding are."""
    slack = _TIE * size[:, None]
    if alternative == "two-sided":
        return np.asarray(np.abs(flipped) >= np.abs(observed)[:, None] - slack)
    if alternative == "greater":
        return np.asarray(flipped >= observed[:, None] - slack)
    return np.asarray(flipped <= observed[:, None] + slack)


def every_sign(n_clusters: int) -> Iterator[Array]:
    """Yield all 2^J sign vectors in blocks (b, J).

    Examples
    --------
    >>> next(every_sign(2))
    array([[ 1.,  1.],
           [-1.,  1.],
           [ 1., -1.],
           [-1., -1.]])
    """
    for start in range(0, 2**n_clusters, _ROWS):
        number = np.arange(start, min(start + _ROWS, 2**n_clusters))
        yield _signs(number[:, None] >> np.arange(n_clusters) & 1)


def drawn_signs(n_clusters: int, n_flips: int, seed: int) -> Iterator[Array]:
    """Yield `n_flips` random sign vectors in blocks (b, J), each block from its own stream.

    Examples
    --------
    >>> [signs.shape for signs in drawn_signs(3, 600, seed=0)]
    [(512, 3), (88, 3)]
    """
    for index, start in enumerate(range(0, n_flips, _ROWS)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, index)))
        yield _signs(rng.integers(2, size=(min(_ROWS, n_flips - start), n_clusters)))


def _signs(bits: NDArray[np.int64]) -> Array:
    return (1 - 2 * bits).astype(np.float64)
