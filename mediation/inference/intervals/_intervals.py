"""Intervals of means, and what every function of intervals returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import elements, hashable
from ...errors import DataError, DesignError
from .._settings import Inference
from ..sample import Array, Reason, Sampling, checked_columns, sampling, told, warn_columns
from ._given import checked_settings, nulls, spans_of
from ._means import Means, bootstrap_means

_DEFAULT = Inference()


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """Estimates of K columns, each with its interval; arrays are read-only.

    Parameters
    ----------
    estimate
        Full-sample (weighted) plug-in values, (K,). Never a mean of replicates.
    std_error
        Linearised, cluster-robust standard errors, (K,); the same for every method.
    conf_low, conf_high
        Ends of the pointwise intervals, (K,); infinite where the set is unbounded, NaN where there is none.
    p_value
        Two-sided p-values of "the quantity is 0" (of the null values that were given), (K,), dual to the intervals and
        never 0.
    method
        How each interval was made, K strings, such as ``"cluster bootstrap-t (B=9999)"``.
    n, n_clusters
        Number of units, and of clusters (of units, when there are no clusters).
    reason
        Why there is no interval, K strings, empty where there is one.
    band_low, band_high, p_adjusted
        Simultaneous bands and step-down p-values, (K,), or None when they were not asked for.
    band_method
        What they come from: ``"max-t"``, ``"Bonferroni t"`` or ``"Bonferroni t, skewed"``; several by families.
    p_less, p_greater
        For means, one-sided p-values against "the mean is below (above) the null value", (K,); None for ratios.
    """

    estimate: Array
    std_error: Array
    conf_low: Array
    conf_high: Array
    p_value: Array
    method: tuple[str, ...]
    n: int
    n_clusters: int
    reason: tuple[str, ...] = ()
    band_low: Array | None = None
    band_high: Array | None = None
    p_adjusted: Array | None = None
    band_method: str = ""
    p_less: Array | None = None
    p_greater: Array | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                if value.shape != (len(self.method),):
                    raise DataError(f"{field.name} has shape {value.shape}; {len(self.method)} columns were given.")
                value.setflags(write=False)


def mean_intervals(
    values: ArrayLike,
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    bands: bool = False,
    null: ArrayLike = 0.0,
    families: Sequence[Any] | NDArray[Any] | None = None,
    span: ArrayLike | None = None,
) -> Intervals:
    """Return the mean of each column of `values` with its bootstrap interval, p-value and, if asked, band.

    The estimate is sum_i w_i D_i / sum_i w_i. Units, or whole clusters, are resampled with one count matrix for all
    columns, so a column's interval does not depend on which other columns are given (to rounding).

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K). Average the draws of a unit before.
    clusters
        A label per unit, (n,), of any hashable kind; units that share one are resampled together. None: each alone.
    weights
        A positive weight per unit, (n,); only ratios of weights matter. None: equal.
    settings
        Method, level, number of resamples and seed.
    bands
        Whether to add max-t simultaneous bands and step-down adjusted p-values over all K columns.
    null
        The value that p-values test, one number or (K,).
    families
        A label per column, (K,): bands and adjusted p-values hold jointly over the columns of each label. None: over
        all columns.
    span
        Where the values are contrasts of answers that are right (1) or wrong (0), or of their averages over draws: the
        largest value that such a contrast can have, 1 for a difference of two answers and 2 for an interaction; one
        number or (K,), NaN where a column is something else. Then a column whose units are all alike (no answer
        changed) has an interval; otherwise it has none, since nothing is known of a spread that was not seen. None: a
        column of -1, 0 and 1 only is taken for a difference of answers.

    Returns
    -------
    Intervals
        Columns that no interval can be formed for have NaN in all but `estimate`, and method ``"degenerate"``.

    Raises
    ------
    DataError
        If an array has the wrong shape, holds NaN or infinity (the first unit and column are named), or a weight is
        not positive.
    DesignError
        If `settings` is not an Inference.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: fewer than two units or clusters, or no spread. A spread of at most
        1e-12 of the largest value is rounding, and counts as none.

    Notes
    -----
    ``"bootstrap-t"``: (mean - t*_hi se, mean - t*_lo se), t* studentised with the cluster-robust standard error of the
    replicate, neither critical value nearer to 0 than Student's t (``Inference(floor=False)`` leaves this out; where it
    decided an end, `method` says "at least t"). Its degrees of freedom are J - 1, and Bell and McCaffrey's where
    clusters (or weighted units) count unequally, with the standard error corrected to match. Two kinds of columns are
    given another interval, and their `method` says so: where an end would be a replicate without spread (very few
    units, or hardly any that differ), ``"t (bootstrap-t unbounded)"`` is Student's t; where few answers differ from the
    commonest one (fewer than ten units; of clusters fewer than ten and at most half), ``"bonett-price"`` joins two
    pseudo-units (or pseudo-clusters) of the largest and smallest possible value. The other methods are described where
    they are: `percentile`, `basic`, `bca`, `expanded_percentile`, `normal` and `t`.

    Bands are mean +- c se, widened where necessary to hold the pointwise interval. c is the smaller of the upper
    quantile of max ``|t*|`` over the columns and of Bonferroni's, from the t distribution of values as skewed as the
    columns are together: Student's where they are not. `p_adjusted` is step-down and so rejects all that the bands
    reject, and sometimes more, and is never below `p_value`. In the maximum, a replicate without spread is studentised
    by the sample's standard error.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = mean_intervals(rng.normal(1.0, 1.0, size=(50, 2)), settings=Inference(n_resamples=999))
    >>> found.method
    ('bootstrap-t (B=999, at least t)', 'bootstrap-t (B=999, at least t)')
    >>> bool(((found.conf_low < 1.0) & (1.0 < found.conf_high)).all())
    True
    """
    checked_settings(settings, bands)
    array = checked_columns(values, "values")
    design = sampling(len(array), clusters, weights)
    size = array.shape[1]
    codes = _codes(families, size)
    means = bootstrap_means(
        array,
        design,
        settings,
        families=codes if bands else None,
        null=nulls(null, size),
        span=None if span is None else spans_of(span, size),
    )
    warn_columns(told(means.reason))
    return _mean_result(means, design, settings)


def _codes(families: Sequence[Any] | NDArray[Any] | None, size: int) -> NDArray[np.intp]:
    if families is None:
        return np.zeros(size, dtype=np.intp)
    given = elements(families, what="families", needed=f"one label for each of {size} columns,")
    labels = [hashable(one, what="a label of families") for one in given]
    if len(labels) != size:
        raise DesignError(f"families has {len(labels)} labels for {size} columns; one label a column is needed.")
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], dtype=np.intp)


def _mean_result(means: Means, design: Sampling, settings: Inference) -> Intervals:
    prefix = "cluster " if design.clustered else ""
    resamples = "" if settings.method == "t" else f"B={settings.n_resamples}"
    labels = {"t": f"{prefix}t (bootstrap-t unbounded)", "bonett-price": "bonett-price"}

    def named(kind: str, mark: str) -> str:
        details = ", ".join(filter(None, (resamples, mark)))
        return labels.get(kind) or f"{prefix}{settings.method}{f' ({details})' if details else ''}"

    none = means.reason != Reason.NONE
    method = tuple(
        "degenerate" if empty else named(kind, mark)
        for empty, kind, mark in zip(none.tolist(), means.kind.tolist(), means.mark.tolist(), strict=True)
    )
    return Intervals(
        estimate=means.estimate,
        std_error=np.where(none | (means.std_error == 0), np.nan, means.std_error),
        conf_low=means.low,
        conf_high=means.high,
        p_value=means.p_value,
        method=method,
        n=design.n,
        n_clusters=design.n_clusters,
        reason=told(means.reason),
        band_low=means.band_low,
        band_high=means.band_high,
        p_adjusted=means.p_adjusted,
        band_method="; ".join(dict.fromkeys(by for _, _, by in means.families)),
        p_less=means.p_less,
        p_greater=means.p_greater,
    )
