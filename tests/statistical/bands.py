"""Bands of few units or clusters, and intervals of very few: how wide they are, and what they hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from mediation.inference import Inference, mean_intervals
from tests.statistical.coverage import STUDIES
from tests.statistical.found import Found, found_of, standard

CAPS = (1.15, 2.0)  # times Student's critical value


class Bands(NamedTuple):
    """Family-wise error, and the median reach of bands in standard errors and over Bonferroni's with Student's t."""

    error: float
    reach: float
    over_bonferroni: float


def bands(n: int, sites: int, tails: str, *, studies: int, n_resamples: int = 999) -> Bands:
    """Return what bands over sites without effect do, whose units share a fifth of their variance."""
    rng, wrong, reach = np.random.default_rng(0), 0, []
    for study in range(studies):
        values = standard(rng, tails, (n, sites)) + 0.5 * standard(rng, tails, (n, 1))
        found = mean_intervals(values, settings=Inference(n_resamples=n_resamples, seed=study), bands=True)
        wrong += bool(((found.band_low > 0) | (found.band_high < 0)).any())
        reach.append(np.median((found.band_high - found.band_low) / 2 / found.std_error))
    middle = float(np.median(reach))
    return Bands(wrong / studies, middle, middle / float(stats.t.isf(0.025 / sites, n - 1)))


DESIGNS = {
    **{f"n = {n}": (n, 1) for n in (4, 6, 8, 10, 20, 50)},
    **{f"J = {j} clusters of 5": (j, 5) for j in (4, 5, 6)},
}


def widths(design: str, tails: str, *, calls: int) -> dict[str, Found]:
    """Return what the default does, the default with critical values at most `CAPS` times Student's, and Student's t.

    Widths are divided by the mean of Student's t. Clusters have an intraclass correlation of .3.
    """
    j, size = DESIGNS[design]
    labels, rng = np.repeat(np.arange(j), size), np.random.default_rng(0)
    ends, of_t = [], []
    icc, student = 0.3 if size > 1 else 0.0, stats.t.ppf(0.975, j - 1)
    for call in range(calls):
        between = standard(rng, tails, (j, STUDIES))[labels]
        values = np.sqrt(icc) * between + np.sqrt(1 - icc) * standard(rng, tails, (len(labels), STUDIES))
        found, t = (
            mean_intervals(values, clusters=labels, settings=Inference(method=method, n_resamples=999, seed=call))
            for method in ("bootstrap-t", "t")
        )
        of_t.append((t.conf_high - t.conf_low).mean())
        one = {"default": (found.conf_low, found.conf_high), "t": (t.conf_low, t.conf_high)}
        for cap in CAPS:
            far = cap * student * found.std_error
            capped = np.maximum(found.conf_low, found.estimate - far), np.minimum(found.conf_high, found.estimate + far)
            one[f"at most {cap:g} t"] = capped
        ends.append(one)
    return found_of(ends, 0.0, np.full(calls, np.mean(of_t)))
