"""Random donors: one number a unit whose variance counts that the same unit's mediator serves several others."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_ANGLES = 16  # combinations of numerator and denominator at which the variance of a ratio is checked


class DonorDesign:
    """Which unit received and which gave, row by row.

    Parameters
    ----------
    receiver
        Unit whose outcome each row is, (N,), numbers 0 .. n - 1. A unit may have any number of rows (draws).
    donor
        Unit whose mediator each row has, (N,); -1 where it came from outside, or was the receiver's own.
    weights
        Weight of each unit, (n,).
    clusters
        Number of each unit's cluster, (n,), from 0. None: each unit is its own.
    """

    def __init__(self, receiver: Index, donor: Index, weights: Array, clusters: NDArray[np.intp] | None = None) -> None:
        n, size = len(weights), len(receiver)
        self.receiver, self.weights = receiver, weights
        self.draws = np.bincount(receiver, minlength=n)
        self.share: Array = (weights / self.draws)[receiver]  # of a row in the weighted mean, times the sum of weights
        codes = np.arange(n) if clusters is None else clusters
        self.n_clusters = int(codes.max()) + 1
        gave = (donor >= 0) & (donor != receiver)
        self.has_donors = bool(gave.any())
        crossed = gave & (codes[donor] != codes[receiver])
        rows = np.arange(size)
        self._receives = _sums(receiver, rows, (n, size))
        self._gives = _sums(donor[gave], rows[gave], (n, size))
        self._gives_others = _sums(donor[crossed], rows[crossed], (n, size))
        self._clusters = _sums(codes, np.arange(n), (self.n_clusters, n))
        one, two = np.sort([codes[receiver[crossed]], codes[donor[crossed]]], axis=0)
        pairs, pair = np.unique(one * self.n_clusters + two, return_inverse=True)
        self._pairs = _sums(pair.ravel(), rows[crossed], (len(pairs), size))

    def mean(self, values: Array) -> Array:
        """Return the mean of each receiver over its rows, (n, k), from values (N, k)."""
        return np.asarray(self._receives @ values) / self.draws[:, None]

    def dyadic(self, parts: Array) -> Array:
        """Return the sum of products of all pairs of rows (N, k) that have a cluster in common, (k,)."""
        by_cluster = self._clusters @ (self._receives + self._gives_others) @ parts
        squares: Array = (by_cluster**2).sum(axis=0) - ((self._pairs @ parts) ** 2).sum(axis=0)
        return squares

    def clustered(self, totals: Array) -> Array:
        """Return the one-way variance of unit totals (n, k), times the squared sum of weights, (k,)."""
        squares: Array = ((self._clusters @ totals) ** 2).sum(axis=0)
        return squares * self.n_clusters / (self.n_clusters - 1)

    def centred(self, totals: Array) -> Array:
        """Return unit totals (n, k) that sum to 0."""
        centre: Array = totals.sum(axis=0) / self.weights.sum()
        return totals - self.weights[:, None] * centre

    @cached_property
    def common(self) -> float:
        """Share of all pairs of rows that have a cluster in common, weighted; 1 where every pair has."""
        return float(self.dyadic(self.share[:, None])[0] / self.weights.sum() ** 2)

    def given(self, parts: Array, *, all_of_them: bool = False) -> Array:
        """Return the sums over the rows in which each unit gave, (n, k), to units of other clusters or to all."""
        return np.asarray((self._gives if all_of_them else self._gives_others) @ parts)


def donor_values(values: Array, design: DonorDesign) -> Array:
    """Return one number a unit, (n, k), with the weighted mean of `values` and the variance that random donors cause.

    The mean is that of the receivers, sum_i w_i mean_d y_id / sum_i w_i, whoever gave. Rows a that share a unit, as
    receiver or donor, are dependent. With residuals e_a = w_i / D_i (y_a - mean), the variance of the mean is

        V = sum over pairs of rows (a, b) that have a unit (or cluster) in common of e_a e_b / (1 - q) / (sum_i w_i)^2

    (dyadic-robust: Fafchamps & Gubert 2007, eq. 2.6; Aronow, Samii & Assenova 2015, eq. 5). q is the share of pairs
    that have a unit in common; residuals are off by the error of the mean, which takes that share of V away. It needs
    no second draw. V is kept between a lower and an upper limit, which matter where units are few or where being a
    strong donor goes with being a weak receiver:

    - at least the variance of receivers' means (MacKinnon, Nielsen & Webb 2021), or that of the receiver's and the
      donor's part of a U-statistic (Hoeffding 1948) where each unit has two draws or more and it is the smaller one;
    - at most (s_r + s_d)^2, s_r the standard error over receivers alone and s_d that over donors alone.

    Units have the shape of the two parts, scaled so that their cluster-robust variance is V.

    Parameters
    ----------
    values
        Outcomes or contrasts of outcomes, one row a draw of a receiver, (N, k).
    design
        Who received and who gave.

    Examples
    --------
    Each of four units gives once. Units that are strong donors make the mean less certain than its spread shows:

    >>> design = DonorDesign(np.arange(4), np.array([1, 2, 3, 0]), np.ones(4))
    >>> found = donor_values(np.array([[3.0], [1.0], [2.0], [6.0]]), design)
    >>> float(found.mean()), donor_values(np.full((4, 1), 3.0), design).ravel()
    (3.0, array([3., 3., 3., 3.]))
    """
    if not design.has_donors or design.n_clusters < 2:
        return design.mean(values)
    parts = _Parts(values, design)
    return parts.scaled(parts.factor())


def donor_ratio_values(above: Array, below: Array, design: DonorDesign) -> tuple[Array, Array]:
    """Return `donor_values` of a numerator and a denominator, scaled alike.

    A ratio is tested through above - ratio * below, so one factor is used for both: the largest that a combination of
    the two needs, over 16 directions.
    """
    if not design.has_donors or design.n_clusters < 2:
        return design.mean(above), design.mean(below)
    one, two = _Parts(above, design), _Parts(below, design)
    sizes = [np.sqrt(np.maximum(part.receivers, np.finfo(float).tiny)) for part in (one, two)]
    factors = []
    for angle in np.pi * np.arange(_ANGLES) / _ANGLES:
        mixed = np.cos(angle) * above / sizes[0] + np.sin(angle) * below / sizes[1]
        factors.append(_Parts(mixed, design).factor())
    largest = np.max(factors, axis=0)
    return one.scaled(largest), two.scaled(largest)


class _Parts:
    """Receivers' and donors' parts of values (N, k), and their variances times the squared sum of weights."""

    def __init__(self, values: Array, design: DonorDesign) -> None:
        weights, share = design.weights[:, None], design.share[:, None]
        self.design, self.means = design, design.mean(values)
        self.estimate = (weights * self.means).sum(axis=0) / weights.sum()
        left = share * (values - self.estimate)
        of_receivers = weights * (self.means - self.estimate)
        self.receivers = self.least = design.clustered(of_receivers)
        shape = design.centred(of_receivers + design.given(left))
        if design.draws.min() > 1:
            draws = design.draws[design.receiver, None]
            apart = share * (values - self.means[design.receiver]) * draws / (draws - 1)
            shape = design.centred(of_receivers + design.given(apart, all_of_them=True))
            self.least = np.minimum(self.receivers, design.clustered(shape))
        of_donors = design.clustered(design.centred(design.given(left, all_of_them=True)))
        most = (np.sqrt(self.receivers) + np.sqrt(of_donors)) ** 2
        left_over = 1 - design.common
        dyadic = design.dyadic(left) / left_over if left_over > 1e-9 else most
        self.variance = np.maximum(np.minimum(dyadic, most), self.least)
        flat = design.clustered(shape) <= 1e-9 * self.variance  # two units that give to each other, say
        self.shape = np.where(flat, of_receivers, shape)

    def factor(self) -> Array:
        """Return what the shape is multiplied by, (k,)."""
        spread = self.design.clustered(self.shape)
        ratio: Array = np.divide(self.variance, spread, out=np.zeros_like(spread), where=spread > 0)
        return np.sqrt(ratio)

    def scaled(self, factor: Array) -> Array:
        found: Array = self.estimate + factor * self.shape / self.design.weights[:, None]
        return found


def _sums(codes: NDArray[np.intp] | Index, columns: NDArray[np.intp], shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(codes)), (codes, columns)), shape=shape)
