"""What a summary says of subgroups: a row each, and whether they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..account import section
from ..text import Field, meaning_of, print_p


def rows_shown(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the `most` sites (arms, doses) that differ most between subgroups, and what is said of it."""
    place = table.groupby(["site", "arm", "dose"], sort=False, dropna=False).ngroup()
    if place.nunique() <= most:
        return table, []
    p_value = table["p_moderation"].groupby(place).min()
    kept = p_value.sort_values(kind="stable", na_position="last").index[:most]
    rows: pd.DataFrame = table[place.isin(kept)]
    return rows, [f"{most} of {place.nunique()} sites shown, those whose subgroups differ most."]


def subgroup_fields(
    rows: pd.DataFrame, numbers: Sequence[Field], bands: Sequence[Field], provenance: Mapping[str, Any]
) -> tuple[Field, ...]:
    """Return the columns of the summary; what is the same as in the row above is not repeated."""
    keys = ["estimand", "site", "arm", "dose"]
    first = ~rows.duplicated(keys)
    fields = [Field("", _once([meaning_of(key).symbol for key in rows["estimand"]], first))]
    if rows["site"].nunique() > 1:
        fields.append(Field("site", _once(rows["site"], first), give="cut"))
    if (rows["arm"] != "").any():
        fields.append(Field("arm", _once(rows["arm"], first), give="cut"))
    if rows["dose"].notna().any():
        fields.append(Field("dose", _once(["" if pd.isna(x) else f"{x:g}" for x in rows["dose"]], first), "decimal"))
    column = str(section(provenance, "subgroups").get("column", "subgroup"))
    fields += [Field(column, tuple(rows["subgroup"]), give="cut"), Field("n", tuple(map(str, rows["n"])), "right")]
    if (rows["n_clusters"] < rows["n"]).any():
        fields.append(Field("clusters", tuple(map(str, rows["n_clusters"])), "right", "drop"))
    fields += numbers
    if rows["band_low"].notna().any():
        fields.append(Field(bands[-1].header, bands[-1].cells, "right", "drop"))
        fields.append(Field("p (adj.)", tuple(print_p(p) for p in rows["p_adjusted"]), "right"))
        fields.append(Field("p (differ)", _once([print_p(p) for p in rows["p_moderation"]], first), "right"))
    return tuple(fields)


def _once(cells: Sequence[str] | pd.Series[Any], first: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(str(cell) if show else "" for cell, show in zip(cells, first, strict=True))


def subgroup_notes(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return how subgroups are tested, and what is adjusted for."""
    about = section(provenance, "subgroups")
    several = len(rows.drop_duplicates(["site", "arm", "dose"])) > 1
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


def subgroup_title(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return the title: effects by what, where."""
    site = str(rows["site"].iloc[0]) if rows["site"].nunique() == 1 else ""
    return f"Effects by {section(provenance, 'subgroups').get('column', 'subgroup')}{f' ({site})' if site else ''}"
