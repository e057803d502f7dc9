"""Equivalence by a margin that is itself estimated, and of ratios: the reference must be told from 0 as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...errors import DataError
from .._settings import Inference
from ..intervals import bootstrap_means, mean_intervals
from ..ratios import ratio_intervals
from ..sample import Array, Sampling, adjusted_means, checked_columns, linearise, quiet, sampling
from ._claim import Equivalence, at_level, decided, margins, one_sided

_DEFAULT = Inference()
_FLIPS = "bonett-price"
_TINY = float(np.finfo(np.float64).tiny)


def relative_equivalence(
    values: ArrayLike,
    reference: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
) -> Equivalence:
    """Return the tests of ``|mean(values)| < margin * |mean(reference)|``, column by column.

    Parameters
    ----------
    values, reference
        One number per unit and quantity, (n, K) each, from the same units.
    margin
        A positive share r, or one per column.
    alpha, clusters, weights, settings
        As in `mean_equivalence`.

    Returns
    -------
    Equivalence
        `margin` is r times the estimated reference. `low` and `high` are in the units of the mean: the lower end for
        mean(values + r s reference) less r s reference as estimated, and the upper end for mean(values - r s reference)
        plus it. So they hold the uncertainty of the margin, and lie inside it exactly when both tests reject.

    Notes
    -----
    With s the sign of the estimated reference, the tests are of theta - r s tau < 0 and theta + r s tau > 0, linear in
    the units, at level alpha each; in addition the reference must be told from 0 at level alpha, two-sided. The
    p-value is the largest of the three.

    Size. Let the claim be false. For tau > 0 and s = 1 one of the two tests is of a true hypothesis, so the claim is
    made with chance at most alpha. With s = -1 it is made only if the reference is significant with the wrong sign:
    with chance below alpha / 2, and soon none as ``|tau|`` grows. At tau = 0 the claim needs a significant reference,
    which has chance alpha. In between, the two parts together are below alpha + Phi(z_(1-alpha) - 2 z_(1-alpha/2)) by
    normal theory: 0.031 for alpha = 0.025. Without the third test the size would be 2 alpha at tau = theta = 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total = rng.normal(2.0, 1.0, size=(200, 1))
    >>> relative_equivalence(rng.normal(0.0, 0.5, size=(200, 1)), total, 0.1).inside
    array([ True])
    """
    top, below = _same_shape(values, reference)
    r = margins(margin, top.shape[1])
    level = at_level(settings, alpha)
    with quiet():  # told by the NaN of the row
        told = mean_intervals(below, clusters=clusters, weights=weights, settings=level)
        shift = r * np.where(told.estimate < 0, -1.0, 1.0)
        upper = mean_intervals(top - shift * below, clusters=clusters, weights=weights, settings=level)
        lower = mean_intervals(top + shift * below, clusters=clusters, weights=weights, settings=level)
    width = r * np.abs(told.estimate)
    p_value = np.maximum(one_sided(upper, "p_less"), one_sided(lower, "p_greater"))
    p_reference = _of_reference(told.p_value, told.estimate)
    alike = ~linearise(top, sampling(len(top), clusters, weights)).spread.all(axis=0)
    p_value = np.where(alike, np.nan, np.maximum(p_value, p_reference))
    low, high = (np.where(alike, np.nan, end) for end in (lower.conf_low - width, upper.conf_high + width))
    return decided(width, low, high, p_value, alpha, method=upper.method, weak=p_reference > alpha)


def ratio_equivalence(
    numerator: ArrayLike,
    denominator: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    answers: tuple[ArrayLike, ArrayLike] | None = None,
) -> Equivalence:
    """Return the tests of -margin < mean(numerator) / mean(denominator) < margin, column by column.

    Parameters
    ----------
    numerator, denominator
        One number per unit and quantity, (n, K) each, from the same units.
    margin
        A positive ratio, or one per column.
    alpha, clusters, weights, settings
        As in `mean_equivalence`.
    answers
        As in `ratio_intervals`.

    Returns
    -------
    Equivalence
        `low` and `high` are the ends of Fieller's set at level 1 - 2 alpha, infinite where it is not bounded.

    Notes
    -----
    With s the sign of the estimated denominator, the p-value is the largest of those of the one-sided tests of
    numerator - m s denominator < 0 and numerator + m s denominator > 0: both are at most alpha exactly when the set
    that inverts them lies inside (-m, m). As for relative margins, the denominator must in addition be told from 0 at
    level alpha, two-sided.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total = rng.normal(2.0, 1.0, size=(200, 1))
    >>> ratio_equivalence(rng.normal(0.0, 0.5, size=(200, 1)), total, 0.1).inside
    array([ True])
    """
    top, below = _same_shape(numerator, denominator)
    m = margins(margin, top.shape[1])
    level = at_level(settings, alpha)
    found = ratio_intervals(top, below, clusters=clusters, weights=weights, settings=level, answers=answers)
    design = sampling(len(top), clusters, weights)
    sign = np.where(linearise(below, design).estimate < 0, -1.0, 1.0)
    flips = np.array([_FLIPS in method for method in found.method], dtype=bool)

    def p_less(above: float, under: Array) -> Array:
        """Return the p-values of "the mean of above x numerator + under x denominator is not below 0"."""
        columns = above * top + under * below
        p_value = _p_less(columns, design, level)
        if answers is not None and flips.any():
            weights = above * np.asarray(answers[0])[:, None] + under * np.asarray(answers[1])[:, None]
            own = adjusted_means(linearise(columns, design), 0.5 * np.abs(weights).sum(axis=0))
            p_value = np.where(flips, np.maximum(stats.norm.cdf(own.centre / own.std_error), _TINY), p_value)
        return p_value

    upper, lower = p_less(1.0, -m * sign), p_less(-1.0, -m * sign)
    told = np.minimum(2.0 * p_less(0.0, -sign), 1.0)
    p_reference = _of_reference(told, linearise(below, design).estimate)
    none = np.isnan(found.conf_low)
    p_value = np.where(none, np.nan, np.maximum(np.maximum(upper, lower), p_reference))
    return decided(m, found.conf_low, found.conf_high, p_value, alpha, method=found.method, weak=p_reference > alpha)


def _same_shape(values: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    top, below = checked_columns(values, "values"), checked_columns(reference, "reference")
    if top.shape != below.shape:
        raise DataError(f"values has shape {top.shape} and reference {below.shape}; give both for the same units.")
    return top, below


def _of_reference(p_value: Array, estimate: Array) -> Array:
    """Return the p-values of references; one that is the same in every unit is known, to be 0 or not to be."""
    known = np.where(estimate == 0.0, 1.0, 0.0)
    return np.where(np.isnan(p_value), known, p_value)


def _p_less(columns: Array, design: Sampling, settings: Inference) -> Array:
    """Return p-values against "the mean is below 0", never 0; NaN where units do not differ.

    The test is the one that the set of `ratio_intervals` inverts: bootstrap-t, or else Student's.
    """
    if settings.method != "bootstrap-t":
        settings = replace(settings, method="t")
    return bootstrap_means(columns, design, settings, flips=False).p_less
