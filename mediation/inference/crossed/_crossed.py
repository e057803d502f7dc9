"""Draws that all units share: the two-way (units x draws) cluster-robust variance of a mean.

When the same R draws of noise are used for every unit, units that share a draw move together, and averaging the draws
within the unit does not undo it: the main effect of a draw is common to all units, so its variance does not shrink with
more of them. With u_ir = w_i (Y_ir - mean), summed over whole clusters j of units, over draws r, and over cells (j, r),

    V = V_units + V_draws - V_cells,   V_g = G / (G - 1) * sum_g (sum of u over group g)^2 / (R sum_i w_i)^2

(Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29, eq. 2.10, each term with its own factor G / (G - 1)). The sum
can fall below either main term, or below 0, when one factor hardly matters; then the larger of V_units and V_draws is
used, which is conservative (MacKinnon, Nielsen & Webb 2021, section 3). The quantile is t's with min(J, R) - 1 degrees
of freedom, since the factor with fewer levels is what V is least certain of (Cameron & Miller 2015, section VI.A).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import reals
from ...errors import DataError
from .._settings import Inference
from ..intervals import Intervals, Pivots, checked_settings, nulls, symmetric_intervals
from ..sample import SAME, Array, Linearised, Sampling, checked_columns, linearise, sampling, warn_columns

_DEFAULT = Inference()
_BLOCK = 2**21  # numbers of the cells that are held at once
METHOD = "two-way t (units x draws)"

_ONE_DRAW = "there is 1 draw, shared by all units, and an interval needs 2"
_ONE_UNIT = "there is 1 unit and an interval needs 2"
_ONE_CLUSTER = "all units belong to one cluster and an interval needs 2"
_SAME_VALUE = "every unit has the same value in every draw"
_SAME_MEANS = "every unit, or cluster, has the same mean, and so has every draw"


class Crossed(NamedTuple):
    """Means of k columns, and the three variances, in units of `scale`, that their variance is made of, (k,) each."""

    estimate: Array
    scale: Array
    units: Array
    draws: Array
    cells: Array
    differ: NDArray[np.bool_]
    means_differ: NDArray[np.bool_]

    @property
    def std_error(self) -> Array:
        """Root of V_units + V_draws - V_cells, but never below that of V_units or V_draws."""
        variance = np.maximum(self.units + self.draws - self.cells, np.maximum(self.units, self.draws))
        return np.sqrt(variance) * self.scale


def crossed_intervals(
    values: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    null: ArrayLike = 0.0,
) -> Intervals:
    """Return the mean of each column over units and the draws that they share, with its two-way t interval.

    The estimate is sum_i w_i sum_r Y_irk / (R sum_i w_i).

    Parameters
    ----------
    values
        One number per unit, draw and quantity, (n, R, K): draw r is the same realisation for every unit.
    clusters
        A label per unit, (n,); units that share one count as dependent. None: units are independent.
    weights
        A positive weight per unit, (n,); only ratios of weights matter. None: equal.
    settings
        Only `confidence_level` is used: nothing is resampled.
    null
        The value that p-values test, a number or (K,).

    Returns
    -------
    Intervals
        `method` is ``"two-way t (units x draws)"``, or ``"two-way t (clusters x draws)"``; columns that no interval can
        be formed for have NaN in all but `estimate`, and method ``"degenerate"``.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or a weight is not positive.
    DesignError
        If `settings` is not an Inference.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: one draw, one unit or cluster, or no spread.

    Notes
    -----
    Units (or clusters) and draws are taken as two independent samples: the interval is about the mean over new units
    and new draws. Draws that are independent between units need none of this: average them and use `mean_intervals`.
    With R draws the quantile has at most R - 1 degrees of freedom, so with few draws the interval is wide whatever the
    number of units. It is conservative with very few draws (nominal 95% covers about 99% at R = 3).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> unit, draw = rng.normal(1.0, 1.0, size=(50, 1)), rng.normal(0.0, 0.5, size=(1, 8))
    >>> found = crossed_intervals((unit + draw + rng.normal(size=(50, 8)))[:, :, None])
    >>> found.method, bool(found.conf_low[0] < 1.0 < found.conf_high[0])
    (('two-way t (units x draws)',), True)
    """
    checked_settings(settings)
    array = cube(values, "values")
    n, n_draws, n_columns = array.shape
    design = sampling(n, clusters, weights)
    tested = nulls(null, n_columns)
    found = _crossed(array, design)
    reason = _reasons(found, design, n_draws)
    warn_columns(reason)
    df = np.full(n_columns, min(design.n_clusters, n_draws) - 1.0)
    pivots = Pivots(found.estimate, found.std_error, df, reason, n, design.n_clusters)
    method = METHOD.replace("units", "clusters") if design.clustered else METHOD
    return symmetric_intervals(pivots, settings.confidence_level, tested, [method] * n_columns)


def cube(values: ArrayLike, what: str) -> Array:
    """Return `values` as a float array (n, R, K); raise DataError if it is not finite numbers of that shape."""
    values = reals(values, what=what, needed="an array (units, draws, columns)", error=DataError)
    shape = values.shape
    if len(shape) != 3:
        hint = f" Use {what}[:, :, None] for one quantity." if len(shape) == 2 else ""
        raise DataError(f"{what} must have three axes, (units, draws, columns); found shape {shape}.{hint}")
    n, n_draws, n_columns = shape
    if n == 0 or n_draws == 0:
        raise DataError(f"{what} has shape {shape}: there are no {'units' if n == 0 else 'draws'}. Give at least one.")
    flat = checked_columns(np.asarray(values).reshape(n, n_draws * n_columns), what)
    return flat.reshape(n, n_draws, n_columns)


def _crossed(values: Array, design: Sampling) -> Crossed:
    """Return means and the variances over units (or clusters), draws and cells, in blocks of columns."""
    n, n_draws, n_columns = values.shape
    step = max(1, _BLOCK // (n * n_draws))
    starts = range(0, n_columns, step)
    parts = [_crossed_block(values[:, :, start : start + step], design) for start in starts]
    if not parts:
        empty, none = np.empty(0), np.empty(0, dtype=bool)
        return Crossed(empty, empty, empty, empty, empty, none, none)
    return Crossed(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def cell_totals(values: Array, design: Sampling) -> tuple[Linearised, Array]:
    """Return means of `values` (n, R, k), and the totals of their residuals in each cell, (k, J, R)."""
    n, n_draws, n_columns = values.shape
    cells = (design.codes[:, None] * n_draws + np.arange(n_draws)).ravel()
    order = np.argsort(cells, kind="stable")
    by_cell = Sampling(np.repeat(design.weights, n_draws), order, np.flatnonzero(np.diff(cells[order], prepend=-1)))
    part = linearise(values.reshape(n * n_draws, n_columns), by_cell)
    return part, part.residuals.reshape(n_columns, design.n_clusters, n_draws)


def covariance(one: Array, other: Array, total: float) -> Array:
    """Return G / (G - 1) sum_g a_g b_g / total^2, (k,), from totals a and b of G groups, (k, G) each."""
    groups = one.shape[1]
    factor = groups / (groups - 1) if groups > 1 else np.nan
    return np.asarray(factor * np.einsum("kg,kg->k", one, other) / total**2)


def _crossed_block(values: Array, design: Sampling) -> Crossed:
    n_draws = values.shape[1]
    part, cells = cell_totals(values, design)
    over_units, over_draws, flat = cells.sum(axis=2), cells.sum(axis=1), cells.reshape(len(cells), -1)
    # a group's mean differs from the mean by its total over its weight
    furthest = np.maximum(
        (np.abs(over_units) / (n_draws * design.cluster_weights)).max(axis=1),
        np.abs(over_draws).max(axis=1) / float(design.weights.sum()),
    )
    return Crossed(
        estimate=part.estimate,
        scale=part.scale,
        units=covariance(over_units, over_units, part.total),
        draws=covariance(over_draws, over_draws, part.total),
        cells=covariance(flat, flat, part.total),
        differ=part.spread[0],
        means_differ=furthest > SAME,
    )


def too_few_levels(design: Sampling, n_draws: int) -> str:
    """Return why no column can have an interval, or nothing."""
    if n_draws < 2:
        return _ONE_DRAW
    if design.n < 2:
        return _ONE_UNIT
    return _ONE_CLUSTER if design.n_clusters < 2 else ""


def _reasons(found: Crossed, design: Sampling, n_draws: int) -> tuple[str, ...]:
    """Return why each column has no interval, empty where it has one."""
    few = too_few_levels(design, n_draws)
    if few:
        return (few,) * len(found.estimate)
    pairs = zip(found.differ.tolist(), found.means_differ.tolist(), strict=True)
    return tuple("" if differ and means else _SAME_MEANS if differ else _SAME_VALUE for differ, means in pairs)
