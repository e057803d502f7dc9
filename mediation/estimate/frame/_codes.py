"""Numbers in place of names: what is asked of a frame's rows is asked once a distinct value, never row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Group = tuple[Any, ...]
Codes = NDArray[np.intp]


class Cells(NamedTuple):
    """Which group and which unit each row of a frame belongs to.

    Parameters
    ----------
    group, unit
        Number of each row's group and unit, (rows,), in the order in which they appear.
    groups
        What the numbers of groups stand for; NaN is None.
    ids
        What the numbers of units stand for.
    """

    group: Codes
    unit: Codes
    groups: list[Group]
    ids: list[Any]

    @property
    def cell(self) -> Codes:
        """Number of each row's group and unit together, (rows,), group by group."""
        return np.asarray(self.group * len(self.ids) + self.unit)

    @property
    def size(self) -> int:
        """Number of groups times units."""
        return len(self.groups) * len(self.ids)


def coded(column: pd.Series[Any]) -> tuple[Codes, pd.Index[Any]]:
    """Return the number of each row's value, and the values in the order in which they appear; NaN is one of them.

    Examples
    --------
    >>> codes, values = coded(pd.Series(["b", "a", "b"]))
    >>> codes.tolist(), values.tolist()
    ([0, 1, 0], ['b', 'a'])
    """
    if column.dtype != "str" or len(column) < 2:
        return _factorised(column)
    text = column.array
    fresh = np.concatenate([[True], ~np.asarray(text[1:] == text[:-1], dtype=bool)])
    starts = np.flatnonzero(fresh)
    if 4 * len(starts) > len(column):
        return _factorised(column)
    codes, values = _factorised(column.iloc[starts])  # a run of rows of one text counts as one
    return np.repeat(codes, np.diff(starts, append=len(column))), values


def _factorised(column: pd.Series[Any]) -> tuple[Codes, pd.Index[Any]]:
    codes, values = pd.factorize(column, use_na_sentinel=False)
    return codes, pd.Index(values)


def grouped(units: pd.DataFrame, keys: Sequence[str]) -> tuple[Codes, list[Group]]:
    """Return the number of each row's group and the groups, the distinct values of `keys`, as they appear; NaN is None.

    Examples
    --------
    >>> codes, groups = grouped(pd.DataFrame({"site": ["b", "a", "b"], "dose": [1.0, np.nan, 1.0]}), ["site", "dose"])
    >>> codes.tolist(), groups
    ([0, 1, 0], [('b', 1.0), ('a', None)])
    """
    codes = np.zeros(len(units), dtype=np.intp)
    groups: list[Group] = [()]
    for name in keys:
        own, found = coded(units[name])
        values = [None if isinstance(value, float) and value != value else value for value in found.tolist()]
        if len(groups) == 1:
            codes, groups = own, [(*groups[0], value) for value in values]
        elif len(values) == 1:
            groups = [(*group, values[0]) for group in groups]
        else:
            codes, pairs = pd.factorize(codes * len(values) + own)
            groups = [(*groups[pair // len(values)], values[pair % len(values)]) for pair in pairs.tolist()]
    return codes, groups


def cells_of(units: pd.DataFrame, keys: Sequence[str]) -> Cells:
    """Return the group, by the columns `keys`, and the unit of each row."""
    group, groups = grouped(units, keys)
    unit, ids = coded(units["unit"])
    return Cells(group, unit, groups, list(ids))


def as_categories(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return ``column.astype(str)``, nothing missing, as categories that are text.

    Examples
    --------
    >>> as_categories(pd.Series([3, 1, 3])).tolist()
    ['3', '1', '3']
    """
    apart = isinstance(column.dtype, (np.dtype, pd.CategoricalDtype)) and column.dtype.kind in "biuO"
    if apart and column.dtype == object:
        apart = types_in(column) == {str}  # 1 and True are equal and have different texts
    codes, values = coded(column if apart else column.astype(str))
    own, texts = pd.factorize(values.astype(str))
    return pd.Series(pd.Categorical.from_codes(own[codes], texts, validate=False), index=column.index)


def as_text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return categories that are text, nothing missing, as text; other columns as they are.

    Examples
    --------
    >>> as_text(as_categories(pd.Series([3, 1, 3]))).dtype
    <StringDtype(na_value=nan)>
    """
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    texts = pd.Series(column.cat.categories, dtype="str").array
    return pd.Series(texts.take(column.cat.codes.to_numpy()), index=column.index)


def types_in(column: pd.Series[Any]) -> set[type]:
    """Return the types of the values of a column of objects.

    Examples
    --------
    >>> types_in(pd.Series([1, "a", 2], dtype=object)) == {int, str}
    True
    """
    return set(map(type, column.to_numpy(dtype=object)))
