"""Specification tables made from synthetic units, without a model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mediation.estimands import estimands_from
from mediation.estimate import tabulate_specifications, with_shares
from mediation.inference import Inference
from mediation.results import Effects
from tests.results.results_factory import provenance

METRICS = {"logit difference": 2.4, "log probability": 1.1, "probability": 0.2}
CORRUPTIONS = {"corrupted": 1.0, "another name": 0.9, "noise 3": 0.4}
ARMS = {("zero", math.nan): 0.9, ("mean", math.nan): 0.5, ("noise", 0.5): 0.3, ("noise", 1.0): 0.6}


def make_specification(
    *,
    outcomes: Sequence[str] = tuple(METRICS),
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
    arms: Sequence[tuple[str, float]] = tuple(ARMS),
    estimands: Sequence[str] = ("pnie",),
    n: int = 60,
    seed: int = 0,
) -> Effects:
    """Make a table whose mediator carries 0.45 of TE, less under noise, where TE is weak on probabilities."""
    rng = np.random.default_rng(seed)
    luck, frames = rng.normal(size=(5, n)), []
    for corruption in corruptions:
        for metric in outcomes:
            unit, size = METRICS.get(metric, 1.0), CORRUPTIONS.get(corruption, 1.0)
            noise = unit * (luck + 0.4 * rng.normal(size=(5, n))) * (1.0 if size > 0.5 else 2.0)
            te = unit * size
            worlds = {"y00": noise[0] / 2, "y01": 0.45 * te + noise[1] / 2, "y11": te + noise[3] / 2}
            worlds["y10"] = 0.6 * te + noise[2] / 2
            named = {"outcome": metric, "corruption": corruption}
            frames.append(pd.DataFrame({**named, "arm": "", "dose": math.nan, "unit": range(n), "draw": 0, **worlds}))
            for arm, dose in arms if corruption == corruptions[0] else ():
                for draw in range(1 if math.isnan(dose) else 3):
                    lost = te * ARMS[(arm, dose)] + 0.4 * noise[4] + (0.1 * unit * rng.normal(size=n) if draw else 0.0)
                    more = {"y": worlds["y11"], "ym": worlds["y11"] - lost, "y00": worlds["y00"], "y11": worlds["y11"]}
                    mine = {**named, "arm": arm, "dose": dose, "unit": range(n), "draw": draw, **more}
                    frames.append(pd.DataFrame(mine))
    units = pd.concat(frames, ignore_index=True).assign(site="residual[12]@last", weight=1.0)
    units["cluster"] = units["unit"]
    wanted = with_shares(estimands_from(("y00", "y01", "y10", "y11"), estimands))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = tabulate_specifications(units, wanted, Inference(n_resamples=199, seed=0))
    pairs = {"n": n, "n_clusters": n, "base": "corrupted", "source": "clean"}
    return Effects(table, units, provenance(kind="specification", pairs=pairs, run="source"))
