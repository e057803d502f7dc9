"""Results of kind 'interactions' from a made-up game, without a model."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from mediation import MediationWarning
from mediation.estimands._coalitions import sampled_orders
from mediation.estimate import Direction, Game, tabulate_interactions
from mediation.inference import Inference
from mediation.results import Effects
from tests.results.results_factory import provenance


def make_interactions(
    k: int = 4, *, sampled: bool = False, pairwise: bool = True, direction: Direction = "denoising", n: int = 40
) -> Effects:
    """Make k sites of falling size: the first two need each other, the second and third are redundant."""
    rng = np.random.default_rng(k)
    sites = tuple(f"attention[{9 + i}].head[{(5 * i) % 12}]" for i in range(k))
    orders = sampled_orders(k, 16, rng) if sampled else None
    game = Game(players=sites, direction=direction, orders=orders, pairwise=pairwise)
    size, noise = 1.0 + 0.3 * rng.normal(size=n), rng.normal(size=(n, k))
    context = rng.normal(scale=0.2, size=(n, k, k))
    base, frames = rng.normal(size=n), []
    for coalition in game.coalitions:
        chosen = set(coalition)
        worth = sum(size * 0.8**i + 0.4 * noise[:, i] for i in coalition)
        worth = worth + sum(context[:, i, j] for i in coalition for j in coalition if i < j)
        worth = worth + size * (0.9 * ({0, 1} <= chosen) - 0.5 * ({1, 2} <= chosen))
        outcomes = (
            {"y00": base, "y01": base + worth} if direction == "denoising" else {"y10": base - worth, "y11": base}
        )
        units = {
            "site": game.name_of(coalition),
            "unit": np.arange(n),
            "cluster": np.arange(n),
            "weight": 1.0,
            "draw": 0,
        }
        frames.append(pd.DataFrame({**units, **outcomes}))
    units = pd.concat(frames, ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MediationWarning)
        table = tabulate_interactions(units, game, Inference(n_resamples=199))
    account = {
        "sites": list(sites),
        "direction": direction,
        "pairwise": pairwise,
        "coalitions": len(game.coalitions),
        "orders": None if orders is None else orders.tolist(),
    }
    known = provenance(kind="interactions", interactions=account, mediator=" & ".join(sites))
    known["inference"] = {**known["inference"], "n_resamples": 199}
    known["pairs"] = {**known["pairs"], "n": n, "n_clusters": n}
    return Effects(table, units, known)
