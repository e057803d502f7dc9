"""States to be measured step by step, and the numbers found, each with where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ..inference import Inference
from ._jackknife import Spread, blocks_of, jackknife

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Found(NamedTuple):
    """One number: of which measure, at which step (and which other), from how many units and groups.

    `caveat` says why its interval covers less than it promises; empty otherwise.
    """

    measure: str
    step: int
    other: int | None
    spread: Spread
    n: int
    n_groups: int
    caveat: str = ""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """States to be measured.

    Attributes
    ----------
    values, has
        ``(n, steps, hidden)`` float64, and which unit has which step.
    groups
        A code a unit, ``(n,)``.
    grouped
        Whether groups were given.
    centre
        What is taken away for centred cosines, ``(hidden,)``; None for the mean of these states over units and steps.
    settings
        Of intervals.
    """

    values: Array
    has: NDArray[np.bool_]
    groups: Index
    grouped: bool
    centre: Array | None
    settings: Inference

    def at(self, *steps: int) -> Index:
        """Return the units that have all of `steps`."""
        return np.flatnonzero(self.has[:, steps].all(axis=1))

    def blocks(self, units: Index, *, all_groups: bool = False) -> Index:
        """Return the block of each of `units` that the jackknife leaves out."""
        codes = np.unique(self.groups[units], return_inverse=True)[1]
        if all_groups:
            return codes
        return blocks_of(codes, np.random.default_rng(np.random.SeedSequence((self.settings.seed, 11))))

    def centres(self) -> tuple[Array, list[tuple[NDArray[np.bool_], Array]]]:
        """Return the centre; and, where it is these states' own, the units without each block, and their centre."""
        if self.centre is not None:
            return self.centre, []
        totals, counts = np.where(self.has[..., None], self.values, 0.0).sum(axis=1), self.has.sum(axis=1)
        block = self.blocks(np.arange(len(self.values)))
        kept = [block != left_out for left_out in range(block.max() + 1)]
        others = [(keep, totals[keep].sum(axis=0) / max(1, counts[keep].sum())) for keep in kept]
        return totals.sum(axis=0) / counts.sum(), others

    def spread(self, estimate: float, without: Array, units: Index) -> Spread:
        """Return the interval of a number of `units` from those without one block each."""
        level, what = self.settings.confidence_level, self.left_out(len(without), units)
        return jackknife(estimate, without, confidence_level=level, what=what)

    def left_out(self, blocks: int, units: Index) -> str:
        """Return what the jackknife leaves out, in words."""
        whole = len(np.unique(self.groups[units])) == blocks
        return ("groups" if self.grouped else "units") if whole else "blocks of units"

    def found(
        self, measure: str, step: int, other: int | None, spread: Spread, units: Index, caveat: str = ""
    ) -> Found:
        """Return a number with where it is from."""
        return Found(measure, step, other, spread, len(units), len(np.unique(self.groups[units])), caveat)
