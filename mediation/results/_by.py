"""Moderation: the effects in subgroups of units, and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .._checks import listed
from .._errors import DataError, DesignError
from ..estimate import tabulate_subgroups
from ._cautions import warn_of_weak_totals
from ._covariates import check_kind, column_of, covariates, wanted_of
from ._kinds import Kind
from ._settings import precision_of, settings_of

_MANY = 10  # more distinct numbers than this are a scale, unless each has many units
_FEW = 5  # subgroups that may have hardly two units each
_LEAST = 5  # units a number, for that


def by_of(
    table: pd.DataFrame,
    kind: Kind,
    units: pd.DataFrame,
    provenance: Mapping[str, Any],
    column: str,
    *,
    frame: pd.DataFrame | pd.Series | None,
    estimands: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the table of kind 'subgroups', the units with their `subgroup`, and the provenance."""
    check_kind(table, kind, provenance, "by")
    values = column_of(covariates(units, provenance, frame, "by"), column, "by")
    labels = subgroups(values, str(column))
    wanted = wanted_of(table, units, estimands, ratios=True, what="by")
    settings = settings_of(provenance)
    found, method = tabulate_subgroups(units, labels, wanted, settings, precision_of(provenance))
    warn_of_weak_totals(found, settings.confidence_level)
    where = table.drop_duplicates("site").set_index("site")
    for name, empty in (("layer", pd.NA), ("position", ""), ("head", pd.NA), ("feature", pd.NA)):
        known = found["site"].map(where[name]) if kind == "sweep" else empty
        found[name] = known
    about = {"column": str(column), "of": kind, "test": method, "n_subgroups": len(set(labels.values()))}
    named = units.assign(subgroup=units["unit"].map(labels))
    return found, named, {**provenance, "kind": "subgroups", "subgroups": about}


def subgroups(values: pd.Series[Any], column: str) -> dict[Any, str]:
    """Return the subgroup of each unit, subgroups in the order of their values (of categories, where there are).

    Raises
    ------
    DesignError, DataError
        If there is one subgroup, or the column is a scale with hardly two units a value.

    Examples
    --------
    >>> subgroups(pd.Series(["b", "a", "b"], index=[7, 8, 9]), "kind")
    {8: 'a', 7: 'b', 9: 'b'}
    """
    counts = values.value_counts(sort=False)
    counts = counts[counts > 0]
    n, size = len(values), len(counts)
    if size < 2:
        raise DesignError(
            f"by: all {n} units have {column} = {_text(counts.index[0])!r}; two subgroups or more are needed."
        )
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    fractions = bool(numbers and (np.mod(values.astype(float), 1) != 0).any())
    if size == n or (size > _FEW and 2 * size > n) or (numbers and size > _MANY and (fractions or n < _LEAST * size)):
        advice = (
            f"For a trend, effects.regress('~ {column}', frame=df); for subgroups, cut it first: "
            f"df[{column!r}] = pd.qcut(df[{column!r}], 4)"
            if numbers
            else "Group the values first, so that each subgroup has several units"
        )
        raise DesignError(
            f"by: {column!r} has {size} different values in {n} units, too few units a subgroup. {advice}."
        )
    try:
        ordered = values.sort_values(kind="stable")
    except TypeError:  # values of several types: as they come
        ordered = values
    labels = {unit: _text(value) for unit, value in ordered.items()}
    if len(set(labels.values())) < size:
        twice = pd.Series([_text(value) for value in counts.index]).value_counts()
        raise DataError(
            f"by: several values of {column!r} read the same, {listed(twice[twice > 1].index)}. Make them text of one "
            f"kind: df[{column!r}].astype(str)."
        )
    return labels


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, (float, np.floating)) and float(value).is_integer() else str(value)
