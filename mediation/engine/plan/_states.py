"""What plain runs leave for growing passes, by size: when something is dropped, and what has to be run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ..captured import Lane, births
from ..sizes import PassMemory, model_cost
from ..study import Study


@final
class PlannedStates:
    """Keys, values and outputs of blocks that are held as a stream goes on.

    Parameters
    ----------
    study
        What is run.
    room
        Bytes that are held.

    Attributes
    ----------
    most
        Bytes that were held at once so far.
    """

    __slots__ = ("_births", "_held", "_memory", "_room", "most")

    def __init__(self, study: Study, room: int) -> None:
        cost = model_cost(study.model)
        self._memory = None if cost is None else PassMemory(study.model, cost)
        self._births, self._room = len(births(study)), room
        self._held: list[tuple[int, frozenset[Lane], int]] = []
        self.most = 0

    def keep(self, number: int, lanes: Sequence[Lane], tokens: int, spare: Sequence[Lane] = ()) -> tuple[int, ...]:
        """Keep what a pass of plain runs leaves; return the passes whose is dropped for it, the oldest first.

        What is needed next stays, however large: this one, and what holds lanes of `spare`.
        """
        size = self._room if self._memory is None else self._memory.states(len(lanes), tokens, self._births)
        dropped = []
        for one in [one for one in self._held if not one[1].intersection(spare)]:
            if sum(size for *_, size in self._held) + size <= self._room:
                break
            self._held.remove(one)
            dropped.append(one[0])
        self._held.append((number, frozenset(lanes), size))
        self.most = max(self.most, sum(size for *_, size in self._held))
        return tuple(dropped)

    def forget(self) -> None:
        """Drop everything."""
        self._held.clear()

    def missing(self, lanes: Sequence[Lane]) -> list[Lane]:
        """Return the lanes of which nothing is held."""
        return [lane for lane in lanes if not any(lane in held for _, held, _ in self._held)]
