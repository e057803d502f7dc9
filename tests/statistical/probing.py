"""Simulated states: coverage of intervals of the effective rank and of the centred cosine of two steps of a unit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mediation.errors import DominantUnitWarning
from mediation.probing import effective_rank, similarity

Floats = NDArray[np.float64]

OWN = {"own part 1": 1.0, "own part 4": 4.0}  # standard deviation of what the steps of a unit share, beside their noise
SPECTRA: dict[str, Floats] = {
    "8 equal": np.ones(8),
    "16, falling by 0.6": 0.6 ** np.arange(16),
    "30, 1 / k": 1 / np.arange(1, 31),
    "200, 1 / sqrt k": np.arange(1, 201) ** -0.5,
}


def _normal(rng: np.random.Generator, n: int, d: int) -> Floats:
    return rng.normal(size=(n, d))


def _t3(rng: np.random.Generator, n: int, d: int) -> Floats:
    return rng.standard_t(3, size=(n, d))


def _exponential(rng: np.random.Generator, n: int, d: int) -> Floats:
    return rng.exponential(size=(n, d)) - 1


def _t3_lengths(rng: np.random.Generator, n: int, d: int) -> Floats:
    return rng.normal(size=(n, d)) / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3)


def _exponential_lengths(rng: np.random.Generator, n: int, d: int) -> Floats:
    return rng.normal(size=(n, d)) * rng.exponential(size=(n, 1))


TAILS: dict[str, Callable[[np.random.Generator, int, int], Floats]] = {
    "normal": _normal,
    "exponential": _exponential,
    "exponential lengths": _exponential_lengths,
    "t_3": _t3,
    "multivariate t_3": _t3_lengths,
}


class Covered(NamedTuple):
    """Shares of samples whose interval holds the truth, or lies below or above it, and median widths.

    `plain` and `plain_width` are those of Student's t of the jackknife on the plain scale (effective rank) or on
    Fisher's z (cosine). `warned` is the share of samples with a `DominantUnitWarning`.
    """

    share: float
    below: float
    above: float
    width: float
    plain: float
    plain_width: float
    warned: float


def states(rng: np.random.Generator, n: int, tails: str, spectrum: str, per: int = 1) -> Floats:
    """States of n units, (n, d), in clusters of `per` that share half of their variance."""
    scale, draw = SPECTRA[spectrum], TAILS[tails]
    if per == 1:
        return draw(rng, n, len(scale)) * scale
    shared = np.repeat(draw(rng, n // per, len(scale)), per, axis=0)
    return np.sqrt(0.5) * (shared + draw(rng, n, len(scale))) * scale


def two_steps(rng: np.random.Generator, n: int, tails: str, own: float, per: int = 1) -> Floats:
    """States at two steps, (n, 2, 8): a unit's own part, its noise, and what is common to a step."""
    common = np.random.default_rng(5).normal(size=(2, 8))
    shared = own * states(rng, n, tails, "8 equal", per)[:, None]
    return shared + states(rng, 2 * n, tails, "8 equal").reshape(n, 2, 8) + common


def expected_rank(n: int, tails: str, spectrum: str, per: int = 1, *, samples: int = 3000) -> float:
    """Return the mean effective rank of samples of n units: what the interval is about."""
    rng = np.random.default_rng(99)
    return float(np.mean([effective_rank(states(rng, n, tails, spectrum, per)) for _ in range(samples)]))


def expected_cosine(tails: str, own: float, per: int = 1, *, n: int = 60_000) -> float:
    """Return the mean cosine of the two steps of a unit, less the population's mean, from a huge sample."""
    x = two_steps(np.random.default_rng(99), n, tails, own, per)
    x = x - x.mean(axis=(0, 1))
    unit = x / np.linalg.norm(x, axis=2, keepdims=True)
    return float((unit[:, 0] * unit[:, 1]).sum(axis=1).mean())


def coverage(
    measure: str, n: int, tails: str, kind: str, per: int = 1, *, times: int, n_resamples: int = 999, seed: int = 0
) -> Covered:
    """Simulate `times` samples of n units and return how often the interval of `measure` holds its truth.

    `kind` is one of SPECTRA for the effective rank, and one of OWN for the cosine.
    """
    ranks = measure == "effective rank"
    truth = expected_rank(n, tails, kind, per) if ranks else expected_cosine(tails, OWN[kind], per)
    rng, groups = np.random.default_rng(seed), None if per == 1 else np.arange(n) // per
    quantile = stats.t.ppf(0.975, n // per - 1)
    ends, plain, warned = np.empty((times, 2)), np.empty((times, 2)), 0
    for one in range(times):
        x = states(rng, n, tails, kind, per) if ranks else two_steps(rng, n, tails, OWN[kind], per)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = similarity(x, groups=groups, measures=measure, n_resamples=n_resamples)
        warned += any(issubclass(w.category, DominantUnitWarning) for w in told)
        row = found.rows(measure).iloc[0]
        ends[one] = row["conf_low"], row["conf_high"]
        scale = 1.0 if ranks else 1 - row["estimate"] ** 2  # of Fisher's z, to first order
        centre = row["estimate"] if ranks else np.arctanh(row["estimate"])
        reach = quantile * row["std_error"] / scale
        plain[one] = (centre - reach, centre + reach) if ranks else np.tanh([centre - reach, centre + reach])
    below, above = np.mean(ends[:, 1] < truth), np.mean(ends[:, 0] > truth)
    share = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))  # a sample without an interval is a miss
    student = np.mean((plain[:, 0] <= truth) & (truth <= plain[:, 1]))
    widths = np.nanmedian(ends[:, 1] - ends[:, 0]), np.nanmedian(plain[:, 1] - plain[:, 0])
    return Covered(
        float(share), float(below), float(above), float(widths[0]), float(student), float(widths[1]),
        warned / times,
    )  # fmt: skip
