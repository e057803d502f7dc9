"""Checks that every run makes: patching a unit with itself, and a sample against the naive path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import BackendError
from ..interventions import Assignment, Interchange
from ._activations import Activations
from ._reference import Reference
from ._rows import Row, run_rows
from ._study import Study
from ._world import World

if TYPE_CHECKING:
    from ._run import Execution

_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}
_HALF = 0.25


def tolerance(study: Study) -> float:
    """Return how far two computations of one outcome may lie apart, relative to 1 + |outcome|."""
    return _TOLERANCE.get(study.model.dtype, _HALF)


def check_consistency(
    study: Study,
    execution: Execution,
    units: Sequence[int],
    activations: Activations,
    plain: Mapping[tuple[str, int], float],
    references: dict[int, Tensor] | None,
) -> dict[str, Any]:
    """Patch units with their own activations and compare with the plain run.

    Raises
    ------
    BackendError
        If an outcome changes.
    """
    worst, count = 0.0, 0
    for site, run in _sample_of_sites(study, activations, units):
        world = World(run, Assignment(((site, Interchange(run="same")),)))  # type: ignore[arg-type]
        probe = _with_worlds(study, (world,))
        rows = [Row(0, run, unit, 0) for unit in units]
        given = Activations(probe)
        for unit in units:
            given.put(site, run, unit, activations.get(site, run, unit))
        outcomes = run_rows(
            probe,
            execution.backend,
            rows,
            [probe.placed(world)],
            given,
            references=references,
            side=execution.padding_side,
        )
        for unit, value in zip(units, outcomes.double().cpu().tolist(), strict=True):
            expected = plain[(run, unit)]
            worst, count = max(worst, abs(value - expected)), count + 1
            if not abs(value - expected) <= tolerance(study) * (1 + abs(expected)):
                raise BackendError(
                    f"Patching {site} of unit {unit} with its own activation changed the outcome from "
                    f"{expected:.6g} to {value:.6g} ({run} input): the backend {execution.backend.name!r} does not "
                    "put activations back where it found them, so no effect can be reported."
                )
    return {"cells": count, "max_abs_difference": worst}


def _sample_of_sites(study: Study, activations: Activations, units: Sequence[int]) -> list[tuple[Any, str]]:
    """Return the first, middle and last captured sites of each run."""
    found: list[tuple[Any, str]] = []
    for run in ("base", "source"):
        sites = [site for site in study.places if all(activations.holds(site, run, unit) for unit in units)]
        sites.sort(key=lambda site: study.when(study.places[site]))
        picks = sorted({0, len(sites) // 2, len(sites) - 1}) if sites else []
        found.extend((sites[i], run) for i in picks)
    return found


def _with_worlds(study: Study, worlds: tuple[World, ...]) -> Study:
    from dataclasses import replace

    return replace(study, worlds=worlds)


def check_sample(study: Study, values: NDArray[np.float64], cells: int) -> dict[str, Any]:
    """Recompute `cells` random cells by the naive path.

    Raises
    ------
    BackendError
        If one does not agree; names the world, the unit and both values.
    """
    patched = [i for i, world in enumerate(study.worlds) if world.assignment is not None]
    if not patched or cells == 0:
        return {"cells": 0, "max_abs_difference": 0.0}
    rng = np.random.default_rng(study.seed)
    reference, worst = Reference(study), 0.0
    for _ in range(cells):
        index, unit = int(rng.choice(patched)), int(rng.integers(len(study.pairs)))
        world = study.worlds[index]
        draw = int(rng.integers(study.draws_of(world)))
        expected, value = reference.outcome(world, unit, draw), float(values[index, unit, draw])
        worst = max(worst, abs(value - expected))
        if not abs(value - expected) <= tolerance(study) * (1 + abs(expected)):
            raise BackendError(
                f"World {world} of unit {unit}: the run gave {value:.6g} and one plain forward pass gives "
                f"{expected:.6g}. "
                "Nothing is reported. Try fan_out=False or backend='reference', and please report the model."
            )
    return {"cells": cells, "max_abs_difference": worst}
