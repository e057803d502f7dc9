"""The tidy table: its columns, their dtypes, order and meaning, for each kind of result."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..._checks import closest, listed
from ...errors import DataError
from ..kinds import UNITS, AbstractKind, Column, Kind, kind_from, kind_named

SCHEMA_VERSION = 3
_EXACT = 2.0**53  # below it floats and whole numbers are the same


def columns(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of a table of `kind`, in order.

    Examples
    --------
    >>> [column.name for column in columns("effects")][:3]
    ['estimand', 'site', 'estimate']
    """
    return kind_named(kind).columns


def kind_of(table: pd.DataFrame) -> Kind:
    """Return the kind of result that the columns of `table` belong to.

    Examples
    --------
    >>> kind_of(pd.DataFrame(columns=["estimand", "arm", "dose"]))
    'ablation'
    """
    return kind_from(set(map(str, table.columns))).name


def validate(table: pd.DataFrame, kind: Kind | AbstractKind) -> pd.DataFrame:
    """Return a copy of `table` with the columns of `kind`, in order and in their dtypes.

    Parameters
    ----------
    table
        One row per estimand (per site, per arm and dose). The order of columns is free.
    kind
        One of `KINDS`, or a kind of your own.

    Raises
    ------
    DataError
        If a column is missing, unknown or of the wrong type; if rows are repeated; or if a row contradicts
        itself (an interval with one end, ends in the wrong order, a p-value outside 0 to 1).
    """
    of = kind if isinstance(kind, AbstractKind) else kind_named(kind)
    kind = of.name
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"A table of kind {kind!r} is needed, found {type(table).__name__}; give a pandas DataFrame.")
    table = of.current(table)
    wanted = of.columns_of(list(map(str, table.columns)))
    _check_names([str(name) for name in table.columns], [column.name for column in wanted], kind)
    if not len(table):
        raise DataError(f"A table of kind {kind!r} has no rows; at least one estimand is needed.")
    clean = pd.DataFrame({column.name: _cast(table[column.name], column) for column in wanted})
    clean = clean.reset_index(drop=True)
    _check_rows(clean, of)
    return clean


def validate_units(units: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the unit-level frame with known columns in their dtypes.

    Required are `site`, `unit` (the id of the unit), `cluster`, `weight` and `draw`; potential outcomes (`y00`, `y01`,
    ...) and other columns are kept as they are. Object columns that hold one plain type become that type.

    Raises
    ------
    DataError
        If a required column is missing or holds the wrong type, or a column name is not text.
    """
    if not isinstance(units, pd.DataFrame):
        raise DataError(f"The units must be a pandas DataFrame, found {type(units).__name__}.")
    names = ["site", "unit", "cluster", "weight", "draw"]
    missing = [name for name in names if name not in units.columns]
    if missing:
        raise DataError(
            f"The units frame lacks {listed(missing)}. It has {listed(units.columns)}; needed are {listed(names)}."
        )
    odd = [name for name in units.columns if not isinstance(name, str)]
    if odd or units.columns.has_duplicates:
        raise DataError(f"Columns of the units frame must have distinct text names, found {listed(units.columns)}.")
    clean = units.reset_index(drop=True).infer_objects()
    if clean["unit"].isna().any():
        raise DataError(
            f"Column 'unit' has a missing value (row {int(clean['unit'].isna().argmax())}); ids are needed."
        )
    unit = clean["unit"]
    if unit.dtype != np.int64 and pd.api.types.is_numeric_dtype(unit) and bool((unit % 1 == 0).all()):
        clean["unit"] = unit.astype("int64")
    for column in UNITS:
        clean[column.name] = _cast(clean[column.name], column)
    return clean  # pandas copies what is shared with `units` before either is written to


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
        if values.dtype == column.dtype:
            return values
        numbers = pd.to_numeric(values)
        if column.dtype == "float64":
            return numbers.astype("float64")
        if column.dtype == "int64" and bool(numbers.isna().any()):
            raise DataError(f"Column {column.name!r} has a missing value. {column.meaning}")
        if pd.api.types.is_integer_dtype(numbers.dtype):
            return numbers.astype(column.dtype)
        if numbers.dtype == np.float64 and bool((np.abs(numbers) < _EXACT).all()) and bool((numbers % 1 == 0).all()):
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
    if values.dtype == "str" and not values.hasnans:
        return values

    def text(value: object) -> str:
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            return ""
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value)

    return pd.Series([text(value) for value in values], index=values.index, dtype="str")


def _check_rows(table: pd.DataFrame, kind: AbstractKind) -> None:
    keys = list(kind.key_of(table.columns))
    twice = table.duplicated(keys)
    if bool(twice.any()):
        row = table.loc[twice, keys].iloc[0].to_dict()
        raise DataError(f"A table of kind {kind.name!r} has two rows for {row}; {' x '.join(keys)} must name one row.")
    for wrong, why in kind.contradictions(table):
        _forbid(table, wrong, why)
    _forbid(table, table["estimand"] == "", "the estimand is empty")
    _forbid(table, table["std_error"] < 0, "std_error is negative")
    _forbid(table, table["n"] < 1, "n must be at least 1")
    _forbid(table, (table["n_clusters"] < 1) | (table["n_clusters"] > table["n"]), "n_clusters must be from 1 to n")
    outside = ~table["method"].str.contains("(complement", regex=False)
    _check_ends(table, "conf_low", "conf_high", outside)
    pairs = ("band", "equivalence", "first", "second")
    for low, high in ((f"{name}_low", f"{name}_high") for name in pairs):
        if low in table:
            _check_ends(table, low, high, outside)
    for name in ("p_value", "p_adjusted", "p_equivalence", "p_moderation", "p_heterogeneity"):
        if name in table:
            _check_share(table, name)


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
