"""Estimands unit by unit: one number per unit and group, from a clean frame of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..estimands import AbstractEstimand
from ._frame import KEYS
from ._outcomes import per_unit
from ._tabulate import _RESOLUTION, Array, _resolved, groups_of, matrices, right_or_wrong


@final
@dataclass(frozen=True, slots=True, eq=False)
class UnitValues:
    """Contrasts of every unit in every group (site, arm, dose), draws averaged within the unit.

    Parameters
    ----------
    values
        By the key of the estimand, (n, groups).
    groups
        What tells the groups apart: one row a group, with the columns `site, arm, dose` that the units have.
    clusters, weights
        Of each unit, (n,).
    resolution
        Differences up to this are below what single precision resolves in the largest outcome.
    binary
        Whether the outcomes are answers that are right (1) or wrong (0).
    """

    values: Mapping[str, Array]
    groups: pd.DataFrame
    clusters: NDArray[Any]
    weights: Array
    resolution: float
    binary: bool


def unit_values(units: pd.DataFrame, estimands: Sequence[AbstractEstimand]) -> UnitValues:
    """Return the contrasts of `estimands`, none of them a ratio, for each unit of a clean frame of units."""
    keys = [name for name in KEYS if name in units.columns]
    groups = groups_of(units, keys)
    outcomes, clusters, weights = matrices(units, keys, groups)
    values = {one.key: _resolved(per_unit(one.weights, outcomes), outcomes) for one in estimands}
    named = pd.DataFrame(groups, columns=keys)
    if "dose" in named:
        named["dose"] = named["dose"].astype(float)
    resolution = _RESOLUTION * max(float(np.abs(one).max()) for one in outcomes.values())
    return UnitValues(values, named, clusters, weights, resolution, right_or_wrong(outcomes) and not outcomes.donors)
