"""Ratios as rows: numerators and denominators, checked, and sets written as intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ...errors import DataError
from ..intervals import Intervals
from ..sample import Array, Sampling, checked_columns
from ._fieller import FiellerSet, set_method


def both_columns(numerator: ArrayLike, denominator: ArrayLike) -> tuple[Array, Array]:
    """Return both as arrays (n, K) of the same units and columns.

    Raises
    ------
    DataError
        If one has the wrong shape or holds NaN or infinity, or the two differ in shape.
    """
    top, bottom = checked_columns(numerator, "numerator"), checked_columns(denominator, "denominator")
    if top.shape != bottom.shape:
        raise DataError(
            f"numerator has shape {top.shape} and denominator {bottom.shape}; give both for the same units and columns."
        )
    return top, bottom


def set_intervals(
    ratio: tuple[Array, Array, Array], found: FiellerSet, names: Sequence[str], reason: Sequence[str], design: Sampling
) -> Intervals:
    """Return the rows of K ratios: estimates, standard errors and p-values, and their sets, each by its name.

    Where there is a reason, all but the estimate is NaN.
    """
    none = np.array([bool(text) for text in reason], dtype=bool)
    estimate, std_error, low, high, p_value = (
        ratio[0],
        *(np.where(none, np.nan, one) for one in (ratio[1], found.low, found.high, ratio[2])),
    )
    method = [
        "degenerate" if why else set_method(name, *ends, gap)
        for why, name, ends, gap in zip(
            reason,
            names,
            zip(low.tolist(), high.tolist(), strict=True),
            zip(found.gap_low.tolist(), found.gap_high.tolist(), strict=True),
            strict=True,
        )
    ]
    return Intervals(
        estimate=estimate,
        std_error=std_error,
        conf_low=low,
        conf_high=high,
        p_value=p_value,
        method=tuple(method),
        n=design.n,
        n_clusters=design.n_clusters,
        reason=tuple(reason),
    )
