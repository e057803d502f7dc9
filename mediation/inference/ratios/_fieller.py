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

from ..sample import Array

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

    def scaled(self, by: Array) -> FiellerSet:
        """Return the set of ratios times `by`, which is positive."""
        return FiellerSet(self.low * by, self.high * by, self.gap_low * by, self.gap_high * by, self.bounded)


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
