"""One growing pass: rows are appended where they begin to differ, and changed where their sites are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from ..interventions import AbstractIntervention, Need
from ..sites import Place
from ._activations import Activations
from ._backend import AbstractBackend, Visit
from ._groups import Change, Group
from ._masks import suffix_inputs
from ._prefix import Prefixes, lane_ids
from ._rows import Row, with_row_axis
from ._unembed import narrowed

if TYPE_CHECKING:
    from ._study import Study


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Edit:
    """What is done at one module to rows that lie together.

    Attributes
    ----------
    first, stop
        Rows of the batch.
    positions
        ``(rows, k)``, counted from the first token that is fed.
    features
        ``(rows, f)``; None for all.
    given
        What the intervention needs, ``(rows, k, f)`` each.
    """

    first: int
    stop: int
    positions: Tensor
    features: Tensor | None
    intervention: AbstractIntervention
    given: Mapping[Need, Tensor]

    def apply(self, hidden: Tensor) -> None:
        """Change ``hidden`` ``(batch, tokens, features)`` in place."""
        part = hidden[self.first : self.stop]
        rows = torch.arange(len(part), device=hidden.device)[:, None]
        where = self.positions.to(hidden.device)
        index: tuple[Tensor, ...] = (rows, where)
        if self.features is not None:
            index = (rows[:, :, None], where[:, :, None], self.features.to(hidden.device)[:, None, :])
        part[index] = self.intervention(part[index], self.given).to(hidden.dtype)


def grow(
    study: Study,
    backend: AbstractBackend,
    group: Group,
    activations: Activations,
    *,
    references: Mapping[int, Tensor] | None,
    prefixes: Prefixes,
) -> dict[Row, float]:
    """Return the outcomes of a group's rows, from one pass.

    Parameters
    ----------
    references
        As in `run_rows`.
    prefixes
        Where the keys and values of plain runs are.
    """
    model, n = study.model, len(group.lanes)
    ids = torch.stack([lane_ids(study, lane)[group.start :] for lane in group.lanes]).to(model.device)
    at_start = sum(slot.born < 0 for slot in group.slots)
    inputs: dict[str, Any] = {"input_ids": ids.repeat(1 + at_start, 1), "use_cache": group.start > 0}
    inputs |= suffix_inputs(model, group.start, group.length)
    if group.start > 0:
        inputs["past_key_values"] = prefixes.of(group.lanes, group.start)
    units = [unit for _, unit in group.lanes] * (1 + len(group.slots))
    found = narrowed(study, units, lambda hidden: hidden[:, -1:])
    last, finish = found if found is not None else ([], _finish(study, units, references))
    inputs["logits_to_keep"] = study.prepared.kept
    visits = _visits(study, group, activations)
    outcomes = backend.forward(model, inputs, [*visits, *last], finish).double().cpu().tolist()
    return dict(zip(group.rows, outcomes[n:], strict=True))


def _finish(study: Study, units: Sequence[int], references: Mapping[int, Tensor] | None) -> Callable[[Any], Tensor]:
    reference = torch.stack([references[unit] for unit in units]) if references is not None else None

    def finish(output: Any) -> Tensor:
        logits = output.logits
        return study.prepared.reduce(logits[:, -1] if study.prepared.raw else logits, torch.tensor(units), reference)

    return finish


def _visits(study: Study, group: Group, activations: Activations) -> list[Visit]:
    """Return the visits of a growing pass: births at the ends of blocks, changes where the sites are."""
    edits: dict[Place, list[_Edit]] = {}
    for place, found in _edits(study, group, activations):
        edits.setdefault(place, []).append(found)
    births: dict[Place, int] = {}
    blocks = study.model.known_architecture()
    for slot in group.slots:
        if slot.born >= 0:
            end = Place(blocks.path(slot.born), "output")
            births[end] = births.get(end, 0) + 1
    n = len(group.lanes)
    return [
        Visit(place.path, place.io, _stop(n, group.suffix, births.get(place, 0), edits.get(place, ())))
        for place in sorted({*births, *edits}, key=study.when)
    ]


def _stop(n: int, tokens: int, born: int, edits: Sequence[_Edit]) -> Callable[[Tensor], Tensor]:
    """Return the visit that appends `born` copies of the plain rows and then changes some rows."""

    def see(hidden: Tensor) -> Tensor:
        rows = hidden if hidden.ndim > 2 else hidden.reshape(-1, tokens, hidden.shape[-1])  # OPT flattens its MLP
        grown = rows.new_empty(len(rows) + born * n, *rows.shape[1:])
        grown[: len(rows)] = rows
        if born:
            grown[len(rows) :].view(born, n, *rows.shape[1:])[:] = rows[:n]
        for edit in edits:
            edit.apply(grown)
        return grown if hidden.ndim > 2 else grown.reshape(-1, hidden.shape[-1])

    return see


def _edits(study: Study, group: Group, activations: Activations) -> list[tuple[Place, _Edit]]:
    """Return the edits of a group, each with its module: slots side by side that are changed alike are one edit."""
    found = []
    changes = [
        (slot, change, study.places[change.site]) for slot, one in enumerate(group.slots) for change in one.changes
    ]
    changes.sort(key=lambda entry: (study.when(entry[2]), entry[0]))
    for _, some in groupby(enumerate(changes), key=_alike):
        members = [entry for _, entry in some]
        place = members[0][2]
        found.append((Place(place.path, place.io), _edit(study, group, activations, members)))
    return found


def _alike(entry: tuple[int, tuple[int, Change, Place]]) -> tuple[object, ...]:
    """Return what slots that are changed together have in common: they also lie next to each other."""
    index, (slot, change, place) = entry
    features = None if place.features is None else len(place.features)
    return place.path, place.io, change.intervention, len(change.positions), features, index - slot


def _edit(study: Study, group: Group, activations: Activations, members: Sequence[tuple[int, Change, Place]]) -> _Edit:
    n, first, what = len(group.lanes), members[0][0], members[0][1].intervention
    given: dict[Need, list[Tensor]] = {need: [] for need in what.needs()}
    for slot, change, _ in members if given else ():
        for (_, unit), (world, draw) in zip(group.lanes, group.combos[slot], strict=True):
            supply = activations.given(change.site, what, study.worlds[world], unit, draw)
            for need, held in given.items():
                held.append(supply[need])
    positions = torch.tensor([change.positions for _, change, _ in members]) - group.start
    features = None
    if members[0][2].features is not None:
        features = torch.tensor([place.features for _, _, place in members]).repeat_interleave(n, 0)
    return _Edit(
        n * (1 + first),
        n * (1 + first + len(members)),
        positions.repeat_interleave(n, 0),
        features,
        what,
        {need: with_row_axis(held) for need, held in given.items()},
    )
