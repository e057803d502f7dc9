"""The ratio of two means when units are in clusters of two kinds: Fieller's set with a two-way variance.

The set holds every r that the two-way t test of mean(A) - r mean(B) = 0 does not reject. It needs a covariance matrix
that gives a positive variance for every r, so it is made from V_first + V_second, without the term of the cells that
`_two_way` takes off: conservative by V_cells. Where few answers flip, the set is the union of Bonett and Price's by
clusters of either kind; where that is no set that two numbers can name, a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._settings import Inference
from ..intervals import Intervals, checked_settings
from ..ratios import FiellerSet, Moments, both_columns, checked_answers, fieller_set, flip_sets, set_intervals
from ..sample import (
    SAME,
    Array,
    Linearised,
    adjusted_means,
    normal_p_value,
    t_p_value,
    t_quantile,
    warn_columns,
)
from ._two_way import Parts, flips_of, parts_of, two_way, two_way_settings, ways

_DEFAULT = Inference()
_ZERO = "the mean of the denominator is 0, so there is no ratio to estimate"
_SAME_RATIO = "the ratio is the same in every cluster of both kinds"


def two_way_ratio_intervals(
    numerator: ArrayLike,
    denominator: ArrayLike,
    *,
    clusters: Sequence[Any],
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    answers: tuple[ArrayLike, ArrayLike] | None = None,
) -> Intervals:
    """Return the ratio of two means with its two-way Fieller set: units in clusters of two kinds.

    Parameters
    ----------
    numerator, denominator
        One number per unit and quantity, (n, K) each, from the same units.
    clusters, weights, settings
        As in `two_way_intervals`.
    answers
        As in `ratio_intervals`, for contrasts of right and wrong answers.

    Returns
    -------
    Intervals
        `method` is ``"two-way fieller (cluster x cluster)"``, with what `ratio_intervals` says of sets that are not
        bounded. `std_error` is the delta method's, for reference.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or the two differ in shape.
    DesignError
        If `settings` asks for another method, or `clusters` are not of two kinds.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: one cluster of a kind, a ratio that does not vary, or a denominator of 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> item, template = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    >>> total = (2 + rng.normal(size=20)[item] + 0.3 * rng.normal(size=8)[template])[:, None]
    >>> part = 0.5 * total + 0.1 * rng.normal(size=(160, 1))
    >>> found = two_way_ratio_intervals(part, total, clusters=(item, template))
    >>> found.method, bool(found.conf_low[0] < 0.5 < found.conf_high[0])
    (('two-way fieller (cluster x cluster)',), True)
    """
    two_way_settings(settings)
    checked_settings(settings)
    top, bottom = both_columns(numerator, denominator)
    design = ways(len(top), clusters, weights)
    above, below = parts_of(top, design), parts_of(bottom, design)
    known = None if answers is None else checked_answers(answers)
    flips, span = np.zeros(top.shape[1], dtype=bool), list[Array]()
    if known is not None:
        span = [np.full(top.shape[1], 0.5 * np.abs(one).sum()) for one in known]
        flips = flips_of(top, span[0], design) | flips_of(bottom, span[1], design)
    a, b = above.first.mean, below.first.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.abs(b) <= SAME, np.nan, a / b)
    left = _residual(above, below, np.nan_to_num(ratio))
    square = above.first.total**2
    v_left = two_way(left, left) / square
    vary = np.sqrt(v_left) > SAME * np.maximum(1.0, np.abs(np.nan_to_num(ratio)))
    if known is not None:
        flips |= ~vary  # no spread was seen, and answers can have some
    reason = tuple(
        design.few or (_ZERO if none else "" if varies else _SAME_RATIO)
        for none, varies in zip(np.isnan(ratio).tolist(), (vary | flips).tolist(), strict=True)
    )
    warn_columns(reason)
    rescale = above.first.scale / below.first.scale
    entries = (two_way(one, other) / square for one, other in ((above, above), (below, below), (above, below)))
    moments = Moments(a, b, *entries)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = fieller_set(moments, v_left, t_quantile(settings.confidence_level, design.df))
        std_error = np.sqrt(v_left) / np.abs(b)
        p_value = t_p_value(np.where(moments.v_aa > 0, a / np.sqrt(moments.v_aa), np.nan), design.df)
    rare = np.flatnonzero(flips & np.array([not why for why in reason], dtype=bool))
    if known is not None and len(rare):
        _put_flips(found, (above, below), known, rare, settings.confidence_level)
        p_value[rare] = _flip_p_values(above, span[0], rare)
        std_error[rare] = np.where(std_error[rare] > 0, std_error[rare], np.nan)
    names = np.where(flips, "two-way fieller, bonett-price (cluster x cluster)", "two-way fieller (cluster x cluster)")
    ratios = ratio * rescale, std_error * rescale, p_value
    return set_intervals(ratios, found.scaled(rescale), names.tolist(), reason, design.first)


def _residual(above: Parts, below: Parts, ratio: Array) -> Parts:
    """Return the residual totals of A - r B, in units of A's scale, by clusters and cells."""

    def left(one: Linearised, other: Linearised) -> Linearised:
        return Linearised(one.scale, one.mean, one.residuals - ratio[:, None] * other.residuals, one.spread, one.design)

    return Parts(tuple(map(left, above.mains, below.mains)), left(above.cells, below.cells))


def _flip_p_values(above: Parts, span: Array, rare: NDArray[np.intp]) -> Array:
    own = [adjusted_means(part.columns(rare), span[rare]) for part in above.mains]
    return np.asarray(np.max([normal_p_value(one.centre / one.std_error) for one in own], axis=0))


def _put_flips(
    found: FiellerSet, parts: tuple[Parts, Parts], answers: tuple[Array, Array], rare: NDArray[np.intp], level: float
) -> None:
    """Write the union of Bonett and Price's sets by either kind of cluster over the columns `rare` of `found`."""
    above, below = parts
    sets = [
        flip_sets(top.columns(rare), bottom.columns(rare), answers, level)
        for top, bottom in zip(above.mains, below.mains, strict=True)
    ]
    for whole, part in zip(found, sets[0] if len(sets) == 1 else joined_sets(*sets), strict=True):
        whole[rare] = part


def joined_sets(one: FiellerSet, other: FiellerSet) -> FiellerSet:
    """Return the smallest sets of the kinds that Fieller's can be that hold both of two, column by column.

    Two intervals have their hull, two lines without a gap the line without what the gaps share, and any other two the
    whole line.

    Examples
    --------
    >>> nan, yes = np.array([np.nan]), np.array([True])
    >>> a = FiellerSet(np.array([0.1]), np.array([0.5]), nan, nan, yes)
    >>> b = FiellerSet(np.array([0.2]), np.array([0.9]), nan, nan, yes)
    >>> joined_sets(a, b)[:2]
    (array([0.1]), array([0.9]))
    """
    bounded = one.bounded & other.bounded
    low = np.where(bounded, np.minimum(one.low, other.low), -np.inf)
    high = np.where(bounded, np.maximum(one.high, other.high), np.inf)
    gap_low, gap_high = np.maximum(one.gap_low, other.gap_low), np.minimum(one.gap_high, other.gap_high)
    gap = ~one.bounded & ~other.bounded & (gap_low < gap_high)  # False where either has none (NaN)
    return FiellerSet(low, high, np.where(gap, gap_low, np.nan), np.where(gap, gap_high, np.nan), bounded)
