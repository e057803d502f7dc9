"""One row of a table, found by what names it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..._checks import listed, one_of, shown, suggestion
from ..._moved import GONE_IN
from ...errors import DesignError, warn
from .._result import Result


def _is_among(value: object, present: list[Any]) -> bool:
    """Return whether a text or a number is one of those that are there; anything else is none."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value in present


def _present_names(result: Result, named: Mapping[str, object]) -> dict[str, object]:
    found = {}
    for name, value in named.items():
        new = result.kind.renamed.get(name, name)
        if new != name:
            warn(f"{name}= is now {new}=; the old name goes in version {GONE_IN}.", DeprecationWarning)
        found[new] = value
    return found


def row_named(result: Result, estimand: str, named: Mapping[str, object]) -> Mapping[Hashable, Any]:
    """Return the row of `estimand` whose columns have the values `named`; None leaves a column open.

    Raises
    ------
    DesignError
        If a column does not name rows of this kind of table, or no row or several are left.
    """
    one_of(estimand, result.estimands, what="estimand")
    rows = result.table[result.table["estimand"] == estimand]
    keys = [name for name in result.kind.key_of(result.table.columns) if name != "estimand"]
    named = _present_names(result, named)
    if "site" not in keys and named.get("site") is not None:
        keys.append("site")
    for name, value in named.items():
        if value is None:
            continue
        if name not in keys:
            raise DesignError(
                f"A row of a table of kind {result.kind.name!r} is not named by {name!r}. "
                f"{suggestion(name, ['estimand', *keys])}"
            )
        present = list(dict.fromkeys(rows[name].dropna().tolist()))
        if not _is_among(value, present):
            hint = suggestion(value, list(map(str, present))) if isinstance(value, str) else f"Found {listed(present)}."
            raise DesignError(f"No row of {estimand!r} has {name} = {shown(value)}. {hint}")
        rows = rows[rows[name] == value]
    if len(rows) > 1:
        open_ = [name for name in keys if rows[name].nunique(dropna=False) > 1]
        raise DesignError(
            f"{len(rows)} rows are of {estimand!r}; say which one by {' and '.join(f'{name}=...' for name in open_)}: "
            f"{open_[0]} is one of {listed(rows[open_[0]].unique())}."
        )
    found: Mapping[Hashable, Any] = rows.iloc[0].to_dict()
    return found
