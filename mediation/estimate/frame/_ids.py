"""Names of units, sites and arms as the user gave them: plain data, in an order that no shuffling of rows changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..._checks import shown
from ...errors import DataError
from ._codes import Cells, Group, cells_of, types_in

_PLAIN = {str, bool, int, float, type(None), pd.Timestamp}


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
    if column.dtype == object and types_in(column) <= _PLAIN:
        return column.infer_objects()
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


def ranks(ids: Sequence[Any]) -> NDArray[np.intp]:
    """Return the rank of each of several distinct ids, from 0.

    Examples
    --------
    >>> ranks(["b", 10, "a"]).tolist()
    [2, 0, 1]
    """
    rank = np.empty(len(ids), dtype=np.intp)
    rank[sorted(range(len(ids)), key=lambda at: sort_key(ids[at]))] = np.arange(len(ids))
    return rank


def by_unit(units: pd.DataFrame, keys: Sequence[str], cells: Cells | None = None) -> pd.DataFrame:
    """Return a units frame group by group, in the order in which groups appear, sorted by unit and draw within each.

    `cells` are those of the frame, where they are known.
    """
    known = cells_of(units, keys) if cells is None else cells
    draw, draws = pd.factorize(units["draw"].to_numpy(), sort=True)
    place = (known.group * len(known.ids) + ranks(known.ids)[known.unit]) * len(draws) + draw
    if (place[1:] >= place[:-1]).all():
        return units
    if len(place) == known.size * len(draws) and (np.bincount(place) == 1).all():
        order = np.empty_like(place)
        order[place] = np.arange(len(place))
    else:
        order = np.argsort(place, kind="stable")
    columns = {str(name): units[name].reset_index(drop=True) for name in units}
    alike = [name for name in ("weight", "draw") if (columns[name] == columns[name].iloc[0]).all()]
    for name in columns.keys() - set(alike):
        columns[name] = pd.Series(columns[name].array[order], copy=False)
    return pd.DataFrame(columns, copy=False)
