"""The tidy table: its columns, their dtypes, order and meaning, for each kind of result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, final

import numpy as np
import pandas as pd

from .._checks import closest, listed, one_of
from .._errors import DataError

SCHEMA_VERSION = 1

Kind = Literal["effects", "sweep", "ablation"]
Dtype = Literal["str", "float64", "int64", "Int64"]

KINDS: tuple[Kind, ...] = ("effects", "sweep", "ablation")


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, its dtype and what it holds.

    Parameters
    ----------
    name
        Name in the frame.
    dtype
        Name of the pandas dtype; ``Int64`` is the integer that may be missing.
    meaning
        One sentence.
    """

    name: str
    dtype: Dtype
    meaning: str


_COMMON = (
    Column("estimand", "str", "Key of the estimand, such as 'pnie'."),
    Column("site", "str", "The mediator, or the ablated site; empty when the frame was brought by the user."),
    Column("estimate", "float64", "Full-sample value of the estimand, in units of the outcome ('pm': a ratio)."),
    Column("std_error", "float64", "Standard error, over units or clusters; NaN when it cannot be formed."),
    Column("conf_low", "float64", "Lower end of the pointwise interval; NaN when there is none."),
    Column("conf_high", "float64", "Upper end of the pointwise interval; NaN when there is none."),
    Column("p_value", "float64", "Two-sided p-value against no effect."),
    Column("method", "str", "How the interval was made, such as 'bootstrap-t' or 'fieller'."),
    Column("n", "int64", "Number of units."),
    Column("n_clusters", "int64", "Number of clusters; equal to n when units are independent."),
)
_SWEEP = (
    Column("layer", "Int64", "Layer of the site; missing when the site belongs to none."),
    Column("position", "str", "Key of the position of the site; its label is in provenance['position_labels']."),
    Column("unit", "Int64", "Head or other part of the layer; missing when the whole is the mediator."),
    Column("band_low", "float64", "Lower end of the simultaneous band over all sites of the estimand."),
    Column("band_high", "float64", "Upper end of the simultaneous band over all sites of the estimand."),
    Column("p_adjusted", "float64", "p-value adjusted for the number of sites."),
)
_ARMS = (
    Column("arm", "str", "Name of the ablation; empty when the frame was brought by the user."),
    Column("dose", "float64", "Strength of the ablation, such as the noise scale; NaN when there is none."),
    Column("n_draws", "int64", "Random draws averaged within each unit; 1 when deterministic."),
)
_BY_KIND: Mapping[Kind, tuple[Column, ...]] = MappingProxyType(
    {"effects": _COMMON, "sweep": _COMMON + _SWEEP, "ablation": _COMMON + _ARMS}
)
_KEYS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {"effects": ("estimand",), "sweep": ("estimand", "site"), "ablation": ("site", "arm", "dose")}
)
_UNITS = (
    Column("site", "str", "The mediator, or the ablated site; empty when there is none."),
    Column("unit", "int64", "Number of the unit (base and source input)."),
    Column("weight", "float64", "Weight of the unit."),
    Column("draw", "int64", "Number of the draw within the unit; 0 when deterministic."),
)


def columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of a table of `kind`, in order.

    Examples
    --------
    >>> [column.name for column in columns("effects")][:3]
    ['estimand', 'site', 'estimate']
    """
    return _BY_KIND[one_of(kind, KINDS, what="kind", error=DataError)]


def kind_of(table: pd.DataFrame) -> Kind:
    """Return the kind of result that the columns of `table` belong to.

    Examples
    --------
    >>> kind_of(pd.DataFrame(columns=["estimand", "arm", "dose"]))
    'ablation'
    """
    found = set(table.columns)
    if found & {column.name for column in _ARMS}:
        return "ablation"
    return "sweep" if found & {column.name for column in _SWEEP} else "effects"


def validate(table: pd.DataFrame, kind: Kind) -> pd.DataFrame:
    """Return a copy of `table` with the columns of `kind`, in order and in their dtypes.

    Parameters
    ----------
    table
        One row per estimand (per site, per arm and dose). The order of columns is free.
    kind
        'effects', 'sweep' or 'ablation'.

    Raises
    ------
    DataError
        If a column is missing, unknown or of the wrong type; if rows are repeated; or if a row contradicts
        itself (an interval with one end, ends in the wrong order, a p-value outside 0 to 1).
    """
    wanted = columns(kind)
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"A table of kind {kind!r} is needed, found {type(table).__name__}; give a pandas DataFrame.")
    _check_names([str(name) for name in table.columns], [column.name for column in wanted], kind)
    if not len(table):
        raise DataError(f"A table of kind {kind!r} has no rows; at least one estimand is needed.")
    clean = pd.DataFrame({column.name: _cast(table[column.name], column) for column in wanted})
    clean = clean.reset_index(drop=True)
    _check_rows(clean, kind)
    return clean


def validate_units(units: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the unit-level frame with known columns in their dtypes.

    Required are `site`, `unit`, `cluster`, `weight` and `draw`; potential outcomes (`y00`, `y01`, ...) and other
    columns are kept as they are. Object columns that hold one plain type become that type.

    Raises
    ------
    DataError
        If a required column is missing or holds the wrong type, or a column name is not text.
    """
    if not isinstance(units, pd.DataFrame):
        raise DataError(f"The units must be a pandas DataFrame, found {type(units).__name__}.")
    names = [column.name for column in _UNITS[:2]] + ["cluster"] + [column.name for column in _UNITS[2:]]
    missing = [name for name in names if name not in units.columns]
    if missing:
        raise DataError(
            f"The units frame lacks {listed(missing)}. It has {listed(units.columns)}; needed are {listed(names)}."
        )
    odd = [name for name in units.columns if not isinstance(name, str)]
    if odd or units.columns.has_duplicates:
        raise DataError(f"Columns of the units frame must have distinct text names, found {listed(units.columns)}.")
    clean = units.reset_index(drop=True).infer_objects()
    for column in _UNITS:
        clean[column.name] = _cast(clean[column.name], column)
    return clean.copy()


def _check_names(found: list[str], wanted: list[str], kind: Kind) -> None:
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    if missing:
        near = closest(missing[0], unknown)
        hint = f"Closest in the table: {near!r}." if near is not None else f"The table has {listed(found)}."
        raise DataError(f"A table of kind {kind!r} lacks the column {listed(missing)}. {hint}")
    if unknown:
        raise DataError(
            f"A table of kind {kind!r} has no column {listed(unknown)}. Drop it; "
            f"the columns are {listed(wanted, most=20)}."
        )
    if len(found) != len(set(found)):
        raise DataError(f"A table of kind {kind!r} has a repeated column: {listed(found, most=20)}. Keep one of each.")


def _cast(values: pd.Series, column: Column) -> pd.Series:
    """Return `values` in the dtype of `column`, or say which value does not fit."""
    try:
        if column.dtype == "str":
            return _as_text(values)
        numbers = pd.to_numeric(values)
        if column.dtype == "float64":
            return numbers.astype("float64")
        if column.dtype == "int64" and bool(numbers.isna().any()):
            raise DataError(f"Column {column.name!r} has a missing value. {column.meaning}")
        if pd.api.types.is_integer_dtype(numbers.dtype):
            return numbers.astype(column.dtype)
        whole = numbers.astype("Float64").round().astype("Int64")
        if bool((whole.astype("Float64") != numbers.astype("Float64")).any()):
            raise DataError(f"Column {column.name!r} holds fractions; whole numbers are needed. {column.meaning}")
        return whole.astype(column.dtype)
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        first = values.iloc[0] if len(values) else None
        raise DataError(f"Column {column.name!r} must be {column.dtype}, found {first!r}. {column.meaning}") from error


def _as_text(values: pd.Series) -> pd.Series:
    """Return `values` as text: nothing becomes '', whole numbers lose their '.0'."""

    def text(value: object) -> str:
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            return ""
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    return pd.Series([text(value) for value in values], index=values.index, dtype="str")


def _check_rows(table: pd.DataFrame, kind: Kind) -> None:
    keys = list(_KEYS[kind])
    twice = table.duplicated(keys)
    if bool(twice.any()):
        row = table.loc[twice, keys].iloc[0].to_dict()
        raise DataError(f"A table of kind {kind!r} has two rows for {row}; {' x '.join(keys)} must name one row.")
    if kind == "effects" and table["site"].nunique() > 1:
        raise DataError(
            f"A table of kind 'effects' is about one mediator, found {listed(table['site'].unique())}. "
            "Several sites make a sweep: add layer, position, unit, band_low, band_high, p_adjusted."
        )
    if kind == "ablation":
        _forbid(table, table["estimand"] != "ablation", "the estimand of an ablation table is 'ablation'")
        _forbid(table, table["n_draws"] < 1, "n_draws must be at least 1")
    _forbid(table, table["estimand"] == "", "the estimand is empty")
    _forbid(table, table["std_error"] < 0, "std_error is negative")
    _forbid(table, table["n"] < 1, "n must be at least 1")
    _forbid(table, (table["n_clusters"] < 1) | (table["n_clusters"] > table["n"]), "n_clusters must be from 1 to n")
    outside = ~table["method"].str.contains("(complement", regex=False)
    _check_ends(table, "conf_low", "conf_high", outside)
    _check_share(table, "p_value")
    if kind == "sweep":
        _check_ends(table, "band_low", "band_high", outside)
        _check_share(table, "p_adjusted")


def _check_ends(table: pd.DataFrame, low: str, high: str, ordered: pd.Series) -> None:
    _forbid(table, table[low].isna() != table[high].isna(), f"only one of {low}, {high} is given; give both or neither")
    _forbid(table, ordered & (table[low] > table[high]), f"{low} is above {high}")


def _check_share(table: pd.DataFrame, name: str) -> None:
    _forbid(table, (table[name] < 0) | (table[name] > 1), f"{name} must be from 0 to 1")


def _forbid(table: pd.DataFrame, wrong: pd.Series, why: str) -> None:
    if bool(wrong.any()):
        row = table.loc[wrong].iloc[0]
        where = f" at {row['site']!r}" if row["site"] else ""
        raise DataError(f"Row of {row['estimand']!r}{where}: {why}. Found {row.to_dict()}.")
