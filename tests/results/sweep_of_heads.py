"""A sweep over heads made from units, with layers: one strong head, one layer of weak heads of both signs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mediation.estimands import estimands_from
from mediation.estimate import SiteInfo, units_from
from mediation.inference import Inference
from mediation.results import Effects, summarise


def frame_of_heads(n: int = 60, n_layers: int = 4, n_heads: int = 6, seed: int = 0) -> pd.DataFrame:
    """Potential outcomes of n units at every head."""
    rng = np.random.default_rng(seed)
    effects = np.zeros((n_layers, n_heads))
    effects[1] = 0.4 * np.resize([1.0, -1.0], n_heads)
    effects[2, n_heads // 2] = 1.0
    base, whole = rng.normal(size=n), 2 + 0.2 * rng.normal(size=n)
    rows = []
    for layer in range(n_layers):
        for head in range(n_heads):
            own = effects[layer, head] + rng.normal(size=n)
            outcomes = {"y00": base, "y01": base + own, "y10": base + whole - 0.5 * own, "y11": base + whole}
            rows.append(pd.DataFrame({"unit": range(n), "site": f"attention[{layer}].head[{head}]@last", **outcomes}))
    return pd.concat(rows, ignore_index=True)


def make_heads(
    *, n: int = 60, estimands: tuple[str, ...] = ("te", "pnie", "tnie"), n_resamples: int = 999, n_heads: int = 6
) -> Effects:
    """Return a sweep over 4 layers of heads."""
    units = units_from(frame_of_heads(n, n_heads=n_heads))
    sites = {
        f"attention[{layer}].head[{head}]@last": SiteInfo(layer, "last", head)
        for layer in range(4)
        for head in range(n_heads)
    }
    settings = Inference(n_resamples=n_resamples, seed=5)
    provenance = {"outcome": "LogitDiff('answer', 'foil')", "position_labels": {"last": "last"}}
    wanted = estimands_from(["y00", "y01", "y10", "y11"], estimands)
    return summarise(units, wanted, settings, sites=sites, provenance=provenance)


def make_hierarchy() -> Effects:
    """Return the tests of its layers and heads."""
    return make_heads().hierarchy()
