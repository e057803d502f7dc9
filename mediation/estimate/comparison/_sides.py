"""The two results of a comparison: the units of either, and which group of one belongs to which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import pandas as pd
from numpy.typing import NDArray

from ..frame import KEYS, by_unit
from ..table import Array, Draws, Outcomes, groups_of, matrices


@final
@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Which group of the first result is compared with which of the second.

    Parameters
    ----------
    first, second
        Groups of either result, as `groups_of` returns them, in the order of comparison.
    names
        How each comparison is called: columns `site`, `arm`, `dose`, one row each.
    """

    first: Sequence[tuple[Any, ...]]
    second: Sequence[tuple[Any, ...]]
    names: pd.DataFrame


@final
@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One result: its units, sorted by unit, and whether their draws are shared."""

    units: pd.DataFrame
    draws: Draws

    @property
    def keys(self) -> list[str]:
        """Columns that tell groups apart."""
        return [name for name in KEYS if name in self.units.columns]

    def outcomes(self, groups: Sequence[tuple[Any, ...]]) -> tuple[Outcomes, NDArray[Any], Array]:
        """Return each potential outcome (units, groups), draws averaged, with clusters and weights."""
        every = groups_of(self.units, self.keys)
        values, clusters, weights = matrices(self.units, self.keys, every, crossed=True)
        return values.at([every.index(group) for group in groups]), clusters, weights


def side_of(units: pd.DataFrame, draws: Draws) -> Side:
    """Return a result's units, sorted by unit (and draw), so that two of them stand row by row."""
    return Side(by_unit(units, [name for name in KEYS if name in units.columns]), draws)
