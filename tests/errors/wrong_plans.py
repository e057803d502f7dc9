"""Wrong questions about what a run will cost."""

from __future__ import annotations

from typing import Any

import mediation as med
from tests.errors.bench import Bench, Call


def planned(b: Bench, mediator: Any, **options: Any) -> Any:
    """Ask for the plan of a sweep of the language model."""
    outcome = options.pop("outcome", med.LogitDiff("answer", "foil"))
    return med.plan_sweep(b.llama, options.pop("pairs", b.pairs), mediator, outcome, **options)


PLANS: dict[str, Call] = {
    "dry_run": lambda b: b.lm(med.residual(1), dry_run="yes"),
    "calibrate": lambda b: planned(b, med.residual(1), calibrate=3),
    "calibrate without dry_run": lambda b: b.lm(med.residual(1), calibrate=False),
    "of a thought": lambda b: planned(b, med.latents()),
    "of a screen": lambda b: planned(b, med.residual() | med.mlp(), screen=2),
    "unknown argument": lambda b: planned(b, med.residual(1), batchsize=4),
}
