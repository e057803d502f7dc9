"""Checks that every run makes of its numbers: each compares one with what it must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...errors import BackendError
from ...interventions import Interchange
from ...sites import Site
from ..captured import Activations
from ..oracle import Reference
from ..passes import Row
from ..sizes import most_padded
from ..study import Study, World, tolerance


class FailedCheckError(BackendError):
    """A self-check that failed at one input: what was found, and what is blamed unless a better cause is found."""

    def __init__(self, what: str, blame: str, run: str, unit: int) -> None:
        super().__init__(f"{what} {blame}")
        self.what, self.run, self.unit = what, run, unit


def compared(study: Study, value: float, expected: float, *, what: str, blame: str, at: tuple[str, int]) -> float:
    """Return how far an outcome is from what it must be.

    Parameters
    ----------
    what, blame
        What is said of a difference larger than rounding, and what is blamed for it.
    at
        The input: run and unit.

    Raises
    ------
    FailedCheckError
        If it is farther than rounding goes.
    """
    if not abs(value - expected) <= tolerance(study.model) * (1 + abs(expected)):
        raise FailedCheckError(what, blame, *at)
    return abs(value - expected)


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
    study: Study, values: NDArray[np.float64], plain: Callable[[str, int, int], Sequence[float]]
) -> dict[str, Any] | None:
    """Measure how far self-patched worlds are from the plain ones, and set them to these.

    Such worlds are run like any other, never filled in: they show what running and patching alone change. By
    consistency that is nothing but rounding.

    Parameters
    ----------
    values
        Outcomes ``(worlds, units, draws, outcomes)``; NaN where there is none. Those of self-patched worlds
        are replaced.
    plain
        From a run, a unit and a draw to the outcomes of the plain run.

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
        many = study.draws_of(world) > 1
        for unit, draw in np.ndindex(len(study.pairs), study.draws_of(world)):
            plainly, found = plain(world.run, unit, draw), values[index, unit, draw].tolist()
            for part, expected, value in zip(study.prepared.each, plainly, found, strict=True):
                if np.isnan(value) or (study.sampled and np.isnan(expected)):  # a draw whose plain run was not wanted
                    continue
                apart = compared(
                    study,
                    value,
                    expected,
                    what=f"World {world} of unit {unit} puts the unit's own activation where it is, and changed "
                    f"{study.naming(part)} from {expected:.6g} to {value:.6g}. That must be 0 up to rounding, so no "
                    "effect can be reported.",
                    blame="Try fan_out=False or backend='reference', and please report the model.",
                    at=(world.run, unit),
                )
                worst = max(worst, apart)
            values[index, unit, draw if many else slice(None)] = np.where(np.isnan(found), np.nan, plainly)
    return {"cells": len(worlds) * len(study.pairs), "max_abs_difference": worst} if worlds else None


def check_captured(study: Study, site: Site, batches: Sequence[Sequence[Row]], captured: Activations) -> None:
    """Compare the activation of the most padded row with that of the row alone; see `most_padded`.

    Raises
    ------
    BackendError
        If they differ by more than rounding.
    """
    row = most_padded(batches, lambda row: study.length(row.run, row.unit))
    if row is not None:
        expected = Reference(study).activation(site, row.run, row.unit)
        check_activation(study, site, row, captured.get(site, row.run, row.unit), expected)


def check_activation(study: Study, site: Site, row: Row, found: Tensor, expected: Tensor) -> None:
    """Compare a captured activation with that of one plain forward pass; FailedCheckError if they differ."""
    found, expected = found.double(), expected.double()
    if found.shape == expected.shape and not found.numel():
        return
    size = 1 + float(expected.abs().max())
    apart = float((found - expected).abs().max()) if found.shape == expected.shape else float("inf")
    if not apart <= tolerance(study.model) * size:
        where = f" in world {study.worlds[row.world]}" if row.world >= 0 else ""
        raise FailedCheckError(
            f"{site}, {row.run} input of unit {row.unit}{where}: the activation that the run captured differs by "
            f"{apart:.6g} from that of one plain forward pass, whose largest number is {size - 1:.6g}.",
            "Nothing is reported. Try batch_size=1, fan_out=False or backend='reference', and please report the model.",
            row.run,
            row.unit,
        )
