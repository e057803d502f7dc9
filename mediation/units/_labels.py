"""Columns that belong to units: clusters and weights, as a column's name or as one value a unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._checks import called, elements, shown, suggestion
from .._series import in_order_of
from ..errors import DataError, DesignError


def no_column(name: object, frame: pd.DataFrame) -> str:
    """Return the sentence that says which columns there are instead of `name`.

    Examples
    --------
    >>> no_column("anser", pd.DataFrame(columns=["answer"]))
    "Closest: 'answer'."
    """
    columns = list(map(str, frame.columns))
    if not columns:
        return "The units have no columns: Pairs(..., frame=...)."
    return suggestion(name, columns)


def in_order(given: Any, index: Any, what: str) -> Any:
    """Return what belongs to units in their order: a Series, or a pair of them, matched by label; else as it is."""
    if isinstance(given, tuple) and len(given) == 2 and any(isinstance(one, pd.Series) for one in given):
        return tuple(in_order(one, index, what) for one in given)
    return in_order_of(given, index, what=f"Pairs: {what}", error=DataError)


def labels_from(given: Any, frame: pd.DataFrame, n: int, what: str) -> NDArray[Any] | None:
    """Return one value a unit, of a column or a list.

    Raises
    ------
    DataError
        If the column does not exist, or a value is missing.
    """
    if given is None:
        return None
    if isinstance(given, str):
        if given not in frame.columns:
            raise DataError(f"Pairs({what}={shown(given)}): no such column. {no_column(given, frame)}")
        given = frame[given]
    values = elements(
        given, what=f"Pairs: {what}", needed=f"the name of a column, or one {what} a unit,", error=DataError
    )
    if len(values) != n:
        raise DataError(f"Pairs({what}=...): {len(values)} given for {n} units; one a unit is needed.")
    missing = [unit for unit, value in enumerate(values) if _is_missing(value)]
    if missing:
        raise DataError(
            f"Pairs({what}=...): unit {missing[0]} has none ({len(missing)} of {n} are missing). Drop these units, or "
            "fill them in."
        )
    labels = np.empty(n, dtype=object)
    for unit, value in enumerate(values):  # one by one: numpy would make a second axis of tuples
        labels[unit] = value
    return labels


def named_kinds(given: Any, frame: pd.DataFrame, n: int) -> list[str]:
    """Return the names of the columns that `cluster` names; nothing where it holds labels.

    A list of texts is a list of names, unless it has a label for each of n units that are not all columns.

    Examples
    --------
    >>> frame = pd.DataFrame({"item": [1, 2, 3], "template": [1, 1, 2]})
    >>> (
    ...     named_kinds(["item", "template"], frame, 3),
    ...     named_kinds("item", frame, 3),
    ...     named_kinds(["a", "b", "a"], frame, 3),
    ... )
    (['item', 'template'], ['item'], [])
    """
    if isinstance(given, str):
        return [given]
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(one, str) for one in given):
        return []
    if len(given) == n and not set(given) <= set(frame.columns):
        return []
    if not set(given) & set(frame.columns) and len(given) > 2:
        return []  # labels of another number of units, which `labels_from` reports
    names = list(given)
    if len(names) > 2:
        raise DesignError(
            f"Pairs(cluster={names!r}): {len(names)} kinds of clusters; at most two can cross. Name the two that "
            "matter most, and treat the levels of the others as given."
        )
    if len(set(names)) < len(names):
        raise DataError(f"Pairs(cluster={names!r}): one column is named twice. Name each once.")
    return names


def clusters_from(given: Any, frame: pd.DataFrame, n: int) -> NDArray[Any] | None:
    """Return one cluster label a unit, (n,), or two, (n, 2), of two kinds; DataError if one cannot be compared."""
    names = named_kinds(given, frame, n)
    if len(names) == 2:
        kinds = [_one_kind(name, frame, n) for name in names]
    elif isinstance(given, np.ndarray) and given.ndim == 2 and given.shape[1] == 2:
        kinds = [_one_kind(given[:, kind], frame, n) for kind in (0, 1)]
    else:
        return _one_kind(names[0] if names else given, frame, n)
    both = np.empty((n, 2), dtype=object)
    for kind, labels in enumerate(kinds):
        both[:, kind] = labels
    return both


def _one_kind(given: Any, frame: pd.DataFrame, n: int) -> NDArray[Any] | None:
    labels = labels_from(given, frame, n, "cluster")
    for unit, label in enumerate(labels if labels is not None else ()):
        try:
            hash(label)
        except TypeError:
            raise DataError(
                f"Pairs(cluster=...): the label of unit {unit} is of type {called(label)}, which cannot be compared. "
                "Use text, numbers or tuples of them."
            ) from None
    return labels


def weights_from(given: Any, frame: pd.DataFrame, n: int) -> NDArray[np.float64] | None:
    """Return one positive number a unit."""
    labels = labels_from(given, frame, n, "weight")
    if labels is None:
        return None
    for unit, value in enumerate(labels):
        try:
            good = 0 < float(value) < np.inf
        except (TypeError, ValueError, OverflowError):
            good = False
        if not good:
            raise DataError(
                f"Pairs(weight=...): unit {unit} has {shown(value)}; a positive number is needed. Drop a unit that "
                "should not count."
            )
    return labels.astype(float)


def _is_missing(value: object) -> bool:
    return bool(pd.api.types.is_scalar(value)) and bool(pd.isna(value))  # type: ignore[call-overload]
