"""A family that the tests do not know: the growing pass is tried on one input and compared with the naive path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import OutOfMemoryError

from ...errors import MediationError
from ...interventions import Scale
from ...sites import Site, attention, mlp, residual, resolve
from ..backends import AbstractBackend, execution_order
from ..captured import Activations, PlainStates
from ..oracle import Reference
from ..passes import make_batch
from ..study import Study, World
from ._grouping import Grouping
from ._grow import grow

_TOLERANCE = 1e-4
_HALF = 0.1


def trial(study: Study, backend: AbstractBackend) -> str | None:
    """Return why a model's growing pass does not give the numbers of the naive path, or None if it does.

    Three changes are tried, at the first, a middle and the last block, in the middle of one input.
    """
    wide = study.model.dtype in (torch.float32, torch.float64)
    try:
        probe = _probe(study)
        placed = [probe.placed(one) for one in probe.worlds]
        grouping = Grouping(probe, placed, tokens=2**11, rows_per_pass=None)
        if not grouping.grows.all():
            return "its sites do not fan out"
        naive, states = Reference(probe), PlainStates(probe, backend)
        references = {0: naive.logits("base", 0)} if probe.prepared.uses_reference else None
        worlds = np.arange(len(placed))
        for group in grouping.groups(worlds, [0], np.ones((len(placed), 1), dtype=bool)):
            states.run(0, group.lanes)
            found = grow(probe, backend, group, Activations(probe), references=references, states=states)
            for row, values in zip(group.cells.rows(), found.flatten(0, 1).tolist(), strict=True):
                for value, expected in zip(values, naive.outcomes(probe.worlds[row.world], row.unit), strict=True):
                    if not abs(value - expected) <= (_TOLERANCE if wide else _HALF) * (1 + abs(expected)):
                        return f"a trial gave {value:.6g} where one plain forward pass gives {expected:.6g}"
    except OutOfMemoryError:
        raise
    except (MediationError, RuntimeError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        return f"a trial failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
    return None


def _probe(study: Study) -> Study:
    """Return a study of a few changes of one input."""
    run, depth = study.worlds[0].run, study.model.n_layers
    middle = (study.encoding.of(run, 0).length or 2) // 2
    known, blocks = study.model.known_architecture(), study.model.blocks()
    sites: list[Site] = [residual(0, at=middle), residual(depth - 1, at="last"), residual(depth // 2, at=middle)]
    inside = [layer for layer, block in enumerate(blocks) if block.mlp is not None]
    sites += [mlp(inside[len(inside) // 2], at=middle)] if inside else []
    inside = [layer for layer, block in enumerate(blocks) if block.attention is not None]
    sites += [attention(inside[-1], at=middle)] if inside else []
    worlds = tuple(World(run, Scale(0.5).at(site)) for site in sites)
    places = {site: resolve(site, study.model) for site in sites}
    ends = [(known.path(layer), "output") for layer in range(depth)]
    stops = [*((place.path, place.io) for place in places.values()), *ends]
    batch = make_batch(study.model, [study.encoding.of(run, 0)])
    order = execution_order(study.model, batch.inputs, stops)
    return replace(study, worlds=worlds, places=places, order=order, n_draws=1)
