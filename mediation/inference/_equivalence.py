"""Equivalence: is a mean within a margin of 0? Two one-sided tests by the interval that is shown.

A mean is claimed to lie in (-m, m) when both "mean >= m" and "mean <= -m" are rejected at level alpha, that is when the
interval of level 1 - 2 alpha lies inside the margin (Schuirmann 1987, J. Pharmacokin. Biopharm. 15, 657-680). A claim
needs both tests, so its error is at most alpha (an intersection-union test; Berger 1982, Technometrics 24, 295-300).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mediation._checks import pair_of, shown
from mediation.errors import DataError, DegenerateWarning, DesignError

from ._flips import adjusted_means
from ._groups import group_difference_intervals
from ._intervals import Intervals, checked_settings, mean_intervals
from ._means import bootstrap_means
from ._ratios import ratio_intervals
from ._sampling import Array, Sampling, checked_columns, sampling
from ._settings import Inference
from ._variance import linearise

_DEFAULT = Inference()
_FLIPS = "bonett-price"
_TINY = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equivalence:
    """Two one-sided tests of K quantities against margins; arrays are (K,).

    Parameters
    ----------
    margin
        Margin m of each claim, in units of the quantity (for a relative margin, at the estimated reference).
    low, high
        The interval of level 1 - 2 alpha that the two tests invert; NaN where there is none.
    p_value
        Larger p-value of the two tests (for a relative margin and a ratio, also of the test that the reference is not
        0). NaN where there is no interval.
    inside
        Whether the claim is made: `p_value` at most alpha.
    weak
        Whether the reference of a relative margin, or the denominator of a ratio, is not distinguishable from 0.
    method
        How the tests were made, K strings.
    """

    margin: Array
    low: Array
    high: Array
    p_value: Array
    inside: NDArray[np.bool_]
    weak: NDArray[np.bool_]
    method: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


def mean_equivalence(
    values: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    span: ArrayLike | None = None,
) -> Equivalence:
    """Return the tests of -margin < mean < margin for each column of `values`.

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K).
    margin
        A positive number, or one per column.
    alpha
        Level of each of the two tests; the interval that decides has level 1 - 2 alpha.
    clusters, weights, span
        As in `mean_intervals`.
    settings
        Method, resamples and seed; its level is not used.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN.
    DesignError
        If a margin is not positive, or alpha is not between 0 and 1/2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = mean_equivalence(rng.normal(0.0, 1.0, size=(200, 2)), [0.5, 0.05])
    >>> found.inside
    array([ True, False])
    """
    array = checked_columns(values, "values")
    m = margins(margin, array.shape[1])
    level = at_level(settings, alpha)
    below = mean_intervals(array, clusters=clusters, weights=weights, settings=level, null=m, span=span)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # the same columns again
        above = mean_intervals(array, clusters=clusters, weights=weights, settings=level, null=-m, span=span)
    p_value = np.maximum(_one_sided(below, "p_less"), _one_sided(above, "p_greater"))
    return _decided(m, below.conf_low, below.conf_high, p_value, alpha, method=below.method)


def group_equivalence(
    first: ArrayLike,
    second: ArrayLike,
    margin: ArrayLike,
    *,
    alpha: float = 0.025,
    clusters: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
    weights: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    settings: Inference = _DEFAULT,
    span: ArrayLike | None = None,
) -> Equivalence:
    """Return the tests of -margin < mean(first) - mean(second) < margin, of two independent groups of units.

    Parameters
    ----------
    first, second
        One number per unit and quantity, (n1, K) and (n2, K).
    margin
        A positive number, or one per column.
    alpha, settings
        As in `mean_equivalence`.
    clusters, weights, span
        Of the first and the second group, as in `group_difference_intervals`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = group_equivalence(rng.normal(size=(200, 1)), rng.normal(size=(150, 1)), 0.5)
    >>> found.inside
    array([ True])
    """
    one, two = checked_columns(first, "first"), checked_columns(second, "second")
    m = margins(margin, one.shape[1])
    clusters = pair_of(clusters, what="clusters", needed="a pair, of the first and of the second group,")
    weights = pair_of(weights, what="weights", needed="a pair, of the first and of the second group,")

    def tested(null: Array) -> Intervals:
        return group_difference_intervals(
            one, two, clusters_first=clusters[0], clusters_second=clusters[1], weights_first=weights[0],
            weights_second=weights[1], settings=at_level(settings, alpha), null=null, span=span,
        )  # fmt: skip

    below = tested(m)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # the same columns again
        above = tested(-m)
    p_value = np.maximum(_one_sided(below, "p_less"), _one_sided(above, "p_greater"))
    return _decided(m, below.conf_low, below.conf_high, p_value, alpha, method=below.method)


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # told by the NaN of the row
        told = mean_intervals(below, clusters=clusters, weights=weights, settings=level)
        shift = r * np.where(told.estimate < 0, -1.0, 1.0)
        upper = mean_intervals(top - shift * below, clusters=clusters, weights=weights, settings=level)
        lower = mean_intervals(top + shift * below, clusters=clusters, weights=weights, settings=level)
    width = r * np.abs(told.estimate)
    p_value = np.maximum(_one_sided(upper, "p_less"), _one_sided(lower, "p_greater"))
    p_reference = _of_reference(told.p_value, told.estimate)
    alike = ~linearise(top, sampling(len(top), clusters, weights)).spread.all(axis=0)
    p_value = np.where(alike, np.nan, np.maximum(p_value, p_reference))
    low, high = (np.where(alike, np.nan, end) for end in (lower.conf_low - width, upper.conf_high + width))
    return _decided(width, low, high, p_value, alpha, method=upper.method, weak=p_reference > alpha)


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
    return _decided(m, found.conf_low, found.conf_high, p_value, alpha, method=found.method, weak=p_reference > alpha)


def margins(margin: ArrayLike, size: int) -> Array:
    """Return one margin per column; DesignError unless each is a positive number.

    Examples
    --------
    >>> margins(0.1, 2)
    array([0.1, 0.1])
    """
    try:
        given = np.asarray(margin, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        given = np.full((), np.nan)
    if given.dtype != np.float64 or isinstance(margin, bool) or not (np.isfinite(given) & (given > 0)).all():
        raise DesignError(
            f"margin = {shown(margin)}: a positive number is needed, the largest effect that would still be negligible."
        )
    if given.shape not in {(), (size,)}:
        raise DesignError(f"margin has shape {given.shape}; one number, or one for each of {size} columns is needed.")
    return np.array(np.broadcast_to(given, (size,)))


def at_level(settings: Inference, alpha: float) -> Inference:
    """Return `settings` at the level 1 - 2 alpha.

    Examples
    --------
    >>> at_level(Inference(), 0.05).confidence_level
    0.9
    """
    checked_settings(settings)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < 0.5:
        raise DesignError(
            f"alpha = {shown(alpha)}: the level of each one-sided test is needed, above 0 and below 0.5, such as 0.025."
        )
    return replace(settings, confidence_level=1.0 - 2.0 * alpha)


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
    return bootstrap_means(columns, design, settings, bands=False, flips=False).p_less


def _one_sided(found: Intervals, which: str) -> Array:
    p_value = getattr(found, which)
    return np.full(len(found.method), math.nan) if p_value is None else p_value


def _decided(
    margin: Array,
    low: Array,
    high: Array,
    p_value: Array,
    alpha: float,
    *,
    method: tuple[str, ...],
    weak: NDArray[np.bool_] | None = None,
) -> Equivalence:
    """Return the result; a claim needs the tests and, against rounding, the interval that they invert."""
    with np.errstate(invalid="ignore"):
        inside = (p_value <= alpha) & (low > -margin) & (high < margin)
    none = np.zeros(len(margin), dtype=bool) if weak is None else weak & np.isfinite(p_value)
    return Equivalence(
        margin=np.array(margin),
        low=np.array(low),
        high=np.array(high),
        p_value=np.array(p_value),
        inside=np.asarray(inside & ~none),
        weak=none,
        method=tuple("degenerate" if empty else name for empty, name in zip(np.isnan(p_value), method, strict=True)),
    )
