"""The variance of a mean: linearised ratio of sums, robust to any dependence within clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ._sampling import Array, Sampling

SAME = 1e-12  # values that differ by less than this, relative to the largest of their column, are the same value


@final
@dataclass(frozen=True, slots=True, eq=False)
class Linearised:
    """Means of k columns and the cluster totals that their variances are made of, in scaled units.

    With u_i = D_i - mean and e_j = sum of w_i u_i over cluster j, the variance of the weighted mean is

        V = sum_j a_j e_j^2 / (sum_i w_i)^2

    (Taylor linearisation of a ratio of sums) with a_j from the design: J / (J - 1) for clusters that count alike
    (Cameron & Miller 2015, eq. 11; for singleton clusters and equal weights V is s^2 / n), otherwise Bell and
    McCaffrey's ("CR2", see `_sampling`).

    Parameters
    ----------
    scale
        Power of two that each column was divided by, (k,), so that squares neither overflow nor vanish.
    mean
        Weighted mean divided by `scale`, (k,).
    residuals
        The e_j divided by `scale`, (k, J).
    spread
        Whether units differ, and clusters differ, (2, k) booleans.
    design
        The sampling design.
    """

    scale: Array
    mean: Array
    residuals: Array
    spread: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    design: Sampling

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.design.weights.sum())

    @property
    def sum_squares(self) -> Array:
        """Sum over clusters of a_j e_j^2, (k,), in scaled units."""
        return self.products(self.residuals)

    def products(self, other: Array) -> Array:
        """Return the sum over clusters of a_j e_j f_j, (k,), with f the residual totals of other columns, (k, J)."""
        products: Array = np.einsum("kj,kj,j->k", self.residuals, other, self.design.inflation)
        return products

    @property
    def estimate(self) -> Array:
        """Weighted mean, (k,)."""
        return self.mean * self.scale

    @property
    def std_error(self) -> Array:
        """Square root of V, (k,); NaN with fewer than two clusters."""
        if self.design.n_clusters < 2:
            return np.full(len(self.mean), np.nan)
        error: Array = np.sqrt(self.sum_squares) / self.total * self.scale
        return error

    def columns(self, some: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Linearised:
        """Return some of the columns."""
        return Linearised(self.scale[some], self.mean[some], self.residuals[some], self.spread[:, some], self.design)


def powers_of_two(rows: Array) -> Array:
    """Return, for each row (k, n), the power of two that brings its largest magnitude into [1, 2).

    Examples
    --------
    >>> powers_of_two(np.array([[1.0, -5.0], [0.0, 0.0]]))
    array([4., 1.])
    """
    largest = np.abs(rows).max(axis=1)
    exponent = np.frexp(largest)[1] - 1
    return np.where(largest > 0, np.ldexp(1.0, np.clip(exponent, -1000, 1000)), 1.0)


def linearise(columns: Array, design: Sampling) -> Linearised:
    """Return the means and residual totals of `columns` (n, k) under `design`.

    Examples
    --------
    >>> from mediation.inference.sample._sampling import sampling
    >>> part = linearise(np.array([[1.0], [2.0], [3.0]]), sampling(3, None, None))
    >>> part.estimate, part.std_error
    (array([2.]), array([0.57735027]))
    """
    rows = np.ascontiguousarray(columns.T, dtype=np.float64)
    scale = powers_of_two(rows)
    rows = rows / scale[:, None]
    total = float(design.weights.sum())
    mean = (rows * design.weights).sum(axis=1) / total
    left = rows - mean[:, None]
    correction = (left * design.weights).sum(axis=1) / total
    mean = mean + correction
    left -= correction[:, None]
    residuals = design.totals(left)
    units_differ = rows.max(axis=1) - rows.min(axis=1) > SAME  # of the largest, which is 1 to 2 in scaled units
    clusters_differ = units_differ
    if design.clustered:
        clusters_differ = np.abs(residuals).max(axis=1) > SAME * float(design.cluster_weights.max())
    return Linearised(scale, mean, residuals, np.stack([units_differ, clusters_differ]), design)
