"""Intervals of many means, in blocks of columns and of resamples so that memory stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

import numpy as np
from numpy.typing import NDArray

from .._settings import Inference
from ..resampling import (
    TIE,
    Ends,
    MaxT,
    Part,
    Studentizer,
    basic_ends,
    bca_ends,
    bootstrap_t_ends,
    counts_of,
    each,
    expanded_ends,
    gaussian_ends,
    joint,
    n_threads,
    normal_ends,
    percentile_ends,
    row_blocks,
    shifts,
    student_ends,
    two_sided,
)
from ..sample import Array, Reason, Sampling, adjusted_means, linearise, rare_flips, spans, squared_skewness, too_few

Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

_CELLS = 2**22  # floats in a buffer of replicates: 32 MB
_AT_ONCE = 2  # blocks of counts in one product
_FEWEST = 2**16  # fewer replicates than this are not worth a thread
_FROM_SHIFTS = MappingProxyType(
    {
        "percentile": percentile_ends,
        "basic": basic_ends,
        "bca": bca_ends,
        "expanded-percentile": expanded_ends,
        "normal": normal_ends,
    }
)


def _nan(size: int) -> Array:
    return np.full(size, np.nan)


@final
@dataclass(slots=True, eq=False)
class Means:
    """What is known of K columns, filled in as it is computed.

    `pivot` and `pivot_error` are the centre and scale of the studentised mean: the mean and its standard error, or
    Bonett and Price's for columns of rare flips, whose `span` is known (NaN for others). `skewness` is that of each
    column, squared. `kind` names the interval where it is not the method asked for, and `mark` adds to its name.
    `families` holds the maxima and the skewness that each family's bands were made of.
    """

    null: Array
    reason: NDArray[np.int8]
    estimate: Array = field(init=False)
    std_error: Array = field(init=False)
    pivot: Array = field(init=False)
    pivot_error: Array = field(init=False)
    span: Array = field(init=False)
    skewness: Array = field(init=False)
    low: Array = field(init=False)
    high: Array = field(init=False)
    p_less: Array = field(init=False)
    p_greater: Array = field(init=False)
    kind: NDArray[np.str_] = field(init=False)
    mark: NDArray[np.str_] = field(init=False)
    families: list[tuple[MaxT, Array, str]] = field(default_factory=list)
    band_low: Array | None = None
    band_high: Array | None = None
    p_adjusted: Array | None = None

    def __post_init__(self) -> None:
        size = len(self.null)
        self.estimate, self.std_error, self.pivot, self.pivot_error = (_nan(size) for _ in range(4))
        self.span, self.skewness = _nan(size), _nan(size)
        self.low, self.high, self.p_less, self.p_greater = (_nan(size) for _ in range(4))
        self.kind, self.mark = np.zeros(size, dtype="<U12"), np.zeros(size, dtype="<U12")

    @property
    def p_value(self) -> Array:
        """Two-sided p-values, (K,)."""
        return two_sided(self.p_less, self.p_greater)

    def fill(self, here: Index, ends: Ends, scale: Array, *, kind: str = "") -> None:
        """Keep the intervals `ends`, in units of `scale`, of the columns `here`."""
        self.low[here], self.high[here] = ends.low * scale, ends.high * scale
        self.p_less[here], self.p_greater[here], self.mark[here] = ends.p_less, ends.p_greater, ends.mark
        self.kind[here] = kind


def _blocks(n_columns: int, design: Sampling, n_resamples: int) -> Iterator[slice]:
    largest = max(n_resamples, design.n)
    step = max(8, _CELLS // largest)
    yield from (slice(start, min(start + step, n_columns)) for start in range(0, n_columns, step))


def _survey(
    values: Array, design: Sampling, settings: Inference, null: Array, *, span: Array | None, flips_apart: bool
) -> Means:
    """Return estimates, standard errors and the degenerate columns.

    Columns of answers, which `span` tells, may be without any flip and still have an interval.
    """
    size = values.shape[1]
    found = Means(null, np.zeros(size, np.int8))
    for part in _blocks(size, design, settings.n_resamples):
        block = linearise(values[:, part], design)
        units, clusters = block.spread
        found.estimate[part] = found.pivot[part] = block.estimate
        found.std_error[part] = found.pivot_error[part] = block.std_error
        found.reason[part] = np.where(units, np.where(clusters, Reason.NONE, Reason.SAME_CLUSTERS), Reason.SAME_VALUE)
        found.skewness[part] = squared_skewness(block)
        if settings.method != "bootstrap-t" or not flips_apart:
            continue
        known = spans(values[:, part], None if span is None else span[part])
        answers = False if span is None else ~np.isnan(known)
        flips = rare_flips(values[:, part], known, design) & (units | answers)
        if flips.any():
            columns = np.arange(part.start, part.stop)[flips]
            found.span[columns] = known[flips]
            found.pivot[columns], found.pivot_error[columns] = adjusted_means(block.columns(flips), known[flips])
            found.reason[columns] = Reason.NONE
    if too_few(design):
        found.reason[:] = too_few(design)
    return found


def bootstrap_means(
    values: Array,
    design: Sampling,
    settings: Inference,
    *,
    families: Index | None = None,
    null: Array | None = None,
    span: Array | None = None,
    flips: bool = True,
) -> Means:
    """Return intervals of the means of `values` (n, K), and bands over the columns of each family, if there are.

    With `flips`, columns of rare flips have Bonett and Price's. With bands, columns are taken family by family in the
    order of increasing |t0|, as the step-down maxima need.
    """
    size = values.shape[1]
    found = _survey(values, design, settings, np.zeros(size) if null is None else null, span=span, flips_apart=flips)
    columns = np.flatnonzero(found.reason == Reason.NONE)
    if families is None:
        _fill_columns(found, columns, values, design, settings, None)
        return found
    found.band_low, found.band_high, found.p_adjusted = _nan(size), _nan(size), _nan(size)
    for code in np.unique(families[columns]):
        members = columns[families[columns] == code]
        observed = np.abs((found.pivot[members] - found.null[members]) / found.pivot_error[members])
        members = members[np.argsort(observed, kind="stable")]
        maxima = MaxT(np.sort(observed), settings.n_resamples)
        _fill_columns(found, members, values, design, settings, maxima)
        _fill_bands(found, members, maxima, design, settings)
    return found


def _fill_columns(
    found: Means, columns: Index, values: Array, design: Sampling, settings: Inference, maxima: MaxT | None
) -> None:
    """Fill in the intervals of `columns`, showing their studentised replicates to the maxima."""
    for where in _blocks(len(columns), design, settings.n_resamples):
        here = columns[where]
        block = linearise(values[:, here], design)
        scaled = [each_one[here] / block.scale for each_one in (found.pivot, found.pivot_error, found.null)]
        part = Part(block, scaled[0], scaled[1], scaled[2], design, settings)
        _fill_block(found, here, part, _replicates(part, found.span[here], maxima, where))


def _replicates(part: Part, span: Array, maxima: MaxT | None, where: slice) -> Array:
    """Return all replicates (k, B) that the method needs, a row block a thread; none where it needs none."""
    design, settings, block = part.design, part.settings, part.block
    method = settings.method
    studentizer, size = Studentizer(block, span), len(span)
    kept = np.empty((size, settings.n_resamples if method != "t" else 0))

    def fill(rows: slice) -> NDArray[np.int64]:
        counts = counts_of(design.n_clusters, rows, settings.seed)
        if method in _FROM_SHIFTS:
            kept[:, rows] = shifts(block, design, counts)
        if method != "bootstrap-t" and maxima is None:
            return np.zeros(0, dtype=np.int64)
        out = kept[:, rows] if method == "bootstrap-t" else np.empty((size, len(counts)))
        bounded = studentizer.fill(counts, out=out)
        return np.zeros(0, dtype=np.int64) if maxima is None else maxima.update(where, rows, bounded)

    if method == "t" and maxima is None:
        return kept
    work = size * settings.n_resamples
    exceeding = each(
        fill,
        row_blocks(design.n_clusters, settings.n_resamples, at_once=_AT_ONCE),
        threads=n_threads() if work > _FEWEST else 1,
    )
    if maxima is not None:
        maxima.count(where, exceeding)
    return kept


def _fill_block(found: Means, here: Index, part: Part, kept: Array) -> None:
    """Fill in the intervals of the columns `here` from their replicates, some columns a thread."""
    method = part.settings.method
    threads = n_threads() if kept.size > _FEWEST else 1
    cuts = np.array_split(np.arange(len(here)), threads)

    def finish(some: Index) -> None:
        if not len(some):
            return
        share = slice(some[0], some[-1] + 1)
        mine = part.columns(share)
        if method == "t":
            ends = student_ends(mine)
        elif method == "bootstrap-t":
            ends = bootstrap_t_ends(kept[share], mine)
        else:
            ends = _FROM_SHIFTS[method](kept[share], mine)
        found.fill(here[share], ends, mine.block.scale)
        if method == "bootstrap-t":
            _fall_back(found, here[share], mine, ends)
        else:
            none = here[share][ends.lacking]
            found.low[none] = found.high[none] = found.p_less[none] = found.p_greater[none] = np.nan
            found.reason[none] = Reason.NO_TAIL if method in ("bca", "expanded-percentile") else Reason.ZERO_WIDTH

    each(finish, cuts, threads=threads)


def _fall_back(found: Means, here: Index, part: Part, ends: Ends) -> None:
    """Give another interval to columns of rare flips, and where bootstrap-t is unbounded."""
    flips = ~np.isnan(found.span[here])
    unbounded = ends.lacking & ~flips
    choices: tuple[tuple[str, Mask, Callable[[Part], Ends]], ...] = (
        ("bonett-price", flips, lambda some: gaussian_ends(some, some.std_error)),
        ("t", unbounded, student_ends),
    )
    for kind, mask, method in choices:
        if mask.any():
            some = part.columns(mask)
            found.fill(here[mask], method(some), some.block.scale, kind=kind)


def _fill_bands(found: Means, columns: Index, maxima: MaxT, design: Sampling, settings: Inference) -> None:
    """Fill in the bands and adjusted p-values of `columns`, which are in the order of the maxima."""
    assert found.band_low is not None
    assert found.band_high is not None
    assert found.p_adjusted is not None
    if not len(columns):
        return
    centre, error, null = found.pivot[columns], found.pivot_error[columns], found.null[columns]
    t0 = (centre - null) / error
    told = found.skewness[columns[np.isnan(found.span[columns])]]
    resampled = maxima.critical_value(settings.joint_rank), maxima.p_adjusted()
    critical, p_adjusted, by = joint(np.abs(t0), resampled, told, design.n_clusters, design.df, settings)
    tie = TIE * np.maximum(1.0, np.abs(t0))
    found.families.append((maxima, told, by))
    low = np.where(np.abs(t0 - critical) <= tie, null, centre - critical * error)
    high = np.where(np.abs(t0 + critical) <= tie, null, centre + critical * error)
    found.band_low[columns] = np.minimum(low, found.low[columns])
    found.band_high[columns] = np.maximum(high, found.high[columns])
    found.p_adjusted[columns] = np.maximum(p_adjusted, found.p_value[columns])
