"""Moderation: the effects in subgroups of units, and whether they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..._checks import listed
from ...errors import DataError, DesignError
from ...estimate import tabulate_subgroups
from .._result import Result
from ..kinds import SubgroupsKind
from ..text import warn_of_weak_totals
from ._covariates import check_kind, column_of, covariates, wanted_of

_MANY = 10  # more distinct numbers than this are a scale, unless each has many units
_FEW = 5  # subgroups that may have hardly two units each
_LEAST = 5  # units a number, for that


def by_of(result: Result, column: str, *, frame: pd.DataFrame | pd.Series | None, estimands: Any) -> Result:
    """Return the result of kind 'subgroups'; its units have their `subgroup`."""
    check_kind(result, "by")
    values = column_of(covariates(result, frame, "by"), column, "by")
    labels = subgroups(values, str(column))
    wanted = wanted_of(result, estimands, ratios=True, what="by")
    found, method = tabulate_subgroups(result.units, labels, wanted, result.settings, result.precision)
    warn_of_weak_totals(found, result.settings.confidence_level)
    where = result.table.drop_duplicates("site").set_index("site")
    for name, empty in (("layer", pd.NA), ("position", ""), ("head", pd.NA), ("feature", pd.NA)):
        found[name] = found["site"].map(where[name]) if name in where else empty
    about = {"column": str(column), "of": result.kind.name, "test": method, "n_subgroups": len(set(labels.values()))}
    kind, named = SubgroupsKind(), result.units.assign(subgroup=result.units["unit"].map(labels))
    return Result(kind, found, named, {**result.provenance, "kind": kind.name, kind.name: about})


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
