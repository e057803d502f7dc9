"""Clusters of unequal size and units of unequal weight: what the default covers, and what uncorrected variances do.

Every width is divided by that of the normal interval whose variance is known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

from mediation.inference import Inference, kish, mean_intervals
from tests.statistical.coverage import STUDIES
from tests.statistical.found import Found, found_of, standard

SIZES: dict[str, Callable[[int], np.ndarray]] = {
    "half of the units in one": lambda j: np.array([3 * (j - 1)] + [3] * (j - 1)),
    "sizes 1 to J": lambda j: np.arange(1, j + 1),
    "lognormal sizes": lambda j: np.ceil(5 * np.exp(stats.norm.ppf((np.arange(j) + 0.5) / j))).astype(int),
}
METHODS = ("default", "t, Satterthwaite", "t, J - 1 and CR1", "known variance")


def uncorrected_t(values: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's t with J - 1 degrees of freedom and the cluster variance times J / (J - 1) (CR1)."""
    mean = weights @ values / weights.sum()
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    totals = np.add.reduceat(((values - mean) * weights[:, None])[order], starts, axis=0)
    j = len(starts)
    error = np.sqrt(j / (j - 1) * np.square(totals).sum(axis=0)) / weights.sum()
    reach = stats.t.ppf(0.975, j - 1) * error
    return mean - reach, mean + reach


def clusters(kind: str, n_clusters: int, icc: float, tails: str, *, calls: int) -> tuple[float, dict[str, Found]]:
    """Return Kish's effective number of clusters, and what intervals of a mean of 0 do."""
    sizes = SIZES[kind](n_clusters)
    labels = np.repeat(np.arange(n_clusters), sizes)
    rng = np.random.default_rng(0)

    def draw() -> tuple[np.ndarray, np.ndarray]:
        between = standard(rng, tails, (n_clusters, STUDIES))[labels]
        return np.sqrt(icc) * between + np.sqrt(1 - icc) * standard(rng, tails, (len(labels), STUDIES)), np.ones(
            len(labels)
        )

    return kish(sizes.astype(float)), _of(draw, labels, icc, calls)


def weighted(sigma: float, n: int, tails: str, *, calls: int) -> tuple[float, dict[str, Found]]:
    """Return the median of Kish's effective number of units of lognormal weights, and what intervals do."""
    rng, effective = np.random.default_rng(0), []

    def draw() -> tuple[np.ndarray, np.ndarray]:
        weights = rng.lognormal(0.0, sigma, size=n)
        effective.append(kish(weights))
        return standard(rng, tails, (n, STUDIES)), weights

    found = _of(draw, np.arange(n), 0.0, calls)
    return float(np.median(effective)), found


def _of(
    draw: Callable[[], tuple[np.ndarray, np.ndarray]], labels: np.ndarray, icc: float, calls: int
) -> dict[str, Found]:
    ends, best = [], []
    for call in range(calls):
        values, weights = draw()
        of_clusters = np.bincount(labels, weights=weights)
        variance = icc * np.square(of_clusters).sum() + (1 - icc) * np.square(weights).sum()
        reach = stats.norm.ppf(0.975) * np.sqrt(variance) / weights.sum()
        best.append(2 * reach)
        one = {}
        for name, method in (("default", "bootstrap-t"), ("t, Satterthwaite", "t")):
            settings = Inference(method=method, n_resamples=999, seed=call)  # type: ignore[arg-type]
            found = mean_intervals(values, clusters=labels, weights=weights, settings=settings)
            one[name] = found.conf_low, found.conf_high
        one["t, J - 1 and CR1"] = uncorrected_t(values, labels, weights)
        one["known variance"] = found.estimate - reach, found.estimate + reach
        ends.append(one)
    return found_of(ends, 0.0, np.array(best))
