"""Whether the means of groups of units differ: a Wald statistic, with a studentised bootstrap.

With m the weighted means of G groups, S their cluster-robust covariance matrix and C the contrasts of each group with
the last, T = (C m)' (C S C')^-1 (C m). Where each cluster lies within one group, S is diagonal and T is the statistic
of Welch (1951, Biometrika 38) and James (1951). A resample has T* of m* - m with its own S* (Davison & Hinkley 1997,
section 4.4.1): clusters are resampled within their group, or all together where a cluster has units of several groups.

For few clusters a resample may have no spread in a group; it is studentised by the sample's S, and the p-value is never
below that of the F approximation: Welch's, or Hotelling's T^2 with as many clusters as the group with fewest has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ..._checks import elements, hashable
from ..._series import in_order_of
from ...errors import DataError
from .._settings import Inference
from ..intervals import checked_settings
from ..sample import Array, checked_columns, sampling

_DEFAULT = Inference()
_TINY = 1e-12
_CELLS = 2**22  # numbers of the resampled matrices that are held at once


@final
@dataclass(frozen=True, slots=True, eq=False)
class Homogeneity:
    """Tests of "all groups have the same mean", one a column.

    Parameters
    ----------
    statistic, p_value
        (K,); NaN where fewer than two groups have a standard error.
    n_groups
        Groups that are compared, (K,): those of two clusters or more whose means vary.
    method
        What the test is called.
    """

    statistic: Array
    p_value: Array
    n_groups: NDArray[np.int64]
    method: str


class _Totals(NamedTuple):
    """Totals of each cluster in each group, (J, G): of weight times value, and of weight."""

    values: Array
    weights: Array


def homogeneity(
    values: ArrayLike,
    groups: Sequence[Any] | NDArray[Any],
    *,
    clusters: Sequence[Any] | NDArray[Any] | None = None,
    weights: ArrayLike | None = None,
    settings: Inference = _DEFAULT,
) -> Homogeneity:
    """Test whether groups of units have the same mean, column by column.

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K).
    groups
        A label per unit, (n,).
    clusters, weights
        As in `mean_intervals`. A cluster may have units of several groups: then groups are dependent, and the test
        takes that into account.
    settings
        Number of resamples and seed.

    Returns
    -------
    Homogeneity
        A group with one cluster, or with the same value in every cluster, has no standard error and is left out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(size=(60, 1)) + np.repeat([0.0, 0.0, 1.5], 20)[:, None]
    >>> found = homogeneity(values, np.repeat(["a", "b", "c"], 20), settings=Inference(n_resamples=999))
    >>> bool(found.p_value[0] <= 0.05), found.method
    (True, 'Welch-James, studentised bootstrap (B=999)')
    """
    checked_settings(settings)
    array = checked_columns(values, "values")
    design = sampling(len(array), clusters, weights)
    labels: dict[Any, int] = {}
    given = in_order_of(groups, range(design.n), what="groups", error=DataError)
    given = elements(given, what="groups", needed="one label a unit", error=DataError)
    if len(given) != design.n:
        raise DataError(f"groups has {len(given)} labels for {design.n} units; one label a unit is needed.")
    names = [hashable(one, what="a label of groups", error=DataError) for one in given]
    group = np.array([labels.setdefault(label, len(labels)) for label in names], dtype=np.intp)
    shape = (design.n_clusters, len(labels))
    total = np.zeros(shape)
    np.add.at(total, (design.codes, group), design.weights)
    nested = bool(((total > 0).sum(axis=1) == 1).all())
    found = []
    for column in array.T:
        sums = np.zeros(shape)
        np.add.at(sums, (design.codes, group), design.weights * column)
        found.append(_test(_Totals(sums, total), settings, nested=nested))
    statistic, p_value, counts = (np.array(part) for part in zip(*found, strict=True))
    name = "Welch-James" if nested else "Wald"
    method = f"{'cluster ' if design.clustered else ''}{name}, studentised bootstrap (B={settings.n_resamples})"
    return Homogeneity(statistic.astype(float), p_value.astype(float), counts.astype(np.int64), method)


def _test(totals: _Totals, settings: Inference, *, nested: bool) -> tuple[float, float, int]:
    """Return the statistic, its p-value, and how many groups were compared."""
    present = totals.weights > 0
    mean = totals.values.sum(axis=0) / totals.weights.sum(axis=0)
    away = np.abs(np.where(present, totals.values - mean * totals.weights, 0.0)).max(axis=0)
    size = np.abs(totals.values).max(axis=0) + np.abs(mean) * totals.weights.max(axis=0)
    kept = (present.sum(axis=0) >= 2) & (away > _TINY * np.maximum(size, np.finfo(float).tiny))
    if kept.sum() < 2:
        return np.nan, np.nan, int(kept.sum())
    some = _Totals(totals.values[:, kept], totals.weights[:, kept])
    some = _Totals(*(part[some.weights.sum(axis=1) > 0] for part in some))
    counts = (some.weights > 0).sum(axis=0)
    own = np.ones((1, len(some.weights)))
    means, covariance = _moments(some, own, counts, nested=nested)
    statistic, reference = _reference(means[0], covariance[0], counts, nested=nested)
    if not np.isfinite(reference):
        return np.nan, np.nan, int(kept.sum())
    exceeding = 0
    rng = np.random.default_rng(settings.seed)
    block = max(1, _CELLS // (len(some.weights) + counts.size**2))
    for start in range(0, settings.n_resamples, block):
        drawn = _draw(some, min(block, settings.n_resamples - start), rng, nested=nested)
        moved, spread = _moments(some, drawn, counts, nested=nested)
        exceeding += int((_wald(moved - means, spread, covariance[0], nested=nested) >= statistic * (1 - 1e-9)).sum())
    return statistic, max((1 + exceeding) / (settings.n_resamples + 1), reference), int(kept.sum())


def _draw(totals: _Totals, size: int, rng: np.random.Generator, *, nested: bool) -> Array:
    """Return how often each cluster is drawn in each resample, (size, J)."""
    n_clusters = len(totals.weights)
    if not nested:
        return rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=size).astype(float)
    drawn = np.empty((size, n_clusters))
    for members in (totals.weights > 0).T:
        many = int(members.sum())
        drawn[:, members] = rng.multinomial(many, np.full(many, 1 / many), size=size)
    return drawn


def _moments(totals: _Totals, drawn: Array, counts: NDArray[np.int64], *, nested: bool) -> tuple[Array, Array]:
    """Return means (B, G), NaN where a group was not drawn, and their variances (B, G) or covariances (B, G, G)."""
    values, weights = totals
    total = drawn @ weights
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (drawn @ values) / total
    factor = np.sqrt(counts / (counts - 1.0))
    if nested:
        squares = drawn @ values**2 - 2 * mean * (drawn @ (values * weights)) + mean**2 * (drawn @ weights**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean, np.maximum(squares, 0.0) * (factor / total) ** 2
    size = len(counts)

    def products(one: Array, two: Array) -> Array:
        crossed = (one[:, :, None] * two[:, None, :]).reshape(len(one), -1)
        return np.asarray((drawn @ crossed).reshape(-1, size, size))

    mixed = products(values, weights)
    left, right = mean[:, :, None], mean[:, None, :]
    crossed = products(values, values) - mixed * right - left * np.swapaxes(mixed, 1, 2)
    crossed += left * right * products(weights, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = factor / total
        return mean, crossed * scale[:, :, None] * scale[:, None, :]


def _wald(moved: Array, spread: Array, sample: Array, *, nested: bool) -> Array:
    """Return T of each resample; infinite where a group was not drawn (which counts against rejecting)."""
    lost = np.asarray(~np.isfinite(moved).all(axis=1))
    moved = np.where(lost[:, None], 0.0, moved)
    if nested:
        variance = np.where(np.isfinite(spread) & (spread > _TINY * sample), spread, sample)
        weight = 1.0 / variance
        centre = (weight * moved).sum(axis=1) / weight.sum(axis=1)
        found: Array = (weight * (moved - centre[:, None]) ** 2).sum(axis=1)
    else:
        size = moved.shape[1]
        contrast = np.concatenate([np.eye(size - 1), -np.ones((size - 1, 1))], axis=1)
        spread = np.where(lost[:, None, None], sample, spread)
        inner, whole = contrast @ spread @ contrast.T, contrast @ sample @ contrast.T
        least = np.linalg.eigvalsh(inner)[:, 0]
        inner = np.where((least > 1e-9 * np.linalg.eigvalsh(whole)[-1])[:, None, None], inner, whole)
        d = moved @ contrast.T
        found = np.einsum("bi,bi->b", d, np.linalg.solve(inner, d[:, :, None])[:, :, 0])
    return np.where(lost, np.inf, found)


def _reference(mean: Array, spread: Array, counts: NDArray[np.int64], *, nested: bool) -> tuple[float, float]:
    """Return T of the sample and its p-value by Welch's F, or by Hotelling's T^2; NaN where there is none."""
    size = len(mean)
    if nested:
        statistic = float(_wald(mean[None], spread[None], spread, nested=True)[0])
        weight = 1.0 / spread
        share = ((1 - weight / weight.sum()) ** 2 / (counts - 1)).sum()
        scaled = statistic / (size - 1) / (1 + 2 * (size - 2) / (size**2 - 1) * share)
        return statistic, float(stats.f.sf(scaled, size - 1, (size**2 - 1) / (3 * share)))
    contrast = np.concatenate([np.eye(size - 1), -np.ones((size - 1, 1))], axis=1)
    values = np.linalg.eigvalsh(contrast @ spread @ contrast.T)
    least, tests = int(counts.min()), size - 1
    if values[0] <= _TINY * values[-1] or values[-1] <= 0 or least <= tests:
        return np.nan, np.nan
    statistic = float(_wald(mean[None], spread[None], spread, nested=False)[0])
    return statistic, float(stats.f.sf(statistic * (least - tests) / (tests * (least - 1)), tests, least - tests))
