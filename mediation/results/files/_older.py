"""Tables that older versions saved, as the present version writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def upgraded(table: pd.DataFrame, version: int) -> pd.DataFrame:
    """Return a table of an older schema in the present one.

    Version 1 of the schema had one column ``unit`` for the head or the feature of a site; up to version 2 the outcome
    of a specification was its ``metric``.

    Examples
    --------
    >>> old = pd.DataFrame({"site": ["attention[1].head[2]", "neurons[1].units[7]"], "unit": [2, 7]})
    >>> upgraded(old, 1)
                       site  head  feature
    0  attention[1].head[2]     2     <NA>
    1   neurons[1].units[7]  <NA>        7
    """
    table = renamed(table, version)
    if version > 1 or "unit" not in table:
        return table
    of_head = table["site"].str.contains(".head[", regex=False)
    part = table["unit"].astype("Int64")
    where = list(table).index("unit")
    found = table.drop(columns="unit")
    found.insert(where, "feature", part.mask(of_head))
    found.insert(where, "head", part.where(of_head))
    return found


def renamed(frame: pd.DataFrame, version: int) -> pd.DataFrame:
    """Return the table or the units of a specification with the present name of the outcome."""
    old = version < 3 and {"metric", "corruption"} <= set(frame.columns)
    return frame.rename(columns={"metric": "outcome"}) if old else frame


def renamed_account(provenance: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the account of a specification with the present name of its outcomes.

    Examples
    --------
    >>> renamed_account({"specification": {"metrics": {"a": "KL()"}}}, 2)
    {'specification': {'outcomes': {'a': 'KL()'}}}
    """
    about = provenance.get("specification")
    if version > 2 or not isinstance(about, Mapping) or "metrics" not in about:
        return dict(provenance)
    new = {"outcomes" if name == "metrics" else name: value for name, value in about.items()}
    return {**provenance, "specification": new}
