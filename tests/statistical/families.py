"""Outcome families with known means, from which samples of simulated studies are drawn: one column a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Family:
    """Samples (n, studies) of a distribution with a known mean."""

    name: str
    draw: Callable[[np.random.Generator, int, int], np.ndarray]
    mean: float
    rare: bool = False  # differences of right and wrong answers of which few are not alike


def _flips(plus: float, minus: float) -> Callable[[np.random.Generator, int, int], np.ndarray]:
    return lambda rng, n, k: rng.choice([1.0, -1.0, 0.0], p=[plus, minus, 1 - plus - minus], size=(n, k))


FAMILIES = (
    Family("normal", lambda rng, n, k: rng.normal(0.3, 1.0, (n, k)), 0.3),
    Family("lognormal", lambda rng, n, k: rng.lognormal(0.0, 1.0, (n, k)), float(np.exp(0.5))),
    Family("expdiff", lambda rng, n, k: rng.exponential(1.0, (n, k)) - rng.exponential(0.5, (n, k)), 0.5),
    Family("heavy_t3", lambda rng, n, k: rng.standard_t(3, (n, k)), 0.0),
    Family("probdiff", lambda rng, n, k: rng.beta(2, 1, (n, k)) - rng.beta(1, 2, (n, k)), 1 / 3),
    Family("tern_30_05", _flips(0.30, 0.05), 0.25),
    Family("tern_05_01", _flips(0.05, 0.01), 0.04, rare=True),
    Family("tern_90_01", _flips(0.90, 0.01), 0.89, rare=True),
)
BY_NAME = {family.name: family for family in FAMILIES}


def clustered(rng: np.random.Generator, n_clusters: int, icc: float, studies: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponential effects of clusters of 5 to 15 units and of units, mean 0: values (n, studies) and labels (n,)."""
    labels = np.repeat(np.arange(n_clusters), rng.integers(5, 16, size=n_clusters))
    between = rng.exponential(np.sqrt(icc), size=(n_clusters, studies)) - np.sqrt(icc)
    within = rng.exponential(np.sqrt(1 - icc), size=(len(labels), studies)) - np.sqrt(1 - icc)
    return between[labels] + within, labels


@dataclass(frozen=True)
class RatioCase:
    """Numerators and denominators (n, studies) with a known ratio of means."""

    name: str
    draw: Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]
    ratio: float
    answers: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # weights of the answers in either mean


def _strong(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    bottom = rng.normal(2.0, 1.0, (n, k))
    return 0.5 * bottom + rng.normal(0.0, 0.5, (n, k)), bottom


def _medium_skew(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    bottom = rng.gamma(2.0, 0.5, (n, k))
    return 0.5 * bottom + rng.exponential(0.25, (n, k)) - 0.25, bottom


def _weak_te(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    bottom = rng.normal(0.35, 1.0, (n, k))
    return 0.5 * bottom + rng.normal(0.0, 0.5, (n, k)), bottom


def _binary(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    bottom = (rng.random((n, k)) < 0.6).astype(float)
    return bottom * (rng.random((n, k)) < 0.5), bottom


RATIOS = (
    RatioCase("strong", _strong, 0.5),
    RatioCase("medium_skew", _medium_skew, 0.5),
    RatioCase("weakTE", _weak_te, 0.5),
    RatioCase("binary", _binary, 0.5),
)


def _few_answers(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    changes = rng.random((n, k)) < 0.1
    while (none := ~changes.any(axis=0)).any():  # without a change there is no proportion
        changes[:, none] = rng.random((n, int(none.sum()))) < 0.1
    return (changes & (rng.random((n, k)) < 0.5)).astype(float), changes.astype(float)


FEW_ANSWERS = RatioCase("answers, 10% change", _few_answers, 0.5, ((1.0, -1.0, 0.0), (1.0, 0.0, -1.0)))


def clustered_ratio(
    rng: np.random.Generator, n_clusters: int, strength: float, studies: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numerators, denominators of mean `strength`, and labels; intraclass correlation 0.3, ratio 0.5."""
    noise, labels = clustered(rng, n_clusters, 0.3, 2 * studies)
    bottom = strength + noise[:, :studies]
    return 0.5 * bottom + 0.5 * noise[:, studies:], bottom, labels


def correlated_sites(rng: np.random.Generator, n: int, sites: int, *, skew: bool, effects: int = 0) -> np.ndarray:
    """One study of many sites (n, sites) that share five factors; mean 0 but in the first `effects` sites."""
    loadings = rng.normal(size=(5, sites))
    if skew:
        factors, noise = rng.exponential(1.0, (n, 5)) - 1.0, rng.exponential(1.0, (n, sites)) - 1.0
    else:
        factors, noise = rng.normal(size=(n, 5)), rng.normal(size=(n, sites))
    values = factors @ loadings / np.sqrt(5) + noise
    values[:, :effects] += 0.6 * np.sqrt(50 / n) * np.sqrt(2)
    return values
