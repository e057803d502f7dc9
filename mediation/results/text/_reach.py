"""What limits the simultaneous bands of a sweep, where they reach far."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

_FAR = 6.0  # standard errors
_ABOVE = 1.1  # of Bonferroni's t, from where on something else widens the bands


def reach_of(rows: pd.DataFrame) -> float:
    """Return how many standard errors the bands of an estimand's rows reach, in the median; NaN without bands."""
    half, error = (rows["band_high"] - rows["band_low"]) / 2, rows["std_error"]
    reach = (half / error)[(error > 0) & half.notna()]
    return float(reach.median()) if len(reach) else float("nan")


def reach_note(rows: pd.DataFrame, alpha: float) -> str:
    """Return what limits the bands of one estimand's rows and what helps; empty where they reach at most 6 errors.

    Examples
    --------
    >>> rows = pd.DataFrame({"band_low": -7.8, "band_high": 7.8, "std_error": 1.0, "n": 36, "n_clusters": [6] * 90})
    >>> reach_note(rows, 0.05)
    'Bands reach 7.8 standard errors: 6 clusters leave few degrees of freedom for 90 sites at once. More clusters help \
most (12: 4.8).'
    """
    reach = reach_of(rows)
    if not reach > _FAR:
        return ""
    n, sites = int(rows["n_clusters"].max()), int(rows["band_low"].notna().sum())
    what = "clusters" if n < int(rows["n"].max()) else "units"

    def student(count: int) -> float:
        return float(stats.t.isf(alpha / (2 * sites), count - 1))

    said = f"Bands reach {reach:.1f} standard errors: {n} {what} leave few degrees of freedom for {sites} sites at once"
    if reach > _ABOVE * student(n):
        said += ", and skewed effects widen them"
    return f"{said}. More {what} help most ({2 * n}: {np.ceil(10 * student(2 * n)) / 10:.1f})."
