"""Intervals of ratios of means: the estimate, and the set of ratios that a test does not reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import pair_of, reals
from ...errors import DataError
from .._settings import Inference
from ..intervals import Intervals, bootstrap_means, checked_settings
from ..sample import (
    SAME,
    Array,
    Linearised,
    Reason,
    Sampling,
    adjusted_means,
    linearise,
    normal_p_value,
    rare_flips,
    sampling,
    t_p_value,
    t_quantile,
    told,
    too_few,
    warn_columns,
)
from ._bootstrap_fieller import bootstrap_sets, flip_sets
from ._fieller import FiellerSet, Moments, fieller_set
from ._rows import both_columns, set_intervals

_DEFAULT = Inference()
_RATIO_BLOCK = 256


class Ratio(NamedTuple):
    """Ratios of k columns: estimate, delta-method standard error, p-value, set, why there is none, and rare flips."""

    estimate: Array
    std_error: Array
    p_value: Array
    found: FiellerSet
    reason: NDArray[np.int8]
    flips: NDArray[np.bool_]


def ratio_intervals(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    answers: tuple[ArrayLike, ArrayLike] | None = None,
) -> Intervals:
    """Return the ratio of the means of `numerator` and `denominator`, column by column, with Fieller's set.

    The estimate is sum_i w_i A_i / sum_i w_i B_i: a ratio of means, never a mean of ratios.

    Parameters
    ----------
    numerator, denominator
        One number per unit and quantity, (n, K) each, from the same units.
    clusters, weights
        As in `mean_intervals`.
    settings
        With the method ``"bootstrap-t"`` the set inverts the bootstrap-t test, as below. With any other it is Fieller's
        own, by Student's t: exact algebra, for which nothing is resampled.
    answers
        Where both are contrasts of right (1) and wrong (0) answers, or of their averages over draws: the weights of the
        answers in the numerator and in the denominator, one each an outcome, in the same order. Then few flips have a
        set as well.

    Returns
    -------
    Intervals
        `method` is ``"fieller, bootstrap-t"`` (or ``"fieller"``), followed by ``"(unbounded)"`` where the set is the
        whole line, or ``"(complement: <= x or >= y)"`` where it is the line without the gap between x and y (in full
        precision); in both, the ends are -inf and inf. `std_error` is the delta method's, for reference: the set is not
        built from it.

    Raises
    ------
    DataError
        If an array has the wrong shape, holds NaN or infinity, or the two differ in shape.
    DesignError
        If `settings` is not an Inference.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: fewer than two units or clusters, the ratio the same in every cluster, or
        the mean of the denominator 0.

    Notes
    -----
    A ratio r is in the set if the mean of A - r B is not distinguishable from 0 (Fieller 1954). For skewed units or few
    clusters Student's test of that rejects too often on one side, so that by default the test is that of `bootstrap_t`,
    from the same resamples for all r; its set holds Fieller's own, and is bounded exactly when the bootstrap-t interval
    of the denominator leaves out 0.

    Where few answers flip in the numerator or in the denominator (as `mean_intervals` says), the test is Bonett and
    Price's: A - r B with pseudo-units at both ends of its range. `method` is then ``"fieller, bonett-price"``.

    `p_value` tests "the ratio is 0", that is "the mean of the numerator is 0", by the same test: at most
    1 - confidence_level exactly when the set leaves out 0. NaN where the numerator does not vary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total = rng.normal(2.0, 1.0, size=(50, 1))
    >>> found = ratio_intervals(0.5 * total + rng.normal(0.0, 0.1, size=(50, 1)), total)
    >>> found.method, bool(found.conf_low[0] < 0.5 < found.conf_high[0])
    (('fieller, bootstrap-t',), True)
    """
    checked_settings(settings)
    top, bottom = both_columns(numerator, denominator)
    design = sampling(len(top), clusters, weights)
    known = None if answers is None else checked_answers(answers)
    blocks = [ratio_of_means(top[:, part], bottom[:, part], design, settings, known) for part in _slices(top.shape[1])]
    reason = _joined([block.reason for block in blocks]).astype(np.int8)
    if too_few(design):
        reason[:] = too_few(design)
    warn_columns(told(reason))
    found = _ratio_result(blocks, told(reason), design, settings)
    if settings.method != "bootstrap-t" or not (reason == Reason.NONE).any():
        return found
    flips = _joined([block.flips for block in blocks]).astype(bool)
    tested = bootstrap_means(top[:, ~flips], design, settings, flips=False).p_value
    p_value = np.array(found.p_value)
    p_value[~flips] = np.where(np.isnan(p_value[~flips]), np.nan, tested)
    return replace(found, p_value=p_value)


def checked_answers(answers: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """Return the weights of the answers in both contrasts."""
    needed = "a pair of weights, one an outcome,"
    given = pair_of(answers, what="answers", needed=needed, error=DataError)
    one, other = (reals(weights, what="answers", needed=needed, error=DataError) for weights in given)
    if one.ndim != 1 or one.shape != other.shape:
        raise DataError(
            f"answers have shapes {one.shape} and {other.shape}; give one weight an outcome for the numerator, and as "
            "many for the denominator, with 0 for an outcome that plays no part."
        )
    return one, other


def _slices(n_columns: int) -> Iterator[slice]:
    yield from (slice(start, start + _RATIO_BLOCK) for start in range(0, n_columns, _RATIO_BLOCK))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([*parts, np.empty(0)])


def _ratio_result(blocks: Sequence[Ratio], reason: Sequence[str], design: Sampling, settings: Inference) -> Intervals:
    cluster = "cluster " if design.clustered else ""
    name = f"{cluster}fieller{', bootstrap-t' if settings.method == 'bootstrap-t' else ''}"
    flips = _joined([block.flips for block in blocks]).astype(bool)
    names = np.where(flips, f"{cluster}fieller, bonett-price", name).tolist()
    numbers = [_joined(parts) for parts in zip(*(block[:3] for block in blocks), strict=True)] or [np.empty(0)] * 3
    sets = [_joined(parts) for parts in zip(*(block.found for block in blocks), strict=True)] or [np.empty(0)] * 5
    return set_intervals((numbers[0], numbers[1], numbers[2]), FiellerSet(*sets), names, reason, design)


def _covariance(x: Linearised, y: Linearised) -> Array:
    return np.asarray(x.products(y.residuals) / x.total**2)


def ratio_of_means(
    numerator: Array, denominator: Array, design: Sampling, settings: Inference,
    answers: tuple[Array, Array] | None = None,
) -> Ratio:  # fmt: skip
    """Return ratios of the means of `numerator` and `denominator`, (n, k) each, with Fieller's sets.

    The p-value is that of the t test of mean(numerator) = 0, which rejects exactly when Fieller's set leaves out 0. It
    is NaN where the numerator does not vary. Rare flips of `answers` have Bonett and Price's test for both.
    """
    top, bottom = linearise(numerator, design), linearise(denominator, design)
    rescale, size = top.scale / bottom.scale, len(top.mean)
    no_ratio = np.abs(bottom.mean) <= SAME
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(no_ratio, np.nan, top.mean / bottom.mean)
    residuals = top.residuals - np.nan_to_num(ratio)[:, None] * bottom.residuals
    largest = np.maximum(1.0, np.abs(np.nan_to_num(ratio)))
    same = np.abs(residuals).max(axis=1) <= SAME * largest * float(design.cluster_weights.max())
    flips, span = np.zeros(size, dtype=bool), [np.full(size, 0.5 * np.abs(one).sum()) for one in answers or ()]
    if span and settings.method == "bootstrap-t" and design.n_clusters > 1:
        flips = rare_flips(numerator, span[0], design) | rare_flips(denominator, span[1], design)
    why = np.where(same & ~flips, Reason.SAME_RATIO, Reason.NONE)
    reason = np.where(no_ratio, Reason.ZERO_DENOMINATOR, why).astype(np.int8)
    if design.n_clusters < 2:
        nothing = np.full(size, np.nan)
        empty = FiellerSet(nothing, nothing, nothing, nothing, np.zeros(size, dtype=bool))
        return Ratio(ratio * rescale, nothing, nothing, empty, reason, flips)
    left = Linearised(top.scale, top.mean, residuals, top.spread, design)
    v_residual = _covariance(left, left)
    moments = Moments(
        top.mean, bottom.mean, _covariance(top, top), _covariance(bottom, bottom), _covariance(top, bottom)
    )
    found = fieller_set(moments, v_residual, t_quantile(settings.confidence_level, design.df))
    usable = reason == Reason.NONE
    plain, rare = np.flatnonzero(usable & ~flips), np.flatnonzero(usable & flips)
    if settings.method == "bootstrap-t" and len(plain):
        _put(found, plain, bootstrap_sets(top.columns(plain), bottom.columns(plain), settings))
    with np.errstate(divide="ignore", invalid="ignore"):
        std_error = np.sqrt(v_residual) / np.abs(moments.b) * rescale
        t = np.where(top.spread.all(axis=0), moments.a / np.sqrt(moments.v_aa), np.nan)
    p_value = t_p_value(t, design.df)
    if answers is not None and len(rare):
        some = top.columns(rare), bottom.columns(rare)
        _put(found, rare, flip_sets(*some, answers, settings.confidence_level))
        own = adjusted_means(some[0], span[0][rare])
        p_value[rare] = normal_p_value(own.centre / own.std_error)
        std_error[rare] = np.where(std_error[rare] > 0, std_error[rare], np.nan)
    return Ratio(ratio * rescale, std_error, p_value, found.scaled(rescale), reason, flips)


def _put(found: FiellerSet, columns: NDArray[np.intp], some: FiellerSet) -> None:
    """Write the sets of `columns` over those in `found`."""
    for whole, part in zip(found, some, strict=True):
        whole[columns] = part
