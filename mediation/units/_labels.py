"""Columns that belong to units: clusters and weights, as a column's name or as one value a unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._checks import called, shown, suggestion
from .._errors import DataError


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
    return suggestion(str(name), columns)


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
            raise DataError(f"Pairs({what}={given!r}): no such column. {no_column(given, frame)}")
        given = frame[given]
    if not hasattr(given, "__iter__"):
        raise DataError(f"Pairs({what}={shown(given)}): the name of a column, or one {what} a unit, is needed.")
    values = list(given)
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


def clusters_from(given: Any, frame: pd.DataFrame, n: int) -> NDArray[Any] | None:
    """Return one cluster label a unit; DataError if one cannot be compared."""
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
        except (TypeError, ValueError):
            good = False
        if not good:
            raise DataError(
                f"Pairs(weight=...): unit {unit} has {shown(value)}; a positive number is needed. Drop a unit that "
                "should not count."
            )
    return labels.astype(float)


def _is_missing(value: object) -> bool:
    return bool(pd.api.types.is_scalar(value)) and bool(pd.isna(value))  # type: ignore[call-overload]
