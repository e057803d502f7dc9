"""Screened sweeps without any effect: how often a band of the chosen sites leaves out 0, by the rule of the bands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from mediation.inference import Inference, family_reach, mean_intervals
from mediation.results.account._screened import for_all_sites
from tests.statistical.found import standard

SITES, CHOSEN, SAMPLE = 200, 10, 30


class Screened(NamedTuple):
    """Family-wise errors of three rules, and the mean width of the first over that of the second."""

    default: float
    by_student: float
    named: float
    width: float


def screened(n: int, tails: str, noise: float, *, studies: int, n_resamples: int = 499) -> Screened:
    """Return errors over `studies` sweeps of 200 sites: the 10 of the largest |score| are reported, and 30 sampled.

    Effects have mean 0, variance 1 and correlations of .2; scores are effects plus normal noise of this standard
    deviation, unit by unit. The rules: the default; the widest of max-t over the chosen sites and Bonferroni's t over
    all; and max-t over the chosen, as if they had been named in advance.
    """
    rng, wrong, width = np.random.default_rng(0), np.zeros(3), []
    for study in range(studies):
        shared, own = standard(rng, tails, (n, 1)), standard(rng, tails, (n, SITES))
        effect = np.sqrt(0.2) * shared + np.sqrt(0.8) * own
        score = effect + noise * rng.normal(size=effect.shape)
        chosen = np.argsort(-np.abs(score.mean(axis=0)))[:CHOSEN]
        settings = Inference(n_resamples=n_resamples, seed=study)
        found = mean_intervals(effect[:, chosen], settings=settings, bands=True)
        named = pd.DataFrame({
            "estimand": "pnie", "estimate": found.estimate, "std_error": found.std_error, "n_clusters": n,
            "band_low": found.band_low, "band_high": found.band_high, "p_adjusted": found.p_adjusted,
        })  # fmt: skip
        levels = [settings.alpha]
        screen = {"units": "the same", "sites": SITES, "null": 0}
        rest = np.setdiff1d(np.arange(SITES), chosen)
        ran = np.append(chosen, rng.choice(rest, SAMPLE, replace=False))
        stand = score.copy()
        stand[:, ran] = effect[:, ran]
        reach = {"pnie": [levels, family_reach(stand, levels, exact=effect[:, ran], settings=settings)]}
        rules = [for_all_sites(named, {"screen": one}) for one in (screen | {"reach": reach}, screen)] + [named]
        wrong += [bool(((rule["band_low"] > 0) | (rule["band_high"] < 0)).any()) for rule in rules]
        wide = [(rule["band_high"] - rule["band_low"]).mean() for rule in rules]
        width.append(wide[0] / wide[1])
    return Screened(*(wrong / studies).tolist(), float(np.mean(width)))
