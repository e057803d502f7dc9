"""Draws of one result minus those of another, where mediators came from other units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..table import OF_DONORS, Array, Index, codes_of, groups_of, row_of_donor, row_of_unit
from ._sides import Side


class Rows(NamedTuple):
    """Draws of one group: who received and who gave (numbers of units, -1 for outside), and each outcome, (N,)."""

    receiver: Index
    donor: Index
    outcomes: Mapping[str, Array]

    @property
    def has_donors(self) -> bool:
        """Whether some outcome may depend on another unit of the frame."""
        return bool((self.donor >= 0).any()) and not OF_DONORS.isdisjoint(self.outcomes)


def rows_of(side: Side, groups: Sequence[tuple[object, ...]], names: Sequence[str]) -> list[Rows]:
    """Return the draws of each group of a result, by unit and draw."""
    units = side.units
    codes = codes_of(units, side.keys, every := groups_of(units, side.keys))
    receiver = row_of_unit(units)
    donor = row_of_donor(units) if "donor" in units else np.full(len(units), -1, dtype=np.int64)
    values = {name: units[name].to_numpy(dtype=float) for name in names}
    places = [np.flatnonzero(codes == every.index(group)) for group in groups]
    return [Rows(receiver[at], donor[at], {name: one[at] for name, one in values.items()}) for at in places]


def subtract_rows(one: Rows, two: Rows, weights: Array) -> Rows:
    """Return the draws of one result minus another, so that means and residuals are those of the difference.

    Draws of the same receivers and donors are subtracted one by one. Otherwise the draws of both are kept, those of the
    second with the opposite sign. Where a unit has D draws in one and E in the other, its draw y of the first becomes
    m - m' + (D + E) / D (y - m), m and m' the two means: the average over D + E draws is the difference of averages.
    """
    if np.array_equal(one.receiver, two.receiver) and np.array_equal(one.donor, two.donor):
        return one._replace(outcomes={name: values - two.outcomes[name] for name, values in one.outcomes.items()})
    receiver = np.concatenate([one.receiver, two.receiver])
    n = len(weights)
    counts = [np.bincount(side.receiver, minlength=n) for side in (one, two)]
    outcomes = {}
    for name in one.outcomes:
        parts, difference = [], 0.0
        for side, count, sign in ((one, counts[0], 1), (two, counts[1], -1)):
            values = side.outcomes[name]
            mean = float(np.average(values, weights=(weights / count)[side.receiver]))
            parts.append(sign * ((counts[0] + counts[1]) / count)[side.receiver] * (values - mean))
            difference += sign * mean
        outcomes[name] = difference + np.concatenate(parts)
    order = np.argsort(receiver, kind="stable")
    donor = np.concatenate([one.donor, two.donor])
    return Rows(receiver[order], donor[order], {name: values[order] for name, values in outcomes.items()})
