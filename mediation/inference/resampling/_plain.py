"""Intervals of the form estimate +- quantile x standard error: Student's t, and normal with the bootstrap's error."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..sample import Array, t_quantile
from ._ends import Ends, Part

_TINY = float(np.finfo(np.float64).tiny)


def symmetric_ends(part: Part, std_error: Array, quantile: float, p_less: Array, p_greater: Array) -> Ends:
    """Return centre +- quantile x std_error with the p-values given, which are kept above 0."""
    reach = quantile * std_error
    low, high = part.centre - reach, part.centre + reach
    lacking = ~(np.isfinite(low) & np.isfinite(high) & (high > low))
    p_less, p_greater = np.maximum(p_less, _TINY), np.maximum(p_greater, _TINY)
    return Ends(low, high, p_less, p_greater, lacking, np.zeros(len(low), dtype="<U1"))


def student_ends(part: Part) -> Ends:
    """Return mean +- t se: Student's t with the design's degrees of freedom on the cluster-robust standard error."""
    degrees = part.design.df
    t0 = (part.centre - part.null) / part.std_error
    quantile = t_quantile(part.settings.confidence_level, degrees)
    return symmetric_ends(part, part.std_error, quantile, stats.t.cdf(t0, degrees), stats.t.sf(t0, degrees))


def gaussian_ends(part: Part, std_error: Array) -> Ends:
    """Return centre +- z std_error, for a standard error that the caller chooses."""
    z0 = (part.centre - part.null) / std_error
    quantile = float(stats.norm.ppf((1 + part.settings.confidence_level) / 2))
    return symmetric_ends(part, std_error, quantile, stats.norm.cdf(z0), stats.norm.sf(z0))


def normal_ends(shift: Array, part: Part) -> Ends:
    """Return mean +- z sd(mean*) from replicates of mean* - mean, (k, B) (Davison & Hinkley 1997, eq. 5.5, no bias)."""
    return gaussian_ends(part, shift.std(axis=1, ddof=1))
