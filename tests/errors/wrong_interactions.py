"""Wrong questions of several mediators, and wrong figures of their interactions."""

from __future__ import annotations

from typing import Any

import mediation as med
from tests.errors.bench import QUICK, Bench, Call

TWO = med.residual([0, 1], at="last")


def ask(b: Bench, mediators: Any, **options: Any) -> med.Effects:
    """Ask how mediators of the language model share their joint effect."""
    outcome = med.LogitDiff("answer", "foil")
    return med.interactions(b.llama, b.pairs, mediators, outcome, **{**QUICK, **b.options, **options})


def heads(count: int) -> dict[str, Any]:
    """Return single heads of the model as mediators, at different positions."""
    return {f"{i}": med.attention(i % 3, head=i // 3 % 4, at=i // 12) for i in range(count)}


INTERACTIONS: dict[str, Call] = {
    "one site": lambda b: ask(b, med.residual(1)),
    "a joint site": lambda b: ask(b, TWO.jointly()),
    "a list of sites": lambda b: ask(b, [med.residual(0), med.residual(1)]),
    "a mapping with a number": lambda b: ask(b, {"early": med.residual(0), "late": 2}),
    "overlapping sites": lambda b: ask(b, {"everywhere": med.residual(1), "last": med.residual(1, at="last")}),
    "names that run together": lambda b: ask(b, {"a": med.residual(0), "a & b": med.residual(1)}),
    "an unknown direction": lambda b: ask(b, TWO, direction="denoise"),
    "too many sets": lambda b: ask(b, heads(15), exact_up_to=15),
    "too many orders": lambda b: ask(b, heads(20), n_orders=2000),
    "an odd number of orders": lambda b: ask(b, TWO, n_orders=7),
    "pairs in words": lambda b: ask(b, TWO, pairwise="yes"),
    "a matrix of one site's effects": lambda b: med.plot.interaction(b.effects),
}
