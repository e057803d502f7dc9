"""Ratio of two means: Fieller's confidence set, which can answer "unbounded".

The set holds every r that the t test of mean(A) - r mean(B) = 0 does not reject (Fieller 1954):

    (a - r b)^2 <= q^2 (V_aa - 2 r V_ab + r^2 V_bb)

with the cluster-robust covariance V of the two means and q the t quantile with J - 1 degrees of freedom. When b is
significantly different from 0 it is an interval; otherwise it is the whole line or the line without a gap. The ends of
a gap are kept in the name of the method, in as many digits as a float has.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._degenerate import Reason
from ._sampling import Array, Sampling
from ._student import t_p_value, t_quantile
from ._variance import SAME, Linearised, linearise

_GAP = re.compile(r"\(complement: <= (\S+) or >= (\S+)\)")


class Moments(NamedTuple):
    """Means a and b of two columns and the entries of their covariance matrix, (k,) each."""

    a: Array
    b: Array
    v_aa: Array
    v_bb: Array
    v_ab: Array


class FiellerSet(NamedTuple):
    """The set: its ends, the gap where it is the line without one (NaN elsewhere), whether it is bounded."""

    low: Array
    high: Array
    gap_low: Array
    gap_high: Array
    bounded: NDArray[np.bool_]


def set_method(name: str, low: float, high: float, gap: tuple[float, float]) -> str:
    """Return the method of a row: `name`, and what its two ends do not say of the set.

    Examples
    --------
    >>> set_method("fieller", 0.2, 0.6, (float("nan"), float("nan")))
    'fieller'
    >>> set_method("fieller", -np.inf, np.inf, (-0.1, 2 / 3))
    'fieller (complement: <= -0.1 or >= 0.6666666666666666)'
    """
    if np.isfinite(gap[0]):
        return f"{name} (complement: <= {float(gap[0])!r} or >= {float(gap[1])!r})"
    return name if np.isfinite(low) or np.isfinite(high) else f"{name} (unbounded)"


def gap_in(method: str) -> tuple[float, float] | None:
    """Return the ends of the gap that `set_method` wrote, exactly; None where there is none.

    Examples
    --------
    >>> gap_in("cluster fieller (complement: <= -0.1 or >= 0.6666666666666666)") == (-0.1, 2 / 3)
    True
    >>> gap_in("fieller (unbounded)") is None
    True
    """
    found = _GAP.search(method)
    return None if found is None else (float(found[1]), float(found[2]))


class Ratio(NamedTuple):
    """Ratios of k columns: estimate, delta-method standard error, p-value, set, and why there is none."""

    estimate: Array
    std_error: Array
    p_value: Array
    found: FiellerSet
    reason: NDArray[np.int8]


def fieller_set(moments: Moments, v_residual: Array, quantile: float) -> FiellerSet:
    """Solve Fieller's inequality for r.

    With b^2 = q^2 V_bb exactly, the inequality is linear in r and the set is a half-line.

    Parameters
    ----------
    moments
        Means and covariances.
    v_residual
        Variance of a - r b at the estimated ratio r = a / b, (k,).
    quantile
        The two-sided t quantile q.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = fieller_set(Moments(2 * one, 4 * one, 0.01 * one, 0.01 * one, 0 * one), 0.0125 * one, 1.96)
    >>> found.low.round(3), found.high.round(3)
    (array([0.446]), array([0.556]))
    """
    a, b, v_aa, v_bb, v_ab = moments
    q2 = quantile**2
    lead, middle, last = b**2 - q2 * v_bb, a * b - q2 * v_ab, a**2 - q2 * v_aa
    quarter = q2 * (b**2 * v_residual - q2 * np.maximum(v_aa * v_bb - v_ab**2, 0.0))
    bounded = lead > 0
    gap = (lead < 0) & (quarter > 0)
    root = middle + np.copysign(np.sqrt(np.maximum(quarter, 0.0)), middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort(np.stack([root / lead, np.where(root == 0, 0.0, last / root)]), axis=0)
        end = last / (2 * middle)
    half = (lead == 0) & (middle != 0)
    low = np.where(bounded, ends[0], np.where(half & (middle > 0), end, -np.inf))
    high = np.where(bounded, ends[1], np.where(half & (middle < 0), end, np.inf))
    return FiellerSet(low, high, np.where(gap, ends[0], np.nan), np.where(gap, ends[1], np.nan), bounded)


def _covariance(x: Linearised, y: Linearised, n_clusters: int) -> Array:
    products = np.einsum("kj,kj->k", x.residuals, y.residuals)
    return np.asarray(n_clusters / (n_clusters - 1) * products / x.total**2)


def ratio_of_means(numerator: Array, denominator: Array, design: Sampling, confidence_level: float) -> Ratio:
    """Return ratios of the means of `numerator` and `denominator`, (n, k) each, with Fieller's sets.

    The p-value is that of the t test of mean(numerator) = 0, which rejects exactly when the set leaves out 0. It is NaN
    where the numerator does not vary.
    """
    top, bottom = linearise(numerator, design), linearise(denominator, design)
    rescale = top.scale / bottom.scale
    no_ratio = np.abs(bottom.mean) <= SAME * np.maximum(1.0, 1.0 / bottom.scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(no_ratio, np.nan, top.mean / bottom.mean)
    residuals = top.residuals - np.nan_to_num(ratio)[:, None] * bottom.residuals
    size = np.maximum(1.0, np.maximum(1.0 / top.scale, np.abs(np.nan_to_num(ratio))))
    same = np.abs(residuals).max(axis=1) <= SAME * size * float(design.cluster_weights.max())
    reason = np.where(no_ratio, Reason.ZERO_DENOMINATOR, np.where(same, Reason.SAME_RATIO, Reason.NONE)).astype(np.int8)
    n_clusters = design.n_clusters
    if n_clusters < 2:
        nothing = np.full(len(ratio), np.nan)
        empty = FiellerSet(nothing, nothing, nothing, nothing, np.zeros(len(ratio), dtype=bool))
        return Ratio(ratio * rescale, nothing, nothing, empty, reason)
    left = Linearised(top.scale, top.mean, residuals, top.spread, top.total)
    v_residual = _covariance(left, left, n_clusters)
    moments = Moments(
        top.mean,
        bottom.mean,
        _covariance(top, top, n_clusters),
        _covariance(bottom, bottom, n_clusters),
        _covariance(top, bottom, n_clusters),
    )
    found = fieller_set(moments, v_residual, t_quantile(confidence_level, n_clusters))
    with np.errstate(divide="ignore", invalid="ignore"):
        std_error = np.sqrt(v_residual) / np.abs(moments.b) * rescale
        t = np.where(top.spread.all(axis=0), moments.a / np.sqrt(moments.v_aa), np.nan)
    low, high, gap_low, gap_high, bounded = found
    scaled = FiellerSet(low * rescale, high * rescale, gap_low * rescale, gap_high * rescale, bounded)
    return Ratio(ratio * rescale, std_error, t_p_value(t, n_clusters), scaled, reason)
