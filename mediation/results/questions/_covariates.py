"""Covariates of units: columns of the units of a result, or of a frame of one's own that is joined by unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..._checks import called, listed, named_once, shown, suggestion
from ...errors import DataError, DesignError
from ...estimands import AbstractEstimand
from ...estimate import POTENTIAL_OUTCOMES
from .._result import Result
from ..account import need_all_sites, need_own_draws, section

_RESERVED = frozenset({"site", "draw", "donor", "arm", "dose", *POTENTIAL_OUTCOMES})


def covariates(result: Result, frame: pd.DataFrame | pd.Series | None, what: str) -> pd.DataFrame:
    """Return the covariates of each unit: one row a unit, indexed by `unit` in the order of the units.

    Columns are those of `frame`, then those that the units carry, and the cluster under the name that the pairs give
    it.

    Raises
    ------
    DataError
        If `frame` is no frame or series, lacks a unit, has several rows of a unit that differ, or does not say which
        row is which unit: without a column or index named `unit`, its index must be the units in their order.
    """
    own = result.units.drop(columns=[name for name in result.units if name in _RESERVED])
    counts = own.groupby("unit", sort=False).nunique(dropna=False)
    constant = ["unit", *(name for name in counts if (counts[name] <= 1).all())]
    known = own.drop_duplicates("unit")[constant].set_index("unit", drop=False)
    known.index.name = None
    alias = section(result.provenance, "pairs").get("cluster")
    if isinstance(alias, str) and alias not in known:
        known[alias] = known["cluster"]
    if frame is None:
        return known
    given = _by_unit(frame, what)
    absent = known.index.difference(given.index, sort=False)
    if len(absent):
        raise DataError(
            f"{what}: frame has no row of unit {_plain(absent[0])!r} ({len(absent)} of {len(known)} units have none). "
            f"It is joined by its column 'unit', or else by its index, which holds {listed(given.index[:5])}. Give one "
            "row a unit."
        )
    stated = "unit" in given or getattr(frame, "index", pd.Index([])).name == "unit"
    if not stated and not given.index.equals(known.index):
        raise DataError(
            f"{what}: frame has no column 'unit', and its index is not that of the {len(known)} units in their order "
            f"(found {len(given)} rows, {listed(given.index[:5])} first), so rows may be those of other units. Add the "
            "column, or name the index: df.rename_axis('unit')."
        )
    given = given.loc[known.index]
    return pd.concat([given, known[[name for name in known if name not in given]]], axis=1)


def _by_unit(frame: object, what: str) -> pd.DataFrame:
    """Return `frame` indexed by unit, one row each."""
    if isinstance(frame, pd.Series):
        frame = frame.to_frame(frame.name if isinstance(frame.name, str) else "covariate")
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{what}: frame is {called(frame)}; a DataFrame or Series with one row a unit is needed.")
    named_once(frame.columns, what)
    given = frame.set_index("unit", drop=False) if "unit" in frame else frame
    given = given.rename_axis(index=None)
    if not given.index.is_unique:
        given = given.assign(**{"\0": given.index}).drop_duplicates().drop(columns="\0")
    if not given.index.is_unique:
        unit = given.index[given.index.duplicated()][0]
        rows = given.loc[unit]
        differ = [str(name) for name in rows if rows[name].nunique(dropna=False) > 1]
        raise DataError(
            f"{what}: frame has several rows of unit {_plain(unit)!r}, which differ in {listed(differ)}. Give one "
            "row a unit, with the columns that are the same in all its rows."
        )
    return given


def column_of(known: pd.DataFrame, column: object, what: str) -> pd.Series[Any]:
    """Return one covariate without missing values, by unit; DesignError if there is none of this name."""
    names = [str(name) for name in known]
    if not isinstance(column, str) or column not in names:
        hint = f" {suggestion(column, names)}" if isinstance(column, str) else ""
        raise DesignError(
            f"{what}: column = {shown(column)}, and the units have {listed(names)}.{hint} Give a frame with the column "
            "and one row a unit: frame=df, joined by its column 'unit' or its index."
        )
    values = known[column]
    missing = values.isna()
    if missing.any():
        raise DataError(
            f"{what}: {column!r} of unit {_plain(values.index[int(np.argmax(missing))])!r} is missing "
            f"({int(missing.sum())} of {len(values)} units). Fill it in, such as df[{column!r}].fillna('none'), or "
            "make the effects again without those units."
        )
    return values


def check_kind(result: Result, what: str) -> None:
    """Refuse results that are not of units alone: of other kinds, of draws that units share, of a screened sweep."""
    result.need_kind(what)
    need_own_draws(result.provenance, what)
    need_all_sites(result.provenance, what)


def wanted_of(result: Result, asked: Any, *, ratios: bool, what: str) -> tuple[AbstractEstimand, ...]:
    """Return the estimands that are asked for, or those of the table; with `ratios` False, means only."""
    found = result.wanted(result.estimands if asked is None else asked)
    ratio = next((one.key for one in found if one.denominator is not None), None)
    if ratios or ratio is None:
        return found
    if asked is not None:
        raise DesignError(
            f"{what}: {ratio!r} is a ratio of means, which no single unit has. Ask for its numerator, such as 'tnie'."
        )
    return tuple(one for one in found if one.denominator is None)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
