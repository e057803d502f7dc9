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

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ._sampling import Array, Sampling
from ._variance import Linearised

NO_SPREAD = 1e-6  # replicate variances below this share of the sample's own count as none
TIE = 1e-9  # studentised values closer than this, relative to max(1, |t|), are equal


class Ends(NamedTuple):
    """Ends and p-values of k columns, and whether both ends are finite."""

    low: Array
    high: Array
    p_value: Array
    finite: NDArray[np.bool_]


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
        usual = first / np.sqrt(self._base)[:, None]
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


def bootstrap_t_ends(t: Array, centre: Array, std_error: Array, rank: int) -> Ends:
    """Return equal-tailed bootstrap-t intervals and the p-values dual to them.

    The interval is (mean - t*_(B+1-k) se, mean - t*_(k) se), with k the `rank` and t*_(1) <= ... <= t*_(B). The p-value
    of mean = 0 is 2 min(1 + #{t* >= t0}, 1 + #{t* <= t0}) / (B + 1), at most 1, with t0 = mean / se: it is at most
    alpha exactly when the interval leaves out 0, and never 0.

    Parameters
    ----------
    t
        Studentised replicates, (k, B); reordered in place.
    centre, std_error
        Mean and standard error of each column, (k,).
    rank
        Rank k of the ends from either side.
    """
    n_resamples = t.shape[1]
    t0 = centre / std_error
    tie = TIE * np.maximum(1.0, np.abs(t0))
    above = np.count_nonzero(t >= (t0 - tie)[:, None], axis=1)
    below = np.count_nonzero(t <= (t0 + tie)[:, None], axis=1)
    p_value = np.minimum(1.0, 2.0 * (1 + np.minimum(above, below)) / (n_resamples + 1))
    t.partition((rank - 1, n_resamples - rank), axis=1)
    ends = t[:, [n_resamples - rank, rank - 1]]
    finite = np.asarray(np.isfinite(ends).all(axis=1))
    low, high = np.where(np.abs(t0 - ends.T) <= tie, 0.0, centre - ends.T * std_error)
    return Ends(low, high, p_value, finite)
