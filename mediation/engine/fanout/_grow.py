"""One growing pass: rows are appended where they begin to differ, and changed where their sites are.

What a row is before that, the plain run has computed already: rows begin as copies of what it left. Until the first one
is born, the blocks of the model are passed by one row that counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ...interventions import AbstractIntervention, Need
from ...sites import Place
from ..backends import AbstractBackend, Visit
from ..captured import Activations, Lanes, PlainStates, lane_ids
from ..passes import read_tails
from ..study import Study
from ._groups import Change, Group
from ._masks import suffix_inputs


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
    states: PlainStates,
) -> Tensor:
    """Return the outcomes of a group's rows, ``(slots, lanes, outcomes)``, from one pass.

    Parameters
    ----------
    references
        As in `run_rows`.
    states
        What plain runs left: keys and values of the tokens before, and hidden states of those from there on.
    """
    model, held = study.model, states.of(group.lanes)
    ids = torch.stack([lane_ids(study, lane)[group.start :] for lane in group.lanes]).to(model.device)
    at_start = sum(slot.born < 0 for slot in group.slots)
    inputs: dict[str, Any] = {
        "input_ids": ids.repeat(at_start, 1) if at_start else ids[:1],
        "use_cache": group.start > 0,
    }
    inputs |= suffix_inputs(model, group.start, group.length)
    if group.start > 0:
        inputs["past_key_values"] = held.prefix(group.start)
    units = [unit for _, unit in group.lanes] * len(group.slots)
    reference = torch.stack([references[unit] for unit in units]) if references is not None else None
    last, finish = read_tails(study, units, reference)
    inputs["logits_to_keep"] = study.prepared.kept
    visits = _visits(study, group, activations, held)
    outcomes: Tensor = backend.forward(model, inputs, [*visits, *last], finish)
    return outcomes.double().cpu().reshape(len(group.slots), len(group.lanes), -1)


def _visits(study: Study, group: Group, activations: Activations, held: Lanes) -> list[Visit]:
    """Return the visits of a growing pass: births at the ends of blocks, changes where the sites are."""
    edits: dict[Place, list[_Edit]] = {}
    for place, found in _edits(study, group, activations):
        edits.setdefault(place, []).append(found)
    births: dict[Place, _Birth] = {}
    blocks, alive = study.model.known_architecture(), 0
    for block, slots in groupby(group.slots, key=lambda slot: slot.born):
        count = len(list(slots))
        if block >= 0:
            births[Place(blocks.path(block), "output")] = _Birth(alive * len(group.lanes), count, block)
        alive += count
    return [
        Visit(place.path, place.io, _stop(group, held, births.get(place), edits.get(place, ())))
        for place in sorted({*births, *edits}, key=study.when)
    ]


class _Birth(NamedTuple):
    """How many rows there are before, how many slots begin, and at the end of which block."""

    before: int
    slots: int
    block: int


def _stop(group: Group, held: Lanes, birth: _Birth | None, edits: Sequence[_Edit]) -> Callable[[Tensor], Tensor]:
    """Return the visit that appends copies of the plain run's rows and then changes some rows."""
    n, tokens = len(group.lanes), group.suffix

    def see(hidden: Tensor) -> Tensor:
        rows = hidden if hidden.ndim > 2 else hidden.reshape(-1, tokens, hidden.shape[-1])  # OPT flattens its MLP
        if birth is None:
            grown = rows.clone()
        else:
            grown = rows.new_empty(birth.before + birth.slots * n, *rows.shape[1:])
            grown[: birth.before] = rows[: birth.before]
            begun = held.hidden(birth.block, group.start, group.length)
            grown[birth.before :].view(birth.slots, n, *rows.shape[1:])[:] = begun
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
    given = {need: _supplied(group, activations, need, members) for need in what.needs()}
    positions = torch.tensor([change.positions for _, change, _ in members]) - group.start
    features = None
    if members[0][2].features is not None:
        features = torch.tensor([place.features for _, _, place in members]).repeat_interleave(n, 0)
    return _Edit(
        n * first,
        n * (first + len(members)),
        positions.repeat_interleave(n, 0),
        features,
        what,
        given,
    )


def _supplied(
    group: Group, activations: Activations, need: Need, members: Sequence[tuple[int, Change, Place]]
) -> Tensor:
    """Return what some slots are given, ``(rows, k, f)``; one row where all share it."""
    lanes = [(run, tuple(unit for _, unit in some)) for run, some in groupby(group.lanes, key=lambda lane: lane[0])]
    parts = [
        activations.supply(need, change.site, [(run, int(group.draws[slot]), units) for run, units in lanes])
        for slot, change, _ in members
    ]
    if len(parts) == 1:
        return parts[0]
    n = len(group.lanes)
    return torch.cat([part.expand(n, *part.shape[1:]) for part in parts])
