"""From the rows of a sweep to a grid: layers up, positions or heads across."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._checks import listed, one_of, shown
from ...errors import DesignError
from ...results.account import section

Floats = NDArray[np.float64]
Across = Literal["position", "head", "feature"]


@final
@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of a heat map, (rows, columns) each; row 0 is the lowest layer.

    Parameters
    ----------
    layers
        Layer of each row.
    columns
        Label of each column.
    across
        What the columns are: 'position', 'head' or 'feature'.
    kind
        Kind of the sites when there is one, such as 'residual'; otherwise empty.
    held
        The one position (or head) that all cells share, in words; empty when there is none.
    estimate, low, high
        Estimate and the ends of its simultaneous band; NaN where there is none.
    interval
        Whether there is a pointwise interval.
    ran
        Whether the sweep has a site there.
    """

    layers: tuple[int, ...]
    columns: tuple[str, ...]
    across: Across
    kind: str
    held: str
    estimate: Floats
    low: Floats
    high: Floats
    interval: NDArray[np.bool_]
    ran: NDArray[np.bool_]

    @property
    def above(self) -> NDArray[np.bool_]:
        """Cells whose band is wholly above 0."""
        return np.asarray(self.low > 0)

    @property
    def below(self) -> NDArray[np.bool_]:
        """Cells whose band is wholly below 0."""
        return np.asarray(self.high < 0)

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """Cells that are exactly 0 and have no interval: the site cannot reach the outcome."""
        return np.asarray((self.estimate == 0) & ~self.interval & np.isnan(self.low))

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Cells that ran but have no band, or no estimate."""
        return np.asarray(self.ran & np.isnan(self.low) & ~self.fixed)


def grid_of(rows: pd.DataFrame, provenance: Mapping[str, Any], **chosen: object) -> Grid:
    """Return the grid of the rows of one estimand, of one position, head or feature where that is `chosen`.

    Raises
    ------
    DesignError
        If sites have no layer, vary in more than layer and one of position or head, or share a cell.
    """
    for name, wanted in chosen.items():
        rows = _chosen(rows, name, wanted)
    if bool(rows["layer"].isna().any()):
        found = rows.loc[rows["layer"].isna(), "site"].iloc[0]
        raise DesignError(f"heatmap has one row per layer, but site {found!r} has no layer. Nearest: forest(effects).")
    across = _across(rows)
    rows = rows.assign(layer=rows["layer"].astype(int))
    twice = rows.duplicated(["layer", across])
    if bool(twice.any()):
        cell = rows.loc[twice, ["layer", across]].iloc[0]
        same = rows[
            (rows["layer"] == cell["layer"])
            & ((rows[across] == cell[across]) | (rows[across].isna() & pd.isna(cell[across])))
        ]
        raise DesignError(
            f"heatmap draws one site per cell; {listed(same['site'])} share layer {cell['layer']}. "
            "Run one sweep per kind of site, or use forest(effects)."
        )
    keys = _ordered(rows, across, provenance)
    layers = sorted(set(rows["layer"]))
    estimate, low, high = (np.full((len(layers), len(keys)), np.nan) for _ in range(3))
    interval, ran = (np.zeros((len(layers), len(keys)), dtype=bool) for _ in range(2))
    at = [layers.index(layer) for layer in rows["layer"]], [keys.index(_key(key)) for key in rows[across]]
    estimate[at], low[at], high[at], ran[at] = rows["estimate"], rows["band_low"], rows["band_high"], True
    interval[at] = rows["conf_low"].notna()
    labels = section(provenance, "position_labels")
    names = tuple(str(labels.get(key, key)) if across == "position" else key for key in keys)
    fixed = _part(rows) if across == "position" else "position"
    other = _key(rows[fixed].iloc[0])
    kinds = {site.partition("[")[0] for site in rows["site"]}
    kind = kinds.pop() if len(kinds) == 1 and rows["site"].str.contains("[", regex=False).all() else ""
    held = f"{fixed} {labels.get(other, other) if fixed == 'position' else other}"
    return Grid(
        tuple(layers), names, across, kind, held if other not in {"", "all"} else "", estimate, low, high, interval, ran
    )


def _chosen(rows: pd.DataFrame, name: str, wanted: object) -> pd.DataFrame:
    if wanted is None:
        return rows
    keys = rows[name].map(_key)
    key = str(wanted) if isinstance(wanted, (str, int)) and shown(wanted) != "<int>" else shown(wanted)
    one_of(key, list(dict.fromkeys(keys)), what=f"heatmap {name}")
    return rows[keys == key]


def _across(rows: pd.DataFrame) -> Across:
    part = _part(rows)
    positions, parts = rows["position"].nunique(), rows[part].nunique(dropna=False)
    if positions > 1 and parts > 1:
        raise DesignError(
            f"heatmap has two axes; these sites vary in layer, position ({positions}) and {part} ({parts}). "
            f"Choose one: position={rows['position'].iloc[0]!r}, or {part}={_key(rows[part].iloc[0])}."
        )
    return part if positions <= 1 and bool(rows[part].notna().any()) else "position"


def _part(rows: pd.DataFrame) -> Literal["head", "feature"]:
    """Return which part of a layer the sites are: features where these vary, else heads."""
    return "feature" if rows["feature"].nunique(dropna=False) > 1 or bool(rows["head"].isna().all()) else "head"


def _key(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


def _ordered(rows: pd.DataFrame, across: Across, provenance: Mapping[str, Any]) -> list[str]:
    """Return the keys of the columns: numbers by size, names in the order of their labels, else as they come."""
    keys = list(dict.fromkeys(_key(key) for key in rows[across]))
    if all(key.removeprefix("-").isdecimal() for key in keys):
        return sorted(keys, key=int)
    labels = list(section(provenance, "position_labels"))
    return sorted(keys, key=labels.index) if set(keys) <= set(labels) else keys
