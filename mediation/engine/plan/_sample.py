"""The cells that every run computes once more by the naive path, as passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...interventions import Donor, Moment, Need
from ..passes import Cells, Row
from ..session import Pass
from ..study import Run, Study, World, run_of
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
        for site, what in planner.placed[index]:
            for need in sorted(what.needs(), key=repr):
                for run, donor in _read_by(study, world, need, unit, draw):
                    if (site, run, donor) not in seen:
                        seen.add((site, run, donor))
                        plain = Cells.plain(run, [donor])
                        yield planner.alone("plain", plain, check="sample", sites=(site,))
        yield planner.alone("rows", Cells.of([Row(index, world.run, unit, draw)]), check="sample")


def alone(study: Study) -> list[int]:
    """Return the random units whose activations are captured again for a moment over all units."""
    n = len(study.pairs)
    return sorted(int(unit) for unit in np.random.default_rng(study.seed).permutation(n)[:ALONE])


def _read_by(study: Study, world: World, need: Need, unit: int, draw: int) -> list[tuple[Run, int]]:
    """Return the plain runs ``(run, unit)`` that the naive path makes for one need of one cell."""
    if isinstance(need, Donor):
        return [(run_of(need.run, world.run), unit if need.unit == "own" else study.donors(need, draw)[unit])]
    if isinstance(need, Moment):
        return [(run_of(need.run, world.run), one) for one in alone(study)]
    return [(world.run, unit)]
