"""Student's t with J - 1 degrees of freedom on the cluster-robust standard error."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ._sampling import Array


def t_quantile(confidence_level: float, n_clusters: int) -> float:
    """Return the two-sided t quantile with J - 1 degrees of freedom; NaN with fewer than two clusters.

    Examples
    --------
    >>> round(t_quantile(0.95, 10), 4)
    2.2622
    """
    return float(stats.t.ppf((1 + confidence_level) / 2, n_clusters - 1)) if n_clusters > 1 else float("nan")


def t_p_value(t: Array, n_clusters: int) -> Array:
    """Return two-sided p-values of t statistics with J - 1 degrees of freedom, never 0.

    Examples
    --------
    >>> t_p_value(np.array([0.0, 2.2621571628]), 10).round(4)
    array([1.  , 0.05])
    """
    p_value = 2.0 * stats.t.sf(np.abs(t), n_clusters - 1)
    return np.where(np.isnan(t), np.nan, np.maximum(p_value, np.finfo(np.float64).tiny))
