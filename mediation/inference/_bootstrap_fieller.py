"""Fieller's set by the bootstrap-t test: every ratio r at which the mean of A - r B is not told from 0.

Fieller's algebra inverts Student's t test, which under-covers where few units or clusters are skewed. Here the test
that is inverted is that of `bootstrap_t`: t* of A - r B from the same resamples, critical values at least Student's. So
the set holds Fieller's own, and is wider on the side on which it must be.

Directions, not ratios, are searched: with A and B divided by their standard errors, D = A cos(x) - B sin(x) is A - r B
up to a factor, r = tan(x), and x = pi / 2 is B alone. At the direction of the estimate the mean is 0, and accepted.
Among the other directions, on a grid, the longest run of rejected ones is the gap; its two ends are then found to
rounding. Without any, the set is the whole line.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import numpy as np
from scipy.optimize import brentq

from ._fieller import FiellerSet
from ._order import outer
from ._resample import block_of_counts, row_blocks
from ._sampling import Array, Sampling
from ._settings import Inference
from ._student import t_quantile
from ._studentized import NO_SPREAD
from ._variance import Linearised

_GRID = 48  # directions that are tried
_BLOCK = 16  # ratios whose replicates are held at once
_SUMS = 7


class _Weights(NamedTuple):
    """Resampled sums of the clusters' weights and of their squares, (B,) each."""

    m: Array
    mm: Array


@final
class DirectionTest:
    """The bootstrap-t test of A cos(x) - B sin(x) for one ratio.

    Parameters
    ----------
    a, b
        Residual totals of the clusters, (J,) each, divided so that their squares sum to 1 (or to 0).
    means
        Means of A and B in the same units, times the total weight.
    sums
        Resampled sums of a, b, a^2, ab, b^2, am and bm, (7, B), with m the clusters' weights.
    weights
        Resampled sums of m and m^2.
    student
        Student's quantile.
    floor, rank
        The least critical value, Student's or 0, and the rank at which a tail ends.
    """

    __slots__ = ("_cross", "_factor", "_floor", "_means", "_rank", "_squares", "_student", "_sums", "_weights")

    def __init__(
        self, a: Array, b: Array, means: tuple[float, float], sums: Array, weights: _Weights,
        *, student: float, floor: float, rank: int,
    ) -> None:  # fmt: skip
        self._squares, self._cross = (float(a @ a), float(b @ b)), float(a @ b)
        self._means, self._sums, self._weights = means, sums, weights
        self._factor, self._student = math.sqrt(1.0 - 1.0 / len(a)), student
        self._floor, self._rank = floor, rank

    def margin(self, x: float) -> float:
        """Return how far inside its critical values t is in direction x; negative where the mean is told from 0."""
        c, s = math.cos(x), math.sin(x)
        variance = c * c * self._squares[0] - 2 * c * s * self._cross + s * s * self._squares[1]
        mean = c * self._means[0] - s * self._means[1]
        if variance <= NO_SPREAD * 1e-6:
            return self._student if mean == 0 else -math.inf
        low, high = self._critical(c, s, variance)
        t0 = self._factor * mean / math.sqrt(variance)
        return min(high - t0, t0 - low)

    def _critical(self, c: float, s: float, variance: float) -> tuple[float, float]:
        a, b, aa, ab, bb, am, bm = self._sums
        m, mm = self._weights
        first = c * a - s * b
        shift = first / m
        squares = c * c * aa - 2 * c * s * ab + s * s * bb + shift * (shift * mm - 2 * (c * am - s * bm))
        flat = squares <= NO_SPREAD * variance
        t = self._factor * np.where(flat, np.copysign(np.inf, first), first) / np.sqrt(np.where(flat, 1.0, squares))
        low, high = outer(t[None], self._rank)
        # Where bootstrap-t has no finite end, Student's t stands in, as for means.
        least = -self._student if np.isinf(low[0]) else min(float(low[0]), -self._floor)
        most = self._student if np.isinf(high[0]) else max(float(high[0]), self._floor)
        return least, most


def gap_of(test: DirectionTest, estimate: float) -> tuple[float, float] | None:
    """Return both ends of the rejected directions, from `estimate` to `estimate` + pi; None if there are none."""
    step = math.pi / _GRID
    tried = [estimate + step * k for k in range(1, _GRID)]
    margins = [test.margin(x) for x in tried]
    best, start = (0, 0), None
    for k, margin in enumerate([*margins, math.inf]):
        if margin < 0 and start is None:
            start = k
        elif margin >= 0 and start is not None:
            best, start = max(best, (k - start, start)), None
    length, first = best
    if not length:
        return None
    before, after = estimate + step * first, estimate + step * (first + length + 1)
    return _end(test, before, tried[first]), _end(test, after, tried[first + length - 1])


def _end(test: DirectionTest, accepted: float, rejected: float) -> float:
    """Return the direction between the two at which the test begins to reject."""

    def bounded(x: float) -> float:
        return max(-1e9, min(1e9, test.margin(x)))

    # Where A - r B is rounding alone, the direction of the estimate may be rejected by rounding: it is the end then.
    if bounded(accepted) <= 0:
        return accepted
    return float(brentq(bounded, accepted, rejected, xtol=1e-13, rtol=8.9e-16, maxiter=200))


def bootstrap_sets(top: Linearised, bottom: Linearised, design: Sampling, settings: Inference) -> FiellerSet:
    """Return the sets of k ratios in scaled units.

    Parameters
    ----------
    top, bottom
        Numerators and denominators, k columns each. Neither may lack spread in all of its ratio.
    design, settings
        The sampling design; level, resamples and seed.
    """
    size = len(top.mean)
    low, high, gap_low, gap_high = (np.full(size, np.nan) for _ in range(4))
    found = FiellerSet(low, high, gap_low, gap_high, np.zeros(size, dtype=bool))
    for start in range(0, size, _BLOCK):
        here = slice(start, min(start + _BLOCK, size))
        for column, test, estimate, unit in _tests(top, bottom, design, settings, here):
            gap = gap_of(test, estimate)
            _fill(found, column, gap, unit)
    return found


def _tests(
    top: Linearised, bottom: Linearised, design: Sampling, settings: Inference, here: slice
) -> list[tuple[int, DirectionTest, float, float]]:
    """Return for each column its number, its test, the direction of its estimate, and what tan(x) is in units of."""
    m = design.cluster_weights
    sizes = [np.sqrt(np.square(part.residuals[here]).sum(axis=1)) for part in (top, bottom)]
    size_a, size_b = (np.where(size > 0, size, 1.0) for size in sizes)
    a, b = top.residuals[here] / size_a[:, None], bottom.residuals[here] / size_b[:, None]
    left = np.concatenate([a, b, a * a, a * b, b * b, a * m, b * m, m[None], np.square(m)[None]])
    drawn = np.empty((len(left), settings.n_resamples))
    for rows in row_blocks(design.n_clusters, settings.n_resamples):
        drawn[:, rows] = left @ block_of_counts(design.n_clusters, rows, settings.seed).T
    sums = drawn[:-2].reshape(_SUMS, len(a), settings.n_resamples)
    student = t_quantile(settings.confidence_level, design.n_clusters)
    ends = {"student": student, "floor": student if settings.floor else 0.0, "rank": settings.tail_rank}
    found = []
    for i in range(len(a)):
        means = top.mean[here][i] * top.total / size_a[i], bottom.mean[here][i] * bottom.total / size_b[i]
        test = DirectionTest(a[i], b[i], means, sums[:, i], _Weights(drawn[-2], drawn[-1]), **ends)  # type: ignore[arg-type]
        found.append((here.start + i, test, math.atan2(means[0], means[1]), size_a[i] / size_b[i]))
    return found


def _fill(found: FiellerSet, column: int, gap: tuple[float, float] | None, unit: float) -> None:
    """Write the ratios that a gap in directions leaves, in units of `unit`."""
    found.low[column], found.high[column] = -np.inf, np.inf
    if gap is None:
        return
    low, high = (math.tan(x) * unit for x in gap)
    # The gap holds the vertical (r infinite) if it passes an odd multiple of pi / 2.
    vertical = math.floor(gap[0] / math.pi + 0.5) != math.floor(gap[1] / math.pi + 0.5)
    if vertical:
        found.low[column], found.high[column], found.bounded[column] = min(high, low), max(high, low), True
    else:
        found.gap_low[column], found.gap_high[column] = low, high
