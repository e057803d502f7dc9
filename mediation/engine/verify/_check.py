"""Checks that every run makes: patching a unit with itself, and a sample against the naive path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import BackendError
from ...interventions import Assignment, Interchange, Moment
from ...sites import Site
from ..captured import Activations, PlainStates
from ..fanout import groups_of, run_group
from ..oracle import Reference
from ..passes import Row, capture_rows, run_rows
from ..sizes import halving, most_padded, split
from ..study import Execution, Study, World, run_of, tolerance

ALONE = 8  # units whose activations are captured again, one forward pass each, for a moment over all units


class FailedCheckError(BackendError):
    """A self-check that failed at one input: what was found, and what is blamed unless a better cause is found."""

    def __init__(self, what: str, blame: str, run: str, unit: int) -> None:
        super().__init__(f"{what} {blame}")
        self.what, self.run, self.unit = what, run, unit


def check_consistency(
    study: Study,
    execution: Execution,
    units: Sequence[int],
    plain: Mapping[tuple[str, int], float],
    references: Mapping[int, Tensor] | None,
    *,
    fan_out: bool,
    tokens: int,
) -> dict[str, Any]:
    """Patch units with their own activations, by every path of the run, and compare with the plain run.

    Parameters
    ----------
    units
        Units to try, at the first, middle and last site of the study.
    plain
        Outcomes of the plain runs.
    references
        As in `run_rows`.
    fan_out
        Try the fan-out path too.
    tokens
        Tokens in a pass.

    Raises
    ------
    BackendError
        If an outcome changes.
    """
    sites = sorted(study.places, key=lambda site: study.when(study.places[site]))
    picks = [sites[i] for i in sorted({0, len(sites) // 2, len(sites) - 1})] if sites else []
    worst, count = 0.0, 0
    for run in sorted({world.run for world in study.worlds}):
        worlds = tuple(World(run, Assignment(((site, Interchange(run="same")),))) for site in picks)
        probe = replace(study, worlds=worlds)
        rows = [Row(index, run, unit, 0) for index in range(len(worlds)) for unit in units]
        for row, value in _self_patched(probe, execution, rows, picks, references, fan_out=fan_out, tokens=tokens):
            expected = plain[(run, row.unit)]
            worst, count = max(worst, abs(value - expected)), count + 1
            if not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
                raise FailedCheckError(
                    f"Patching {picks[row.world]} of unit {row.unit} with its own activation changed the outcome from "
                    f"{expected:.6g} to {value:.6g} ({run} input).",
                    f"The backend {execution.backend.name!r} does not put activations back where it found them, so no "
                    "effect can be reported.",
                    run,
                    row.unit,
                )
    return {"cells": count, "max_abs_difference": worst}


def _self_patched(
    probe: Study,
    execution: Execution,
    rows: Sequence[Row],
    picks: Sequence[Site],
    references: Mapping[int, Tensor] | None,
    *,
    fan_out: bool,
    tokens: int,
) -> list[tuple[Row, float]]:
    """Return the outcomes of self-patched rows, each by the path that it takes in the study: fan-out, or rows."""
    if not rows:
        return []
    backend, side = execution.backend, execution.padding_side
    own, placed = Activations(probe), [probe.placed(world) for world in probe.worlds]
    plain = [Row(-1, rows[0].run, unit, 0) for unit in dict.fromkeys(row.unit for row in rows)]
    most = execution.batch_size
    states = PlainStates(probe, backend) if fan_out else None
    for batch in split(plain, partial(_width, probe), tokens=tokens, rows=most, layout=execution.layout):
        _halved(
            lambda some: capture_rows(
                probe, backend, some, picks, own, references=references, side=side, states=states
            ),
            batch,
        )
    outcomes: list[tuple[Row, float]] = []
    rest = list(rows)
    if states is not None:
        groups, rest = groups_of(probe, rows, placed, tokens=tokens, rows_per_pass=most)
        for group in groups:
            grown = run_group(probe, backend, group, own, references=references, states=states)
            outcomes.extend(grown.items())
    for batch in split(rest, partial(_width, probe), tokens=tokens, rows=most, layout=execution.layout):
        outcomes += _halved(
            lambda some: run_rows(probe, backend, some, placed, own, references=references, side=side), batch
        )
    return outcomes


def _halved(run: Callable[[Sequence[Row]], Tensor], rows: Sequence[Row]) -> list[tuple[Row, float]]:
    """Return the outcome of each row, from fewer rows at a time if memory runs out."""
    found = halving(run, rows, lambda a, b: torch.cat([a, b]))
    return list(zip(rows, found.double().cpu().tolist(), strict=True))


def _width(study: Study, row: Row) -> int:
    return study.length(row.run, row.unit)


def is_self_patch(world: World) -> bool:
    """Return True if all that a world does is to put the unit's own activations of the same run where they are.

    Examples
    --------
    >>> from mediation.sites import mlp
    >>> is_self_patch(World("base", Interchange("same").at(mlp(0)))), is_self_patch(World("base"))
    (True, False)
    """
    if world.assignment is None:
        return False
    return all(what in (Interchange("same"), Interchange(world.run)) for _, what in world.assignment.entries)


def settle_self_patches(
    study: Study, values: NDArray[np.float64], plain: Callable[[str, int], float]
) -> dict[str, Any] | None:
    """Measure how far self-patched worlds are from the plain ones, and set them to these.

    Such worlds are run like any other, never filled in: they show what running and patching alone change. By
    consistency that is nothing but rounding.

    Parameters
    ----------
    values
        Outcomes ``(worlds, units, draws)``; those of self-patched worlds are replaced.
    plain
        From a run and a unit to the outcome of the plain run.

    Returns
    -------
    dict or None
        How many cells there were and the largest difference; None if the study has no such world.

    Raises
    ------
    BackendError
        If a difference is larger than rounding.
    """
    worlds = [(index, world) for index, world in enumerate(study.worlds) if is_self_patch(world)]
    worst = 0.0
    for index, world in worlds:
        for unit in range(len(study.pairs)):
            expected, value = plain(world.run, unit), float(values[index, unit, 0])
            worst = max(worst, abs(value - expected))
            if not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
                raise FailedCheckError(
                    f"World {world} of unit {unit} puts the unit's own activation where it is, and changed the outcome "
                    f"from {expected:.6g} to {value:.6g}. That must be 0 up to rounding, so no effect can be reported.",
                    "Try fan_out=False or backend='reference', and please report the model.",
                    world.run,
                    unit,
                )
            values[index, unit] = expected
    return {"cells": len(worlds) * len(study.pairs), "max_abs_difference": worst} if worlds else None


def check_sample(
    study: Study, values: NDArray[np.float64], cells: int, captured: Activations | None = None
) -> dict[str, Any]:
    """Recompute `cells` random cells by the naive path.

    Parameters
    ----------
    study
        What was run.
    values
        Its outcomes, ``(worlds, units, draws)``.
    cells
        How many cells.
    captured
        Activations of the run. A mean over many units is taken from them once those of `ALONE` random units agree with
        plain forward passes; else it costs one forward pass a unit.

    Raises
    ------
    BackendError
        If one does not agree; names the world, the unit and both values.
    """
    patched = [i for i, world in enumerate(study.worlds) if world.assignment is not None]
    if not patched or cells == 0:
        return {"cells": 0, "max_abs_difference": 0.0}
    rng = np.random.default_rng(study.seed)
    reference, worst, taken = Reference(study), 0.0, set[tuple[Site, str]]()
    for _ in range(cells):
        index, unit = int(rng.choice(patched)), int(rng.integers(len(study.pairs)))
        world = study.worlds[index]
        draw = int(rng.integers(study.draws_of(world)))
        if captured is not None:
            for site, run in sorted(_averaged(study, world) - taken, key=str):
                _take(study, reference, captured, site, run)
                taken.add((site, run))
        expected, value = reference.outcome(world, unit, draw), float(values[index, unit, draw])
        worst = max(worst, abs(value - expected))
        if not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
            raise FailedCheckError(
                f"World {world} of unit {unit}: the run gave {value:.6g} and one plain forward pass gives "
                f"{expected:.6g}.",
                "Nothing is reported. Try fan_out=False or backend='reference', and please report the model.",
                world.run,
                unit,
            )
    return {"cells": cells, "max_abs_difference": worst}


def check_plain(study: Study, row: Row, value: float) -> float:
    """Return how far the plain outcome of a row of a batch is from that of the row alone: the most padded one.

    Raises
    ------
    BackendError
        If it is farther than rounding goes.
    """
    expected = Reference(study).outcome(World(row.run), row.unit)  # type: ignore[arg-type]
    if not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
        raise FailedCheckError(
            f"The {row.run} input of unit {row.unit}, run plain in a batch, has the outcome {value:.6g}, and one plain "
            f"forward pass of it alone gives {expected:.6g}.",
            "Nothing is reported. Try batch_size=1 or backend='reference', and please report the model.",
            row.run,
            row.unit,
        )
    return abs(value - expected)


def _averaged(study: Study, world: World) -> set[tuple[Site, str]]:
    """Return the sites and runs of which a world needs a moment over all units."""
    return {
        (site, run_of(need.run, world.run))
        for site, what in study.placed(world)
        for need in what.needs()
        if isinstance(need, Moment)
    }


def alone(study: Study) -> list[int]:
    """Return the random units whose activations are captured again for a moment over all units."""
    n = len(study.pairs)
    return sorted(int(unit) for unit in np.random.default_rng(study.seed).permutation(n)[:ALONE])


def _take(study: Study, reference: Reference, captured: Activations, site: Site, run: str) -> None:
    """Let the naive path use captured activations of all units, once some are seen to be right."""
    units = range(len(study.pairs))
    if len(units) <= ALONE or not all(captured.holds(site, run, unit) for unit in units):
        return  # few, or read from a store
    again = alone(study)
    for unit in again:
        _check_activation(study, reference, captured, (site, run, unit))
    for unit in set(units) - set(again):
        reference.take(site, run, unit, captured.get(site, run, unit))


def check_captured(study: Study, site: Site, batches: Sequence[Sequence[Row]], captured: Activations) -> None:
    """Compare the activation of the most padded row with that of the row alone; see `most_padded`.

    Raises
    ------
    BackendError
        If they differ by more than rounding.
    """
    row = most_padded(batches, partial(_width, study))
    if row is not None:
        _check_activation(study, Reference(study), captured, (site, row.run, row.unit))


def _check_activation(study: Study, reference: Reference, captured: Activations, key: tuple[Site, str, int]) -> None:
    site, run, unit = key
    found, expected = captured.get(*key).double(), reference.activation(*key).double()
    if found.shape == expected.shape and not found.numel():
        return
    size = 1 + float(expected.abs().max())
    apart = float((found - expected).abs().max()) if found.shape == expected.shape else float("inf")
    if not apart <= tolerance(study.model) * size:
        raise FailedCheckError(
            f"{site}, {run} input of unit {unit}: the activation that the run captured differs by {apart:.6g} from "
            f"that of one plain forward pass, whose largest number is {size - 1:.6g}.",
            "Nothing is reported. Try batch_size=1, fan_out=False or backend='reference', and please report the model.",
            run,
            unit,
        )
