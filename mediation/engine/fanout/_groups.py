"""A growing pass, as data: inputs of one length, and the changed rows that each of them grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from ...interventions import AbstractIntervention
from ...sites import Site
from ..captured import KINDS, Lane
from ..passes import Cells, Index, Row
from ..study import Placed


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One intervention, and the token positions at which it acts."""

    site: Site
    intervention: AbstractIntervention
    positions: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """One patched row of every lane.

    Attributes
    ----------
    born
        Block at whose output the row is appended, a copy of what the plain run has there: it changes that output, or
        something in the block after. -1 if it is there from the first block on.
    changes
        What is done to it, in order of execution.
    """

    born: int
    changes: tuple[Change, ...]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Inputs of equal length, and the changed rows that each of them grows.

    Attributes
    ----------
    lanes
        ``(run, unit)`` of each input; those of the base and of the source share the pass.
    length
        Tokens of each input.
    start
        First token that a change reaches: the pass is fed from there on.
    slots
        Changed rows of a lane, in order of birth.
    worlds
        World of each slot and lane, ``(slots, lanes)``.
    draws
        Draw of each slot.
    """

    lanes: tuple[Lane, ...]
    length: int
    start: int
    slots: tuple[Slot, ...]
    worlds: Index
    draws: Index

    @property
    def cells(self) -> Cells:
        """The rows that the group stands for, by slot and then by lane."""
        n, k = len(self.lanes), len(self.slots)
        plain = Cells.of([Row(-1, run, unit, 0) for run, unit in self.lanes])
        return Cells(self.worlds.ravel(), np.tile(plain.run, k), np.tile(plain.unit, k), np.repeat(self.draws, n))

    @property
    def suffix(self) -> int:
        """Number of tokens that are fed."""
        return self.length - self.start

    def alive(self, n_blocks: int) -> list[int]:
        """Return how many rows each block runs for; before the first one is born, one runs that is dropped then."""
        born = np.array([slot.born for slot in self.slots])
        return [max(1, len(self.lanes) * int((born < block).sum())) for block in range(n_blocks)]

    def of_lanes(self, lanes: Sequence[int]) -> Group:
        """Return the group of some of its lanes."""
        return replace(self, lanes=tuple(self.lanes[i] for i in lanes), worlds=self.worlds[:, list(lanes)])

    def of_slots(self, slots: Sequence[int]) -> Group:
        """Return the group of some of its slots."""
        some = list(slots)
        return replace(self, slots=tuple(self.slots[i] for i in some), worlds=self.worlds[some], draws=self.draws[some])


def why_not_grown(placed: Placed) -> str | None:
    """Return why a world's rows cannot be grown, or None."""
    kinds = [site.kind for site, _ in placed if site.kind not in KINDS]
    if kinds:
        return f"{kinds[0]} sites do not fan out"
    return None if placed else "nothing is changed"
