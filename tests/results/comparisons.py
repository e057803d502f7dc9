"""Pairs of results whose differences are known, and comparisons of them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mediation import Effects, effects
from mediation.errors import SharedDrawsWarning, WeakTotalEffectWarning


def potential_outcomes(
    *, n: int = 60, n_clusters: int = 60, te: float = 2.0, seed: int = 0, sites: Sequence[str] = ("",)
) -> pd.DataFrame:
    """Return y00 to y11 of n units at each site; the units' own levels are the same for every seed."""
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(99).normal(size=n)
    cluster = np.arange(n) % n_clusters
    frames = []
    for site in sites:
        shift = 0.3 * rng.normal(size=n_clusters)[cluster]
        noise = 0.5 * rng.normal(size=(3, n))
        columns = {
            "y00": level,
            "y01": level + 0.5 * te + shift + noise[0],
            "y10": level + 0.3 * te + noise[1],
            "y11": level + te + shift + noise[2],
        }
        frames.append(pd.DataFrame({"site": site, "unit": np.arange(n), "cluster": cluster, "weight": 1.0, **columns}))
    return pd.concat(frames, ignore_index=True)


def result(frame: pd.DataFrame, **options: Any) -> Effects:
    told = {"rng": 0, "n_resamples": 999, "provenance": {"outcome": "LogitDiff('a', 'b')"}, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SharedDrawsWarning)
        warnings.simplefilter("ignore", WeakTotalEffectWarning)
        return effects(frame, **told)


def two_models(**options: Any) -> tuple[Effects, Effects]:
    options = {"n_clusters": 12, **options}
    known = [
        {
            "outcome": "LogitDiff('a', 'b')",
            "model": {"id": name},
            "pairs": {"cluster": "template"},
        }
        for name in ("SmolLM2-135M", "SmolLM2-360M")
    ]
    frames = (
        potential_outcomes(seed=seed, te=te, **{"sites": ("mlp[3]",), **options}) for seed, te in ((1, 2.0), (2, 1.5))
    )
    one, two = (result(frame, provenance=about) for frame, about in zip(frames, known, strict=True))
    return one, two


@functools.cache
def make_comparison(of: str = "effects") -> Effects:
    labels = ("small", "large")
    if of == "sweep":
        sites = tuple(f"residual[{layer}]@last" for layer in range(4))
        one, two = (result(potential_outcomes(seed=seed, te=te, sites=sites)) for seed, te in ((3, 2.0), (4, 1.0)))
        return one.compare(two, labels=labels)
    if of == "arms":
        one, two = (result(arms(seed=seed)) for seed in (5, 6))
        return one.compare(two, labels=labels)
    if of == "groups":
        other = potential_outcomes(n=40, n_clusters=10, seed=8, sites=("mlp[3]",))
        one, two = two_models()[0], result(other.assign(unit=other["unit"] + 100))
        return one.compare(two, labels=labels, estimands=["te", "pnie", "pm"])
    one, two = two_models()
    return one.compare(two, labels=labels)


def arms(seed: int, n: int = 30, names: Sequence[tuple[str, float]] = (("noise", 0.5), ("noise", 1.0))) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.normal(2.0, 1.0, size=n)
    rows = [("Zero()", np.nan), *names]
    return pd.concat(
        [
            pd.DataFrame(
                {"site": "mlp[3]", "unit": range(n), "arm": arm, "dose": dose, "y": y, "ym": y - rng.normal(1, 0.3, n)}
            )
            for arm, dose in rows
        ],
        ignore_index=True,
    )
