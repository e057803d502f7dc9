"""Rows: one world of one unit in one draw; many of them as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ..study import Run

RUNS: tuple[Run, ...] = ("base", "source")
_NUMBER: dict[str, int] = {run: number for number, run in enumerate(RUNS)}
Index = NDArray[np.int64]


class Row(NamedTuple):
    """One world of one unit in one draw; world -1 is the plain run."""

    world: int
    run: str
    unit: int
    draw: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows as arrays: nothing the size of a Python object is made for each.

    Attributes
    ----------
    world
        Index of each row's world; -1 is the plain run.
    run
        0 for base, 1 for source.
    unit, draw
        Unit and draw of each row.
    """

    world: Index
    run: Index
    unit: Index
    draw: Index

    @classmethod
    def plain(cls, run: int | str, units: Sequence[int]) -> Cells:
        """Return the plain rows of some units; a run by its name or number."""
        run = _NUMBER[run] if isinstance(run, str) else run
        unit = np.asarray(units, dtype=np.int64)
        return cls(np.full_like(unit, -1), np.full_like(unit, run), unit, np.zeros_like(unit))

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Cells:
        """Return rows as arrays."""
        found = np.array([(row.world, _NUMBER[row.run], row.unit, row.draw) for row in rows], dtype=np.int64).reshape(
            -1, 4
        )
        return cls(*found.T)

    def __len__(self) -> int:
        return len(self.unit)

    def pick(self, index: NDArray[np.int64] | slice) -> Cells:
        """Return some of the rows."""
        return Cells(self.world[index], self.run[index], self.unit[index], self.draw[index])

    def rows(self) -> list[Row]:
        """Return the rows one by one."""
        columns = (self.world.tolist(), self.run.tolist(), self.unit.tolist(), self.draw.tolist())
        return [Row(world, RUNS[run], unit, draw) for world, run, unit, draw in zip(*columns, strict=True)]

    @property
    def lanes(self) -> list[tuple[str, int]]:
        """``(run, unit)`` of each row."""
        return [(RUNS[run], unit) for run, unit in zip(self.run.tolist(), self.unit.tolist(), strict=True)]
