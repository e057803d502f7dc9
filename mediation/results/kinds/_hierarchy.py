"""Tests of layers and their sites: layers, and below each the sites that were rejected with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..account import section
from ..text import Field, Summary, meaning_of
from ._abstract import AbstractKind, named
from ._column import P_ADJUSTED, PLACE, Column
from ._fields import adjusted_fields, listed_rows, named_field, number_fields
from ._notes import notes

_INDENT = "  "
_NONE = "; no site was tested."


@final
class HierarchyKind(AbstractKind):
    """Layers, then the sites within the rejected ones."""

    __slots__ = ()

    name = "hierarchy"
    own = (
        *PLACE,
        Column("level", "str", "'layer' or 'site'."),
        P_ADJUSTED,
        Column("rejected", "str", "'yes', 'no', or 'not tested': below a layer that was not rejected, or no interval."),
    )
    key = ("estimand", "site", "level")
    marks = frozenset({"level"})
    why_not_adjusted = "its p-values are adjusted down the tree already. Adjust the sweep that it was made of"

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the layers of the smallest p-values, and their rejected sites."""
        every = listed_rows(table, estimand)
        rows = rows_told(every, most)
        sizes = every[every["level"] == "site"].groupby("layer").size()
        names = [
            f"{site} ({sizes.get(layer, 0)} sites)" if level == "layer" else f"{_INDENT}{site}"
            for site, layer, level in zip(rows["site"], rows["layer"], rows["level"], strict=True)
        ]
        fields = (
            named_field("layer, site", names),
            *number_fields(rows, provenance),
            *adjusted_fields(rows),
            Field("rejected", tuple(rows["rejected"])),
        )
        meanings = [meaning_of(key) for key in dict.fromkeys(every["estimand"])]
        title = f"{', '.join(f'{one.symbol}, {one.label}' for one in meanings)}: layers, then their sites"
        return Summary(title, fields, (*_found(every, rows, provenance), *notes(self, rows, provenance)))

    def where(self, table: pd.DataFrame) -> str:
        """Return which estimands are of how many layers and sites."""
        levels = table["level"].value_counts()
        return f"{named(table)} of {levels['layer']} layers and their {levels['site']} sites"


def rows_told(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the rows that are worth a line: `most` layers of the smallest p_adjusted, and the rejected sites in them.

    Of a layer's sites the `most` strongest by absolute estimate are kept. Rows stay in the order of the table.
    """
    layers = table[table["level"] == "layer"].sort_values("p_adjusted", kind="stable").head(most)
    sites = table[(table["level"] == "site") & (table["rejected"] == "yes") & table["layer"].isin(layers["layer"])]
    strongest = sites["estimate"].abs().sort_values(ascending=False, kind="stable").index
    kept = sites.loc[strongest].groupby("layer", sort=False).head(most)
    told: pd.DataFrame = table.loc[sorted([*layers.index, *kept.index])]
    return told


def _found(table: pd.DataFrame, rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was found, what is not listed, and what the rows of layers mean."""
    layers, sites = (table[table["level"] == level] for level in ("layer", "site"))
    n_layers, n_sites = ((part["rejected"] == "yes").sum() for part in (layers, sites))
    alpha = section(provenance, "hierarchy").get("alpha")
    level = f" at alpha = {alpha:g}" if isinstance(alpha, float) else ""
    within = int((sites["rejected"] != "not tested").sum())
    found = f"Rejected{level}: {n_layers} of {len(layers)} layers"
    found += f", and {n_sites} of the {within} sites in {'it' if n_layers == 1 else 'them'}." if n_layers else _NONE
    shown = int((rows["level"] == "layer").sum())
    if shown < len(layers):
        found += " Listed " + (f"are the {shown} layers" if shown > 1 else "is the layer") + " of the smallest p."
    if within > (rows["level"] == "site").sum():
        found += " Sites that were not rejected are not listed."
    alone = set(layers.loc[layers["rejected"] == "yes", "layer"]) - set(sites.loc[sites["rejected"] == "yes", "layer"])
    if alone:
        names = ", ".join(map(str, sorted(alone)))
        found += f" Layer{'s' if len(alone) > 1 else ''} {names}: some site has an effect, and which cannot be said."
    return (
        found,
        "A layer's estimate is the mean of its sites' effects (patched one at a time, not together). Its p (adj.) is "
        "of 'no site of the layer has an effect', from all its sites' t, not from that mean.",
        "p (adj.): layers first, then the sites of rejected layers, by a step-down maximum from the same resamples; "
        "the chance of any false rejection, of a layer or a site, is held.",
    )
