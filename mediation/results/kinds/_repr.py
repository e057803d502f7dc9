"""One line on a result: what the rows are, of how many units, of which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..._printable import printable
from ..account import text_at
from ._columns import Kind


def in_one_line(table: pd.DataFrame, kind: Kind, provenance: Mapping[str, Any]) -> str:
    """Return the representation of effects with this table.

    Examples
    --------
    >>> in_one_line(pd.DataFrame({"estimand": ["te"], "site": "mlp(3)", "n": 9}), "effects", {"outcome": "KL()"})
    '<Effects: te at mlp(3), n = 9, outcome KL()>'
    """
    outcome = text_at(provenance, "outcome")
    where = _where(table, kind)
    text = f"<Effects: {where}, n = {int(table['n'].max())}{', outcome ' + outcome if outcome else ''}>"
    return printable(text, one_line=True)


def _where(table: pd.DataFrame, kind: Kind) -> str:
    keys = list(dict.fromkeys(table["estimand"]))
    named = ", ".join(keys) if len(keys) <= 10 else f"{len(keys)} estimands"
    if kind == "sweep":
        return f"{named} at {table['site'].nunique()} sites"
    if kind == "hierarchy":
        levels = table["level"].value_counts()
        return f"{named} of {levels['layer']} layers and their {levels['site']} sites"
    if kind == "ablation":
        return f"{len(table)} rows of {table['arm'].nunique()} arms"
    site = str(table["site"].iloc[0]) if table["site"].nunique() == 1 else f"{table['site'].nunique()} sites"
    where = f"{named} at {site}" if site else named
    if kind == "comparison":
        return f"difference in {where}"
    if kind == "models":
        return f"{where} of {table.loc[table['part'] == 'model', 'result'].nunique()} results"
    if kind == "subgroups":
        return f"{where} in {table['subgroup'].nunique()} subgroups"
    if kind == "equivalence":
        counts = table["verdict"].value_counts()
        return f"equivalence of {where} ({', '.join(f'{count} {verdict}' for verdict, count in counts.items())})"
    return where
