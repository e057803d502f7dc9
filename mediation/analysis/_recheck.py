"""How far half precision moves effects: some cells again in float32, held against the intervals."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ..engine import Execution, Finished, World, expand_world
from ..engine.oracle import Reference
from ..engine.passes import Row
from ..engine.running import recomputed
from ..engine.study import Study, tolerance
from ..engine.verify import HALF, check_weights, float32_study
from ..errors import BackendError, DesignError, PrecisionWarning, warn
from ..estimands import AbstractEstimand
from ..models import Model
from ..results import Effects
from ._recheck_bound import STREAM, Bound, Cell, bound_of, sample_cells

Array = NDArray[np.float64]
Worlds = Mapping[Any, Mapping[str, World]]
Own = dict[str | None, dict[str, Any]]  # by outcome; under None where there is one

CELLS = 32
_SHARE = 0.1  # of an interval's half-width that rounding may reach


def rechecked(
    effects: Effects,
    finished: Sequence[Finished],
    worlds: Worlds,
    estimands: Sequence[AbstractEstimand],
    how: Execution,
    names: Sequence[Iterable[str]] | None = None,
) -> Effects:
    """Return effects whose provenance says how far half precision is from float32; unchanged where neither was asked.

    Parameters
    ----------
    effects, worlds, estimands, how
        What was found, of what, and how it was run.
    finished
        Its runs.
    names
        What the outcomes of each run are called; None where there is one.

    Warns
    -----
    PrecisionWarning
        If the bound on an effect's error is more than a tenth of the half-width of a typical interval.

    Raises
    ------
    BackendError
        If a cell that is computed twice in float32, by batches and by the naive path, does not agree.
    """
    study = finished[0].study
    half = how.precision is not None or study.model.dtype in HALF
    if not half:
        return effects
    passes = how.precision or str(study.model.dtype).removeprefix("torch.")
    found: dict[str, Any] = {"passes": passes, "cells": 0}
    own: Own = {}
    cells = how.recheck if how.recheck is not None else CELLS if how.precision is not None else 0
    for run, of in zip(finished, [None] if names is None else names, strict=True):
        wide, why = float32_study(run.study) if cells else (None, "not asked for; recheck=32 does it")
        if wide is None:
            found["not_rechecked"] = why
            break
        named = {key: _expanded(study, one) for key, one in worlds.items()}
        more, each = _compared(run, wide, _sample(run, named, cells), estimands, how, _tables(effects, of))
        found, own = _and(found, more), own | each
    if own:
        _warn(found, own)
    known = effects.provenance
    if names is None:
        return Effects(effects.table, effects.units, known | {"precision": found | own.get(None, {})})
    apart = {name: known["by_outcome"][name] | {"precision": one} for name, one in own.items() if name is not None}
    known |= {"precision": found, "by_outcome": known["by_outcome"] | apart}
    return Effects(effects.table, effects.units, known)


def _tables(effects: Effects, names: Iterable[str] | None) -> dict[str | None, pd.DataFrame]:
    """Return the rows of each outcome of a run, by name; under None where there is one outcome."""
    table = effects.table
    return {None: table} if names is None else {name: table[table["outcome"] == name] for name in names}


def _and(found: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return what was found in some runs and in another one."""
    if "float32_path" not in found:
        return found | more
    one, other = found["float32_path"], more["float32_path"]
    worst = max(one["max_abs_difference"], other["max_abs_difference"])
    path = {"cells": one["cells"] + other["cells"], "max_abs_difference": worst}
    return found | {"cells": found["cells"] + more["cells"], "float32_path": path}


def check_recheck(model: Model, how: Execution) -> None:
    """Raise an error, before the model runs, where `precision` or `recheck` cannot be had.

    Raises
    ------
    DesignError
        If cells of a float32 run are to be recomputed in float32.
    BackendError
        If weights are quantised, or held elsewhere by accelerate.
    """
    if how.precision is not None:
        check_weights(model.module)
    if how.recheck and how.precision is None and model.dtype not in HALF:
        kind = str(model.dtype).removeprefix("torch.")
        raise DesignError(
            f"recheck = {how.recheck} recomputes cells of a run in half precision in float32, and this run is in "
            f"{kind} already. Leave it out, or ask for precision='bfloat16'. checks={how.recheck} recomputes cells of "
            "any run by the naive path."
        )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Cells that were drawn, and what they were drawn from.

    Attributes
    ----------
    named, index
        Worlds of each mediator by name, and the place of each world in the study.
    cells
        What was drawn, site by site.
    sites
        Mediators that could be drawn.
    of_a_site
        Units that could be drawn of each; infinite where they were drawn by weight.
    draws
        Draws of each mediator.
    """

    named: Worlds
    index: Mapping[World, int]
    cells: tuple[Cell, ...]
    sites: int
    of_a_site: float
    draws: Mapping[Hashable, int]


def _sample(finished: Finished, named: Worlds, cells: int) -> _Sample:
    study, pairs = finished.study, finished.study.pairs
    index = {world: i for i, world in enumerate(study.worlds)}
    draws = {key: max(study.draws_of(world) for world in one.values()) for key, one in named.items()}
    weights = np.ones(len(pairs)) if pairs.weight is None else np.asarray(pairs.weight, dtype=float)
    keys = _that_change(finished, named, index)
    drawn = tuple(sample_cells(keys, weights, draws, cells, study.seed))
    even = bool((weights == weights[0]).all())
    return _Sample(named, index, drawn, len(keys), len(pairs) if even else np.inf, draws)


def _compared(
    finished: Finished,
    wide: Study,
    sample: _Sample,
    estimands: Sequence[AbstractEstimand],
    how: Execution,
    tables: Mapping[str | None, pd.DataFrame],
) -> tuple[dict[str, Any], Own]:
    """Return what was recomputed; and by outcome errors of cells, and bounds of estimands beside their intervals."""
    rows = {
        (cell, name): Row(sample.index[world], world.run, cell.unit, cell.draw if world.is_random else 0)
        for cell in sample.cells
        for name, world in sample.named[cell.key].items()
    }
    exact = recomputed(wide, how, rows.values())
    path = _agreement(wide, exact, how.checks)
    own: Own = {}
    for at, (name, table) in enumerate(tables.items()):
        errors = {row: float(finished.every[(*_cell(row), at)]) - values[at] for row, values in exact.items()}
        of_cells = {key: errors[row] for key, row in rows.items()}
        effects = {
            one.key: _beside(_bound(one, sample, of_cells), _half_widths(table, one.key))
            for one in estimands
            if one.denominator is None
        }
        own[name] = {"outcomes": _sizes(np.array(list(errors.values()))), "effects": effects}
    return {
        "against": str(wide.model.dtype).removeprefix("torch."),
        "device": str(wide.model.device),
        "cells": len(sample.cells),
        "sites": len({cell.key for cell in sample.cells}),
        "sites_in_all": sample.sites,
        "float32_path": path,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }, own


def _cell(row: Row) -> tuple[int, int, int]:
    return row.world, row.unit, row.draw


def _sizes(errors: Array) -> dict[str, Any]:
    return {
        "n": len(errors),
        "mean_error": float(errors.mean()),
        "rms_error": float(np.sqrt((errors**2).mean())),
        "max_error": float(np.abs(errors).max()),
    }


def _half_widths(table: pd.DataFrame, key: str) -> Array:
    rows = table[table["estimand"] == key]
    widths = (rows["conf_high"] - rows["conf_low"]).to_numpy(float) / 2
    return widths[np.isfinite(widths) & (widths > 0)]


def _bound(one: AbstractEstimand, sample: _Sample, errors: Mapping[tuple[Cell, str], float]) -> Bound:
    """Return the bound of one estimand; effects that are the same at all sites (such as te) are one effect."""
    of_cell = {cell: sum(weight * errors[cell, name] for name, weight in one.weights.items()) for cell in sample.cells}
    keys = list(dict.fromkeys(cell.key for cell in sample.cells))
    worlds = {key: {sample.named[key][name] for name in one.needs} for key in keys}
    random = {world.is_random for key in keys for world in worlds[key]}
    most = sample.of_a_site * (max(sample.draws[key] for key in keys) if True in random else 1)
    if len(keys) > 1 and len({frozenset(some) for some in worlds.values()}) == 1:
        by_unit = {(cell.unit, cell.draw if True in random else 0): error for cell, error in of_cell.items()}
        return bound_of(np.array([list(by_unit.values())]), sites=1, cells_of_a_site=most)
    return bound_of(np.array(list(of_cell.values())).reshape(len(keys), -1), sites=sample.sites, cells_of_a_site=most)


def _beside(bound: Bound, widths: Array) -> dict[str, Any]:
    typical = float(np.median(widths)) if widths.size else None
    known = bound.bound is not None and typical is not None
    return {
        "mean_error": bound.mean,
        "rms_error": bound.rms,
        "max_error": bound.largest,
        "bound": bound.bound,
        "half_width": typical,
        "bound_to_half_width": bound.bound / typical if known else None,  # type: ignore[operator]
        "share_beyond_a_tenth": float((bound.bound > _SHARE * widths).mean()) if known else None,  # type: ignore[operator]
    }


def _that_change(finished: Finished, named: Worlds, index: Mapping[World, int]) -> list[Hashable]:
    """Return the mediators whose worlds differ from plain ones anywhere; the others are exact in any precision."""

    def changes(world: World) -> bool:
        plain = index.get(World(world.run))
        return plain is None or not np.array_equal(finished.every[index[world]], finished.every[plain])

    keys = [key for key, one in named.items() if any(changes(world) for world in one.values() if world.assignment)]
    return keys or list(named)


def _agreement(wide: Study, exact: Mapping[Row, Sequence[float]], checks: int) -> dict[str, Any]:
    """Compare some of the recomputed cells with the naive path, in float32 both.

    The paths are the same in any precision, so this holds the code of a half-precision run to float32's tolerance.
    """
    patched = [row for row in exact if wide.worlds[row.world].assignment is not None]
    rng, reference, worst = np.random.default_rng((wide.seed, STREAM, 1)), Reference(wide), 0.0
    some = [patched[i] for i in rng.permutation(len(patched))[:checks]]
    for row in some:
        world = wide.worlds[row.world]
        for expected, value in zip(reference.outcomes(world, row.unit, row.draw), exact[row], strict=True):
            worst = max(worst, abs(value - expected))
            if not abs(value - expected) <= tolerance(wide.model) * (1 + abs(expected)):
                raise BackendError(
                    f"World {world} of unit {row.unit}, in float32: batches give {value:.6g} and one plain forward "
                    f"pass gives {expected:.6g}. Nothing is reported. Try backend='reference', and please report the "
                    "model."
                )
    return {"cells": len(some), "max_abs_difference": worst}


def _warn(found: Mapping[str, Any], own: Own) -> None:
    effects = {
        key if name is None else f"{key} of {name}": one
        for name, some in own.items()
        for key, one in some["effects"].items()
    }
    ratios = {key: one["bound_to_half_width"] for key, one in effects.items()}
    beyond = {key: ratio for key, ratio in ratios.items() if ratio is not None and ratio > _SHARE}
    if not beyond:
        return
    key = max(beyond, key=lambda one: beyond[one])
    one, others = effects[key], len(beyond) - 1
    more = f" {others} more estimand{'s are' if others > 1 else ' is'} beyond a tenth." if others else ""
    warn(
        f"In {found['passes']}, {key} may be off by {one['bound']:.3g} (95% bound from {found['cells']} cells that "
        f"were recomputed in {found['against']}), which is {beyond[key]:.2g} of the half-width of a typical interval, "
        f"{one['half_width']:.3g}; up to a tenth is wanted.{more} Single cells are off by {one['rms_error']:.2g} (root "
        f"mean square). Run in float32 (no precision=), or recompute more cells (recheck={4 * found['cells']}), which "
        "makes the bound tighter where it is wide for want of cells.",
        PrecisionWarning,
    )


def _expanded(study: Study, named: Mapping[str, World]) -> dict[str, World]:
    return {name: expand_world(world, study.model, study.encoding) for name, world in named.items()}
