"""The cells that every run computes once more by the naive path, as passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...interventions import Donor, Moment, Need
from ..captured import source_of
from ..passes import Cells, Row
from ..session import Pass
from ..study import Study, World, run_of
from ._planner import Planner

ALONE = 8  # units whose activations are captured again, one forward pass each, for a moment over all units


def sample(planner: Planner, cells: int) -> Iterator[Pass]:
    """Yield the passes of `cells` random cells of changed worlds: what each is given, and the cell itself."""
    study = planner.study
    patched = [index for index, world in enumerate(study.worlds) if world.assignment is not None]
    rng, seen = np.random.default_rng(study.seed), set[object]()
    for _ in range(cells if patched else 0):
        index, unit = int(rng.choice(patched)), int(rng.integers(len(study.pairs)))
        world = study.worlds[index]
        draw = int(rng.integers(study.draws_of(world)))
        yield from _given(planner, Row(index, world.run, unit, draw), seen)
        yield planner.alone("rows", Cells.of([Row(index, world.run, unit, draw)]), check="sample")


def _given(planner: Planner, row: Row, seen: set[object]) -> Iterator[Pass]:
    """Yield the passes of what one cell is given, those of worlds within its world included."""
    study = planner.study
    for site, what in planner.placed[row.world]:
        for need in sorted(what.needs(), key=repr):
            for one in _read_by(study, study.worlds[row.world], need, row):
                if (site, one) in seen:
                    continue
                seen.add((site, one))
                if one.world >= 0:
                    yield from _given(planner, one, seen)
                yield planner.alone("plain", Cells.of([one]), check="sample", sites=(site,))


def alone(study: Study) -> list[int]:
    """Return the random units whose activations are captured again for a moment over all units."""
    n = len(study.pairs)
    return sorted(int(unit) for unit in np.random.default_rng(study.seed).permutation(n)[:ALONE])


def _read_by(study: Study, world: World, need: Need, row: Row) -> list[Row]:
    """Return the rows that the naive path captures for one need of one cell."""
    if isinstance(need, Donor) and need.world is not None:
        index, draw = source_of(study, need.world, row.draw)
        return [Row(index, need.world.run, row.unit, draw)]
    if isinstance(need, Donor):
        donor = row.unit if need.unit == "own" else study.donors(need, row.draw)[row.unit]
        return [Row(-1, run_of(need.run, world.run), donor, 0)]
    if isinstance(need, Moment):
        return [Row(-1, run_of(need.run, world.run), one, 0) for one in alone(study)]
    return [Row(-1, world.run, row.unit, 0)]
