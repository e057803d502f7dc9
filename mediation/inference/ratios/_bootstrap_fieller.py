"""Fieller's set by the bootstrap-t test: every ratio r at which the mean of A - r B is not distinguishable from 0.

Fieller's algebra inverts Student's t test, which under-covers where few units or clusters are skewed. Here the test
that is inverted is that of `bootstrap_t`: t* of A - r B from the same resamples, critical values at least Student's. So
the set holds Fieller's own, and is wider on the side on which it must be. At r = 0 and at B alone it is the very test
of the rows of A and of B, so that the set is bounded exactly when the interval of B leaves out 0.

With fewer than 8 clusters a resample may hold hardly any spread of A - r B, which makes critical values huge; there
they are not larger than the largest of A's and B's own.

Where few answers flip, the test is Bonett and Price's (`_flips`) in every direction.

Directions, not ratios, are searched: with A and B divided by their standard errors, D = A cos(x) - B sin(x) is A - r B
up to a factor, r = tan(x), and x = pi / 2 is B alone. At the direction of the estimate the mean is 0, and accepted. If
B alone is rejected, the gap is the run of rejected directions around it; otherwise the longest run of those on a grid.
Its two ends are then found to rounding. Without any, the set is the whole line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol, final

import numpy as np
from scipy.optimize import brentq

from .._settings import Inference
from ..resampling import NO_SPREAD, block_of_counts, outer, row_blocks
from ..sample import Array, Linearised, Sampling, joined, normal_quantile, pseudo_weight, t_quantile
from ._fieller import FiellerSet

_GRID = 48  # directions that are tried
_BLOCK = 16  # ratios whose replicates are held at once
_SUMS = 7
_FEW = 8  # with fewer clusters, critical values are at most those of A and of B


class _Weights(NamedTuple):
    """Resampled sums of the clusters' weights, and of their squares times the design's factors, (B,) each."""

    m: Array
    mm: Array


class Test(Protocol):
    """A test of A cos(x) - B sin(x)."""

    def margin(self, x: float) -> float:
        """Return how far inside its critical values the statistic is in direction x; negative where it rejects."""
        ...


@final
class FlipTest:
    """Bonett and Price's test of A cos(x) - B sin(x), A and B contrasts of answers, for one ratio.

    Parameters
    ----------
    a, b
        Residual totals of the clusters, (J,) each, and means of both, in units of their own.
    means
        Means of A and B.
    answers
        Weights of the answers in A and in B, in the same units: the largest value of a contrast is half the sum of the
        magnitudes of its weights.
    design
        The sampling design.
    quantile
        The normal quantile.
    """

    __slots__ = ("_answers", "_cross", "_means", "_quantile", "_sizes", "_squares", "_weight")

    def __init__(
        self, a: Array, b: Array, means: tuple[float, float], answers: tuple[Array, Array], design: Sampling,
        quantile: float,
    ) -> None:  # fmt: skip
        m = design.cluster_weights
        self._squares, self._cross = (float(a @ a), float(a @ b), float(b @ b)), (float(a @ m), float(b @ m))
        self._means, self._answers, self._quantile = means, answers, quantile
        self._sizes = np.asarray(m.sum()), np.asarray(np.square(m).sum())
        self._weight = pseudo_weight(design)

    def margin(self, x: float) -> float:
        """Return how far inside its critical values the statistic is in direction x; negative where it rejects."""
        c, s = math.cos(x), math.sin(x)
        span = np.asarray(0.5 * np.abs(c * self._answers[0] - s * self._answers[1]).sum())
        aa, ab, bb = self._squares
        found = joined(
            np.asarray(c * self._means[0] - s * self._means[1]), np.asarray(c * c * aa - 2 * c * s * ab + s * s * bb),
            np.asarray(c * self._cross[0] - s * self._cross[1]), self._sizes, (-span, span), self._weight,
        )  # fmt: skip
        return self._quantile - float(np.abs(found.centre) / found.std_error)


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
        Resampled sums of a, b, a^2, ab, b^2, am and bm, (7, B), with m the clusters' weights, all but the first two
        times the design's factors.
    weights
        Resampled sums of m and of m^2 times the design's factors.
    design, settings
        The sampling design, and level, floor and number of resamples.
    """

    __slots__ = ("_cap", "_cross", "_floor", "_means", "_rank", "_squares", "_student", "_sums", "_weights")

    def __init__(
        self, a: Array, b: Array, means: tuple[float, float], sums: Array, weights: _Weights, *,
        design: Sampling, settings: Inference,
    ) -> None:  # fmt: skip
        factor = design.inflation
        self._squares, self._cross = (float(a @ (factor * a)), float(b @ (factor * b))), float(a @ (factor * b))
        self._means, self._sums, self._weights = means, sums, weights
        self._student = t_quantile(settings.confidence_level, design.df)
        self._floor, self._rank = self._student if settings.floor else 0.0, settings.tail_rank
        self._cap = math.inf
        if design.n_clusters < _FEW:
            self._cap = max(abs(end) for x in (0.0, math.pi / 2) for end in self._own(x))

    def margin(self, x: float) -> float:
        """Return how far inside its critical values t is in direction x; negative where the mean differs from 0."""
        c, s = math.cos(x), math.sin(x)
        variance, mean = self._variance(c, s), c * self._means[0] - s * self._means[1]
        if variance <= NO_SPREAD * 1e-6:
            return self._student if mean == 0 else -math.inf
        low, high = self._critical(c, s, variance)
        t0 = mean / math.sqrt(variance)
        return min(high - t0, t0 - low)

    def _variance(self, c: float, s: float) -> float:
        return c * c * self._squares[0] - 2 * c * s * self._cross + s * s * self._squares[1]

    def _own(self, x: float) -> tuple[float, float]:
        c, s = math.cos(x), math.sin(x)
        variance = self._variance(c, s)
        return self._critical(c, s, variance) if variance > NO_SPREAD * 1e-6 else (0.0, 0.0)

    def _critical(self, c: float, s: float, variance: float) -> tuple[float, float]:
        a, b, aa, ab, bb, am, bm = self._sums
        m, mm = self._weights
        first = c * a - s * b
        shift = first / m
        squares = c * c * aa - 2 * c * s * ab + s * s * bb + shift * (shift * mm - 2 * (c * am - s * bm))
        flat = squares <= NO_SPREAD * variance
        t = np.where(flat, np.copysign(np.inf, first), first) / np.sqrt(np.where(flat, 1.0, squares))
        low, high = outer(t[None], self._rank)
        if not (np.isfinite(low[0]) and np.isfinite(high[0])):  # Student's t stands in, as for means
            return -self._student, self._student
        return max(min(float(low[0]), -self._floor), -self._cap), min(max(float(high[0]), self._floor), self._cap)


def gap_of(test: Test, estimate: float) -> tuple[float, float] | None:
    """Return both ends of the rejected directions, from `estimate` to `estimate` + pi; None if there are none."""
    alone = math.pi / 2 if estimate < math.pi / 2 else 3 * math.pi / 2
    alone -= math.pi * (alone - estimate >= math.pi)
    if test.margin(alone) < 0:
        return _run_around(test, estimate, alone)
    step = math.pi / _GRID
    tried = [estimate + step * k for k in range(1, _GRID)]
    margins = [test.margin(x) for x in tried]
    best, start = (0, 0), None
    for k, margin in enumerate([*margins, math.inf]):
        if margin < 0 and start is None:
            start = k
        elif start is not None and (margin >= 0 or tried[k - 1] < alone < tried[k]):
            best, start = max(best, (k - start, start)), k if margin < 0 else None
    length, first = best
    if not length:
        return None
    before, after = estimate + step * first, estimate + step * (first + length + 1)
    before = alone if before < alone < tried[first] else before
    after = alone if tried[first + length - 1] < alone < after else after
    return _end(test, before, tried[first]), _end(test, after, tried[first + length - 1])


def _run_around(test: Test, estimate: float, alone: float) -> tuple[float, float]:
    """Return both ends of the rejected directions around `alone`, which is rejected."""
    ends = []
    for limit in (estimate, estimate + math.pi):
        inside = alone
        for k in range(1, _GRID + 1):
            x = alone + (limit - alone) * k / _GRID
            if k == _GRID or test.margin(x) >= 0:
                ends.append(_end(test, x, inside))
                break
            inside = x
    return ends[0], ends[1]


def _end(test: Test, accepted: float, rejected: float) -> float:
    """Return the direction between the two at which the test begins to reject."""

    def bounded(x: float) -> float:
        return max(-1e9, min(1e9, test.margin(x)))

    # Where A - r B is rounding alone, the direction of the estimate may be rejected by rounding: it is the end then.
    if bounded(accepted) <= 0:
        return accepted
    return float(brentq(bounded, accepted, rejected, xtol=1e-13, rtol=8.9e-16, maxiter=200))


def bootstrap_sets(top: Linearised, bottom: Linearised, settings: Inference) -> FiellerSet:
    """Return the sets of k ratios in scaled units, by bootstrap-t.

    Parameters
    ----------
    top, bottom
        Numerators and denominators, k columns each. Neither may lack spread in all of its ratio.
    settings
        Level, resamples and seed.
    """
    found = _nothing(len(top.mean))
    for start in range(0, len(top.mean), _BLOCK):
        here = slice(start, min(start + _BLOCK, len(top.mean)))
        for column, test, estimate, unit in _tests(top, bottom, settings, here):
            _fill(found, column, gap_of(test, estimate), unit)
    return found


def flip_sets(top: Linearised, bottom: Linearised, answers: tuple[Array, Array], confidence_level: float) -> FiellerSet:
    """Return the sets of k ratios of rare flips in scaled units; `answers` are the weights of either contrast."""
    found = _nothing(len(top.mean))
    for column in range(len(top.mean)):
        scale = top.scale[column], bottom.scale[column]
        means = float(top.mean[column]), float(bottom.mean[column])
        test = FlipTest(
            top.residuals[column], bottom.residuals[column], means, (answers[0] / scale[0], answers[1] / scale[1]),
            top.design, normal_quantile(confidence_level),
        )  # fmt: skip
        _fill(found, column, gap_of(test, math.atan2(*means)), 1.0)
    return found


def _nothing(size: int) -> FiellerSet:
    low, high, gap_low, gap_high = (np.full(size, np.nan) for _ in range(4))
    return FiellerSet(low, high, gap_low, gap_high, np.zeros(size, dtype=bool))


def _tests(
    top: Linearised, bottom: Linearised, settings: Inference, here: slice
) -> Iterator[tuple[int, DirectionTest, float, float]]:
    """Yield for each column its number, its test, the direction of its estimate, and what tan(x) is in units of."""
    design = top.design
    m, factor = design.cluster_weights, design.inflation
    sizes = [np.sqrt(np.square(part.residuals[here]).sum(axis=1)) for part in (top, bottom)]
    size_a, size_b = (np.where(size > 0, size, 1.0) for size in sizes)
    a, b = top.residuals[here] / size_a[:, None], bottom.residuals[here] / size_b[:, None]
    wa, wb = a * factor, b * factor
    left = np.concatenate([a, b, a * wa, a * wb, b * wb, wa * m, wb * m, m[None], (factor * np.square(m))[None]])
    drawn = np.empty((len(left), settings.n_resamples))
    for rows in row_blocks(design.n_clusters, settings.n_resamples):
        drawn[:, rows] = left @ block_of_counts(design.n_clusters, rows, settings.seed).T
    sums = drawn[:-2].reshape(_SUMS, len(a), settings.n_resamples)
    for i in range(len(a)):
        means = top.mean[here][i] * top.total / size_a[i], bottom.mean[here][i] * bottom.total / size_b[i]
        test = DirectionTest(
            a[i], b[i], means, sums[:, i], _Weights(drawn[-2], drawn[-1]), design=design, settings=settings
        )
        yield here.start + i, test, math.atan2(means[0], means[1]), size_a[i] / size_b[i]


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
