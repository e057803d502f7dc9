"""The difference of the means of two independent groups, with its interval, p-values and bands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import one_of
from ...errors import DataError
from .._settings import Inference
from ..intervals import Intervals, checked_settings, nulls, spans_of
from ..resampling import TIE, joint
from ..sample import Array, Sampling, checked_columns, linearise, sampling, squared_skewness, warn_columns
from ._group_ends import GroupMeans, TwoGroups, blank, fill_block
from ._two_samples import Pseudo, alike, pseudo_units

_DEFAULT = Inference()
_CELLS = 2**21  # numbers in a block of replicates: 16 MB
METHODS = ("bootstrap-t", "percentile", "t", "normal")

_SAME_VALUE = "every unit has the same value within either group"
_SAME_CLUSTERS = "every cluster has the same mean within either group"


def group_difference_intervals(
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters_first: Sequence[Any] | NDArray[Any] | None = None,
    clusters_second: Sequence[Any] | NDArray[Any] | None = None,
    weights_first: ArrayLike | None = None,
    weights_second: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    bands: bool = False,
    null: ArrayLike = 0.0,
    span: ArrayLike | None = None,
) -> Intervals:
    """Return mean(first) - mean(second), column by column, of two independent groups, with its two-sample interval.

    Each group, or its whole clusters, is resampled by itself from a stream of its own.

    Parameters
    ----------
    first, second
        One number per unit and quantity, (n1, K) and (n2, K).
    clusters_first, clusters_second
        A label per unit, (n1,) and (n2,); units of a group that share one are resampled together. A label that both
        groups have means nothing: the groups are independent.
    weights_first, weights_second
        A positive weight per unit, (n1,) and (n2,).
    settings
        Level, number of resamples, seed, and the method: ``"bootstrap-t"``, ``"percentile"``, ``"t"`` (Welch) or
        ``"normal"``.
    bands
        Whether to add max-t simultaneous bands and step-down adjusted p-values over all K columns.
    null
        The value that p-values test, one number or (K,).
    span
        As in `mean_intervals`: the largest value of a contrast of answers. None: found by the values.

    Returns
    -------
    Intervals
        `n` and `n_clusters` count both groups. `method` is such as ``"two-sample bootstrap-t (B=9999)"``.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, a weight is not positive, or the groups differ in
        their number of columns.
    DesignError
        If `settings` is not an Inference, or its method is not one of the four.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: a group of one unit or cluster, or no spread in either group.

    Notes
    -----
    ``"bootstrap-t"``: (d - t*_hi se, d - t*_lo se), t* = (d* - d) / se*, with neither critical value nearer to 0 than
    Student's t with Welch and Satterthwaite's degrees of freedom (`Inference` says how to leave this out); p-values are
    dual to the interval. Unweighted, unclustered columns of right and wrong answers are given another interval where
    fewer than ten units of a group differ from its commonest value: ``"agresti-caffo"`` for 0 and 1,
    ``"bonett-price (two groups)"`` for -1, 0 and 1. Where a critical value would be a resample without spread:
    ``"welch t (bootstrap-t unbounded)"``.

    Sources: Davison & Hinkley 1997, section 5.2.3; Welch 1947; Satterthwaite 1946; Agresti & Caffo 2000.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(1.0, 1.0, size=(30, 1)), rng.normal(0.0, 2.0, size=(60, 1))
    >>> found = group_difference_intervals(first, second, settings=Inference(n_resamples=999))
    >>> found.method, bool(found.conf_low[0] < 1.0 < found.conf_high[0])
    (('two-sample bootstrap-t (B=999, at least t)',), True)
    """
    checked_settings(settings, bands)
    one_of(settings.method, METHODS, what="method (two independent groups)")
    a, b = checked_columns(first, "first"), checked_columns(second, "second")
    if a.shape[1] != b.shape[1]:
        raise DataError(f"first has {a.shape[1]} columns and second {b.shape[1]}; give the same quantities for both.")
    designs = sampling(len(a), clusters_first, weights_first), sampling(len(b), clusters_second, weights_second)
    known = None if span is None else spans_of(span, a.shape[1])
    pseudo = pseudo_units(a, b, designs, known)
    if settings.method != "bootstrap-t":
        pseudo = Pseudo(np.full(a.shape[1], np.nan), np.full(a.shape[1], np.nan))
    replicated = bool(bands) or settings.method in {"bootstrap-t", "percentile"}
    asked = TwoGroups((a, b), designs, settings, nulls(null, a.shape[1]), pseudo, replicated, span is not None)
    found = _survey(asked)
    columns = np.flatnonzero([not text for text in found.reason])
    banded = _fill(found, columns, asked, bands=bool(bands))
    warn_columns(found.reason)
    return _result(found, banded, asked)


def _survey(asked: TwoGroups) -> GroupMeans:
    """Return estimates, and why a column has no interval."""
    size = asked.values[0].shape[1]
    found = blank(size)
    few = _too_few(asked.designs)
    for part in _blocks(np.arange(size), asked):
        one, two, _ = asked.samples(part)
        plain = [(values[:, part] * d.weights[:, None]).sum(axis=0) / d.weights.sum() for values, d in _groups(asked)]
        found.estimate[part] = plain[0] - plain[1]
        units, clusters = alike(one, two)
        given = asked.pseudo.flips[part] & (asked.answers | ~units)
        for column, same, alike_clusters, none in zip(
            part.tolist(), units.tolist(), clusters.tolist(), (~given).tolist(), strict=True
        ):
            found.reason[column] = few or ((_SAME_VALUE if same else _SAME_CLUSTERS if alike_clusters else "") * none)
    return found


def _groups(asked: TwoGroups) -> Iterator[tuple[Array, Sampling]]:
    yield from zip(asked.values, asked.designs, strict=True)


def _too_few(designs: tuple[Sampling, Sampling]) -> str:
    for name, design in zip(("first", "second"), designs, strict=True):
        if design.n < 2:
            return f"the {name} group has 1 unit and an interval needs 2"
        if design.n_clusters < 2:
            return f"all units of the {name} group belong to one cluster and an interval needs 2"
    return ""


def _blocks(columns: NDArray[np.intp], asked: TwoGroups) -> Iterator[NDArray[np.intp]]:
    largest = max(asked.settings.n_resamples, *(design.n for design in asked.designs))
    step = max(1, _CELLS // largest)
    yield from (columns[start : start + step] for start in range(0, len(columns), step))


def _fill(found: GroupMeans, columns: NDArray[np.intp], asked: TwoGroups, *, bands: bool) -> tuple[Array, ...] | None:
    """Fill in the intervals of `columns`; return bands and adjusted p-values over them if asked."""
    for part in _blocks(columns, asked):
        one, two, scale = asked.samples(part)
        found.t0[part] = (one.centre - two.centre - asked.null[part] / scale) / np.sqrt(one.variance + two.variance)
    order = columns[np.argsort(np.abs(found.t0[columns]), kind="stable")] if bands else columns
    observed = np.abs(found.t0[order])
    observed -= TIE * np.maximum(1.0, observed)
    maximum, exceed = np.zeros(asked.settings.n_resamples), np.zeros(len(order))
    centre, error = np.empty(len(order)), np.empty(len(order))
    done = 0
    for part in _blocks(order, asked):
        one, two, scale = asked.samples(part)
        t = fill_block(found, part, asked, (one, two, scale))
        here = slice(done, done + len(part))
        centre[here], error[here] = (one.centre - two.centre) * scale, np.sqrt(one.variance + two.variance) * scale
        if bands:
            for column, size in enumerate(np.abs(t), start=done):
                np.maximum(maximum, size, out=maximum)
                exceed[column] = np.count_nonzero(maximum >= observed[column])
        done += len(part)
    if not bands:
        return None
    return _bands(found, order, (centre, error), (maximum, exceed), asked)


def _bands(
    found: GroupMeans,
    order: NDArray[np.intp],
    pivot: tuple[Array, Array],
    maxima: tuple[Array, Array],
    asked: TwoGroups,
) -> tuple[Array, ...]:
    """Return bands and step-down adjusted p-values (Westfall & Young 1993, algorithm 2.8), (K,) each."""
    centre, error = pivot
    maximum, exceed = maxima
    size, n_resamples = len(found.estimate), asked.settings.n_resamples
    low, high, adjusted = np.full((3, size), np.nan)
    if not len(order):
        return low, high, adjusted
    position = n_resamples - asked.settings.joint_rank
    resampled = float(np.partition(maximum, position)[position])
    step_down = np.maximum.accumulate(((1 + exceed) / (n_resamples + 1))[::-1])[::-1]
    squared, n_clusters = _skewness(asked, order)
    critical, step_down, _ = joint(
        np.abs(found.t0[order]), (resampled, step_down), squared, n_clusters, found.df[order], asked.settings
    )
    low[order] = np.fmin(centre - critical * error, found.low[order])
    high[order] = np.fmax(centre + critical * error, found.high[order])
    both = np.minimum(1.0, 2.0 * np.minimum(found.p_less, found.p_greater))
    adjusted[order] = np.fmax(step_down, both[order])
    return low, high, adjusted


def _skewness(asked: TwoGroups, columns: NDArray[np.intp]) -> tuple[Array, int]:
    """Return the squared skewness of some columns, (k,), in the group of fewer clusters, and its number of clusters."""
    group = int(np.argmin(asked.n_clusters))
    plain = columns[~asked.pseudo.flips[columns]]
    part = linearise(asked.values[group][:, plain], asked.designs[group])
    return squared_skewness(part), asked.n_clusters[group]


def _result(found: GroupMeans, banded: tuple[Array, ...] | None, asked: TwoGroups) -> Intervals:
    low, high, adjusted = banded if banded is not None else (None, None, None)
    return Intervals(
        estimate=found.estimate,
        std_error=found.std_error,
        conf_low=found.low,
        conf_high=found.high,
        p_value=np.minimum(1.0, 2.0 * np.minimum(found.p_less, found.p_greater)),
        p_less=found.p_less,
        p_greater=found.p_greater,
        method=tuple(found.method),
        n=sum(design.n for design in asked.designs),
        n_clusters=sum(asked.n_clusters),
        reason=tuple(found.reason),
        band_low=low,
        band_high=high,
        p_adjusted=adjusted,
    )
