"""Simulated designs beyond independent units: what their intervals cover, and how wide they are.

Each function takes the number of simulations and a generator and returns the share of intervals that hold the truth
for each method, so that a study can run more of them than a test.
"""

from __future__ import annotations

import numpy as np

from mediation.inference import Inference, crossed_intervals, mean_intervals


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
    settings = Inference(n_resamples=n_resamples)
    two_way, averaged = [], []
    for start in range(0, sims, block):
        values = shared_draws(n, n_draws, min(block, sims - start), rng, draw=draw)
        two_way.append(covers(crossed_intervals(values, settings=settings), 0.0))
        averaged.append(covers(mean_intervals(values.mean(axis=1), settings=settings), 0.0))
    return {"two-way t": np.concatenate(two_way).mean(), "averaged, units resampled": np.concatenate(averaged).mean()}
