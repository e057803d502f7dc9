"""Bootstrap-t: the distribution of (mean* - mean) / std_error* over resamples.

Every replicate needs three sums over the resampled clusters, so a block of replicates of a block of columns is two or
three matrix products. With counts N_j, residual totals e_j and cluster weights m_j (Davison & Hinkley 1997, section
5.2.1, with the cluster-robust variance in place of s^2 / n):

    shift  d = sum N_j e_j / sum N_j m_j
    V*       = J / (J - 1) * sum N_j (e_j - d m_j)^2 / (sum N_j m_j)^2
    t*       = d / sqrt(V*)

A replicate whose clusters all (almost) agree has no spread to divide by. It counts as +inf or -inf by the sign of its
shift (0 if that is 0), which is its limit and errs towards wider intervals. When the end of an interval would be such a
replicate, bootstrap-t has no finite end there and the caller falls back on Student's t.
"""

from __future__ import annotations

from typing import final

import numpy as np
from scipy import stats

from ._ends import Ends, Part
from ._order import outer
from ._sampling import Array, Sampling
from ._student import t_quantile
from ._variance import Linearised

NO_SPREAD = 1e-6  # replicate variances below this share of the sample's own count as none
TIE = 1e-9  # studentised values closer than this, relative to max(1, |t|), are equal


@final
class Studentizer:
    """Makes studentised replicates of k columns, a block of resamples at a time.

    Parameters
    ----------
    part
        Columns, k of them and none degenerate, with their residual totals (k, J).
    design
        The sampling design that `part` was made with.
    flips
        Where some columns are few flips, the coefficients of all columns from `_flips.pseudo_units`, (4, k).
    """

    __slots__ = ("_base", "_design", "_flips", "_k", "_left")

    def __init__(self, part: Linearised, design: Sampling, flips: Array | None = None) -> None:
        n_clusters, m = design.n_clusters, design.cluster_weights
        factor = np.full(len(part.mean), n_clusters / (n_clusters - 1)) if flips is None else flips[3]
        left = [part.residuals, factor[:, None] * np.square(part.residuals)]
        if not design.balanced:
            left.append(part.residuals * m)
        self._left = np.concatenate(left)  # one matrix, so that a block of replicates is one product
        self._base = factor * part.sum_squares
        self._design, self._flips, self._k = design, flips, len(part.mean)

    def fill(self, counts: Array, out: Array) -> Array:
        """Write t* for the resamples in `counts` (b, J) to `out` (k, b), and return it with finite stand-ins.

        `out` is given infinities where a replicate has no spread; in what is returned those are studentised by the
        standard error of the sample instead. When there are none, that is `out` itself.
        """
        sums = self._left @ counts.T
        first, squares = sums[: self._k], sums[self._k : 2 * self._k]
        squares += self._remainder(counts, first, sums[2 * self._k :])
        if (squares.min(axis=1) > NO_SPREAD * self._base).all():
            return np.divide(first, np.sqrt(squares, out=squares), out=out)
        flat = squares <= NO_SPREAD * self._base[:, None]
        t = first / np.sqrt(np.where(flat, 1.0, squares))
        usual = first / np.sqrt(np.where(self._base > 0, self._base, 1.0))[:, None]  # without any spread, first is 0
        out[:] = np.where(flat, np.where(np.abs(usual) > TIE, np.copysign(np.inf, usual), 0.0), t)
        return np.where(flat, usual, t)

    def _remainder(self, counts: Array, first: Array, cross: Array) -> Array:
        """Return what makes J / (J - 1) sum N_j e_j^2 the sum of squares about the replicate's own mean, (k, b)."""
        n_clusters, m = self._design.n_clusters, self._design.cluster_weights
        if self._flips is not None:
            constant, slope, curvature = self._flips[:3, :, None]
            return np.asarray(constant + first * (slope + curvature * first))
        if self._design.balanced:
            return np.multiply(first, first * (-1.0 / (n_clusters - 1)))
        shift = first / (counts @ m)
        return np.asarray(n_clusters / (n_clusters - 1) * shift * (shift * (counts @ np.square(m)) - 2.0 * cross))


def bootstrap_t_ends(t: Array, part: Part) -> Ends:
    """Return equal-tailed bootstrap-t intervals and the p-values dual to them.

    The interval is (mean - t*_(B+1-k) se, mean - t*_(k) se), with k the tail rank and t*_(1) <= ... <= t*_(B). With
    `settings.floor`, neither critical value is nearer to 0 than Student's t with J - 1 degrees of freedom. One-sided
    p-values are (1 + #{t* >= t0}) / (B + 1) and (1 + #{t* <= t0}) / (B + 1), t0 = (mean - null) / se, and with the
    floor at least Student's. They are never 0.

    Parameters
    ----------
    t
        Studentised replicates, (k, B).
    part
        The columns. `mark` of what is returned says where the floor decided an end.
    """
    centre, std_error, rank = part.centre, part.std_error, part.settings.tail_rank
    n_resamples, t0 = t.shape[1], (part.centre - part.null) / part.std_error
    tie = TIE * np.maximum(1.0, np.abs(t0))
    above = np.count_nonzero(t >= (t0 - tie)[:, None], axis=1)
    below = np.count_nonzero(t <= (t0 + tie)[:, None], axis=1)
    p_less, p_greater = (1 + below) / (n_resamples + 1), (1 + above) / (n_resamples + 1)
    lower, upper = outer(t, rank)
    lacking = ~(np.isfinite(upper) & np.isfinite(lower))
    mark = np.zeros(len(t0), dtype="<U10")
    if part.settings.floor:
        quantile, degrees = (
            t_quantile(part.settings.confidence_level, part.design.n_clusters),
            part.design.n_clusters - 1,
        )
        mark[(upper < quantile) | (lower > -quantile)] = "at least t"
        upper, lower = np.maximum(upper, quantile), np.minimum(lower, -quantile)
        p_less = np.maximum(p_less, stats.t.cdf(t0, degrees))
        p_greater = np.maximum(p_greater, stats.t.sf(t0, degrees))
    low = np.where(np.abs(t0 - upper) <= tie, part.null, centre - upper * std_error)
    high = np.where(np.abs(t0 - lower) <= tie, part.null, centre - lower * std_error)
    return Ends(low, high, p_less, p_greater, lacking, mark)
