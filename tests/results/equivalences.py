"""Results whose effects are, by construction, small, large, both or undecided; and their tests of equivalence."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd

from mediation import Effects, effects, power
from mediation.errors import DegenerateWarning, WeakTotalEffectWarning
from mediation.results import Power

MARGIN = 0.1
SITES = {  # mean and standard deviation of the units' indirect effects, by what a margin of 0.1 makes of them
    "equivalent": (0.0, 0.2),
    "both: real but negligible": (0.05, 0.1),
    "different": (0.8, 0.3),
    "undecided": (0.1, 0.8),
    "no interval": (0.0, 0.0),
}


def exact(mean: float, sd: float, n: int, seed: int) -> np.ndarray:
    """Return n numbers with just this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(size=n)
    return mean + sd * (values - values.mean()) / values.std(ddof=1)


def units(
    *, n: int = 80, te: float = 2.0, sd: float = 0.5, indirect: tuple[float, float] = (0.0, 0.2), seed: int = 1
) -> pd.DataFrame:
    """Return potential outcomes without interaction: TE of this mean and sd, PNIE = TNIE as `indirect` says."""
    y00 = np.random.default_rng(9).normal(size=n)
    indirect_ = exact(*indirect, n, seed)
    total = exact(te, sd, n, seed + 1)
    return pd.DataFrame({"y00": y00, "y01": y00 + indirect_, "y10": y00 + total - indirect_, "y11": y00 + total})


def made(frame: pd.DataFrame, **more: Any) -> Effects:
    options = {"rng": 0, "n_resamples": 999, "provenance": {"outcome": "LogitDiff('a', 'b')"}, **more}
    with warnings.catch_warnings():
        for one in (DegenerateWarning, WeakTotalEffectWarning):
            warnings.simplefilter("ignore", one)
        return effects(frame, **options)


def checked(result: Effects, margin: float = MARGIN, **options: Any) -> Effects:
    with warnings.catch_warnings():
        for one in (DegenerateWarning, WeakTotalEffectWarning):
            warnings.simplefilter("ignore", one)
        return result.equivalence(margin, **options)


@functools.cache
def sweep() -> Effects:
    """One site for each verdict on PNIE."""
    frames = [
        units(indirect=moments).assign(site=f"mlp({layer})", unit=range(80))
        for layer, moments in enumerate(SITES.values())
    ]
    return made(pd.concat(frames, ignore_index=True), estimands=["te", "pnie", "pm_pure"])


@functools.cache
def arms() -> Effects:
    y = np.random.default_rng(0).normal(size=60)
    rows = [
        pd.DataFrame({"unit": range(60), "arm": arm, "dose": dose, "y": y, "ym": y - exact(mean, 0.2, 60, 3)})
        for arm, dose, mean in (("Zero()", np.nan, 0.6), ("Noise", 0.5, 0.01), ("Noise", 1.0, 0.2))
    ]
    return made(pd.concat(rows, ignore_index=True))


@functools.cache
def make_effects_pilot() -> Effects:
    return made(units(indirect=(0.3, 1.0)))


@functools.cache
def make_power() -> Power:
    """Return the power of a study like one of 80 units, checked by simulation."""
    return power(make_effects_pilot(), effect=0.3, margin=0.35, simulate=200)


def make_equivalence(of: str = "sweep") -> Effects:
    if of == "effects":
        return checked(made(units()))
    return checked(sweep() if of == "sweep" else arms())
