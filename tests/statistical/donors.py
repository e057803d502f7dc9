"""Random donors: how often intervals hold the truth, and how wide they are beside the best that could be.

The outcome of unit i with the mediator of unit j is r_i + s_j + e, with mean 0 and variance 1. `share` of the variance
is the donor's, and of the rest 7 parts of 10 are the receiver's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mediation.engine.study._draws import cycle
from mediation.errors import DegenerateWarning
from mediation.estimate.table._donor_variance import DonorDesign, donor_values
from mediation.inference import Inference, mean_intervals

COLUMNS = 10  # outcomes for the same donors; the count of sets of donors is a tenth of that of samples


@dataclass(frozen=True)
class Case:
    """How outcomes come about."""

    name: str
    share: float
    together: float = 0.0  # correlation of what a unit receives with and what it gives
    skewed: bool = False
    cycles: bool = False
    cluster: int = 1


CASES = (
    Case("donors alike", 0.0),
    Case("half of the variance is the donors'", 0.5),
    Case("nine tenths", 0.9),
    Case("nine tenths, exponential", 0.9, skewed=True),
    Case("half, strong donors are strong receivers (r = .7)", 0.5, together=0.7),
    Case("half, strong donors are weak receivers (r = -.7)", 0.5, together=-0.7),
    Case("half, each gives once a draw", 0.5, cycles=True),
    Case("half, each gives once a draw, r = .7", 0.5, together=0.7, cycles=True),
    Case("half, each gives once a draw, r = -.7", 0.5, together=-0.7, cycles=True),
    Case("half, clusters of 4 units (ICC .3)", 0.5, cluster=4),
)
BY_NAME = {case.name: case for case in CASES}


class Found(NamedTuple):
    """Coverage, mean width over that of the normal interval of known variance, and coverage of receivers alone."""

    share: float
    width: float
    alone: float


def donors_of(case: Case, n: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Donors (n, D): another unit drawn with replacement, or cycles."""
    if case.cycles:
        return np.stack([cycle(n, rng) for _ in range(n_draws)], axis=1)
    return (np.arange(n)[:, None] + rng.integers(1, n, size=(n, n_draws))) % n


def sample(case: Case, donors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Outcomes (n, D, COLUMNS)."""
    n = len(donors)

    def of_units() -> np.ndarray:
        draw = (lambda size: rng.exponential(size=size) - 1) if case.skewed else (lambda size: rng.normal(size=size))
        if case.cluster == 1:
            return draw((n, COLUMNS))
        between = draw((n // case.cluster, COLUMNS))[np.arange(n) // case.cluster]
        return np.sqrt(0.3) * between + np.sqrt(0.7) * draw((n, COLUMNS))

    receives, gives = of_units(), of_units()
    gives = case.together * receives + np.sqrt(1 - case.together**2) * gives
    parts = np.sqrt([0.7 * (1 - case.share), case.share, 0.3 * (1 - case.share)])
    noise = rng.normal(size=(*donors.shape, COLUMNS))
    return parts[0] * receives[:, None] + parts[1] * gives[donors] + parts[2] * noise


def coverage(case: Case, n: int, n_draws: int, sims: int, *, seed: int = 0, n_resamples: int = 999) -> Found:
    """Coverage of a mean of 0 over `sims` samples."""
    rng, held, alone, width, means = np.random.default_rng(seed), [], [], [], []
    clusters = np.arange(n) // case.cluster
    labels = clusters if case.cluster > 1 else None
    for call in range(sims // COLUMNS):
        donors = donors_of(case, n, n_draws, rng)
        values = sample(case, donors, rng)
        design = DonorDesign(np.repeat(np.arange(n), n_draws), donors.reshape(-1), np.ones(n), clusters)
        settings = Inference(n_resamples=n_resamples, seed=call)
        units = np.concatenate([donor_values(values.reshape(-1, COLUMNS), design), values.mean(axis=1)], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            found = mean_intervals(units, clusters=labels, settings=settings)
        inside = (found.conf_low <= 0) & (found.conf_high >= 0)
        held.append(inside[:COLUMNS])
        alone.append(inside[COLUMNS:])
        width.append((found.conf_high - found.conf_low)[:COLUMNS])
        means.append(found.estimate[COLUMNS:])
    best = 2 * 1.959964 * np.sqrt(np.mean(np.square(means)))
    return Found(float(np.mean(held)), float(np.mean(width) / best), float(np.mean(alone)))
