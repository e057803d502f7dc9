"""The ratio of two means when all units share the draws: Fieller's set with a two-way variance.

The set holds every r that the two-way t test of mean(A) - r mean(B) = 0 does not reject. It needs a covariance matrix
that gives a positive variance for every r, so it is made from V_units + V_draws, without the term of the cells that
`_crossed` takes off. That is conservative by V_cells, which is small beside the others unless units and draws are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...errors import DataError
from .._settings import Inference
from ..intervals import Intervals, checked_settings, sides
from ..ratios import Moments, fieller_set, set_intervals
from ..sample import SAME, Array, Sampling, sampling, warn_columns
from ._crossed import cell_totals, covariance, cube, too_few_levels

_DEFAULT = Inference()
_ZERO = "the mean of the denominator is 0, so there is no ratio to estimate"
_SAME_RATIO = "the ratio is the same in every unit, or cluster, and in every draw"


def crossed_ratio_intervals(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
) -> Intervals:
    """Return the ratio of two means over units and the draws that they share, with its two-way Fieller set.

    Parameters
    ----------
    numerator, denominator
        One number per unit, draw and quantity, (n, R, K) each, of the same units and draws.
    clusters, weights
        As in `crossed_intervals`.
    settings
        Only `confidence_level` is used: nothing is resampled.

    Returns
    -------
    Intervals
        `method` is such as ``"two-way fieller (units x draws)"``, with what `ratio_intervals` says of sets that are
        not bounded.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or the two differ in shape.
    DesignError
        If `settings` is not an Inference.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: one draw, one unit or cluster, a ratio that does not vary, or a denominator
        of 0.

    Notes
    -----
    The quantile is t's with min(J, R) - 1 degrees of freedom, J the number of units or clusters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total = 2 + rng.normal(size=(50, 1, 1)) + 0.3 * rng.normal(size=(1, 8, 1))
    >>> part = 0.5 * total + 0.1 * rng.normal(size=(50, 8, 1))
    >>> found = crossed_ratio_intervals(part, np.broadcast_to(total, part.shape))
    >>> found.method, bool(found.conf_low[0] < 0.5 < found.conf_high[0])
    (('two-way fieller (units x draws)',), True)
    """
    checked_settings(settings)
    top, bottom = cube(numerator, "numerator"), cube(denominator, "denominator")
    if top.shape != bottom.shape:
        raise DataError(
            f"numerator has shape {top.shape} and denominator {bottom.shape}; give both for the same units, draws and "
            "columns."
        )
    design = sampling(len(top), clusters, weights)
    return _ratio(top, bottom, design, settings.confidence_level)


def _ratio(top: Array, bottom: Array, design: Sampling, confidence_level: float) -> Intervals:
    _, n_draws, size = top.shape
    above, above_cells = cell_totals(top, design)
    below, below_cells = cell_totals(bottom, design)
    rescale = above.scale / below.scale
    zero = np.abs(below.mean) <= SAME
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(zero, np.nan, above.mean / below.mean)
    left = above_cells - np.nan_to_num(ratio)[:, None, None] * below_cells

    def two_way(one: Array, other: Array) -> Array:
        by_unit = covariance(one.sum(axis=2), other.sum(axis=2), above.total)
        return by_unit + covariance(one.sum(axis=1), other.sum(axis=1), above.total)

    few = too_few_levels(design, n_draws)
    v_left = two_way(left, left)
    near = SAME * np.maximum(1.0, np.abs(np.nan_to_num(ratio)))
    reason = tuple(
        few or (_ZERO if none else "" if varies else _SAME_RATIO)
        for none, varies in zip(zero.tolist(), (np.sqrt(np.nan_to_num(v_left)) > near).tolist(), strict=True)
    )
    warn_columns(reason)
    moments = Moments(
        above.mean, below.mean, two_way(above_cells, above_cells), two_way(below_cells, below_cells),
        two_way(above_cells, below_cells),
    )  # fmt: skip
    df = float("nan") if few else min(design.n_clusters, n_draws) - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = fieller_set(moments, v_left, float(stats.t.ppf((1 + confidence_level) / 2, df)))
        std_error = np.sqrt(v_left) / np.abs(moments.b) * rescale
        t = np.where(moments.v_aa > 0, moments.a / np.sqrt(moments.v_aa), np.nan)
    name = f"two-way fieller ({'clusters' if design.clustered else 'units'} x draws)"
    ratios = ratio * rescale, std_error, sides(t, np.full(size, df))[0]
    return set_intervals(ratios, found.scaled(rescale), [name] * size, reason, design)
