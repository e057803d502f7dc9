"""Columns of a user's frame: their names, and the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._checks import shown
from ...errors import DataError
from ._codes import Cells, coded, types_in

_RESERVED = frozenset({"group", "magnitude", "subgroup", "control", "metric", "corruption", "index"})  # of results
_ZERO_ONE = str.maketrans({"o": "0", "l": "1", "i": "1"})


def check_spelling(frame: pd.DataFrame, known: Sequence[str]) -> None:
    """Raise DataError if a column would be ignored whose name is a known one in another spelling.

    Case, spaces, underscores, hyphens and a plural are looked through, and for outcomes O and l in place of 0 and 1;
    any other name is a column of the user's own.

    Examples
    --------
    >>> check_spelling(pd.DataFrame(columns=["y00", "y11", "question", "length"]), ["y00", "y11", "unit"])
    >>> check_spelling(pd.DataFrame(columns=["y00", "Y_11"]), ["y00", "y11", "unit"])
    Traceback (most recent call last):
    ...
    mediation.errors.DataError: effects: the frame has a column 'Y_11', which would be ignored. Did you mean 'y11'? \
Rename the column, or drop it.
    """
    meant = {_bare(name): name for name in known} | {f"{_bare(name)}s": name for name in known}
    for column in frame.columns:
        if column in known or not isinstance(column, str):
            continue
        bare = _bare(column)
        name = meant.get(bare) or meant.get(bare[:1] + bare[1:].translate(_ZERO_ONE) if len(bare) == 3 else bare)
        if name is None or (name in frame.columns and bare == f"{_bare(name)}s"):
            continue
        both = f" beside {name!r}" if name in frame.columns else ""
        raise DataError(
            f"effects: the frame has a column {column!r}{both}, which would be ignored. Did you mean {name!r}? Rename "
            "the column, or drop it."
        )


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def covariates_of(frame: pd.DataFrame, units: pd.DataFrame, cells: Cells) -> dict[str, pd.Series[Any]]:
    """Return the user's own columns that say one plain thing of each unit, to group or regress effects by.

    Numbers and texts are kept; columns that differ between rows of a unit, or hold something else, are not.
    """
    found = {}
    for name in frame.columns:
        if not isinstance(name, str) or name in units or name in _RESERVED or isinstance(frame[name], pd.DataFrame):
            continue
        column = frame[name].set_axis(units.index)
        plain = column.dtype == "str" or column.dtype.kind in "biuf"
        if plain or (column.dtype == object and set(types_in(column)) <= {str, int, float, bool, type(None)}):
            code = coded(column)[0]
            own = np.empty(len(cells.ids), dtype=np.intp)
            own[cells.unit] = code
            if (own[cells.unit] == code).all():
                found[name] = column
    return found


def numbers_of(given: pd.DataFrame, name: str, *, may_miss: bool = False) -> pd.Series[Any]:
    """Return a column as finite floats (NaN allowed with `may_miss`).

    Raises
    ------
    DataError
        If it holds something else: text, time stamps, durations, complex numbers, categories that are no numbers.
    """
    column = given[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    _check_dtype(column, name)
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"
    numbers = column.astype(float) if plain else _read(column, name)
    bad = np.isinf(numbers) if may_miss else ~np.isfinite(numbers)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"effects: {name} of row {row} is {numbers.iloc[row]:g}; finite numbers are needed, and "
            f"{int(bad.sum())} of {len(bad)} are not. Drop those units everywhere, or correct their outcomes."
        )
    return numbers


def _read(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Return the floats of a column that is not made of numbers only; DataError where a value is none."""
    odd = column.map(_is_no_number) if column.dtype == object else pd.Series(False, index=column.index)
    numbers = pd.to_numeric(column.mask(odd.astype(bool)), errors="coerce").astype(float)
    words = odd.astype(bool) | (numbers.isna() & column.notna())
    words &= ~column[words].map(_is_nan).astype(bool).reindex(column.index, fill_value=False)
    if words.any():
        row = int(np.argmax(words))
        raise DataError(f"effects: {name} of row {row} is {_told(column.iloc[row])}; a number is needed.")
    return numbers


def _check_dtype(column: pd.Series[Any], name: str) -> None:
    dtype = column.dtype
    arrow = str(dtype) if "[pyarrow]" in str(dtype) else ""
    timed = any(word in arrow for word in ("timestamp", "duration", "date", "time"))
    if dtype.kind in "mMc" or isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype, pd.DatetimeTZDtype)) or timed:
        raise DataError(
            f"effects: {name} is a column of {dtype} (row 0 is {_told(column.iloc[0])}); numbers are needed."
        )


def _is_no_number(value: object) -> bool:
    """Return whether a value is of a type that pandas would turn into a number without being asked."""
    odd = (complex, np.complexfloating, np.datetime64, np.timedelta64, pd.Timestamp, pd.Timedelta, pd.Period)
    timed = hasattr(value, "isoformat") or hasattr(value, "total_seconds")
    return isinstance(value, odd) or timed or (value is pd.NaT)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value


def _told(value: object) -> str:
    return repr(value) if isinstance(value, (complex, np.complexfloating)) else shown(value)
