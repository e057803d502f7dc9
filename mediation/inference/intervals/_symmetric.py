"""Estimate plus or minus a t quantile times its standard error, with any degrees of freedom, as `Intervals`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

from ..sample import Array
from ._intervals import Intervals

_LISTED = 8
_TINY = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pivots:
    """What a symmetric interval is made of, for K columns.

    Parameters
    ----------
    estimate, std_error
        Values and standard errors, (K,).
    df
        Degrees of freedom, (K,); infinite for the normal distribution.
    reason
        Why a column has no interval, K strings, empty where it has one.
    n, n_clusters
        Number of units, and of what is independent among them.
    """

    estimate: Array
    std_error: Array
    df: Array
    reason: tuple[str, ...]
    n: int
    n_clusters: int


def sides(t: Array, df: Array) -> tuple[Array, Array, Array]:
    """Return two-sided, lower and upper p-values of t statistics, never 0 and never above 1.

    Examples
    --------
    >>> [p.round(3) for p in sides(np.array([2.0]), np.array([10.0]))]
    [array([0.073]), array([0.963]), array([0.037])]
    """
    less, greater = stats.t.cdf(t, df), stats.t.sf(t, df)
    both = np.minimum(1.0, 2.0 * np.minimum(less, greater))
    return np.maximum(both, _TINY), np.maximum(less, _TINY), np.maximum(greater, _TINY)


def symmetric_intervals(pivots: Pivots, confidence_level: float, null: Array, method: Sequence[str]) -> Intervals:
    """Return estimate +- t se, with p-values of "the quantity is `null`"; NaN where there is a reason."""
    none = np.array([bool(text) for text in pivots.reason], dtype=bool)
    error, df = np.where(none, np.nan, pivots.std_error), np.where(none, np.nan, pivots.df)
    reach = stats.t.ppf((1 + confidence_level) / 2, df) * error
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value, p_less, p_greater = sides((pivots.estimate - null) / error, df)
    return Intervals(
        estimate=pivots.estimate,
        std_error=error,
        conf_low=pivots.estimate - reach,
        conf_high=pivots.estimate + reach,
        p_value=p_value,
        p_less=p_less,
        p_greater=p_greater,
        method=tuple("degenerate" if empty else one for empty, one in zip(none.tolist(), method, strict=True)),
        n=pivots.n,
        n_clusters=pivots.n_clusters,
        reason=pivots.reason,
    )
