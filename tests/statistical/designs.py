"""Simulated designs beyond independent units: what their intervals cover, and how wide they are.

Each function takes the number of simulations and a generator and returns the share of intervals that hold the truth
for each method, so that a study can run more of them than a test.
"""

from __future__ import annotations

import warnings

import numpy as np

from mediation.errors import DegenerateWarning
from mediation.inference import (
    Inference,
    crossed_intervals,
    crossed_ratio_intervals,
    group_difference_intervals,
    mean_intervals,
    ratio_difference_intervals,
)
from mediation.inference.ratios._fieller import gap_in


def covers(found, truth):
    """Return whether each interval holds the truth; one that does not exist does not."""
    return (found.conf_low <= truth) & (truth <= found.conf_high)


def shared_draws(n, n_draws, sims, rng, *, unit=1.0, draw=0.5, cell=1.0):
    """Draws (n, R, sims) of unit + draw + cell effects with mean 0; every simulation is a column."""
    units = rng.normal(0.0, unit, size=(n, 1, sims))
    draws = rng.normal(0.0, draw, size=(1, n_draws, sims)) if draw else np.zeros((1, n_draws, sims))
    return units + draws + rng.normal(0.0, cell, size=(n, n_draws, sims))


def crossed_coverage(n, n_draws, sims, rng, *, n_resamples=999, draw=0.5, block=250):
    """Coverage of the two-way interval, and of averaging the shared draws and resampling units."""
    two_way, averaged = [], []
    for call, start in enumerate(range(0, sims, block)):
        settings = Inference(n_resamples=n_resamples, seed=call)  # columns of one call share their resamples
        values = shared_draws(n, n_draws, min(block, sims - start), rng, draw=draw)
        two_way.append(covers(crossed_intervals(values, settings=settings), 0.0))
        averaged.append(covers(mean_intervals(values.mean(axis=1), settings=settings), 0.0))
    return {"two-way t": np.concatenate(two_way).mean(), "averaged, units resampled": np.concatenate(averaged).mean()}


def _clusters(n_clusters, sims, rng, icc=0.3):
    """Exponential effects of clusters of 5 to 15 units and of units, with mean 0 and variance 1."""
    labels = np.repeat(np.arange(n_clusters), rng.integers(5, 16, size=n_clusters))
    between = np.sqrt(icc) * (rng.exponential(size=(n_clusters, sims)) - 1.0)
    return between[labels] + np.sqrt(1 - icc) * (rng.exponential(size=(len(labels), sims)) - 1.0), labels


def _flips(n, up, down, sims, rng):
    return rng.choice([1.0, -1.0, 0.0], p=[up, down, 1 - up - down], size=(n, sims))


# name: (first, second, clusters of the first, of the second, true difference)
TWO_GROUPS = {
    "normal 30 (sd 2), 60 (sd 1)": lambda sims, rng: (
        rng.normal(0, 2, (30, sims)), rng.normal(0, 1, (60, sims)), None, None, 0.0,
    ),
    "normal 30 (sd 1), 60 (sd 2)": lambda sims, rng: (
        rng.normal(0, 1, (30, sims)), rng.normal(0, 2, (60, sims)), None, None, 0.0,
    ),
    "exponential 30 (scale 2), 60 (scale 1)": lambda sims, rng: (
        rng.exponential(2, (30, sims)), rng.exponential(1, (60, sims)), None, None, 1.0,
    ),
    "exponential 30 (scale 1), 60 (scale 2)": lambda sims, rng: (
        rng.exponential(1, (30, sims)), rng.exponential(2, (60, sims)), None, None, -1.0,
    ),
    "clusters 10, 10 (exponential, ICC .3)": lambda sims, rng: (
        lambda one, two: (one[0], two[0] * 2, one[1], two[1], 0.0)
    )(_clusters(10, sims, rng), _clusters(10, sims, rng)),
    "right or wrong: 30 (5%), 60 (15%)": lambda sims, rng: (
        _flips(30, 0.05, 0, sims, rng), _flips(60, 0.15, 0, sims, rng), None, None, -0.10,
    ),
    "flips: 30 (5%, 1%), 60 (10%, 2%)": lambda sims, rng: (
        _flips(30, 0.05, 0.01, sims, rng), _flips(60, 0.10, 0.02, sims, rng), None, None, -0.04,
    ),
}  # fmt: skip


def group_coverage(name, sims, rng, *, n_resamples=999, block=100, methods=("bootstrap-t", "t", "percentile")):
    """Coverage of the difference of two independent groups, by method; every simulation is a column."""
    inside = {method: [] for method in methods}
    for call, start in enumerate(range(0, sims, block)):
        first, second, one, two, truth = TWO_GROUPS[name](min(block, sims - start), rng)
        for method in methods:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DegenerateWarning)
                found = group_difference_intervals(
                    first, second, clusters_first=one, clusters_second=two,
                    settings=Inference(method=method, n_resamples=n_resamples, seed=call),
                )  # fmt: skip
            inside[method].append(covers(found, truth))
    return {method: np.concatenate(found).mean() for method, found in inside.items()}


def crossed_ratio_coverage(n, n_draws, sims, rng, *, block=250, denominator=2.0):
    """Coverage of the two-way Fieller set of a ratio of .5, and the share of sets that are unbounded."""
    inside, unbounded = [], []
    for start in range(0, sims, block):
        size = min(block, sims - start)
        below = denominator + shared_draws(n, n_draws, size, rng)
        above = 0.5 * below + shared_draws(n, n_draws, size, rng, unit=0.5, draw=0.25, cell=0.5)
        found = crossed_ratio_intervals(above, below)
        gap = [gap_in(method) for method in found.method]
        out = np.array([one is not None and one[0] < 0.5 < one[1] for one in gap])
        inside.append(covers(found, 0.5) & ~out)
        unbounded.append(np.isinf(found.conf_low) & np.isinf(found.conf_high))
    return {"two-way fieller": np.concatenate(inside).mean(), "unbounded": np.concatenate(unbounded).mean()}


def _ratio_units(name, n, share, strength, rng):
    """Numerator and denominator (n,) of a ratio `share`; `strength` is the mean of the denominator over its sd."""
    if name == "normal":
        below = rng.normal(strength, 1.0, size=n)
        return share * below + rng.normal(0.0, 0.5, size=n), below
    if name == "skewed":
        below = strength + rng.exponential(size=n) - 1.0
        return share * below + 0.5 * (rng.exponential(size=n) - 1.0), below
    right = rng.random(n) < strength  # answers that are right or wrong
    return (right & (rng.random(n) < share)).astype(float), right.astype(float)


def ratio_difference_coverage(name, n, strength, sims, rng, *, paired=True, method="bootstrap-t", n_resamples=999):
    """Coverage of a difference of two ratios, .6 and .3, among samples that are given an interval; their share."""
    inside, given = [], []
    for call in range(sims):
        one, two = _ratio_units(name, n, 0.6, strength, rng), _ratio_units(name, n, 0.3, strength, rng)
        if paired:  # the same total effect on the same units, up to noise
            two = (two[0] + 0.3 * (one[1] - two[1]), one[1]) if name != "flips" else two
        settings = Inference(method=method, n_resamples=n_resamples, seed=call)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            columns = [tuple(array[:, None] for array in each) for each in (one, two)]
            found = ratio_difference_intervals(*columns, paired=paired, settings=settings)
        given.append(not np.isnan(found.conf_low[0]))
        inside.append(covers(found, 0.3)[0])
    return {"coverage": np.mean(np.array(inside)[np.array(given)]), "given": np.mean(given)}
