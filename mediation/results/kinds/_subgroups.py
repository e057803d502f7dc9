"""Subgroups of units: a row each, and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..account import section
from ..text import Field, Summary, print_p
from ._abstract import AbstractKind
from ._column import ARM, PLACE, Column, bands_over
from ._fields import group_fields, listed_rows, named_field, number_fields, once, p_field, title_at
from ._notes import notes

_PLACE = ["site", "arm", "dose"]


@final
class SubgroupsKind(AbstractKind):
    """Effects by subgroup."""

    __slots__ = ()

    name = "subgroups"
    own = (
        Column("subgroup", "str", "Value of the column by which units are grouped."),
        *PLACE,
        *bands_over("band over all subgroups (and sites) of the estimand", "the number of subgroups (and sites)"),
        *ARM,
        Column(
            "p_moderation",
            "float64",
            "p-value of 'the effect is the same in all subgroups', the same in each of them; Holm's over sites.",
        ),
    )
    key = ("estimand", *_PLACE, "subgroup")
    marks = frozenset({"subgroup"})
    why_not_adjusted = "its p_adjusted and bands hold jointly over subgroups and sites already"
    shares_units = False

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the subgroups of the sites that differ most; what is as in the row above is not repeated."""
        rows, counts = _shown(listed_rows(table, estimand), most)
        first = ~rows.duplicated(["estimand", *_PLACE])
        column = str(section(provenance, "subgroups").get("column", "subgroup"))
        fields = group_fields(rows, first, arms=bool((rows["arm"] != "").any()))
        fields += [named_field(column, rows["subgroup"]), Field("n", tuple(map(str, rows["n"])), "right")]
        if (rows["n_clusters"] < rows["n"]).any():
            fields.append(Field("clusters", tuple(map(str, rows["n_clusters"])), "right", "drop"))
        fields += number_fields(rows, provenance)
        if rows["band_low"].notna().any():
            band = number_fields(rows, provenance, banded=True)[-1]
            fields.append(Field(band.header, band.cells, "right", "drop"))
            fields.append(p_field(rows["p_adjusted"], "p (adj.)"))
            fields.append(Field("p (differ)", once(map(print_p, rows["p_moderation"]), first), "right"))
        said = (*counts, *_tested(rows, provenance), *notes(self, rows, provenance))
        return Summary(f"Effects by {column}{title_at(rows)}", tuple(fields), said)

    def where(self, table: pd.DataFrame) -> str:
        """Return which estimands are where, in how many subgroups."""
        return f"{super().where(table)} in {table['subgroup'].nunique()} subgroups"


def _shown(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the `most` sites (arms, doses) that differ most between subgroups, and what is said of it."""
    place = table.groupby(_PLACE, sort=False, dropna=False).ngroup()
    if place.nunique() <= most:
        return table, []
    p_value = table["p_moderation"].groupby(place).min()
    kept = p_value.sort_values(kind="stable", na_position="last").index[:most]
    rows: pd.DataFrame = table[place.isin(kept)]
    return rows, [f"{most} of {place.nunique()} sites shown, those whose subgroups differ most."]


def _tested(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how subgroups are tested, and what is adjusted for."""
    about = section(provenance, "subgroups")
    several = len(rows.drop_duplicates(_PLACE)) > 1
    where = " and sites" if several else ""
    joint = f"Bands and p (adj.): joint over the {about.get('n_subgroups')} subgroups{where} of each estimand."
    said = [joint] if rows["band_low"].notna().any() else []
    if rows["p_moderation"].notna().any():
        holm = ", Holm over sites" if several else ""
        said.append(f"p (differ): the effect is the same in all subgroups; {about.get('test')}{holm}.")
    untested = rows.loc[rows["conf_low"].isna() & rows["p_moderation"].notna(), "subgroup"].unique()
    if len(untested):
        said.append(f"Left out of that test, without an interval: {', '.join(untested)}.")
    said.append("Subgroups may differ for other reasons than the column that names them.")
    return tuple(said)
