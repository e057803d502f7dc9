"""Random donors: one number a unit whose variance counts that the same unit's mediator serves several others."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from ...inference.sample import sampling

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_ANGLES = 16  # combinations of numerator and denominator at which the variance of a ratio is checked


@final
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
        self._inflation = sampling(n, codes, weights).inflation
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
        self._crossed = crossed

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
        squares: Array = self._inflation @ (self._clusters @ totals) ** 2
        return squares

    def centred(self, totals: Array) -> Array:
        """Return unit totals (n, k) that sum to 0."""
        centre: Array = totals.sum(axis=0) / self.weights.sum()
        return totals - self.weights[:, None] * centre

    @cached_property
    def common(self) -> float:
        """Share of all pairs of rows that have a cluster in common, weighted; 1 where every pair has."""
        return float(self.dyadic(self.share[:, None])[0] / self.weights.sum() ** 2)

    @cached_property
    def squares(self) -> tuple[float, float]:
        """Sums of squares of what each unit (or cluster) gives, and of what each row has of it, (A, B).

        A spread s^2 of donors adds A s^2 to the variance, of which B s^2 is seen in the spread of receivers.
        """
        by_donor = np.asarray(self._clusters @ self._gives_others @ self.share)
        return float((by_donor**2).sum()), float((self.share[self._crossed] ** 2).sum())

    @cached_property
    def wider(self) -> float:
        """How much larger a variance over donors must be where few give much: (t' / t)^2, at least 1.

        t' and t are 97.5% quantiles of Student's t with D - 1 and G - 1 degrees of freedom, G the number of units (or
        clusters) and D the effective number of donors, (sum_j a_j)^2 / sum_j a_j^2, with a_j what unit j gives.
        """
        effective = float(self.share[self._crossed].sum()) ** 2 / max(self.squares[0], np.finfo(float).tiny)
        quantiles = np.asarray(stats.t.ppf(0.975, np.array([max(effective - 1, 1.0), self.n_clusters - 1])))
        return max(float(quantiles[0] / quantiles[1]) ** 2, 1.0)

    def given(self, parts: Array, *, all_of_them: bool = False) -> Array:
        """Return the sums over the rows in which each unit gave, (n, k), to units of other clusters or to all."""
        return np.asarray((self._gives if all_of_them else self._gives_others) @ parts)


def donor_values(values: Array, design: DonorDesign) -> Array:
    """Return one number a unit, (n, k), with the weighted mean of `values` and the variance that random donors cause.

    The mean is that of the receivers, sum_i w_i mean_d y_id / sum_i w_i, whoever gave. Rows a that share a unit, as
    receiver or donor, are dependent. With residuals e_a = w_i / D_i (y_a - mean), the variance of the mean is

        V = sum over pairs of rows (a, b) that have a unit (or cluster) in common of e_a e_b / (1 - q) / (sum_i w_i)^2

    (dyadic-robust: Fafchamps & Gubert 2007; Aronow, Samii & Assenova 2015; Cameron & Miller 2014). Residuals are off by
    the error of the mean; q, the share of pairs that have a unit in common, corrects for that. One draw is enough. With
    few units, or donors that give very unequally, V is an estimate of few degrees of freedom:

    - What donors add to it is multiplied by a squared ratio of quantiles, from their effective number; see
      `DonorDesign.wider`.
    - V is at least the variance of receivers' means (MacKinnon, Nielsen & Webb 2021). Where each unit has two draws or
      more, the variance of the linearised U-statistic (Hoeffding 1948) is the limit if it is the smaller one.
    - Before it is made wider, V is at most (s_r + s_d)^2, s_r and s_d standard errors over receivers and over donors.

    A unit's number is its part as receiver plus its part as donor, each as far as it is not noise, times one factor
    that gives the numbers the (cluster-robust) variance V. So resampling units has the right spread, and nearly the
    right skewness.

    Parameters
    ----------
    values
        Outcomes or contrasts of outcomes, one row a draw of a receiver, (N, k).
    design
        Who received and who gave.

    Examples
    --------
    Outcomes are those of the donors, and ten units of twenty give twice each. The mean stays; its variance is about
    twice that of twenty values of their own:

    >>> donor = (np.arange(20) // 2 + 10) % 20
    >>> values = np.sqrt(np.arange(20.0))[donor, None]
    >>> found = donor_values(values, DonorDesign(np.arange(20), donor, np.ones(20)))
    >>> bool(np.isclose(found.mean(), values.mean())), bool(found.var() > 1.5 * values.var())
    (True, True)
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
    sizes = [np.sqrt(np.where(part.receivers > 0, part.receivers, 1.0)) for part in (one, two)]
    factors = []
    for angle in np.pi * np.arange(_ANGLES) / _ANGLES:
        cos, sin = np.cos(angle) / sizes[0], np.sin(angle) / sizes[1]
        needed = _Parts(cos * above + sin * below, design).variance
        factors.append(np.sqrt(_ratio(needed, design.clustered(cos * one.shape + sin * two.shape))))
    largest = np.max(factors, axis=0)
    return one.scaled(largest), two.scaled(largest)


@final
class _Parts:
    """Receivers' and donors' parts of values (N, k), and their variances times the squared sum of weights."""

    def __init__(self, values: Array, design: DonorDesign) -> None:
        weights, share = design.weights[:, None], design.share[:, None]
        self.design, self.means = design, design.mean(values)
        self.estimate = (weights * self.means).sum(axis=0) / weights.sum()
        left = share * (values - self.estimate)
        self.of_receivers = weights * (self.means - self.estimate)
        self.of_donors = design.centred(design.given(left, all_of_them=True))
        self.receivers = self.least = design.clustered(self.of_receivers)
        if design.draws.min() > 1:
            draws = design.draws[design.receiver, None]
            apart = share * (values - self.means[design.receiver]) * draws / (draws - 1)
            both = design.centred(self.of_receivers + design.given(apart, all_of_them=True))
            self.least = np.minimum(self.receivers, design.clustered(both))
        found = (np.sqrt(self.receivers) + np.sqrt(design.clustered(self.of_donors))) ** 2
        if design.common < 1 - 1e-9:
            found = np.minimum(design.dyadic(left) / (1 - design.common), found)
        spread = (share * (values - self.estimate) ** 2).sum(axis=0) / weights.sum()
        self._scale(found, spread)

    def _scale(self, found: Array, spread: Array) -> None:
        """Set the variance from what was found of it, and the shape; `spread` is the variance of a row."""
        by_donor, seen = self.design.squares
        extra = by_donor - seen if by_donor > seen * (1 + 1e-9) else 0.0
        added = np.maximum(found - self.receivers, 0.0)
        of_donors = np.minimum(_ratio(added * by_donor, np.full_like(added, extra)), found)
        self.variance = np.maximum(found + (self.design.wider - 1) * of_donors, self.least)
        part = np.minimum(_ratio(added, spread * extra), 1.0)  # of the spread of a row, the donors'
        of_one = 1 - np.minimum(_ratio(part * seen * spread, self.receivers), 1.0)
        of_other = _ratio(part * by_donor, part * by_donor + (1 - part) * seen)
        shape = self.design.centred(of_one * self.of_receivers + of_other * self.of_donors)
        flat = self.design.clustered(shape) <= 1e-9 * self.variance  # two units that give to each other, say
        self.shape = np.where(flat, self.of_receivers, shape)

    def factor(self) -> Array:
        """Return what the shape is multiplied by, (k,)."""
        spread = self.design.clustered(self.shape)
        return np.sqrt(_ratio(self.variance, spread))

    def scaled(self, factor: Array) -> Array:
        found: Array = self.estimate + factor * self.shape / self.design.weights[:, None]
        return found


def _ratio(above: Array, below: Array) -> Array:
    """Return above / below, 0 where below is 0."""
    found: Array = np.divide(above, below, out=np.zeros_like(below), where=below > 0)
    return found


def _sums(codes: NDArray[np.intp] | Index, columns: NDArray[np.intp], shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(codes)), (codes, columns)), shape=shape)
