"""Names of units, sites and arms as the user gave them: plain data, in an order that no shuffling of rows changes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._checks import shown
from .._errors import DataError

Group = tuple[Any, ...]


def sort_key(value: Any) -> tuple[Any, ...]:
    """Return a key that orders nothing, numbers, texts, tuples of them and all else, in this order.

    Examples
    --------
    >>> sorted(["b", 10, (1, "x"), 2, "a", None], key=sort_key)
    [None, 2, 10, 'a', 'b', (1, 'x')]
    """
    if value is None or value != value:
        return (0,)
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, tuple):
        return (3, tuple(sort_key(item) for item in value))
    return (4, type(value).__name__, str(value))


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Return groups (site, arm, dose) in the order in which they are computed, whatever order they were given in."""
    return sorted(groups, key=sort_key)


def places(groups: Iterable[Group], ordered: Iterable[Group]) -> list[int]:
    """Return where each of `groups` stands in `ordered`.

    Examples
    --------
    >>> places([("b",), ("a",)], [("a",), ("b",)])
    [1, 0]
    """
    where = {group: at for at, group in enumerate(ordered)}
    return [where[group] for group in groups]


def plain_ids(column: pd.Series[Any], what: str) -> pd.Series[Any]:
    """Return ids as plain data: integers, text, or a column of objects that can be written as JSON.

    Raises
    ------
    DataError
        If an id is neither text, a number, a time stamp nor a tuple of texts and numbers.

    Examples
    --------
    >>> plain_ids(pd.Series(["a", 1, ("b", 2)]), "unit").tolist()
    ['a', 1, ('b', 2)]
    """
    if column.dtype.kind in "bu" or column.dtype == np.int32 or isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if column.dtype in (np.dtype(np.int64), np.dtype(np.float64)) or column.dtype == "str":
        return column
    found = pd.Series([_plain(value) for value in column], index=column.index, dtype=object)
    for row, value in enumerate(found):
        if not _is_plain(value):
            raise DataError(
                f"effects: {what} of row {row} is {shown(value)}, which cannot be compared and kept as plain data. Use "
                "text or numbers, or tuples of them."
            )
    return found.infer_objects()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(item) and not isinstance(item, pd.Timestamp) for item in value)
    return value is None or isinstance(value, (str, bool, int, float, pd.Timestamp))


def ranks(ids: pd.Series[Any]) -> NDArray[np.intp]:
    """Return the rank of each row's id among the ids of the column, from 0.

    Examples
    --------
    >>> ranks(pd.Series(["b", "a", "b"])).tolist()
    [1, 0, 1]
    """
    codes, who = pd.factorize(ids)
    known: list[Hashable] = list(who)
    rank = np.empty(len(known), dtype=np.intp)
    rank[sorted(range(len(known)), key=lambda at: sort_key(known[at]))] = np.arange(len(known))
    found: NDArray[np.intp] = rank[codes]
    return found


def by_unit(units: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """Return a units frame group by group, in the order in which groups appear, sorted by unit and draw within each."""
    names = list(keys)
    group = units.groupby(names, sort=False, dropna=False).ngroup().to_numpy() if names else np.zeros(len(units))
    order = np.lexsort((units["draw"].to_numpy(), ranks(units["unit"]), group))
    if (order == np.arange(len(order))).all():
        return units
    return units.iloc[order].reset_index(drop=True)
