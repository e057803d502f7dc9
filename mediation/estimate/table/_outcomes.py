"""Potential outcomes by unit and group, with the donors of their draws, and contrasts of them unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DataError
from ...estimands import Linear, contrast
from ._donor_variance import Array, DonorDesign, Index, donor_ratio_values, donor_values

OF_DONORS = frozenset({"g00", "g01", "g10", "g11", "y0m", "y1m", "ym"})
"""Outcomes that may have another unit's mediator."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class DonorRows:
    """Groups (sites, arms, doses) whose rows have the same receivers and donors.

    Parameters
    ----------
    columns
        Numbers of the groups, (k,).
    rows
        Each potential outcome, one row a draw of a receiver, (N, k).
    design
        Who received and who gave.
    """

    columns: NDArray[np.intp]
    rows: Mapping[str, Array]
    design: DonorDesign


@final
class Outcomes(dict[str, Array]):
    """Each potential outcome as ``(units, groups)``, draws averaged, and the draws of groups with donors.

    Where one unit gave in all rows of a group, `one_donor` is set and the group is about that unit's mediator.
    """

    def __init__(
        self, means: Mapping[str, Array], donors: Sequence[DonorRows] = (), *, one_donor: bool = False
    ) -> None:
        super().__init__(means)
        self.donors, self.one_donor = tuple(donors), one_donor

    def at(self, places: Sequence[int]) -> Outcomes:
        """Return the groups at `places`, in that order."""
        found = []
        for part in self.donors:
            numbers = {int(column): i for i, column in enumerate(part.columns)}
            here = [place for place, column in enumerate(places) if column in numbers]
            if here:
                some = [numbers[places[place]] for place in here]
                rows = {name: values[:, some] for name, values in part.rows.items()}
                found.append(replace(part, columns=np.array(here, dtype=np.intp), rows=rows))
        return Outcomes({name: values[:, list(places)] for name, values in self.items()}, found)


def per_unit(weights: Linear, outcomes: Outcomes) -> Array:
    """Return a contrast as one number a unit and group, (n, G), whose spread counts donors; see `donor_values`."""
    values = contrast(weights, outcomes)
    if OF_DONORS & set(weights):
        for part in outcomes.donors:
            values[:, part.columns] = donor_values(contrast(weights, part.rows), part.design)
    return values


def ratio_per_unit(weights: Linear, denominator: Linear, outcomes: Outcomes) -> tuple[Array, Array]:
    """Return numerator and denominator as one number a unit and group; see `donor_ratio_values`."""
    above, below = contrast(weights, outcomes), contrast(denominator, outcomes)
    if OF_DONORS & (set(weights) | set(denominator)):
        for part in outcomes.donors:
            pair = donor_ratio_values(contrast(weights, part.rows), contrast(denominator, part.rows), part.design)
            above[:, part.columns], below[:, part.columns] = pair
    return above, below


def donor_rows(
    units: pd.DataFrame,
    codes: NDArray[np.intp],
    names: Sequence[str],
    design: tuple[NDArray[np.object_], Array],
) -> tuple[list[DonorRows], bool]:
    """Return the draws of the groups that have donors, and whether some group has one donor only.

    `codes` numbers the groups of the rows of a clean frame; `design` has the cluster and the weight of each unit, in
    the order in which units come in the frame.
    """
    clusters, weights = pd.factorize(design[0])[0], design[1]
    receiver, donor = row_of_unit(units), row_of_donor(units)
    donor = np.where(donor == receiver, -1, donor)
    order = np.lexsort((pd.factorize(units["draw"], sort=True)[0], receiver, codes))
    places = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    alike: dict[tuple[bytes, bytes], list[NDArray[np.intp]]] = {}
    one_donor = False
    for place in places:
        known = donor[place][donor[place] >= 0]
        if len(known) > 1 and (known == known[0]).all():
            one_donor = True
        elif len(known):
            alike.setdefault((receiver[place].tobytes(), donor[place].tobytes()), []).append(place)
    found = []
    for some in alike.values():
        at = np.stack(some, axis=1)
        rows = {name: units[name].to_numpy(dtype=float)[at] for name in names}
        of = DonorDesign(receiver[some[0]], donor[some[0]], weights, clusters)
        found.append(DonorRows(codes[at[0]], rows, of))
    return found, one_donor


def row_of_unit(units: pd.DataFrame) -> Index:
    """Return for each row the number of its unit, in the order of the units."""
    return pd.factorize(units["unit"])[0].astype(np.int64)


def row_of_donor(units: pd.DataFrame) -> Index:
    """Return for each row the number of the unit that gave, in the order of the units; -1 where none did."""
    found: Index = pd.Index(units["unit"].unique()).get_indexer(pd.Index(units["donor"])).astype(np.int64)
    return found


def check_shared_donors(units: pd.DataFrame, keys: Sequence[str]) -> None:
    """Raise DataError if draws are said to be shared, and units have different donors in one draw."""
    known = units.assign(donor=row_of_donor(units)).query("donor >= 0")
    several = known.groupby([*keys, "draw"], dropna=False)["donor"].nunique() > 1
    if several.any():
        raise DataError(
            "draws = 'shared' says that a draw is the same for every unit, and the column 'donor' names several donors "
            "in one draw. Leave draws='independent': the donors then count in the intervals."
        )
