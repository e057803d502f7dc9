"""Small ways to run worlds and get their numbers, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mediation import Interchange, Pairs, World
from mediation.engine import Execution, Finished, Study, backend_for, make_study, progress_for, run_study
from mediation.engine.checkpoint import Pieces
from mediation.engine.plan import open_stream
from mediation.engine.running._executor import Executor
from mediation.engine.running._ledger import Ledger
from mediation.interventions import Assignment
from mediation.models import Model

WORLDS = ("y00", "y01", "y10", "y11")


def token_pairs(lengths: Sequence[int] = (5, 7, 7, 9), *, seed: int = 1, top: int = 250, **given: Any) -> Pairs:
    """Random token ids, base and source equally long in each unit."""
    generator = torch.Generator().manual_seed(seed)
    base, source = (
        [torch.randint(3, top, (length,), generator=generator) for length in lengths] for _ in ("base", "source")
    )
    return Pairs(base=base, source=source, **given)


def finish(
    model: Model,
    pairs: Pairs,
    worlds: Sequence[World],
    outcome: Any,
    *,
    backend: Any = "nnsight",
    seed: int = 0,
    n_draws: int = 1,
    **execution: Any,
) -> Finished:
    """Run worlds without statistics."""
    study = make_study(model, pairs, worlds, outcome, seed=seed, n_draws=n_draws)
    return run_study(study, Execution(backend=backend_for(backend), **execution), progress_for(False))


def check_sample(study: Study, values: np.ndarray, cells: int) -> dict[str, Any]:
    """Compare some outcomes of a study with the naive path, as every run does at its end."""
    how = Execution(backend=backend_for("hooks"), checks=cells)
    stream, ledger = open_stream(study, how, tokens=2048, units=8), Ledger(study, progress_for(False), "hooks")
    ledger.values = values if values.ndim == 4 else values[..., None]
    with Pieces(study, how, {}) as pieces:
        executor = Executor(study, stream.execution, stream.planner, pieces)
        for one in stream.sample():
            ledger.take(one, executor.outcomes(one))
    return ledger.checks["sample"]


def values(*arguments: Any, **options: Any) -> np.ndarray:
    """Return the outcomes of worlds, ``(worlds, units, draws)``; equal worlds are given once."""
    return finish(*arguments, **options).values


def exchanges(sites: Sequence[Any]) -> list[World]:
    """Both plain runs, and both runs with each site's activation taken from the other."""
    patched = [World(run, Interchange().at(site)) for run in ("base", "source") for site in sites]
    return [World("base"), World("source"), *patched]


def together(*assignments: Assignment) -> Assignment:
    """Join assignments."""
    total = assignments[0]
    for one in assignments[1:]:
        total = total | one
    return total


def gap(one: np.ndarray, other: np.ndarray) -> float:
    """Largest difference; NaN counts as one."""
    assert one.shape == other.shape
    return float(np.nan_to_num(np.abs(one - other), nan=np.inf).max())
