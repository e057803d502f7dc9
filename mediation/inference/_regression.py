"""Least squares of many columns on one design, with cluster-robust (CR2) standard errors and their degrees of freedom.

The usual sandwich (CR1, HC1) is too small with few clusters, and above all where a regressor varies in few of them. CR2
(Bell & McCaffrey 2002, Survey Methodology 28) multiplies the residuals e_j of cluster j by A_j, a symmetric root of the
inverse of ((I - H)(I - H)')_jj, which makes the variance unbiased when errors are independent and alike; HC2 is the
case of clusters of one. The t quantile has Satterthwaite's degrees of freedom of that variance under the same errors,
so that they count the clusters that a coefficient rests on, and not the clusters there are (Imbens & Kolesar 2016, Rev.
Econ. Stat. 98; Pustejovsky & Tipton 2018, J. Bus. Econ. Stat. 36, for weights and fixed effects).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mediation._checks import in_unit_interval, one_of
from mediation.errors import DataError, DesignError

from .sample import Array, Sampling, checked_columns, sampling

Covariance = Literal["CR2", "CR1"]

_RANK = 1e-10  # relative size of an eigenvalue that is none
_UNCLUSTERED = {"CR2": "HC2", "CR1": "HC1"}
_LOST = 1e-8  # share of a coefficient's scores that one cluster's residuals cannot show
_ROUNDING = 1e-10  # standard errors below this share of the outcome's size are rounding


@final
@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Coefficients of p terms for K columns, (p, K) each; NaN in all but `estimate` where there is no standard error.

    `reason` says why there is none, a text for each, (p, K).
    """

    estimate: Array
    std_error: Array
    df: Array
    conf_low: Array
    conf_high: Array
    p_value: Array
    reason: NDArray[np.str_]
    method: str
    n: int
    n_clusters: int


def least_squares(
    values: ArrayLike,
    design: Array,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    covariance: Covariance = "CR2",
    confidence_level: float = 0.95,
) -> Coefficients:
    """Return the coefficients of `design` (n, p), of full rank, for each column of `values` (n, K).

    Parameters
    ----------
    values, design
        One row a unit.
    clusters, weights
        As in `mean_intervals`; least squares are weighted by `weights`.
    covariance
        ``"CR2"`` with Satterthwaite's degrees of freedom, or ``"CR1"``, the sandwich times
        J / (J - 1) (n - 1) / (n - p), with J - 1 degrees of freedom for J clusters (units, where there are none).
    confidence_level
        Of the intervals.

    Raises
    ------
    DesignError
        If there are no more units, or clusters, than one, or the design is not of full rank.

    Examples
    --------
    >>> x = np.column_stack([np.ones(6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]])
    >>> y = np.array([[1.0], [2.0], [3.0], [5.0], [6.0], [7.0]])
    >>> found = least_squares(y, x)
    >>> found.estimate.ravel().round(6).tolist(), found.df.round(6).ravel().tolist()
    ([2.0, 4.0], [2.0, 4.0])
    """
    one_of(covariance, get_args(Covariance), what="covariance")
    array = checked_columns(values, "values")
    sample = sampling(len(array), clusters, weights)
    in_unit_interval(confidence_level, what="confidence_level")
    design = checked_columns(design, "design")
    n, p = design.shape
    if n != len(array) or not p:
        raise DataError(f"design has shape {design.shape} for {len(array)} units; one row a unit is needed, (n, p).")
    size = np.sqrt((sample.weights[:, None] * design**2).sum(axis=0))
    singular = np.linalg.svd(np.sqrt(sample.weights)[:, None] * design / np.maximum(size, 1e-300), compute_uv=False)
    if n <= p or singular[-1] <= 1e-9 * singular[0]:
        raise DesignError(
            f"the {p} columns of the design cannot be told apart in {n} units (rank {int((singular > 1e-9).sum())}); "
            "drop a term that others determine, or give more units."
        )
    if sample.n_clusters < 2:
        raise DesignError("all units belong to one cluster; standard errors need 2 or more.")
    bread = np.asarray(np.linalg.inv(design.T @ (sample.weights[:, None] * design)), dtype=np.float64)
    estimate = bread @ design.T @ (sample.weights[:, None] * array)
    residuals = array - design @ estimate
    scores, freedom, lost = (_cr2 if covariance == "CR2" else _cr1)(sample, design, bread)
    variance = np.zeros_like(estimate)
    for members, rows in zip(_members(sample), scores, strict=True):
        variance += (rows @ residuals[members]) ** 2
    std_error = np.sqrt(variance)
    reason = np.full(estimate.shape, "", dtype="<U80")
    scale = np.sqrt(np.diag(bread))[:, None] * np.sqrt((sample.weights[:, None] * array**2).sum(axis=0) / n)
    reason[std_error <= _ROUNDING * np.maximum(scale, 1e-300)] = "the covariates fit it without error"
    reason[lost > _LOST] = "it rests on the mean of a single cluster" if sample.clustered else "it rests on one unit"
    clusters_name = f"cluster {covariance}, t" if sample.clustered else f"{_UNCLUSTERED[covariance]}, t"
    std_error = np.where(reason == "", std_error, np.nan)
    df = np.where(reason == "", freedom[:, None], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.asarray(stats.t.isf((1 - confidence_level) / 2, df)) * std_error
        p_value = np.asarray(2 * stats.t.sf(np.abs(estimate / std_error), df))
    ends = estimate - reach, estimate + reach
    return Coefficients(estimate, std_error, df, *ends, p_value, reason, clusters_name, n, sample.n_clusters)


def _members(sample: Sampling) -> list[NDArray[np.intp]]:
    """Return the units of each cluster."""
    return np.split(sample.order, sample.starts[1:])


_Scores = tuple[list[Array], Array, Array]


def _cr1(sample: Sampling, design: Array, bread: Array) -> _Scores:
    n, p, n_clusters = *design.shape, sample.n_clusters
    factor = np.sqrt(n_clusters / (n_clusters - 1) * (n - 1) / (n - p))
    rows = [factor * bread @ (sample.weights[at, None] * design[at]).T for at in _members(sample)]
    return rows, np.full(p, float(n_clusters - 1)), _lost_to_clusters(sample, design, bread)


def _lost_to_clusters(sample: Sampling, design: Array, bread: Array) -> Array:
    """Return for each coefficient the largest share of its scores that one cluster's residuals cannot show, (p,)."""
    return _cr2(sample, design, bread)[2]


def _cr2(sample: Sampling, design: Array, bread: Array) -> _Scores:
    """Return the rows (p, n_j) that map each cluster's residuals to scores, degrees of freedom, and what is lost.

    With a_j = A_j W_j X_j M c, the variance of coefficient c is sum_j (a_j' e_j)^2. Under e ~ (0, I) the sums a_j' e_j
    have the covariance matrix G with G_jk = [j = k] a_j'a_j - f_j' g_k - g_j' f_k + g_j' N g_k, where
    f_j = X_j' W_j a_j, g_j = M X_j' a_j and N = X' W^2 X, and the degrees of freedom are (tr G)^2 / sum_jk G_jk^2.
    """
    weights, p = sample.weights, design.shape[1]
    squared = design.T @ (weights[:, None] ** 2 * design)
    rows: list[Array] = []
    own, left, right = [], [], []
    whole, lost = np.zeros(p), np.zeros(p)
    for at in _members(sample):
        x, w = design[at], weights[at]
        cross = (x @ bread @ x.T) * w  # H_jj
        inner = np.eye(len(at)) - cross - cross.T + x @ bread @ squared @ bread @ x.T
        values, vectors = np.linalg.eigh((inner + inner.T) / 2)
        kept = values > _RANK
        root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        target = (w[:, None] * x) @ bread  # W_j X_j M
        hidden = target - vectors[:, kept] @ (vectors[:, kept].T @ target)
        lost = np.maximum(lost, (hidden**2).sum(axis=0))
        whole += (target**2).sum(axis=0)
        a = root @ target
        rows.append(a.T)
        own.append((a**2).sum(axis=0))
        left.append(x.T @ (w[:, None] * a))
        right.append(bread @ x.T @ a)
    diagonal, f, g = np.array(own), np.array(left), np.array(right)  # (J, p), (J, p, p): last axis the coefficient
    freedom = np.array([_freedom(diagonal[:, c], f[:, :, c], g[:, :, c], squared) for c in range(p)])
    return rows, np.minimum(freedom, sample.n_clusters - 1.0), lost / np.maximum(whole, 1e-300)


def _freedom(diagonal: Array, f: Array, g: Array, squared: Array) -> float:
    """Return (tr G)^2 / sum G^2 for G = diag(d) - F G' - G F' + G N G', without making the J x J matrix."""
    one, two = np.concatenate([-f, -g, g @ squared], axis=1), np.concatenate([g, f, g], axis=1)
    low = (one * two).sum(axis=1)
    squares = (diagonal**2).sum() + 2 * (diagonal * low).sum() + ((one.T @ one) * (two.T @ two)).sum()
    return float((diagonal.sum() + low.sum()) ** 2 / max(squares, 1e-300))
