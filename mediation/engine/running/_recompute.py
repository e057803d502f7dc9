"""Some rows of a study, run once more on its own model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from ..binding import inside
from ..passes import Cells, Row
from ..plan import Planner
from ..session import Session
from ..sizes import tokens_for
from ..study import Execution, Study
from ..verify import lay_out


def _inner(study: Study, worlds: Iterable[int]) -> list[int]:
    """Return the worlds whose activations are put in in some others."""
    donors = [study.inner[one] for one in inside(study.worlds[world] for world in worlds)]
    return [study.worlds.index(donor) for donor in donors]


def recomputed(study: Study, execution: Execution, rows: Iterable[Row]) -> dict[Row, list[float]]:
    """Return the outcomes of some rows, as many as the study has, on the study's model, from batches of full passes.

    Parameters
    ----------
    rows
        Any rows of the study; their plain runs are captured first.
    """
    execution, _ = lay_out(study, execution)
    wanted = list(dict.fromkeys(rows))
    used = list(dict.fromkeys(row.world for row in wanted))
    used += [world for world in _inner(study, used) if world not in used]
    part = replace(study, worlds=tuple(study.worlds[index] for index in used))
    planner = Planner(part, execution, tokens=tokens_for(part), units=len(part.pairs), grows=False)
    session = Session(part, execution, planner.placed)
    inside = Cells.of([row._replace(world=used.index(row.world)) for row in wanted])
    found: dict[Row, list[float]] = {}
    with torch.no_grad():
        for one in planner.some(inside):
            if one.captures:
                session.capture(one)
                continue
            for row, values in zip(one.cells.rows(), session.run(one).tolist(), strict=True):
                found[row._replace(world=used[row.world])] = values
    return found
