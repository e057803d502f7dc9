"""BCa: percentile intervals corrected for bias and skewness (Efron 1987; Davison & Hinkley 1997, section 5.3.2).

    z0 = Phi^-1( share of replicates below the estimate, those equal to it counting half )
    a  = sum_j d_j^3 / (6 (sum_j d_j^2)^(3/2)),   d_j = mean of the leave-one-out means minus the one without cluster j
    tail(z) = Phi( z0 + (z0 + z) / (1 - a (z0 + z)) )

Replicates that equal the estimate up to rounding count half (a matrix product and a mean differ in their last bits, so
exact equality would move z0). The acceleration is that of the jackknife over clusters.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..sample import SAME, Array
from ._ends import Ends, Part, ends_of
from ._percentile import shares

_NEARLY_ONE = 1.0 - 2.0**-53  # a share of 1 would be infinitely far


def bias(shift: Array) -> Array:
    """Return z0, (k,), from replicates of mean* - mean, (k, B); infinite where all lie on one side.

    Examples
    --------
    >>> bias(np.array([[-1.0, 0.0, 0.0, 1.0], [-1.0, -1.0, -1.0, 1.0]])).round(4)
    array([0.    , 0.6745])
    """
    below = np.count_nonzero(shift < -SAME, axis=1)
    equal = np.count_nonzero(np.abs(shift) <= SAME, axis=1)
    z0: Array = stats.norm.ppf((below + 0.5 * equal) / shift.shape[1])
    return z0


def acceleration(part: Part) -> Array:
    """Return a, (k,), from the means without each cluster in turn: mean - e_j / (M - m_j)."""
    design, block = part.design, part.block
    without = -block.residuals / (block.total - design.cluster_weights)
    d = without.mean(axis=1, keepdims=True) - without
    cube, square = (d**3).sum(axis=1), (d**2).sum(axis=1)
    a: Array = cube / (6.0 * square**1.5)
    return a


def tail(z: float | Array, z0: Array, a: Array) -> Array:
    """Return the share of replicates below the end that is asked for at normal quantile `z`."""
    inner = z0 + z
    share: Array = stats.norm.cdf(z0 + inner / (1.0 - a * inner))
    return share


def bca_ends(shift: Array, part: Part) -> Ends:
    """Return BCa intervals from replicates of mean* - mean, (k, B).

    Ends are order statistics: rank floor(tail (B + 1)) from the nearer side. Where a tail holds no resample, or all
    replicates lie on one side of the estimate, there is no interval. P-values solve tail(z) = share of replicates below
    the null value for z.
    """
    settings, mean = part.settings, part.block.mean
    z0, a = bias(shift), acceleration(part)
    z = float(stats.norm.ppf(settings.alpha / 2))
    below, above = shares(shift, part.null - mean)
    low = _ordered(shift, tail(z, z0, a), settings.n_resamples)
    high = -_ordered(-shift, 1.0 - tail(-z, z0, a), settings.n_resamples)
    p_greater, p_less = _inverted(below, z0, a), _inverted(above, -z0, -a)
    found = ends_of(part, mean + low, mean + high, p_less, p_greater)
    return found._replace(lacking=found.lacking | ~np.isfinite(z0))


def _inverted(share: Array, z0: Array, a: Array) -> Array:
    """Return the level whose tail is `share`: Phi(z) with z0 + z = w / (1 + a w), w = Phi^-1(share) - z0."""
    w = stats.norm.ppf(np.minimum(share, _NEARLY_ONE)) - z0
    with np.errstate(invalid="ignore", divide="ignore"):
        level = stats.norm.cdf(np.where(1.0 + a * w > 0, w / (1.0 + a * w) - z0, np.copysign(np.inf, w)))
    return np.where(np.isfinite(z0), np.maximum(level, np.finfo(np.float64).tiny), np.nan)


def _ordered(shift: Array, share: Array, n_resamples: int) -> Array:
    """Return the order statistic of rank floor(share (B + 1)) of each row; -inf where that is below 1."""
    ranks = np.floor(np.nan_to_num(share) * (n_resamples + 1) + 1e-9).astype(int)
    ordered = np.sort(shift, axis=1)
    chosen = ordered[np.arange(len(ordered)), np.clip(ranks - 1, 0, n_resamples - 1)]
    return np.where((ranks >= 1) & (ranks <= n_resamples), chosen, -np.inf)
