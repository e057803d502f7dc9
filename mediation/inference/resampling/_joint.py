"""Bands over a family of columns: how many standard errors they reach, and p-values adjusted for the family.

Two critical values hold for all columns at once, and the smaller is taken (max-t's, where they differ by less than 2%):

- the upper quantile of the largest |t*| over the columns, from the resamples (max-t; `_bands`), which uses how columns
  depend on each other, and is far too large when resamples of few clusters hardly vary;
- Bonferroni's, from Student's t at level alpha / K, which is exact for normal values of any number of clusters. Where
  the columns' skewness says that t reaches further than Student's, its tail is that of as skewed values (`_skewness`).

Adjusted p-values are step-down max-t's, or Holm's from the same tail as Bonferroni's where that is smaller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from .._settings import Inference
from ..sample import STUDENT, Array, Tail, tail_of

_ABOUT = 1.02  # max-t is kept where it is hardly larger: its p-values use how columns depend on each other
MAX_T, STUDENTS, SKEWED = "max-t", "Bonferroni t", "Bonferroni t, skewed"


class Joint(NamedTuple):
    """The critical value of a family's bands, adjusted p-values in the order of the columns, (K,), and who decided."""

    critical: float | Array
    p_adjusted: Array
    by: str


def joint(
    observed: Array, resampled: tuple[float, Array], squared: Array, n: int, df: float | Array, settings: Inference
) -> Joint:
    """Return how far the bands of a family reach.

    Parameters
    ----------
    observed
        |t0| of the columns, (K,).
    resampled
        The critical value of max-t, and its step-down p-values in the order of the columns, (K,).
    squared
        Squared sample skewness of the columns that are no rare flips, (k,).
    n, df
        Number of clusters, and degrees of freedom of the variance, one number or (K,).
    settings
        Level and number of resamples.
    """
    by_resamples, step_down = resampled
    size = len(observed)
    if (by_resamples <= _ABOUT * student_critical(settings.alpha / size, df)).all():
        return Joint(by_resamples, step_down, MAX_T)
    tail = tail_of(squared, n)
    by_student = student_critical(tail.level(settings.alpha / size), df)
    p_adjusted = np.minimum(step_down, holm(observed, tail, df))
    if (by_resamples <= _ABOUT * by_student).all():
        return Joint(by_resamples, p_adjusted, MAX_T)
    return Joint(by_student, p_adjusted, STUDENTS if tail is STUDENT else SKEWED)


def critical_at(level: float, resampled: float, squared: Array, size: int, design: tuple[int, float]) -> float:
    """Return how far bands over `size` columns reach at joint level 1 - `level`.

    Parameters
    ----------
    level
        Chance that some band leaves out its value.
    resampled
        The critical value of max-t at that level.
    squared
        Squared sample skewness of the columns, (k,).
    size
        Number of columns.
    design
        Number of clusters, and degrees of freedom of the variance.
    """
    n, df = design
    student = float(student_critical(level / size, df))
    if resampled > student:
        student = float(student_critical(tail_of(squared, n).level(level / size), df))
    return min(resampled, student)


def student_critical(level: float, df: float | Array) -> Array:
    """Return the value that |t| exceeds with probability `level`.

    Examples
    --------
    >>> student_critical(0.05, 9).round(4)
    np.float64(2.2622)
    """
    return np.asarray(stats.t.isf(level / 2.0, df))[()]


def holm(observed: Array, tail: Tail, df: float | Array) -> Array:
    """Return Holm's step-down p-values of |t| (K,).

    Examples
    --------
    >>> from mediation.inference.sample._skewness import STUDENT
    >>> holm(stats.t.isf(np.array([0.2, 0.01]) / 2, 9), STUDENT, 9).round(6)
    array([0.2 , 0.02])
    """
    p_value = tail.p_value(np.asarray(2.0 * stats.t.sf(observed, df)))
    order = np.argsort(-p_value, kind="stable")
    steps = p_value[order] * np.arange(1, len(p_value) + 1)
    found = np.empty(len(p_value))
    found[order] = np.minimum(1.0, np.maximum.accumulate(steps[::-1])[::-1])
    return found
