"""Rare flips: contrasts of answers that are right or wrong, of which few are not 0."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mediation.errors import DegenerateWarning
from mediation.inference import Inference, mean_intervals
from tests.statistical.coverage import STUDIES
from tests.statistical.found import Found, found_of

METHODS = ("default", "t", "bootstrap-t without it")


class Drawn(NamedTuple):
    """Contrasts (n, studies), and the labels and weights of their units."""

    values: np.ndarray
    clusters: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Case:
    """A kind of contrast: its draws, its mean and the largest value it can have."""

    name: str
    draw: Callable[[np.random.Generator], Drawn]
    mean: float
    span: float = 1.0


def _signed(rng: np.random.Generator, flips: np.ndarray, up: float) -> np.ndarray:
    return flips * np.where(rng.random(flips.shape) < up, 1.0, -1.0)


def independent(n: int, up: float, down: float, sigma: float = 0.0) -> Callable[[np.random.Generator], Drawn]:
    """Flips of independent units, of lognormal weights if `sigma` is not 0."""

    def draw(rng: np.random.Generator) -> Drawn:
        weights = rng.lognormal(0.0, sigma, size=n) if sigma else None
        return Drawn(_signed(rng, rng.random((n, STUDIES)) < up + down, up / (up + down)), None, weights)

    return draw


def clustered(j: int, size: int, icc: float) -> Callable[[np.random.Generator], Drawn]:
    """Flips +5%, -1% in j clusters, whose rates are beta-distributed."""
    rate, labels = 0.06, np.repeat(np.arange(j), size)

    def draw(rng: np.random.Generator) -> Drawn:
        shape = (1 - icc) / icc if icc else np.inf
        rates = rng.beta(rate * shape, (1 - rate) * shape, size=(j, STUDIES)) if icc else np.full((j, STUDIES), rate)
        return Drawn(_signed(rng, rng.random((len(labels), STUDIES)) < rates[labels], 5 / 6), labels)

    return draw


def averaged(n: int, n_draws: int = 5) -> Callable[[np.random.Generator], Drawn]:
    """5% of units can flip, to the right, each with a probability of its own in each of its draws."""

    def draw(rng: np.random.Generator) -> Drawn:
        chance = np.where(rng.random((n, STUDIES)) < 0.05, rng.random((n, STUDIES)), 0.0)
        return Drawn(rng.binomial(n_draws, chance) / n_draws)

    return draw


def interaction(n: int) -> Callable[[np.random.Generator], Drawn]:
    """The difference of two effects on the same unit: +5%, -1%, less +2%, -1%."""

    def draw(rng: np.random.Generator) -> Drawn:
        first = _signed(rng, rng.random((n, STUDIES)) < 0.06, 5 / 6)
        return Drawn(first - _signed(rng, rng.random((n, STUDIES)) < 0.03, 2 / 3))

    return draw


def paired(n: int) -> Callable[[np.random.Generator], Drawn]:
    """Two models on the same units: half of the units answer alike in both, the others flip +5%, -1% and +2%, -1%."""

    def draw(rng: np.random.Generator) -> Drawn:
        alike = rng.random((n, STUDIES)) < 0.5
        return Drawn(np.where(alike, 0.0, interaction(n)(rng).values))

    return draw


CASES = (
    *(Case(f"+5%, -1%, n = {n}", independent(n, 0.05, 0.01), 0.04) for n in (20, 50)),
    *(Case(f"+2%, n = {n}", independent(n, 0.02, 0.0), 0.02) for n in (20, 50)),
    *(Case(f"+90%, -1%, n = {n}", independent(n, 0.90, 0.01), 0.89) for n in (20, 50)),
    *(Case(f"interaction, n = {n}", interaction(n), 0.03, span=2.0) for n in (20, 50)),
    *(Case(f"two models, n = {n}", paired(n), 0.015, span=2.0) for n in (20, 50)),
    *(Case(f"5 draws averaged, n = {n}", averaged(n), 0.025) for n in (20, 50)),
    *(Case(f"weights lognormal({s}), n = 50", independent(50, 0.05, 0.01, s), 0.04) for s in (0.5, 1.0)),
    *(
        Case(f"{j} clusters of {size}, ICC {icc}", clustered(j, size, icc), 0.04)
        for j, size in ((10, 20), (20, 5), (50, 5))
        for icc in (0.0, 0.3, 0.9)
    ),
)
BY_NAME = {case.name: case for case in CASES}


def coverage(case: Case, *, calls: int) -> dict[str, Found]:
    """Return what the default does, Student's t, and bootstrap-t as for outcomes of any other kind."""
    rng, ends = np.random.default_rng(0), []
    for call in range(calls):
        drawn, one = case.draw(rng), {}
        for name, method, span in zip(
            METHODS, ("bootstrap-t", "t", "bootstrap-t"), (case.span, None, np.nan), strict=True
        ):
            settings = Inference(method=method, n_resamples=999, seed=call)  # type: ignore[arg-type]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateWarning)
                found = mean_intervals(
                    drawn.values, clusters=drawn.clusters, weights=drawn.weights, settings=settings, span=span
                )
            one[name] = found.conf_low, found.conf_high
        ends.append(one)
    return found_of(ends, case.mean)
