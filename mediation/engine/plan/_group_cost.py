"""The shape of a growing pass, from its group: the one place where a plan looks inside a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch

from ..captured import HELD, Lane, births
from ..fanout import Group
from ..passes import MOST_OF_VOCABULARY
from ..sizes import ModelCost, PassMemory, PassShape
from ..study import Study


def cost_of(study: Study, cost: ModelCost, group: Group) -> PassShape:
    """Return the shape of a group's pass: rows of each block, on the tokens from the first changed one on."""
    blocks = len(cost.blocks)
    alive = group.alive(blocks + 1)
    columns = asked_columns(study, cost, [unit for _, unit in group.lanes])
    return PassShape(
        kind="fan-out",
        alive=tuple(alive[:blocks]),
        queries=group.suffix,
        keys=group.length,
        entered=alive[0],
        left=alive[blocks],
        outcomes=len(group.rows),
        read=study.prepared.kept if columns is None else 1,
        columns=columns,
        lanes=len(group.lanes),
    )


def asked_columns(study: Study, cost: ModelCost, units: Sequence[int]) -> int | None:
    """Return how many logits of a token a pass computes: those that its units ask for; None for all."""
    asked = study.prepared.asked
    if study.unembedding is None or asked is None:
        return None
    ids = torch.unique(asked[torch.tensor(sorted(set(units)))])
    return len(ids) if len(ids) <= MOST_OF_VOCABULARY * cost.vocabulary else None


@final
class HeldStates:
    """What `PlainStates` would hold.

    Attributes
    ----------
    most
        Bytes that were held at once so far.
    """

    __slots__ = ("_births", "_cost", "_held", "_memory", "most")

    def __init__(self, study: Study, cost: ModelCost) -> None:
        self._cost, self._memory, self._births = cost, PassMemory(study.model, cost), len(births(study))
        self._held: list[tuple[frozenset[Lane], int]] = []
        self.most = 0

    def keep(self, lanes: Sequence[Lane], tokens: int) -> None:
        """Keep what a batch of plain runs leaves."""
        self._held.append((frozenset(lanes), self._memory.states(len(lanes), tokens, self._births)))
        while len(self._held) > 1 and sum(size for _, size in self._held) > HELD:
            del self._held[0]
        self.most = max(self.most, sum(size for _, size in self._held))

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()

    def before(self, group: Group) -> PassShape | None:
        """Return the pass that is needed before a group's own, because what plain runs left is not held any more."""
        missing = [lane for lane in group.lanes if not any(lane in lanes for lanes, _ in self._held)]
        if not missing:
            return None
        self.keep(missing, group.length)
        return PassShape(
            kind="again",
            alive=(len(missing),) * len(self._cost.blocks),
            queries=group.length,
            keys=group.length,
            entered=len(missing),
            left=len(missing),
            outcomes=0,
            read=1,
        )
