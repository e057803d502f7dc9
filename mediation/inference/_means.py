"""Bootstrap intervals of many means, in blocks of columns and of resamples so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from ._bands import MaxT
from ._degenerate import Reason, too_few
from ._flips import bonett_price, few_flips, normal_p_value, normal_quantile, pseudo_units
from ._percentile import percentile_ends, shifts
from ._resample import resample_counts
from ._sampling import Array, Sampling
from ._settings import Inference
from ._student import t_p_value, t_quantile
from ._studentized import TIE, Studentizer, bootstrap_t_ends
from ._variance import Linearised, linearise

Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

_CELLS = 2**22  # floats in a buffer of replicates: 32 MB


def _nan(size: int) -> Array:
    return np.full(size, np.nan)


@final
@dataclass(slots=True, eq=False)
class Means:
    """What is known of K columns, filled in as it is computed.

    `pivot` and `pivot_error` are the centre and scale of the studentised mean: the mean and its standard error, or
    Bonett and Price's for columns of few flips. `kind` names the interval where it is not the method asked for.
    """

    estimate: Array
    std_error: Array
    pivot: Array
    pivot_error: Array
    flips: Mask
    reason: NDArray[np.int8]
    low: Array = field(init=False)
    high: Array = field(init=False)
    p_value: Array = field(init=False)
    kind: NDArray[np.str_] = field(init=False)
    band_low: Array | None = None
    band_high: Array | None = None
    p_adjusted: Array | None = None

    def __post_init__(self) -> None:
        size = len(self.estimate)
        self.low, self.high, self.p_value = _nan(size), _nan(size), _nan(size)
        self.kind = np.zeros(size, dtype="<U12")


def _blocks(n_columns: int, design: Sampling, n_resamples: int) -> Iterator[slice]:
    largest = max(n_resamples, design.n)
    step = max(8, _CELLS // largest)
    yield from (slice(start, min(start + step, n_columns)) for start in range(0, n_columns, step))


def _survey(values: Array, design: Sampling, settings: Inference) -> Means:
    """Return estimates, standard errors and the columns that nothing more can be said of."""
    size = values.shape[1]
    found = Means(_nan(size), _nan(size), _nan(size), _nan(size), np.zeros(size, dtype=bool), np.zeros(size, np.int8))
    for part in _blocks(size, design, settings.n_resamples):
        block = linearise(values[:, part], design)
        units, clusters = block.spread
        found.estimate[part] = found.pivot[part] = block.estimate
        found.std_error[part] = found.pivot_error[part] = block.std_error
        found.reason[part] = np.where(units, np.where(clusters, Reason.NONE, Reason.SAME_CLUSTERS), Reason.SAME_VALUE)
        flips = few_flips(values[:, part], design) & (found.reason[part] == Reason.NONE)
        if settings.method == "bootstrap-t" and flips.any():
            columns = np.arange(part.start, part.stop)[flips]
            found.pivot[columns], found.pivot_error[columns] = bonett_price(
                block.mean[flips], block.sum_squares[flips], design.n
            )
            found.flips[columns] = True
    if too_few(design):
        found.reason[:] = too_few(design)
    return found


def bootstrap_means(values: Array, design: Sampling, settings: Inference, *, bands: bool) -> Means:
    """Return intervals of the means of `values` (n, K), and bands over them if asked.

    With bands, columns are taken in the order of increasing |t0|, as the step-down maxima need.
    """
    found = _survey(values, design, settings)
    columns = np.flatnonzero(found.reason == Reason.NONE)
    maxima = None
    if bands:
        observed = np.abs(found.pivot[columns] / found.pivot_error[columns])
        columns = columns[np.argsort(observed, kind="stable")]
        maxima = MaxT(np.sort(observed), settings.n_resamples)
    for part in _blocks(len(columns), design, settings.n_resamples):
        here = columns[part]
        block = linearise(values[:, here], design)
        kept = _replicates(block, found.flips[here], design, settings, maxima, part)
        _fill_block(found, here, block, kept, design, settings)
    if maxima is not None:
        _fill_bands(found, columns, maxima, settings)
    return found


def _replicates(
    block: Linearised, flips: Mask, design: Sampling, settings: Inference, maxima: MaxT | None, part: slice
) -> Array:
    """Return all replicates (k, B) that the method asked for needs, showing the studentised ones to the maxima."""
    studentizer = Studentizer(block, design, pseudo_units(flips, block.mean, design.n) if flips.any() else None)
    kept = np.empty((len(flips), settings.n_resamples))
    for rows, counts in resample_counts(design.n_clusters, settings.n_resamples, settings.seed):
        here = kept[:, rows]
        if settings.method == "percentile":
            here[:] = shifts(block, design, counts)
            here = np.empty_like(here)  # what follows is for the bands alone
        if settings.method == "bootstrap-t" or maxima is not None:
            bounded = studentizer.fill(counts, out=here)
            if maxima is not None:
                maxima.update(part, rows, bounded)
    return kept


def _fill_block(
    found: Means, here: Index, block: Linearised, kept: Array, design: Sampling, settings: Inference
) -> None:
    """Fill in the intervals of the columns `here` from their replicates."""
    rank, scale = settings.tail_rank, block.scale
    if settings.method == "percentile":
        ends = percentile_ends(kept, block.mean, rank)
    else:
        ends = bootstrap_t_ends(kept, found.pivot[here] / scale, found.pivot_error[here] / scale, rank)
    found.low[here], found.high[here], found.p_value[here] = ends.low * scale, ends.high * scale, ends.p_value
    if settings.method == "percentile":
        none = here[~ends.finite]
        found.low[none] = found.high[none] = found.p_value[none] = np.nan
        found.reason[none] = Reason.ZERO_WIDTH
        return
    flips = found.flips[here]
    _replace(found, here[flips], "bonett-price", normal_quantile(settings.confidence_level))
    found.p_value[here[flips]] = normal_p_value(found.pivot[here[flips]] / found.pivot_error[here[flips]])
    unbounded = here[~ends.finite & ~flips]
    _replace(found, unbounded, "t", t_quantile(settings.confidence_level, design.n_clusters))
    found.p_value[unbounded] = t_p_value(found.pivot[unbounded] / found.pivot_error[unbounded], design.n_clusters)


def _replace(found: Means, columns: Index, kind: str, quantile: float) -> None:
    """Give `columns` the symmetric interval of `kind` in place of bootstrap-t's."""
    reach = quantile * found.pivot_error[columns]
    found.low[columns], found.high[columns] = found.pivot[columns] - reach, found.pivot[columns] + reach
    found.kind[columns] = kind


def _fill_bands(found: Means, columns: Index, maxima: MaxT, settings: Inference) -> None:
    """Fill in the bands and adjusted p-values of `columns`, which are in the order of the maxima."""
    size = len(found.estimate)
    found.band_low, found.band_high, found.p_adjusted = _nan(size), _nan(size), _nan(size)
    critical = maxima.critical_value(settings.joint_rank)
    centre, error = found.pivot[columns], found.pivot_error[columns]
    t0 = centre / error
    tie = TIE * np.maximum(1.0, np.abs(t0))
    low = np.where(np.abs(t0 - critical) <= tie, 0.0, centre - critical * error)
    high = np.where(np.abs(t0 + critical) <= tie, 0.0, centre + critical * error)
    found.band_low[columns] = np.minimum(low, found.low[columns])
    found.band_high[columns] = np.maximum(high, found.high[columns])
    found.p_adjusted[columns] = np.maximum(maxima.p_adjusted(), found.p_value[columns])
