"""Rare flips: contrasts of right and wrong answers that hardly vary.

When fewer than ten units differ from the commonest value, resamples often hold none of them and every bootstrap
under-covers (0.58 to 0.71 for 95% at n = 20); with clusters, where flips come together, so do the t intervals. Bonett
and Price (2012) add one unit of +1 and one of -1 and use the normal interval of the difference of two paired
proportions, which covers. Here the same is done for

- contrasts of range 2 and more (an interaction of four answers lies between -2 and 2): pseudo-units at both ends,
- answers averaged over draws, which lie between the ends,
- weights and clusters: pseudo-*clusters* of the size of a typical one, as if all answers of a cluster could flip at
  once. Nothing less covers for every dependence within clusters, and with few flips that cannot be estimated.

With span R, cluster totals E_j, cluster weights m_j, M = sum m_j and m = sum m_j^2 / M,

    c = sum E_j / (M + 2 m),   V = (sum_j (E_j - m_j c)^2 + m^2 ((R - c)^2 + (R + c)^2)) / (M + 2 m)^2

For independent units that count alike and R = 1 these are Bonett and Price's centre and squared standard error.
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ._sampling import Array, Sampling
from ._variance import Linearised

FEW = 10


class Adjusted(NamedTuple):
    """The adjusted mean and its standard error, (k,) each."""

    centre: Array
    std_error: Array


def spans(columns: Array, span: Array | None) -> Array:
    """Return how far from 0 each column (n, k) can be by what its values are made of, (k,); NaN where nothing is known.

    Where `span` does not say, a column that holds only -1, 0 and 1 is a difference of answers.

    Examples
    --------
    >>> spans(np.array([[0.0, 0.5], [1.0, 0.0], [0.0, 1.0]]), None)
    array([ 1., nan])
    """
    if span is not None:
        return span
    ternary = ((columns == 0.0) | (np.abs(columns) == 1.0)).all(axis=0)
    return np.where(ternary, 1.0, np.nan)


def rare_flips(columns: Array, span: Array, design: Sampling) -> NDArray[np.bool_]:
    """Return in which columns (n, k) of known span few units, or few clusters, differ from the commonest value.

    That is fewer than ten units; of clusters, fewer than ten and at most half of them, however many units they hold.

    Examples
    --------
    >>> from mediation.inference.sample._sampling import sampling
    >>> columns = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]], 12, axis=0)
    >>> rare_flips(columns[:25], np.ones(2), sampling(25, None, None))
    array([False,  True])
    """
    found = np.zeros(columns.shape[1], dtype=bool)
    known = np.flatnonzero(~np.isnan(span))
    if not len(known):
        return found
    differ = columns[:, known] != _commonest(columns[:, known])
    units = differ.sum(axis=0)
    if not design.clustered:
        found[known] = units < FEW
        return found
    clusters = np.add.reduceat(differ[design.order], design.starts, axis=0, dtype=np.int64) > 0
    touched = clusters.sum(axis=0)
    found[known] = (touched < FEW) & ((units < FEW) | (2 * touched <= design.n_clusters))
    return found


def _commonest(columns: Array) -> Array:
    """Return the commonest value of each column, (k,); of several, the one nearest to 0."""
    usual = np.zeros(columns.shape[1])
    zeros = (columns == 0.0).sum(axis=0)
    for column in np.flatnonzero(2 * zeros < len(columns)):
        values, counts = np.unique(columns[:, column], return_counts=True)
        most = values[counts == counts.max()]
        usual[column] = most[np.argmin(np.abs(most))]
    return usual


def pseudo_weight(design: Sampling) -> float:
    """Return the weight of a pseudo-cluster, sum m_j^2 / sum m_j; 1 for independent units that count alike."""
    m = design.cluster_weights
    return float(np.square(m).sum() / m.sum())


def joined(
    mean: Array, squares: Array, cross: Array, sizes: tuple[Array, Array], ends: tuple[Array, Array], weight: float
) -> Adjusted:
    """Return centres and standard errors with the pseudo-clusters joined.

    Parameters
    ----------
    mean
        Means.
    squares, cross
        Sums over clusters of e_j^2 and of e_j m_j, with e_j the residual totals about `mean`.
    sizes
        Sums over clusters of m_j and of m_j^2.
    ends, weight
        Values of the two pseudo-clusters, and their weight. All shapes broadcast.
    """
    (low, high), total = ends, sizes[0] + 2.0 * weight
    centre = (sizes[0] * mean + weight * (low + high)) / total
    shift = mean - centre
    variance = squares + shift * (2.0 * cross + shift * sizes[1])
    variance = variance + weight**2 * (np.square(low - centre) + np.square(high - centre))
    return Adjusted(centre, np.sqrt(np.maximum(variance, 0.0)) / total)


def bonett_price(mean: Array, sum_squares: Array, n: int) -> Adjusted:
    """Return the adjusted difference of paired proportions of `n` independent units and its standard error.

    With a units of +1 and b of -1 among n, p = (a + 1) / (n + 2) and q = (b + 1) / (n + 2): the centre is p - q and the
    squared standard error (p + q - (p - q)^2) / (n + 2) (Bonett & Price 2012, J. Educ. Behav. Stat. 37, eq. 6).

    Parameters
    ----------
    mean
        (a - b) / n for each column, (k,).
    sum_squares
        Sum of squared deviations from `mean`, (k,).
    n
        Number of units.

    Examples
    --------
    >>> a, b, n = 26, 4, 48
    >>> mean = np.array([(a - b) / n])
    >>> centre, error = bonett_price(mean, a + b - n * mean**2, n)
    >>> centre.round(2), error.round(6)
    (array([0.44]), array([0.094488]))
    """
    size = np.asarray(float(n))
    one = np.ones_like(mean)
    return joined(mean, sum_squares, np.zeros_like(mean), (size, size), (-one, one), 1.0)


def adjusted(part: Linearised, ends: tuple[Array, Array]) -> Adjusted:
    """Return the adjusted means of the columns of `part` and their standard errors, (k,), in scaled units as `ends`."""
    design, e = part.design, part.residuals
    m = design.cluster_weights
    sizes = np.asarray(m.sum()), np.asarray(np.square(m).sum())
    return joined(part.mean, np.square(e).sum(axis=1), e @ m, sizes, ends, pseudo_weight(design))


def adjusted_means(part: Linearised, span: Array) -> Adjusted:
    """Return the adjusted means of columns of known span and their standard errors, (k,), in units of the outcome."""
    found = adjusted(part, (-span / part.scale, span / part.scale))
    return Adjusted(found.centre * part.scale, found.std_error * part.scale)


@final
class Joined:
    """Adjusted means of k columns in resamples: the rows that their sums need, and what is made of the sums.

    Parameters
    ----------
    part
        The columns.
    ends
        Values of the two pseudo-clusters in units of `part.scale`, (k,) each.
    """

    __slots__ = ("_design", "_ends", "_mean", "_weight", "rows")

    def __init__(self, part: Linearised, ends: tuple[Array, Array]) -> None:
        self.rows = np.concatenate([np.square(part.residuals), part.residuals * part.design.cluster_weights])
        self._design, self._mean = part.design, part.mean[:, None]
        self._ends, self._weight = (ends[0][:, None], ends[1][:, None]), pseudo_weight(part.design)

    def of(self, counts: Array, first: Array, sums: Array) -> Adjusted:
        """Return centres and standard errors (k, b) of the resamples `counts` (b, J).

        `first` (k, b) is the resampled sum of residual totals, `sums` (2 k, b) those of `rows`.
        """
        m, many = self._design.cluster_weights, len(first)
        size, sizes = counts @ m, counts @ np.square(m)
        squares, cross = sums[:many], sums[many:]
        shift = first / size  # the sums are about the mean of the sample, and move to the resample's own
        own = squares - shift * (2.0 * cross - shift * sizes)
        return joined(self._mean + shift, own, cross - shift * sizes, (size, sizes), self._ends, self._weight)


def normal_quantile(confidence_level: float) -> float:
    """Return the two-sided normal quantile.

    Examples
    --------
    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    return float(stats.norm.ppf((1 + confidence_level) / 2))


def normal_p_value(z: Array) -> Array:
    """Return two-sided normal p-values, never 0."""
    p_value: Array = np.maximum(2.0 * stats.norm.sf(np.abs(z)), np.finfo(np.float64).tiny)
    return p_value
