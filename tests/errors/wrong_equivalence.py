"""Wrong questions of equivalence and of power."""

from __future__ import annotations

import mediation as med
from tests.errors.bench import Call

EQUIVALENCE: dict[str, Call] = {
    "no margin": lambda b: b.effects.equivalence(0),
    "margin in words": lambda b: b.effects.equivalence("10%"),
    "alpha of both sides": lambda b: b.effects.equivalence(0.1, alpha=0.95),
    "unknown estimand": lambda b: b.effects.equivalence(0.1, estimands="pnei"),
    "one margin on two scales": lambda b: b.effects.equivalence(0.1, estimands=["pnie", "pm"]),
    "share of a ratio": lambda b: b.effects.equivalence(0.1, relative_to="pm"),
    "share of itself": lambda b: b.effects.equivalence(0.1, estimands="te", relative_to="te"),
    "of a test of equivalence": lambda b: b.effects.equivalence(0.1).equivalence(0.2),
    "drawn before it is tested": lambda b: med.plot.equivalence(b.effects),
}
POWER: dict[str, Call] = {
    "of a frame": lambda b: med.power(b.outcomes),
    "of a ratio": lambda b: med.power(b.effects, estimand="pm"),
    "site of a sweep not named": lambda b: med.power(b.sweep),
    "below alpha": lambda b: med.power(b.effects, power=0.01),
    "no margin": lambda b: med.power(b.effects, margin=0),
    "no effect": lambda b: med.power(b.effects, effect=0),
    "one unit": lambda b: med.power(b.effects, n=1),
    "drawn before it is made": lambda b: med.plot.power(b.effects),
}
