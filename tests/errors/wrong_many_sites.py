"""Wrong questions of results with many rows: adjusted p-values, layers first, tests from units."""

from __future__ import annotations

import numpy as np

import mediation as med
from mediation.inference import hierarchical_max_t, mcnemar, sign_flip, wilson
from tests.errors.bench import Bench, Call

MANY_SITES: dict[str, Call] = {
    "adjust by an unknown method": lambda b: b.sweep.adjust("bonferoni"),
    "adjust over an unknown family": lambda b: b.sweep.adjust("bh", family="sites"),
    "adjust effects of one site": lambda b: b.effects.adjust(),
    "hierarchy of one site": lambda b: b.effects.hierarchy(),
    "hierarchy of layers of one site each": lambda b: b.sweep.hierarchy(),
    "hierarchy of an unknown estimand": lambda b: b.sweep.hierarchy("pni"),
    "hierarchy at a level of 5": lambda b: b.sweep.hierarchy(alpha=5),
    "test by an unknown method": lambda b: b.effects.test(method="sign_flip"),
    "test of a ratio": lambda b: b.effects.test("pm"),
    "mcnemar of clusters": lambda b: clustered(b).test("pnie", method="mcnemar"),
    "mcnemar of other numbers": lambda b: mcnemar(np.array([[0.5], [1.0]])),
    "wilson of flips": lambda b: wilson(np.array([[-1.0], [1.0]])),
    "sign flips of one axis": lambda b: sign_flip(np.ones(5)),
    "one-sided sign flips": lambda b: sign_flip(np.ones((5, 1)), alternative="one-sided"),
    "groups that lack a label": lambda b: hierarchical_max_t(np.ones((5, 3)), ["a", "b"]),
}


def clustered(b: Bench) -> med.Effects:
    """Flips of units in clusters."""
    frame = b.outcomes[["y00", "y01"]].round().assign(cluster=list("aabbcc"))
    return med.effects(frame, rng=0, n_resamples=99)
