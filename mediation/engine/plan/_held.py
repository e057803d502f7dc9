"""Memory that a run holds from pass to pass: captured activations and reference logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...sites import Site
from ..captured import captures, needs_all_units
from ..sizes import ModelCost
from ..study import Study


def held_bytes(study: Study, cost: ModelCost | None, units: int) -> int:
    """Return the bytes of activations and reference logits that are held at once: those of a chunk, or of all units."""
    n = len(study.pairs)
    size = n if needs_all_units(study) else units
    wanted = captures(study)
    each = torch.finfo(study.model.dtype).bits // 8
    most = 0
    for start in range(0, n, size):
        chunk = range(start, min(start + size, n))
        most = max(
            most, sum(_numbers(study, cost, sites, run, unit) for run, sites in wanted.items() for unit in chunk)
        )
    logits = min(n, size) * cost.vocabulary if cost is not None and study.prepared.uses_reference else 0
    return each * (most + logits)


def _numbers(study: Study, cost: ModelCost | None, sites: Sequence[Site], run: str, unit: int) -> int:
    total = 0
    for site in sites:
        positions = study.positions(site, run, unit)
        total += (1 if positions is None else len(positions)) * _width(study, cost, site, run, unit)
    return total


def _width(study: Study, cost: ModelCost | None, site: Site, run: str, unit: int) -> int:
    """Return how many numbers an activation has at one position."""
    place = study.places[site]
    if place.io == "pattern":
        return (study.encoding.of(run, unit).length or 1) * (
            1 if place.head is not None or cost is None else cost.heads
        )
    if place.features is not None:
        return len(place.features)
    if site.kind == "neurons" and cost is not None and site.layer is not None:
        return cost.blocks[site.layer].inner
    features = getattr(study.model.module.get_submodule(place.path), "out_features", None)
    return features if isinstance(features, int) else (cost.hidden if cost is not None else 1)
