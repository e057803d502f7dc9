"""The difference of two ratios of means, a_1 / b_1 - a_2 / b_2: bootstrap-t on the delta method's standard error.

No set like Fieller's exists for it: the difference is not one ratio. With r = a / b and u_j = (A_j - r B_j) / sum B,
A_j and B_j the weighted totals of cluster j, the linearised variance of one ratio is J / (J - 1) sum_j u_j^2. Of two
ratios on the same units, u_j is subtracted cluster by cluster first; of two independent groups, variances add.
Resamples are studentised with their own standard error (Efron & Tibshirani 1993, section 12.5). Where a denominator is
not clearly away from 0 a ratio may be anything, so there is no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..._checks import pair_of, true_or_false
from ...errors import DataError
from .._settings import Inference
from ..intervals import Intervals, checked_settings, sides
from ..resampling import NO_SPREAD, TIE, resample_counts
from ..sample import SAME, Array, Sampling, checked_columns, powers_of_two, sampling, warn_columns
from ._group_ends import group_seeds

_DEFAULT = Inference()
CLEAR = 3.0  # standard errors that a denominator must be away from 0
_SAME = "the two ratios, or their difference, do not vary"


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Totals:
    """Cluster totals of a numerator and a denominator, (J,) each, and the ratio of their sums."""

    above: Array
    below: Array

    @property
    def ratio(self) -> float:
        return float(self.above.sum() / self.below.sum())

    @property
    def influence(self) -> Array:
        """u_j, (J,)."""
        return np.asarray((self.above - self.ratio * self.below) / self.below.sum())

    def resampled(self, counts: Array) -> tuple[Array, Array]:
        """Return ratios (b,) and u_j (b, J) of the resamples `counts` (b, J)."""
        below = counts @ self.below
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (counts @ self.above) / below
            return ratio, (self.above - ratio[:, None] * self.below) / below[:, None]


def ratio_difference_intervals(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    paired: bool,
    clusters: tuple[Sequence[Any] | NDArray[Any] | None, Sequence[Any] | NDArray[Any] | None] = (None, None),
    weights: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    settings: Inference = _DEFAULT,
) -> Intervals:
    """Return the difference of two ratios of means, column by column, where both denominators are clearly not 0.

    Parameters
    ----------
    first, second
        Numerator and denominator of either ratio, one number per unit and quantity: (n1, K) twice, and (n2, K) twice.
    paired
        Whether both are of the same units, row by row; otherwise they are two independent groups.
    clusters, weights
        For either, a label and a positive weight per unit; of the first alone when paired.
    settings
        Level, number of resamples and seed. With a method other than ``"bootstrap-t"`` the interval is the delta
        method's t.

    Returns
    -------
    Intervals
        `method` is such as ``"difference of ratios, bootstrap-t (B=9999)"``, or ``"difference of ratios, delta-method
        t"``.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds NaN or infinity, or shapes do not fit each other.
    DesignError
        If `settings` is not an Inference.

    Warns
    -----
    DegenerateWarning
        Once, when columns have no interval: a denominator within three standard errors of 0, fewer than two units or
        clusters, or no spread.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total = rng.normal(2.0, 1.0, size=(60, 1))
    >>> one, two = (share * total + rng.normal(0.0, 0.2, size=(60, 1)) for share in (0.7, 0.4))
    >>> found = ratio_difference_intervals((one, total), (two, total), paired=True, settings=Inference(n_resamples=999))
    >>> bool(found.conf_low[0] < 0.3 < found.conf_high[0])
    True
    """
    checked_settings(settings)
    true_or_false(paired, what="paired")
    two_ratios = (
        pair_of(one, what=name, needed="a pair, numerator and denominator,")
        for one, name in ((first, "first"), (second, "second"))
    )
    given = [values for ratio in two_ratios for values in ratio]
    clusters = pair_of(clusters, what="clusters", needed="a pair, of the first and of the second,")
    weights = pair_of(weights, what="weights", needed="a pair, of the first and of the second,")
    arrays = [checked_columns(values, name) for values, name in zip(given, _NAMES, strict=True)]
    if arrays[0].shape != arrays[1].shape or arrays[2].shape != arrays[3].shape:
        raise DataError(f"Shapes {[one.shape for one in arrays]}: a ratio needs as many numbers above as below.")
    if arrays[0].shape[1] != arrays[2].shape[1] or (paired and arrays[0].shape != arrays[2].shape):
        raise DataError(
            f"first has shape {arrays[0].shape} and second {arrays[2].shape}; "
            f"{'paired units need the same shape' if paired else 'give the same quantities for both'}."
        )
    one = sampling(len(arrays[0]), clusters[0], weights[0])
    two = one if paired else sampling(len(arrays[2]), clusters[1], weights[1])
    columns = [
        _column([array[:, k] for array in arrays], (one, two), settings, paired) for k in range(arrays[0].shape[1])
    ]
    return _result(columns, (one, two), paired)


_NAMES = ("the first numerator", "the first denominator", "the second numerator", "the second denominator")


@final
@dataclass(frozen=True, slots=True)
class _Row:
    estimate: float
    std_error: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p_less: float = float("nan")
    p_greater: float = float("nan")
    method: str = "degenerate"
    reason: str = ""


def _column(arrays: Sequence[Array], designs: tuple[Sampling, Sampling], settings: Inference, paired: bool) -> _Row:
    """Return one row: four columns of units, (n,) each, to the difference of two ratios."""
    totals = []
    for (above, below), design in zip((arrays[:2], arrays[2:]), designs, strict=True):
        rows = np.stack([above, below])
        cluster_totals = design.totals(rows / powers_of_two(rows).max()) / design.weights.sum()
        totals.append(_Totals(cluster_totals[0], cluster_totals[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = totals[0].ratio - totals[1].ratio
    reason = _reason(totals, designs)
    if reason:
        return _Row(estimate if np.isfinite(estimate) else float("nan"), reason=reason)
    variance, df = _variance([one.influence for one in totals], paired)
    if not np.sqrt(variance) > SAME * max(abs(one.ratio) for one in totals):
        return _Row(estimate, reason=_SAME)
    error = float(np.sqrt(variance))
    t0 = np.array([estimate / error])
    usual = float(stats.t.ppf((1 + settings.confidence_level) / 2, df))
    _, (less,), (greater,) = sides(t0, np.array([df]))
    prefix = "difference of ratios, cluster " if any(one.clustered for one in designs) else "difference of ratios, "
    if settings.method != "bootstrap-t":
        low, high = estimate - usual * error, estimate + usual * error
        return _Row(estimate, error, low, high, float(less), float(greater), f"{prefix}delta-method t")
    t = _replicates(totals, estimate, variance, settings, paired)
    tie, B = TIE * max(1.0, abs(t0[0])), settings.n_resamples  # noqa: N806
    less = max(less, (1 + np.count_nonzero(t <= t0[0] + tie)) / (B + 1))
    greater = max(greater, (1 + np.count_nonzero(t >= t0[0] - tie)) / (B + 1))
    ordered = np.sort(t)
    upper, lower = max(usual, ordered[B - settings.tail_rank]), min(-usual, ordered[settings.tail_rank - 1])
    if not (np.isfinite(upper) and np.isfinite(lower)):
        return _Row(estimate, reason="too many resamples have a denominator near 0, or no spread")
    name = f"{prefix}bootstrap-t (B={B})"
    return _Row(estimate, error, estimate - upper * error, estimate - lower * error, float(less), float(greater), name)


def _reason(totals: Sequence[_Totals], designs: tuple[Sampling, Sampling]) -> str:
    for name, one, design in zip(("first", "second"), totals, designs, strict=True):
        if design.n_clusters < 2:
            return f"the {name} has one {'cluster' if design.n > 1 else 'unit'} and an interval needs 2"
        mean, m = one.below.sum(), design.cluster_weights / design.weights.sum()
        left = one.below - mean * m
        error = np.sqrt(len(left) / (len(left) - 1) * np.square(left).sum())
        if abs(mean) < CLEAR * error or abs(mean) <= SAME * np.abs(one.below).sum():
            away = f"{abs(mean) / error:.1f}" if error > 0 else "0"
            return f"the denominator of the {name} is {away} standard errors from 0, and {CLEAR:g} are needed"
    return ""


def _variance(influence: Sequence[Array], paired: bool) -> tuple[float, float]:
    """Return the variance and its degrees of freedom: J - 1, or Welch and Satterthwaite's for two groups."""
    if paired:
        u = influence[0] - influence[1]
        return float(len(u) / (len(u) - 1) * np.square(u).sum()), len(u) - 1.0
    parts = [len(u) / (len(u) - 1) * np.square(u).sum() for u in influence]
    below = sum(part**2 / (len(u) - 1) for part, u in zip(parts, influence, strict=True))
    return float(sum(parts)), float(sum(parts) ** 2 / below) if below > 0 else 1.0


def _replicates(totals: Sequence[_Totals], estimate: float, base: float, settings: Inference, paired: bool) -> Array:
    """Return t*, (B,); infinite where a resample has no spread or a denominator of 0."""
    seeds = (settings.seed,) * 2 if paired else group_seeds(settings.seed)
    size = settings.n_resamples
    difference, variance = np.zeros(size), np.zeros(size)
    kept: dict[int, Array] = {}
    for sign, one, seed in zip((1.0, -1.0), totals, seeds, strict=True):
        n_clusters = len(one.above)
        for rows, counts in resample_counts(n_clusters, size, seed):
            ratio, u = one.resampled(counts)
            difference[rows] += sign * ratio
            if paired and sign > 0:
                kept[rows.start] = u
                continue
            u = kept.pop(rows.start) - u if paired else u
            variance[rows] += n_clusters / (n_clusters - 1) * np.einsum("bj,bj->b", counts, np.square(u))
    shift = difference - estimate
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(variance > NO_SPREAD * base, shift / np.sqrt(variance), np.copysign(np.inf, shift))
    return np.where(np.isfinite(shift), t, np.inf)


def _result(rows: Sequence[_Row], designs: tuple[Sampling, Sampling], paired: bool) -> Intervals:
    reason = tuple(row.reason for row in rows)
    warn_columns(reason)
    less, greater = np.array([row.p_less for row in rows]), np.array([row.p_greater for row in rows])
    return Intervals(
        estimate=np.array([row.estimate for row in rows]),
        std_error=np.array([row.std_error for row in rows]),
        conf_low=np.array([row.low for row in rows]),
        conf_high=np.array([row.high for row in rows]),
        p_value=np.minimum(1.0, 2.0 * np.minimum(less, greater)),
        p_less=less,
        p_greater=greater,
        method=tuple(row.method for row in rows),
        n=designs[0].n if paired else designs[0].n + designs[1].n,
        n_clusters=designs[0].n_clusters if paired else designs[0].n_clusters + designs[1].n_clusters,
        reason=reason,
    )
