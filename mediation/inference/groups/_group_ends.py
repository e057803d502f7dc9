"""How the interval of a difference of two groups is formed: critical values of resamples, or of Welch's t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .._settings import Inference
from ..intervals import sides
from ..resampling import NO_SPREAD, TIE
from ..sample import Array, Sampling
from ._two_samples import Pseudo, Sample, close_to, samples_of, welch_df

_STREAM = 0x67726F757073  # keeps the draws of the two groups apart from each other and from other draws
_NUMBERS = ("estimate", "std_error", "low", "high", "p_less", "p_greater", "t0", "df")
_ZERO_WIDTH = "the two ends of the percentile interval are the same number"


@final
@dataclass(slots=True, eq=False)
class GroupMeans:
    """What is known of K columns, filled in block by block."""

    estimate: Array
    std_error: Array
    low: Array
    high: Array
    p_less: Array
    p_greater: Array
    t0: Array
    df: Array
    reason: list[str]
    method: list[str]


def blank(size: int) -> GroupMeans:
    """Return what is known of `size` columns before anything is."""
    numbers = dict(zip(_NUMBERS, np.full((len(_NUMBERS), size), np.nan), strict=True))
    return GroupMeans(**numbers, reason=[""] * size, method=["degenerate"] * size)


@final
@dataclass(frozen=True, slots=True, eq=False)
class TwoGroups:
    """Both groups, checked."""

    values: tuple[Array, Array]
    designs: tuple[Sampling, Sampling]
    settings: Inference
    null: Array
    pseudo: Pseudo
    replicated: bool
    answers: bool

    @property
    def n_clusters(self) -> tuple[int, int]:
        """Number of clusters of each group."""
        return self.designs[0].n_clusters, self.designs[1].n_clusters

    def samples(self, columns: NDArray[np.intp]) -> tuple[Sample, Sample, Array]:
        """Return both samples of some columns, and the scale that they share."""
        first, second = (values[:, columns] for values in self.values)
        return samples_of(first, second, self.designs, self.pseudo.columns(columns))


def group_seeds(seed: int) -> tuple[int, int]:
    """Return a seed for each group, so that they are resampled independently."""
    one, two = np.random.SeedSequence(seed, spawn_key=(_STREAM,)).generate_state(2, np.uint64)
    return int(one), int(two)


def fill_block(found: GroupMeans, part: NDArray[np.intp], asked: TwoGroups, of: tuple[Sample, Sample, Array]) -> Array:
    """Fill in the intervals of the columns `part`; return their t*, finite, (k, B), or nothing if none were made."""
    one, two, scale = of
    settings, t0 = asked.settings, found.t0[part]
    error = np.sqrt(one.variance + two.variance)
    df = welch_df(one, two)
    df = np.where(asked.pseudo.flips[part] | (settings.method == "normal"), np.inf, df)
    found.df[part] = np.minimum(df, 1e6)  # large for flips, whose z stands for t
    usual: Array = np.asarray(stats.t.ppf((1 + settings.confidence_level) / 2, df))
    _, less, greater = sides(t0, df)
    upper, lower = usual, -usual
    clustered = "cluster " if any(design.clustered for design in asked.designs) else ""
    label = {"t": f"{clustered}welch t", "normal": f"two-sample {clustered}z"}.get(settings.method, "")
    method = [label] * len(part)
    shift = t = np.empty((len(part), 0))
    if asked.replicated:
        shift, t = _replicates(one, two, asked)
    if settings.method == "bootstrap-t":
        upper, lower, less, greater, method = _bootstrap_t(t, (t0, usual, less, greater), asked, part, clustered)
    centre = one.centre - two.centre
    found.std_error[part] = error * scale
    found.low[part], found.high[part] = (centre - upper * error) * scale, (centre - lower * error) * scale
    found.p_less[part], found.p_greater[part] = less, greater
    if settings.method == "percentile":
        method = [f"two-sample {clustered}percentile (B={settings.n_resamples})"] * len(part)
        _percentile(found, part, shift, (centre, scale), asked)
    for column, name in zip(part.tolist(), method, strict=True):
        found.method[column] = "degenerate" if found.reason[column] else name
    flat = ~np.isfinite(t)
    return np.where(flat, shift / error[:, None], t) if flat.any() else t


def _replicates(one: Sample, two: Sample, asked: TwoGroups) -> tuple[Array, Array]:
    """Return d* - d and t*, (k, B); t* is infinite where a resample has no spread."""
    seeds, n_resamples = group_seeds(asked.settings.seed), asked.settings.n_resamples
    shift, variance = one.replicates(n_resamples, seeds[0])
    other, more = two.replicates(n_resamples, seeds[1])
    shift -= other
    variance += more
    base = (one.variance + two.variance)[:, None]
    flat = variance <= NO_SPREAD * base
    t = shift / np.sqrt(np.where(flat, 1.0, variance))
    if flat.any():
        t[flat] = np.where(np.abs(shift[flat]) > TIE * np.broadcast_to(np.sqrt(base), t.shape)[flat], np.inf, 0.0)
        t[flat] = np.copysign(t[flat], shift[flat])
    return shift, t


def _bootstrap_t(
    t: Array, known: tuple[Array, Array, Array, Array], asked: TwoGroups, part: NDArray[np.intp], clustered: str
) -> tuple[Array, Array, Array, Array, list[str]]:
    """Return upper and lower critical values, one-sided p-values and names, Welch's t being the least that holds."""
    t0, usual, less, greater = known
    rank, n_resamples = asked.settings.tail_rank, asked.settings.n_resamples
    tie = (TIE * np.maximum(1.0, np.abs(t0)))[:, None]
    above = (1 + np.count_nonzero(t >= t0[:, None] - tie, axis=1)) / (n_resamples + 1)
    below = (1 + np.count_nonzero(t <= t0[:, None] + tie, axis=1)) / (n_resamples + 1)
    ordered = np.partition(t, (rank - 1, n_resamples - rank), axis=1)
    upper, lower = ordered[:, n_resamples - rank], ordered[:, rank - 1]
    flips = asked.pseudo.flips[part]
    plain = flips | ~(np.isfinite(upper) & np.isfinite(lower))
    floor = plain | asked.settings.floor
    p_less = np.where(plain, less, np.where(floor, np.maximum(below, less), below))
    p_greater = np.where(plain, greater, np.where(floor, np.maximum(above, greater), above))
    decided = ~plain & floor & ((upper < usual) | (lower > -usual))
    with np.errstate(invalid="ignore"):
        upper = np.where(plain, usual, np.where(floor, np.maximum(upper, usual), upper))
        lower = np.where(plain, -usual, np.where(floor, np.minimum(lower, -usual), lower))
    negative = asked.pseudo.low[part] < 0
    names = [
        ("bonett-price (two groups)" if both else "agresti-caffo")
        if flip
        else f"{clustered}welch t (bootstrap-t unbounded)"
        if lone
        else f"two-sample {clustered}bootstrap-t (B={n_resamples}{', at least t' if least else ''})"
        for flip, both, lone, least in zip(
            flips.tolist(), negative.tolist(), plain.tolist(), decided.tolist(), strict=True
        )
    ]
    return upper, lower, p_less, p_greater, names


def _percentile(
    found: GroupMeans, part: NDArray[np.intp], shift: Array, where: tuple[Array, Array], asked: TwoGroups
) -> None:
    """Fill in percentile intervals, and the p-values that invert them."""
    centre, scale = where
    rank, n_resamples = asked.settings.tail_rank, asked.settings.n_resamples
    moved = asked.null[part] / scale - centre
    size = np.maximum(1.0, np.abs(centre))
    slack = 1e-12 * size
    found.p_less[part] = (1 + np.count_nonzero(shift >= (moved - slack)[:, None], axis=1)) / (n_resamples + 1)
    found.p_greater[part] = (1 + np.count_nonzero(shift <= (moved + slack)[:, None], axis=1)) / (n_resamples + 1)
    ordered = np.partition(shift, (rank - 1, n_resamples - rank), axis=1)
    low, high = centre + ordered[:, rank - 1], centre + ordered[:, n_resamples - rank]
    found.low[part], found.high[part] = low * scale, high * scale
    for column in part[close_to(low, high, size)].tolist():
        found.reason[column] = _ZERO_WIDTH
        for array in (found.low, found.high, found.std_error, found.p_less, found.p_greater):
            array[column] = np.nan
