"""Size of the equivalence tests: how often an effect that lies on the margin is claimed to lie inside it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from mediation.errors import DegenerateWarning
from mediation.inference import Inference, mean_equivalence, ratio_equivalence, relative_equivalence
from tests.statistical.families import FAMILIES, Family, clustered

SHARE = 0.1  # a relative margin, of the total effect
STUDIES = 100  # in a call
TOTALS = {"strong": 2.0, "weak": 0.35, "none": 0.0}  # total effects, in standard deviations


def on_margin(family: Family, values: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Move the values so that their mean is the upper (1) or lower (-1) end of a margin, which is returned.

    Flips stay flips: their own mean is the margin, above or below 0.
    """
    if family.name.startswith("tern"):
        return side * values, abs(family.mean)
    return values - family.mean + side, 1.0


def shares(
    claims: Callable[[np.random.Generator, Inference], np.ndarray], *, calls: int, seed: int
) -> tuple[float, float]:
    """Share of claims over calls with resamples of their own, and its Monte Carlo standard error, between calls."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # a spread of 0: no interval, and no claim
        found = [claims(rng, Inference(n_resamples=999, seed=call)).mean() for call in range(calls)]
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(calls))


def size_of_means(
    family: Family, n: int, side: int, *, alpha: float = 0.025, calls: int = 20, seed: int = 0
) -> tuple[float, float]:
    """Share of studies in which a mean that lies on the margin is claimed to lie inside it."""
    span = 1.0 if family.name.startswith("tern") else None  # as med.effects does for answers

    def claims(rng: np.random.Generator, settings: Inference) -> np.ndarray:
        values, margin = on_margin(family, family.draw(rng, n, STUDIES), side)
        return mean_equivalence(values, margin, alpha=alpha, settings=settings, span=span).inside

    return shares(claims, calls=calls, seed=seed)


def size_with_clusters(
    side: int, *, n_clusters: int = 10, icc: float = 0.3, alpha: float = 0.025, calls: int = 20, seed: int = 0
) -> tuple[float, float]:
    """Return the same for the mean of units in clusters, exponential effects of both."""

    def claims(rng: np.random.Generator, settings: Inference) -> np.ndarray:
        values, labels = clustered(rng, n_clusters, icc, STUDIES)
        return mean_equivalence(values + side, 1.0, alpha=alpha, clusters=labels, settings=settings).inside

    return shares(claims, calls=calls, seed=seed)


def totals_and_effects(
    rng: np.random.Generator, total: float, n: int, studies: int, *, noise: float, side: int, skewed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Effects whose mean is the share `SHARE` of the total effect (its negative, for side = -1), and the totals."""
    spread = rng.exponential(1.0, (n, studies)) - 1.0 if skewed else rng.normal(size=(n, studies))
    return side * SHARE * total + noise * rng.normal(size=(n, studies)), total + spread


def size_of_relative(
    total: float,
    n: int,
    *,
    noise: float = 0.2,
    side: int = 1,
    skewed: bool = False,
    ratio: bool = False,
    alpha: float = 0.025,
    calls: int = 20,
    seed: int = 0,
) -> tuple[float, float]:
    """Share of studies in which an effect on the relative margin is claimed to lie inside it.

    With `ratio` the question is put as one on the ratio of the two, by Fieller's set.
    """
    test = ratio_equivalence if ratio else relative_equivalence

    def claims(rng: np.random.Generator, settings: Inference) -> np.ndarray:
        effects, totals = totals_and_effects(rng, total, n, STUDIES, noise=noise, side=side, skewed=skewed)
        return test(effects, totals, SHARE, alpha=alpha, settings=settings).inside

    return shares(claims, calls=calls, seed=seed)


def table(*, alpha: float, calls: int, seed: int = 0) -> Iterator[tuple[str, int, float, float]]:
    """Yield what is tested, n, and the larger size of the two sides of the margin."""
    for family in FAMILIES:
        for n in (50, 200):
            sizes = [size_of_means(family, n, side, alpha=alpha, calls=calls, seed=seed) for side in (1, -1)]
            yield family.name, n, *max(sizes)
    for n_clusters in (10, 20):
        sizes = [
            size_with_clusters(side, n_clusters=n_clusters, alpha=alpha, calls=calls, seed=seed) for side in (1, -1)
        ]
        yield f"{n_clusters} clusters", 10 * n_clusters, *max(sizes)
    for name, total in TOTALS.items():
        for noise in (0.2, 0.01):
            for n in (50, 200):
                common = {"noise": noise, "alpha": alpha, "calls": calls, "seed": seed}
                sizes = [
                    size_of_relative(total, n, side=side, skewed=skewed, **common)
                    for side in (1, -1)
                    for skewed in (False, True)
                ]
                yield f"relative, total effect {name}, noise {noise}", n, *max(sizes)


if __name__ == "__main__":
    for level in (0.025, 0.05):
        for name, n, size, error in table(alpha=level, calls=40):
            print(f"{level}  {name:45s} {n:4d}  {size:.3f} +- {error:.3f}", flush=True)
