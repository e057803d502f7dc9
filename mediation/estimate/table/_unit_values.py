"""Estimands unit by unit: one number per unit and group, from a clean frame of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import pandas as pd
from numpy.typing import NDArray

from ...estimands import AbstractEstimand
from ..frame import KEYS, in_order
from ._outcomes import per_unit
from ._rounding import Precision, limits, resolved
from ._tabulate import Array, groups_of, matrices, span_of, width_of


@final
@dataclass(frozen=True, slots=True, eq=False)
class UnitValues:
    """Contrasts of every unit in every group (site, arm, dose), draws averaged within the unit.

    Parameters
    ----------
    values
        By the key of the estimand, (n, groups).
    spans
        By the key of the estimand, the largest value that it can have when the outcomes are answers; NaN otherwise.
    groups
        What tells the groups apart: one row a group, with the columns `site, arm, dose` that the units have, sorted.
    clusters, weights
        Of each unit, (n,).
    resolution
        By the key of the estimand, (n, groups): contrasts up to this may be rounding of the outcomes.
    """

    values: Mapping[str, Array]
    spans: Mapping[str, float]
    groups: pd.DataFrame
    clusters: NDArray[Any]
    weights: Array
    resolution: Mapping[str, Array]


def unit_values(
    units: pd.DataFrame, estimands: Sequence[AbstractEstimand], precision: Precision = "float64"
) -> UnitValues:
    """Return the contrasts of `estimands`, none of them a ratio, for each unit of a clean frame of units."""
    keys = [name for name in KEYS if name in units.columns]
    groups = in_order(groups_of(units, keys))
    outcomes, clusters, weights = matrices(units, keys, groups)
    resolution = {one.key: limits(one.weights, outcomes, precision) for one in estimands}
    values = {one.key: resolved(per_unit(one.weights, outcomes), resolution[one.key]) for one in estimands}
    named = pd.DataFrame(groups, columns=keys)
    if "dose" in named:
        named["dose"] = named["dose"].astype(float)
    width = width_of(units)
    spans = {one.key: span_of(one, width) if width else float("nan") for one in estimands}
    return UnitValues(values, spans, named, clusters, weights, resolution)
