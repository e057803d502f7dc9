"""Student's t with the degrees of freedom of the sampling design."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ._sampling import Array


def t_quantile(confidence_level: float, df: float) -> float:
    """Return the two-sided t quantile; NaN where `df` is.

    Examples
    --------
    >>> round(t_quantile(0.95, 9), 4)
    2.2622
    """
    return float(stats.t.ppf((1 + confidence_level) / 2, df))


def t_p_value(t: Array, df: float) -> Array:
    """Return two-sided p-values of t statistics, never 0.

    Examples
    --------
    >>> t_p_value(np.array([0.0, 2.2621571628]), 9).round(4)
    array([1.  , 0.05])
    """
    p_value = 2.0 * stats.t.sf(np.abs(t), df)
    return np.where(np.isnan(t), np.nan, np.maximum(p_value, np.finfo(np.float64).tiny))
