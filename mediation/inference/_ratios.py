"""Intervals of ratios of means: the estimate, and the set of ratios that a test does not reject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mediation._errors import DataError

from ._bootstrap_fieller import bootstrap_sets
from ._degenerate import Reason, told, too_few, warn
from ._fieller import FiellerSet, Moments, fieller_set, set_method
from ._intervals import Intervals, checked_settings
from ._means import bootstrap_means
from ._sampling import Array, Sampling, checked_columns, sampling
from ._settings import Inference
from ._student import t_p_value, t_quantile
from ._variance import SAME, Linearised, linearise

_DEFAULT = Inference()
_RATIO_BLOCK = 256


class Ratio(NamedTuple):
    """Ratios of k columns: estimate, delta-method standard error, p-value, set, and why there is none."""

    estimate: Array
    std_error: Array
    p_value: Array
    found: FiellerSet
    reason: NDArray[np.int8]


def ratio_intervals(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
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
    A ratio r is in the set if the mean of A - r B is not told from 0 (Fieller 1954). For skewed units or few clusters
    Student's test of that rejects too often on one side, so that by default the test is that of `bootstrap_t`, from the
    same resamples for all r; its set holds Fieller's own.

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
    top, bottom = checked_columns(numerator, "numerator"), checked_columns(denominator, "denominator")
    if top.shape != bottom.shape:
        raise DataError(
            f"numerator has shape {top.shape} and denominator {bottom.shape}; give both for the same units and columns."
        )
    design = sampling(len(top), clusters, weights)
    blocks = [ratio_of_means(top[:, part], bottom[:, part], design, settings) for part in _slices(top.shape[1])]
    reason = _joined([block.reason for block in blocks]).astype(np.int8)
    if too_few(design):
        reason[:] = too_few(design)
    warn(reason, stacklevel=2)
    found = _ratio_result(blocks, reason, design, settings)
    if settings.method != "bootstrap-t" or not (reason == Reason.NONE).any():
        return found
    tested = bootstrap_means(top, design, settings, bands=False, flips=False).p_value
    return replace(found, p_value=np.where(np.isnan(found.p_value), np.nan, tested))


def _slices(n_columns: int) -> Iterator[slice]:
    yield from (slice(start, start + _RATIO_BLOCK) for start in range(0, n_columns, _RATIO_BLOCK))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([*parts, np.empty(0)])


def _ratio_result(
    blocks: Sequence[Ratio], reason: NDArray[np.int8], design: Sampling, settings: Inference
) -> Intervals:
    none = reason != Reason.NONE

    def gather(parts: list[Array]) -> Array:
        return np.where(none, np.nan, _joined(parts))

    low, high = gather([block.found.low for block in blocks]), gather([block.found.high for block in blocks])
    gap_low, gap_high = gather([b.found.gap_low for b in blocks]), gather([b.found.gap_high for b in blocks])
    name = (
        f"{'cluster ' if design.clustered else ''}fieller{', bootstrap-t' if settings.method == 'bootstrap-t' else ''}"
    )
    method = [
        "degenerate" if empty else set_method(name, *ends, gap)
        for empty, ends, gap in zip(
            none.tolist(), zip(low, high, strict=True), zip(gap_low, gap_high, strict=True), strict=True
        )
    ]
    return Intervals(
        estimate=_joined([block.estimate for block in blocks]),
        std_error=gather([block.std_error for block in blocks]),
        conf_low=low,
        conf_high=high,
        p_value=gather([block.p_value for block in blocks]),
        method=tuple(method),
        n=design.n,
        n_clusters=design.n_clusters,
        reason=told(reason),
    )


def _covariance(x: Linearised, y: Linearised, n_clusters: int) -> Array:
    products = np.einsum("kj,kj->k", x.residuals, y.residuals)
    return np.asarray(n_clusters / (n_clusters - 1) * products / x.total**2)


def ratio_of_means(numerator: Array, denominator: Array, design: Sampling, settings: Inference) -> Ratio:
    """Return ratios of the means of `numerator` and `denominator`, (n, k) each, with Fieller's sets.

    The p-value is that of the t test of mean(numerator) = 0, which rejects exactly when Fieller's set leaves out 0. It
    is NaN where the numerator does not vary.
    """
    top, bottom = linearise(numerator, design), linearise(denominator, design)
    rescale = top.scale / bottom.scale
    no_ratio = np.abs(bottom.mean) <= SAME
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(no_ratio, np.nan, top.mean / bottom.mean)
    residuals = top.residuals - np.nan_to_num(ratio)[:, None] * bottom.residuals
    size = np.maximum(1.0, np.abs(np.nan_to_num(ratio)))
    same = np.abs(residuals).max(axis=1) <= SAME * size * float(design.cluster_weights.max())
    reason = np.where(no_ratio, Reason.ZERO_DENOMINATOR, np.where(same, Reason.SAME_RATIO, Reason.NONE)).astype(np.int8)
    n_clusters = design.n_clusters
    if n_clusters < 2:
        nothing = np.full(len(ratio), np.nan)
        empty = FiellerSet(nothing, nothing, nothing, nothing, np.zeros(len(ratio), dtype=bool))
        return Ratio(ratio * rescale, nothing, nothing, empty, reason)
    left = Linearised(top.scale, top.mean, residuals, top.spread, top.total)
    v_residual = _covariance(left, left, n_clusters)
    moments = Moments(
        top.mean,
        bottom.mean,
        _covariance(top, top, n_clusters),
        _covariance(bottom, bottom, n_clusters),
        _covariance(top, bottom, n_clusters),
    )
    found = fieller_set(moments, v_residual, t_quantile(settings.confidence_level, n_clusters))
    usable = np.flatnonzero(reason == Reason.NONE)
    if settings.method == "bootstrap-t" and len(usable):
        some = bootstrap_sets(_columns(top, usable), _columns(bottom, usable), design, settings)
        for whole, part in zip(found, some, strict=True):
            whole[usable] = part
    with np.errstate(divide="ignore", invalid="ignore"):
        std_error = np.sqrt(v_residual) / np.abs(moments.b) * rescale
        t = np.where(top.spread.all(axis=0), moments.a / np.sqrt(moments.v_aa), np.nan)
    low, high, gap_low, gap_high, bounded = found
    scaled = FiellerSet(low * rescale, high * rescale, gap_low * rescale, gap_high * rescale, bounded)
    return Ratio(ratio * rescale, std_error, t_p_value(t, n_clusters), scaled, reason)


def _columns(part: Linearised, some: NDArray[np.intp]) -> Linearised:
    return Linearised(part.scale[some], part.mean[some], part.residuals[some], part.spread[:, some], part.total)
