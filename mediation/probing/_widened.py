"""Intervals of accuracies of cross-validation, widened since the probes of its folds share training units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..inference import Intervals


@final
@dataclass(frozen=True, slots=True)
class Widened:
    """An interval with its p-value; NaN where there is none."""

    low: float
    high: float
    p_value: float
    method: str


def inflation(n_splits: int) -> float:
    """Return by how much the variance of an accuracy is taken to exceed that of independent trials.

    (1 / k + n_test / n_train) / (1 / k) with n_test / n_train = 1 / (k - 1) (Nadeau and Bengio 2003, Mach. Learn. 52,
    eq. 9).

    Examples
    --------
    >>> inflation(5)
    2.25
    """
    return 1.0 + n_splits / (n_splits - 1)


def widened(found: Intervals, n_splits: int) -> Widened:
    """Return Student's t interval of the first column, as if the variance were inflated, and its p-value."""
    factor = inflation(n_splits) ** 0.5
    estimate, low, high = (float(one[0]) for one in (found.estimate, found.conf_low, found.conf_high))
    df = found.n_clusters - 1
    statistic = stats.t.isf(float(found.p_value[0]) / 2, df) / factor
    return Widened(
        estimate - factor * (estimate - low),
        estimate + factor * (high - estimate),
        float(np.maximum(2 * stats.t.sf(statistic, df), np.finfo(float).tiny)),
        f"{found.method[0]}, widened",
    )


def wilson_widened(correct: NDArray[np.float64], confidence_level: float, n_splits: int) -> Widened:
    """Return Wilson's interval for as many fewer independent trials.

    Examples
    --------
    >>> found = wilson_widened(np.ones(90), 0.95, 5)  # as 40 of 40
    >>> round(found.low, 3), found.high
    (0.912, 1.0)
    """
    n, share = len(correct) / inflation(n_splits), float(correct.mean())
    z = float(stats.norm.isf((1 - confidence_level) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = float(np.clip(centre - reach, 0, 1)), float(np.clip(centre + reach, 0, 1))
    low, high = (0.0 if share == 0 else low), (1.0 if share == 1 else high)
    return Widened(low, high, float("nan"), "wilson, widened")
