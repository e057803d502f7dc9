"""Potential outcomes of one result minus those of another, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DesignError
from ..frame import POTENTIAL_OUTCOMES, SECOND
from ..table import MAGNITUDE, Array, Draws, Precision, codes_of, cubes, groups_of, limits
from ._sides import Match, Side
from ._subtract_draws import Rows, rows_of, subtract_rows


def subtract(first: Side, second: Side, match: Match, precision: Precision) -> tuple[pd.DataFrame, Draws]:
    """Return the units frame of first minus second, and whether its draws are shared.

    Its column `magnitude` holds the largest outcome of either, from which the rounding of a difference is judged.

    Draws are averaged within the unit first. Draws that all units share are kept apart: draw r of the difference is
    draw r of the one minus draw r of the other, or minus the average of the other if its draws are not shared. Draws of
    random donors are kept too, since the variance depends on who gave; see `subtract_rows`.

    Raises
    ------
    DesignError
        If both results share draws over units, and do not have as many of them.
    """
    shared = "shared" in (first.draws, second.draws)
    names = [name for name in POTENTIAL_OUTCOMES if name in first.units and name in second.units]
    sides = ((first, match.first), (second, match.second))
    one, two = (_by_draw(side, groups, names) for side, groups in sides)
    draws = [rows_of(side, groups, names) for side, groups in sides]
    who = first.units.drop_duplicates("unit")
    frames = []
    for place, name in enumerate(match.names.to_dict("records")):
        of_one, of_two = (some[place] for some in draws)
        of_donors = not shared and (of_one.has_donors or of_two.has_donors)
        if of_donors:
            left = subtract_rows(of_one, of_two, who["weight"].to_numpy(dtype=float))
        else:
            left = _by_unit(_difference(one[place], two[place], precision))
        kept = [name for name in ("unit", "cluster", SECOND, "weight") if name in who]
        frame = who[kept].iloc[left.receiver].reset_index(drop=True)
        frame.insert(0, "site", name["site"])
        frame["draw"] = frame.groupby("unit", sort=False).cumcount()
        if of_donors:
            frame["donor"] = [who["unit"].iloc[unit] if unit >= 0 else -1 for unit in left.donor]
        if "arm" in first.units:
            frame["arm"], frame["dose"] = name["arm"], name["dose"]
        frames.append(frame.assign(**left.outcomes))
    units = pd.concat(frames, ignore_index=True)
    if "donor" in units:
        units["donor"] = units["donor"].where(units["donor"].notna(), -1).infer_objects()
    return units, "shared" if shared else "independent"


def _by_unit(values: Mapping[str, Array]) -> Rows:
    """Return outcomes (units, draws) as rows without donors."""
    n, n_draws = next(iter(values.values())).shape
    receiver = np.repeat(np.arange(n), n_draws)
    return Rows(receiver, np.full(n * n_draws, -1), {name: array.reshape(-1) for name, array in values.items()})


def _by_draw(side: Side, groups: Sequence[tuple[Any, ...]], names: Sequence[str]) -> list[Mapping[str, Array]]:
    """Return, for each group, each potential outcome as (units, draws): one draw, the average, unless shared."""
    if side.draws == "shared":
        every = groups_of(side.units, side.keys)
        parts = cubes(side.units, codes_of(side.units, side.keys, every), names)
        found = {
            every[column]: {name: array[:, :, at] for name, array in part.outcomes.items()}
            for part in parts
            for at, column in enumerate(part.columns.tolist())
        }
        return [found[group] for group in groups]
    outcomes = side.outcomes(groups)[0]
    return [{name: outcomes[name][:, place, None] for name in names} for place in range(len(groups))]


def _difference(one: Mapping[str, Array], two: Mapping[str, Array], precision: Precision) -> dict[str, Array]:
    """Return one minus two, in which what is but rounding is 0, and the magnitude of what was subtracted."""
    n_draws = {next(iter(values.values())).shape[1] for values in (one, two)} - {1}
    if len(n_draws) > 1:
        raise DesignError(
            f"compare: all units share the draws of both results, {' and '.join(map(str, sorted(n_draws)))} of them; "
            "draw by draw they can be subtracted only if both have as many. Run both with the same number of draws, or "
            "with draws of each unit's own, as med.mediate and med.ablate do."
        )
    found: dict[str, Array] = {}
    for name in one:
        pair = dict(zip("ab", np.broadcast_arrays(one[name], two[name]), strict=True))
        apart = pair["a"] - pair["b"]
        found[name] = np.where(np.abs(apart) <= limits({"a": 1.0, "b": -1.0}, pair, precision), 0.0, apart)
    sizes = np.broadcast_arrays(*(np.abs(array) for values in (one, two) for array in values.values()))
    return {**found, MAGNITUDE: np.maximum.reduce(sizes)}
