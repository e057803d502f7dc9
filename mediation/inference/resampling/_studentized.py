"""Bootstrap-t: the distribution of (mean* - mean) / std_error* over resamples.

Every replicate needs three sums over the resampled clusters, so a block of replicates of a block of columns is two or
three matrix products. With counts N_j, residual totals e_j and cluster weights m_j (Davison & Hinkley 1997, section
5.2.1, with the cluster-robust variance in place of s^2 / n):

    shift  d = sum N_j e_j / sum N_j m_j
    V*       = sum N_j a_j (e_j - d m_j)^2 / (sum N_j m_j)^2
    t*       = d / sqrt(V*)

with a_j the design's factors, J / (J - 1) for clusters that count alike. Columns of rare flips are studentised with
their pseudo-clusters joined to every resample (`_flips`).

A replicate whose clusters all (almost) agree has no spread to divide by. It counts as +inf or -inf by the sign of its
shift (0 if that is 0), which is its limit and errs towards wider intervals. When the end of an interval would be such a
replicate, bootstrap-t has no finite end there and the caller falls back on Student's t.
"""

from __future__ import annotations

from typing import final

import numpy as np
from scipy import stats

from ..sample import Array, Joined, Linearised, adjusted, t_quantile
from ._ends import Ends, Part
from ._order import outer

NO_SPREAD = 1e-6  # replicate variances below this share of the sample's own count as none
TIE = 1e-9  # studentised values closer than this, relative to max(1, |t|), are equal


@final
class Studentizer:
    """Makes studentised replicates of k columns, a block of resamples at a time.

    Parameters
    ----------
    part
        Columns, k of them and none degenerate, with their residual totals (k, J).
    span
        Where some columns are rare flips, the span of these and NaN for others, (k,).
    """

    __slots__ = ("_base", "_centre", "_design", "_flips", "_joined", "_k", "_left")

    def __init__(self, part: Linearised, span: Array | None = None) -> None:
        design, e = part.design, part.residuals
        left = [e, np.square(e) * design.inflation]
        if not design.balanced:
            left.append(e * (design.inflation * design.cluster_weights))
        self._flips = np.zeros(0, dtype=np.intp) if span is None else np.flatnonzero(~np.isnan(span))
        if span is not None and len(self._flips):
            mine = part.columns(self._flips)
            far = span[self._flips] / mine.scale
            self._joined, self._centre = Joined(mine, (-far, far)), adjusted(mine, (-far, far)).centre[:, None]
            left.append(self._joined.rows)
        self._left = np.concatenate(left)  # one matrix, so that a block of replicates is one product
        self._base = part.sum_squares
        self._design, self._k = design, len(part.mean)

    def fill(self, counts: Array, out: Array) -> Array:
        """Write t* for the resamples in `counts` (b, J) to `out` (k, b), and return it with finite stand-ins.

        `out` is given infinities where a replicate has no spread; in what is returned those are studentised by the
        standard error of the sample instead. When there are none, that is `out` itself.
        """
        sums = self._left @ counts.T
        first, squares = sums[: self._k], sums[self._k : 2 * self._k]
        squares += self._remainder(counts, first, sums[2 * self._k : 3 * self._k])
        if (squares.min(axis=1) > NO_SPREAD * self._base).all():
            found = np.divide(first, np.sqrt(squares, out=squares), out=out)
        else:
            flat = squares <= NO_SPREAD * self._base[:, None]
            t = first / np.sqrt(np.where(flat, 1.0, squares))
            usual = first / np.sqrt(np.where(self._base > 0, self._base, 1.0))[:, None]  # no spread: first is 0
            out[:] = np.where(flat, np.where(np.abs(usual) > TIE, np.copysign(np.inf, usual), 0.0), t)
            found = np.where(flat, usual, t)
        if len(self._flips):
            own = self._joined.of(counts, first[self._flips], sums[-2 * len(self._flips) :])
            out[self._flips] = found[self._flips] = (own.centre - self._centre) / own.std_error
        return found

    def _remainder(self, counts: Array, first: Array, cross: Array) -> Array:
        """Return what makes sum N_j a_j e_j^2 the sum of squares about the replicate's own mean, (k, b)."""
        a, m = self._design.inflation, self._design.cluster_weights
        if self._design.balanced:
            return np.multiply(first, first * (-1.0 / (self._design.n_clusters - 1)))
        shift = first / (counts @ m)
        return np.asarray(shift * (shift * (counts @ (a * np.square(m))) - 2.0 * cross))


def bootstrap_t_ends(t: Array, part: Part) -> Ends:
    """Return equal-tailed bootstrap-t intervals and the p-values dual to them.

    The interval is (mean - t*_(B+1-k) se, mean - t*_(k) se), with k the tail rank and t*_(1) <= ... <= t*_(B). With
    `settings.floor`, neither critical value is nearer to 0 than Student's t with the design's degrees of freedom.
    One-sided p-values are (1 + #{t* >= t0}) / (B + 1) and (1 + #{t* <= t0}) / (B + 1), t0 = (mean - null) / se, and
    with the floor at least Student's. They are never 0.

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
        degrees = part.design.df
        quantile = t_quantile(part.settings.confidence_level, degrees)
        mark[(upper < quantile) | (lower > -quantile)] = "at least t"
        upper, lower = np.maximum(upper, quantile), np.minimum(lower, -quantile)
        p_less = np.maximum(p_less, stats.t.cdf(t0, degrees))
        p_greater = np.maximum(p_greater, stats.t.sf(t0, degrees))
    low = np.where(np.abs(t0 - upper) <= tie, part.null, centre - upper * std_error)
    high = np.where(np.abs(t0 - lower) <= tie, part.null, centre - lower * std_error)
    return Ends(low, high, p_less, p_greater, lacking, mark)
