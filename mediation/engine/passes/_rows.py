"""Worlds as rows of one batch: the general way to run a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import final

import torch
from torch import Tensor
from transformers import DynamicCache

from ...interventions import AbstractIntervention, Need
from ...sites import Place, Site
from ..backends import AbstractBackend, Visit, one_a_place
from ..captured import Activations, PlainStates, Source, check_cache
from ..study import Placed, Side, Study
from ._cells import Row
from ._inputs import Batch, make_batch
from ._reading import last_logits, readout
from ._select import Selection, read, same_shape_groups, write


@final
@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One intervention on some rows of a batch."""

    selection: Selection
    intervention: AbstractIntervention
    given: Mapping[Need, Tensor]

    def apply(self, activation: Tensor, batch: Batch) -> None:
        """Change `activation` in place."""
        hidden = read(activation, self.selection, batch)
        write(activation, self.selection, batch, self.intervention(hidden, self.given))


def batch_of(study: Study, rows: Sequence[Row], side: Side) -> Batch:
    """Return the padded batch of `rows`."""
    encoded = [study.encoding.of(row.run, row.unit) for row in rows]
    continuation = study.prepared.continuation
    return make_batch(
        study.model, encoded, [continuation[row.unit] for row in rows] if continuation else None, side=side
    )


def run_rows(
    study: Study,
    backend: AbstractBackend,
    rows: Sequence[Row],
    placed: Sequence[Placed],
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None = None,
    side: Side = "left",
    sites: Sequence[Site] = (),
) -> Tensor:
    """Return the outcomes of `rows`, ``(rows, outcomes)``, from one forward pass.

    Parameters
    ----------
    placed
        Sites and interventions of every world of the study, in order of execution.
    sites
        Where activations are kept, as they are after what is done there.
    references
        Logits of each unit's plain base run, for outcomes that compare with it.
    """
    changes = partial(_changes, study, placed, activations, sites)
    if study.prepared.reader is not None:
        return study.prepared.reader.outcomes(study, backend, rows, changes)
    batch = batch_of(study, rows, side)
    visits = changes(rows, batch)
    reference = torch.stack([references[row.unit] for row in rows]) if references is not None else None
    extra, last, finish = readout(study, batch, [(row.run, row.unit) for row in rows], reference)
    result: Tensor = backend.forward(study.model, {**batch.inputs, **extra}, [*visits, *last], finish)
    return result


def capture_rows(
    study: Study,
    backend: AbstractBackend,
    rows: Sequence[Row],
    sites: Sequence[Site],
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None = None,
    side: Side = "left",
    states: PlainStates | None = None,
    number: int = 0,
) -> Tensor:
    """Run `rows` plain, keep their activations at `sites`, and return their outcomes.

    Parameters
    ----------
    states, number
        Where keys, values and hidden states are kept, for growing passes, and under which number.
    """
    if study.prepared.reader is not None:
        return study.prepared.reader.outcomes(study, backend, rows, partial(_changes, study, (), activations, sites))
    batch = batch_of(study, rows, side)
    visits = _captures(study, sites, rows, batch, activations)
    hidden: dict[int, Tensor] = {}
    if states is not None:
        visits = one_a_place([*visits, *states.watch(hidden, batch.width)])
    visits.sort(key=lambda visit: study.when(Place(visit.path, visit.io)))
    reference = torch.stack([references[row.unit] for row in rows]) if references is not None else None
    lanes = [(row.run, row.unit) for row in rows]
    extra, last, finish = readout(study, batch, lanes, reference)
    cache = DynamicCache()
    if states is not None:
        extra |= {"past_key_values": cache, "use_cache": True}
    result: Tensor = backend.forward(study.model, {**batch.inputs, **extra}, [*visits, *last], finish)
    if states is not None:
        check_cache(cache, batch.width)
        states.keep(number, cache, hidden, lanes, batch.starts)
    return result


def reference_logits(study: Study, backend: AbstractBackend, rows: Sequence[Row], *, side: Side = "left") -> Tensor:
    """Return the logits that are read in plain runs of `rows`, ``(rows, vocabulary)``."""
    batch = batch_of(study, rows, side)
    extra, finish = last_logits(study, batch, [(row.run, row.unit) for row in rows])
    result: Tensor = backend.forward(study.model, {**batch.inputs, **extra}, [], finish)
    return result


def _changes(
    study: Study,
    placed: Sequence[Placed],
    activations: Activations,
    sites: Sequence[Site],
    rows: Sequence[Row],
    batch: Batch,
) -> list[Visit]:
    """Return the visits that change rows and keep activations, in order of execution; plain rows change nothing."""
    edits = _edits(study, rows, placed, activations) if placed else {}
    visits = [Visit(place.path, place.io, _editor(found, batch)) for place, found in edits.items()]
    if sites:
        visits = one_a_place([*visits, *_captures(study, sites, rows, batch, activations)])
    return sorted(visits, key=lambda visit: study.when(Place(visit.path, visit.io)))


def _edits(
    study: Study, rows: Sequence[Row], placed: Sequence[Placed], activations: Activations
) -> dict[Place, list[Edit]]:
    """Return the edits of a batch by module: rows that share an intervention are changed together."""
    flat: list[tuple[int, Site, AbstractIntervention, tuple[int, ...] | None]] = []
    keys: list[tuple[object, ...]] = []
    for index, row in enumerate(rows):
        for site, what in placed[row.world]:
            positions, place = study.table(site, row.run)[row.unit], study.places[site]
            length = study.encoding.of(row.run, row.unit).length if place.io == "pattern" else 0
            flat.append((index, site, what, positions))
            keys.append((place, what, None if positions is None else len(positions), length))
    edits: dict[Place, list[Edit]] = {}
    for members in same_shape_groups(keys).values():
        some = [flat[member] for member in members]
        _, site, what, positions = some[0]
        place = study.places[site]
        where = None if positions is None else tuple(one[3] or () for one in some)
        selection = Selection(place, tuple(one[0] for one in some), where)
        given = {need: _supplied(activations, need, rows, some) for need in what.needs()}
        edits.setdefault(Place(place.path, place.io), []).append(Edit(selection, what, given))
    return edits


def _supplied(
    activations: Activations, need: Need, rows: Sequence[Row], some: Sequence[tuple[int, Site, object, object]]
) -> Tensor:
    """Return what the rows of one edit are given, site by site."""
    parts = []
    for site, members in groupby(some, key=lambda one: one[1]):
        mine = [rows[index] for index, *_ in members]
        asking = [
            (run, draw, tuple(row.unit for row in alike))
            for (run, draw), alike in groupby(mine, key=lambda row: (row.run, row.draw))
        ]
        parts.append((len(mine), activations.supply(need, site, asking)))
    if len(parts) == 1:
        return parts[0][1]
    return torch.cat([part.expand(n, *part.shape[1:]) for n, part in parts])


def _editor(edits: Sequence[Edit], batch: Batch) -> Callable[[Tensor], Tensor]:
    def see(activation: Tensor) -> Tensor:
        changed = activation.clone()
        for edit in edits:
            edit.apply(changed, batch)
        return changed

    return see


def _captures(
    study: Study, sites: Sequence[Site], rows: Sequence[Row], batch: Batch, activations: Activations
) -> list[Visit]:
    """Return the visits that keep activations, one a module."""
    by_module: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        place = study.places[site]
        by_module.setdefault((place.path, place.io), []).append(site)
    return [
        Visit(path, io, _capturer(study, found, rows, batch, activations))  # type: ignore[arg-type]
        for (path, io), found in by_module.items()
    ]


def _capturer(
    study: Study, sites: Sequence[Site], rows: Sequence[Row], batch: Batch, activations: Activations
) -> Callable[[Tensor], None]:
    def see(activation: Tensor) -> None:
        for site in sites:
            positions = [study.table(site, row.run)[row.unit] for row in rows]
            keys = [
                (None if p is None else len(p), batch.lengths[i] if batch.lengths else 0, _source(rows[i]))
                for i, p in enumerate(positions)
            ]
            for members in same_shape_groups(keys).values():
                where = None if positions[members[0]] is None else tuple(positions[m] or () for m in members)
                values = read(activation, Selection(study.places[site], tuple(members), where), batch).clone()
                units = [rows[member].unit for member in members]
                activations.put(site, _source(rows[members[0]]), units, values)

    return see


def _source(row: Row) -> Source:
    return row.run if row.world < 0 else (row.world, row.draw)
