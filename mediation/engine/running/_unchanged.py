"""Worlds that are the plain run: what an exchange would put in is there already."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...interventions import Donor
from ...sites import Site
from ..captured import Activations
from ..study import Placed, Study


def unchanged_cells(
    study: Study, placed: Sequence[Placed], activations: Activations, chunk: Sequence[int]
) -> set[tuple[int, int]]:
    """Return the ``(world, unit)`` of a chunk whose outcome is that of the plain run.

    Parameters
    ----------
    placed
        Sites and interventions of every world.
    activations
        Those of the chunk's plain runs.
    """
    return {
        (index, unit)
        for index, world in enumerate(study.worlds)
        if world.assignment is not None
        for unit in chunk
        if _changes_nothing(study, placed[index], activations, index, unit)
    }


def _changes_nothing(study: Study, placed: Placed, activations: Activations, index: int, unit: int) -> bool:
    """Return True if what would be put in is what is there: the world is then the plain one (consistency).

    That is so to the bit, or because in a causal model base and source read the same tokens up to there.
    """
    world = study.worlds[index]
    for site, what in placed:
        if what.needs() != {Donor()}:
            return False
        own = activations.get(site, world.run, unit)
        same = own if _before_divergence(study, site, world.run, unit) else None
        given = activations.given(site, what, world, unit, 0) if same is None else {Donor(): same}
        new = what(own[None], {need: value[None] for need, value in given.items()})[0]
        if not torch.equal(new, own):
            return False
    return bool(placed)


def _before_divergence(study: Study, site: Site, run: str, unit: int) -> bool:
    """Return True if a causal model cannot know yet, at these positions, which input it reads."""
    if not study.model.is_causal or study.encoding.of(run, unit).length is None:
        return False
    positions = [study.positions(site, one, unit) for one in ("base", "source")]
    if positions[0] != positions[1] or not positions[0]:
        return False
    if not all(study.encoding.of(one, unit).tokens_only for one in ("base", "source")):
        return False  # the same tokens may stand for other images, or see later ones
    base, source = (study.encoding.of(one, unit).ids for one in ("base", "source"))
    assert base is not None
    assert source is not None
    stop = max(positions[0]) + 1
    return torch.equal(base[:stop], source[:stop])
