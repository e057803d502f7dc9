"""Power by simulation: samples from the pilot, moved to the alternative, each given the test that would be used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mediation.errors import DegenerateWarning

from ._flip_power import Flips, flips_of
from ._intervals import mean_intervals
from ._sampling import Array, Sampling, sampling
from ._settings import Inference

_COLUMNS = 256  # samples in one call; also bounds the memory


class Simulated(NamedTuple):
    """A power by simulation.

    Parameters
    ----------
    n, n_clusters
        Mean number of units of the samples, and their number of clusters.
    power
        Share of the samples in which the claim was made.
    low, high
        Wilson's 95% interval of that share.
    n_samples
        Number of samples.
    """

    n: int
    n_clusters: int
    power: float
    low: float
    high: float
    n_samples: int


class _Sample(NamedTuple):
    """Samples that share one design: values (n, k), their clusters and weights."""

    values: Array
    clusters: NDArray[Any] | None
    weights: Array | None


def simulated_power(
    values: ArrayLike,
    n_clusters: int,
    effect: float,
    *,
    margin: float | None = None,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    spread: float = 1.0,
    settings: Inference,
    n_samples: int = 1000,
    seed: int = 0,
) -> Simulated:
    """Return the share of samples like the pilot whose interval leaves out 0, or lies inside (-margin, margin).

    Parameters
    ----------
    values
        The pilot, one number per unit, (n,).
    n_clusters
        Number of clusters in a sample (units, when there are no clusters), drawn from the pilot's with replacement.
    effect
        True mean in the simulation: the pilot's values are shifted to it, their deviations multiplied by
        sqrt(J / (J - 1)), so that the variance drawn from is the unbiased estimate. Values of -1, 0 and 1 of
        independent units stay so: their shares are changed instead, that of discordant units kept where it can be.
    margin
        Margin of equivalence; None asks for the power against no effect.
    clusters, weights
        Of the pilot, (n,) each; a unit keeps its weight.
    spread
        Factor for the deviations in addition, where a larger standard deviation than the pilot's is assumed.
    settings
        Method, level and resamples of the test; its seed is not used.
    n_samples, seed
        Number of samples, and what they are drawn from.

    Examples
    --------
    >>> pilot = np.random.default_rng(0).normal(size=40)
    >>> found = simulated_power(pilot / pilot.std(ddof=1), 34, 0.5, settings=Inference(n_resamples=199), n_samples=400)
    >>> 0.72 < found.power < 0.86
    True
    """
    pilot = np.asarray(values, dtype=float)
    design = sampling(len(pilot), None if clusters is None else np.asarray(clusters), weights)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x706F7765,)))
    made, units = 0, 0.0
    for call, sample in enumerate(_samples(_moved(pilot, design, effect, spread), design, n_clusters, n_samples, rng)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)  # all units alike: no claim
            found = mean_intervals(
                sample.values, clusters=sample.clusters, weights=sample.weights, settings=replace(settings, seed=call)
            )
        low, high = found.conf_low, found.conf_high
        made += int(np.sum((low > 0) | (high < 0) if margin is None else (low > -margin) & (high < margin)))
        units += len(sample.values) * sample.values.shape[1]
    ends = stats.binomtest(made, n_samples).proportion_ci(method="wilson")
    return Simulated(
        round(units / n_samples), n_clusters, made / n_samples, float(ends.low), float(ends.high), n_samples
    )


def _moved(pilot: Array, design: Sampling, effect: float, spread: float) -> Array | Flips:
    """Return the pilot at the alternative: its units moved, or the shares of its flips."""
    flips = flips_of(pilot) if not design.clustered and design.equal_weights else None
    if flips is not None:
        return flips.scaled(spread**2).shifted(effect)
    left = pilot - float(np.average(pilot, weights=design.weights))
    return left * (spread * float(np.sqrt(design.n_clusters / (design.n_clusters - 1)))) + effect


def _samples(
    moved: Array | Flips, design: Sampling, n_clusters: int, n_samples: int, rng: np.random.Generator
) -> Iterator[_Sample]:
    """Yield samples in as few calls as can be: with clusters of one size, the test of their means is the same test."""
    if isinstance(moved, Flips):
        for k in _parts(n_samples):
            yield _Sample(_flipped(moved, (n_clusters, k), rng), None, None)
        return
    sizes = np.diff(design.starts, append=design.n)
    means = design.totals(moved[None])[0] / sizes
    if design.equal_weights and len(set(sizes.tolist())) == 1 and flips_of(means) is None:
        for k in _parts(n_samples):
            yield _Sample(rng.choice(means, size=(n_clusters, k)), None, None)
        return
    members = np.split(design.order, design.starts[1:])
    for _ in range(n_samples):
        picks = rng.integers(design.n_clusters, size=n_clusters)
        units = np.concatenate([members[pick] for pick in picks])
        labels = np.repeat(np.arange(n_clusters), sizes[picks])
        yield _Sample(moved[units][:, None], labels, design.weights[units])


def _parts(n_samples: int) -> Iterator[int]:
    yield from (min(_COLUMNS, n_samples - start) for start in range(0, n_samples, _COLUMNS))


def _flipped(flips: Flips, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    draws = rng.random(shape)
    return np.where(draws < flips.up, 1.0, np.where(draws < flips.discordant, -1.0, 0.0))
