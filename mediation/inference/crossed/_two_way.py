"""Units that belong to clusters of two kinds at once, such as items and templates: the two-way variance of a mean.

Units that share an item move together, and so do units that share a template; whole items can be resampled, or whole
templates, and neither holds the other dependence. With V_g the cluster-robust variance of the mean over the groups g,

    V = V_first + V_second - V_cells

where a cell is what shares both (Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29, eq. 2.10). Each term has Bell
and McCaffrey's factors, see `_sampling`: crossings need be neither balanced nor complete. The sum can fall below a main
term when one kind hardly matters; then the larger of V_first and V_second is used (MacKinnon, Nielsen & Webb 2021,
section 3). The quantile is Student's with the smaller of the two kinds' degrees of freedom, G - 1 where clusters count
alike: V is least certain of the kind with fewer clusters (Cameron & Miller 2015, section VI.A).

A second kind with one cluster per unit, or nested in the first, adds V_second - V_cells = 0: what is left is one-way
clustering by the first, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

from ..._checks import pair_of
from ...errors import DesignError
from .._settings import Inference
from ..intervals import Intervals, Pivots, checked_settings, nulls, spans_of, symmetric_intervals
from ..sample import (
    SAME,
    Array,
    Linearised,
    Sampling,
    adjusted_means,
    checked_columns,
    linearise,
    normal_p_value,
    normal_quantile,
    rare_flips,
    sampling,
    spans,
    warn_columns,
)

_DEFAULT = Inference()
_METHODS = ("bootstrap-t", "t")  # the default, and what it comes to here
METHOD = "two-way t (cluster x cluster)"
_FLIPS = "two-way bonett-price (cluster x cluster)"

_ONE_CLUSTER = "all units belong to one cluster of one of the two kinds, and an interval needs 2 of each"
_SAME_VALUE = "every unit has the same value"
_SAME_MEANS = "every cluster of both kinds has the same mean"


class Ways(NamedTuple):
    """The designs of n units by either kind of cluster, the kind with fewer first, and by cells that share both."""

    first: Sampling
    second: Sampling
    cells: Sampling

    @property
    def mains(self) -> tuple[Sampling, ...]:
        """The designs that a variance is made of: both kinds, or the first where the second is nested in it."""
        nested = self.cells.n_clusters == self.second.n_clusters
        return (self.first,) if nested else (self.first, self.second)

    @property
    def df(self) -> float:
        """The smaller of the degrees of freedom of the two kinds."""
        return min(one.df for one in self.mains)

    @property
    def few(self) -> str:
        """Why there can be no interval, or nothing."""
        return _ONE_CLUSTER if self.n_clusters < 2 else ""

    @property
    def n_clusters(self) -> int:
        """The number of clusters of the kind with fewer."""
        return self.first.n_clusters


class Parts(NamedTuple):
    """Means of columns with the residual totals of either kind of cluster (of the first, if nested), and of cells."""

    mains: tuple[Linearised, ...]
    cells: Linearised

    @property
    def first(self) -> Linearised:
        """Means, with the residual totals of the kind with fewer clusters."""
        return self.mains[0]


def ways(n: int, clusters: Sequence[Any], weights: ArrayLike | None) -> Ways:
    """Return the designs of `n` units in clusters of two kinds, whatever the order in which the kinds are given.

    Examples
    --------
    >>> found = ways(4, (["a", "a", "b", "b"], [1, 2, 1, 2]), None)
    >>> found.first.n_clusters, found.second.n_clusters, found.cells.n_clusters
    (2, 2, 4)
    """
    needed = "a pair of lists of n labels each, one for either kind of cluster,"
    clusters = pair_of(clusters, what="clusters", needed=needed)
    designs = sorted((sampling(n, labels, weights) for labels in clusters), key=_place)
    codes = [design.codes.tolist() for design in designs]
    return Ways(designs[0], designs[1], sampling(n, list(zip(*codes, strict=True)), weights))


def _place(design: Sampling) -> tuple[int, list[int]]:
    return design.n_clusters, design.codes.tolist()


def two_way_intervals(
    values: ArrayLike,
    *,
    clusters: Sequence[Any],
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
    bands: bool = False,
    null: ArrayLike = 0.0,
    span: ArrayLike | None = None,
) -> Intervals:
    """Return the mean of each column of `values` with its two-way t interval: units in clusters of two kinds.

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K). Average the draws of a unit before.
    clusters
        Two sequences of a label per unit, such as ``(items, templates)``. Units that share a label of either kind count
        as dependent. Not every combination needs a unit, and one may have several.
    weights
        A positive weight per unit, (n,); only ratios of weights matter. None: equal.
    settings
        `confidence_level` is used; nothing is resampled, so that `method` must be "bootstrap-t" (the default) or "t".
    bands
        Whether to add simultaneous bands (Bonferroni's, with the same t) and adjusted p-values (Holm's).
    null
        The value that p-values test, one number or (K,).
    span
        As in `mean_intervals`, for contrasts of right and wrong answers.

    Returns
    -------
    Intervals
        `method` is ``"two-way t (cluster x cluster)"``; `n_clusters` counts the kind with fewer clusters. Columns that
        no interval can be formed for have NaN in all but `estimate`, and method ``"degenerate"``.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or a weight is not positive.
    DesignError
        If `settings` asks for another method, or `clusters` are not of two kinds.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: one cluster of a kind, or no spread.

    Notes
    -----
    Clusters of both kinds are taken as samples: the interval is about the mean over new items and new templates.

    Where few answers differ from the commonest one, by the rule of `mean_intervals` for either kind of cluster, the
    spread that was not seen is what matters. The interval is then the hull of Bonett and Price's for whole clusters of
    the first kind and for those of the second (``"two-way bonett-price (cluster x cluster)"``), its p-value the larger
    of theirs, and its standard error the larger as well. It covers more often than it says.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> item, template = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    >>> values = 1 + rng.normal(size=20)[item] + 0.5 * rng.normal(size=8)[template] + rng.normal(size=160)
    >>> found = two_way_intervals(values[:, None], clusters=(item, template))
    >>> found.method, bool(found.conf_low[0] < 1.0 < found.conf_high[0])
    (('two-way t (cluster x cluster)',), True)
    """
    two_way_settings(settings)
    checked_settings(settings, bands)
    array = checked_columns(values, "values")
    size = array.shape[1]
    tested, given = nulls(null, size), None if span is None else spans_of(span, size)
    design = ways(len(array), clusters, weights)
    parts = parts_of(array, design)
    known = spans(array, given)
    error = np.sqrt(two_way(parts)) / parts.first.total
    flips = flips_of(array, known, design) | (~np.isnan(known) & (error <= SAME))
    flips &= parts.first.spread[0] | (given is not None) & ~np.isnan(known)
    reason = _reasons(parts, flips, design)
    warn_columns(reason)

    def intervals_at(level: float) -> Intervals:
        df = np.full(size, design.df)
        pivots = Pivots(parts.first.estimate, error * parts.first.scale, df, reason, design.first.n, design.n_clusters)
        found = symmetric_intervals(pivots, level, tested, [METHOD] * size)
        rare = np.flatnonzero(flips & np.array([not why for why in reason], dtype=bool))
        return _with_flips(found, parts, known, rare, (level, tested)) if len(rare) else found

    found = intervals_at(settings.confidence_level)
    return _with_bands(found, intervals_at(1 - settings.alpha / size)) if bands and size else found


def two_way_settings(settings: Inference) -> None:
    """Raise DesignError if settings ask for a method that clusters of two kinds do not have."""
    if isinstance(settings, Inference) and settings.method not in _METHODS:
        raise DesignError(
            f"method = {settings.method!r} resamples clusters of one kind, and units are in clusters of two kinds. "
            "Leave method out: the interval is then two-way t."
        )


def parts_of(values: Array, design: Ways) -> Parts:
    """Return means of `values` (n, k) and the residual totals of clusters and cells."""
    return Parts(tuple(linearise(values, one) for one in design.mains), linearise(values, design.cells))


def two_way(parts: Parts, others: Parts | None = None) -> Array:
    """Return V_first + V_second - V_cells, at least the larger main term, times the squared total weight, (k,).

    With `others`, V_first + V_second of the covariance, which is a covariance matrix for all columns. In scaled units.
    """
    if others is not None:
        pairs = zip(parts.mains, others.mains, strict=True)
        return np.asarray(np.sum([one.products(other.residuals) for one, other in pairs], axis=0))
    mains = [part.sum_squares for part in parts.mains]
    if len(mains) == 1:
        return mains[0]
    both = mains[0] + mains[1] - parts.cells.sum_squares
    return np.asarray(np.maximum(both, np.maximum(*mains)))


def flips_of(values: Array, known: Array, design: Ways) -> NDArray[np.bool_]:
    """Return in which columns (n, k) of known span few answers flip, by clusters of either kind."""
    return np.asarray(np.any([rare_flips(values, known, one) for one in design.mains], axis=0))


def _reasons(parts: Parts, flips: NDArray[np.bool_], design: Ways) -> tuple[str, ...]:
    """Return why each column has no interval, empty where it has one."""
    if design.few:
        return (design.few,) * len(flips)
    units, means = parts.first.spread[0], np.any([part.spread[1] for part in parts.mains], axis=0)
    told = np.where(flips, "", np.where(units, np.where(means, "", _SAME_MEANS), _SAME_VALUE))
    return tuple(told.tolist())


def _with_flips(
    found: Intervals, parts: Parts, known: Array, rare: NDArray[np.intp], how: tuple[float, Array]
) -> Intervals:
    """Return the intervals with the hull of Bonett and Price's by either kind of cluster in the columns `rare`."""
    level, null = how
    sides = [adjusted_means(part.columns(rare), known[rare]) for part in parts.mains]
    reach = normal_quantile(level)
    names = ("std_error", "conf_low", "conf_high", "p_value")
    error, low, high, p_value = new = [np.array(getattr(found, name)) for name in names]
    low[rare] = np.min([one.centre - reach * one.std_error for one in sides], axis=0)
    high[rare] = np.max([one.centre + reach * one.std_error for one in sides], axis=0)
    error[rare] = np.max([one.std_error for one in sides], axis=0)
    tails = [normal_p_value((one.centre - null[rare]) / one.std_error) for one in sides]
    p_value[rare] = np.max(tails, axis=0)
    method = list(found.method)
    for column in rare.tolist():
        method[column] = _FLIPS
    changed: dict[str, Any] = dict(zip(names, new, strict=True))
    return replace(found, **changed, method=tuple(method), p_less=None, p_greater=None)


def _with_bands(found: Intervals, wide: Intervals) -> Intervals:
    """Return intervals with Bonferroni's bands, which hold them, and Holm's p-values."""
    adjusted = np.full(len(found.method), np.nan)
    tested = ~np.isnan(found.p_value)
    if tested.any():
        adjusted[tested] = multipletests(found.p_value[tested], method="holm")[1]
    low, high = np.fmin(wide.conf_low, found.conf_low), np.fmax(wide.conf_high, found.conf_high)
    return replace(found, band_low=low, band_high=high, p_adjusted=adjusted)
