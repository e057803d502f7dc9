"""Intervals from quantiles of the resampled means: percentile, basic and expanded percentile.

With mean*_(1) <= ... <= mean*_(B) the sorted replicates and k a rank from either end (Efron & Tibshirani 1993, chapter
13; Davison & Hinkley 1997, section 5.2; Hesterberg 2015, section 5.3.2):

    percentile           (mean*_(k), mean*_(B+1-k))
    basic                (2 mean - mean*_(B+1-k), 2 mean - mean*_(k))
    expanded percentile  percentile at the level at which it would be Student's interval for normal data

The p-values invert the intervals: a share of replicates beyond the null value (beyond its mirror image for basic),
(1 + #) / (B + 1), never 0; the expanded ones are mapped back to the level that was asked for.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from ..sample import SAME, Array, Linearised, Sampling, t_quantile
from ._ends import Ends, Part, ends_of
from ._order import outer


def shifts(part: Linearised, design: Sampling, counts: Array) -> Array:
    """Return mean* - mean, (k, b), of the columns in `part` for the resamples in `counts` (b, J)."""
    moved = part.residuals @ counts.T
    moved /= part.total if design.balanced else counts @ design.cluster_weights
    return moved


def shares(shift: Array, at: Array) -> tuple[Array, Array]:
    """Return (1 + #{shift <= at}) / (B + 1) and (1 + #{shift >= at}) / (B + 1), (k,) each; equal up to rounding counts.

    Examples
    --------
    >>> shares(np.array([[-1.0, 0.0, 2.0]]), np.array([0.0]))
    (array([0.75]), array([0.75]))
    """
    slack = SAME * np.maximum(1.0, np.abs(at))
    below = np.count_nonzero(shift <= (at + slack)[:, None], axis=1)
    above = np.count_nonzero(shift >= (at - slack)[:, None], axis=1)
    total = shift.shape[1] + 1
    return (1 + below) / total, (1 + above) / total


def order_ends(shift: Array, rank: int) -> tuple[Array, Array]:
    """Return the `rank`-th smallest and largest of each row of `shift` (k, B); infinite where the rank is below 1."""
    if rank < 1:
        return np.full(len(shift), -np.inf), np.full(len(shift), np.inf)
    return outer(shift, rank)


def percentile_ends(shift: Array, part: Part) -> Ends:
    """Return percentile intervals from replicates of mean* - mean, (k, B)."""
    p_greater, p_less = shares(shift, part.null - part.block.mean)
    low, high = order_ends(shift, part.settings.tail_rank)
    return ends_of(part, part.block.mean + low, part.block.mean + high, p_less, p_greater)


def basic_ends(shift: Array, part: Part) -> Ends:
    """Return basic ("reverse percentile") intervals from replicates of mean* - mean, (k, B)."""
    p_less, p_greater = shares(shift, part.block.mean - part.null)
    low, high = order_ends(shift, part.settings.tail_rank)
    return ends_of(part, part.block.mean - high, part.block.mean - low, p_less, p_greater)


def expansion(n_clusters: int) -> float:
    """Return sqrt(J / (J - 1)), by which the bootstrap's standard error of a mean is too small."""
    return math.sqrt(n_clusters / (n_clusters - 1))


def expanded_ends(shift: Array, part: Part) -> Ends:
    """Return expanded percentile intervals from replicates of mean* - mean, (k, B).

    Tails hold Phi(-sqrt(J / (J - 1)) t) each, with t the quantile of Student's t
    (Hesterberg 2015, section 5.3.2). With very few clusters no resample may lie in such a tail: no interval.
    """
    settings, n_clusters = part.settings, part.design.n_clusters
    wider = expansion(n_clusters)
    tail = float(stats.norm.cdf(-wider * t_quantile(settings.confidence_level, part.design.df)))
    p_greater, p_less = shares(shift, part.null - part.block.mean)
    low, high = order_ends(shift, settings.rank_of(tail))
    back = [stats.t.sf(-stats.norm.ppf(p) / wider, part.design.df) for p in (p_less, p_greater)]
    return ends_of(part, part.block.mean + low, part.block.mean + high, back[0], back[1])
