"""Bands over the sites of several outcomes that are read in the same runs, and so depend on each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

import mediation as med

SCALES = {"kl": 0.01, "logit": 50.0}


class Errors(NamedTuple):
    """Share of studies without any effect in which some band of any outcome excludes 0, by the family of the bands."""

    outcome: float
    together: float


def errors(*, n: int, sites: int, correlation: float, studies: int, n_resamples: int = 499) -> Errors:
    """Return the family-wise errors over two outcomes in different units, correlated within unit and site."""
    rng, wrong = np.random.default_rng(0), np.zeros(2)
    unit, site = np.tile(np.arange(n), sites), np.repeat([f"mlp({site})" for site in range(sites)], n)
    for study in range(studies):
        common = rng.normal(size=n * sites) + 0.5 * np.tile(rng.normal(size=n), sites)
        frames = []
        for name, scale in SCALES.items():
            own = rng.normal(size=n * sites) + 0.5 * np.tile(rng.normal(size=n), sites)
            values = scale * (np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
            frames.append(pd.DataFrame({"outcome": name, "site": site, "unit": unit, "y00": 0.0, "y01": values}))
        frame = pd.concat(frames)
        within = med.effects(frame, estimands="pnie", n_resamples=n_resamples, rng=study)
        for at, found in enumerate((within, within.adjust("max-t", family="outcomes"))):
            table = found.tidy()
            wrong[at] += bool(((table["band_low"] > 0) | (table["band_high"] < 0)).any())
    return Errors(*(wrong / studies))
