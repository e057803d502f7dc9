"""What a summary says of several results: each, their differences, and models like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..account import section
from ..text import Field, meaning_of, print_p, print_row

_GROUP = ["estimand", "site", "arm", "dose"]


def rows_told(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the `most` sites (arms, doses) that differ most between models, and what is said of it."""
    place = table.groupby(_GROUP[1:], sort=False, dropna=False).ngroup()
    if place.nunique() <= most:
        return table, []
    kept = table.groupby(place)["p_heterogeneity"].min().sort_values(kind="stable", na_position="last").index[:most]
    rows: pd.DataFrame = table[place.isin(kept)]
    return rows, [f"{most} of {place.nunique()} sites shown, those whose models differ most."]


def model_fields(rows: pd.DataFrame, numbers: Sequence[Field], bands: Sequence[Field]) -> tuple[Field, ...]:
    """Return the columns of the summary; contrasts have their bands as well."""
    first = ~rows.duplicated(_GROUP)
    fields = [Field("", _once([meaning_of(key).symbol for key in rows["estimand"]], first))]
    for name in _GROUP[1:3]:
        if rows[name].nunique() > 1:
            fields.append(Field(name, _once(rows[name], first), give="cut"))
    if rows["dose"].notna().any():
        fields.append(Field("dose", _once(["" if pd.isna(x) else f"{x:g}" for x in rows["dose"]], first), "decimal"))
    contrast = rows["part"] == "contrast"
    band = tuple(cell if is_ else "" for cell, is_ in zip(bands[-1].cells, contrast, strict=True))
    adjusted = tuple(print_p(p) for p in rows["p_adjusted"])
    return (
        *fields,
        Field("result", tuple(rows["result"]), give="cut"),
        *numbers,
        Field(bands[-1].header, band, "right", "drop"),
        Field("p", tuple(print_p(p) for p in rows["p_value"]), "right"),
        Field("p (adj.)", adjusted, "right"),
    )


def _once(cells: Sequence[str] | pd.Series[Any], first: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(str(cell) if show else "" for cell, show in zip(cells, first, strict=True))


def model_notes(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whether units are the same, what differs between models, and what the means stand for."""
    about = section(provenance, "models")
    k = len(about.get("labels", []))
    several = len(rows.drop_duplicates(_GROUP[1:])) > 1
    over = f"contrasts{' and sites' if several else ''} of each estimand"
    if about.get("paired"):
        said = [f"Paired: the same units in all {k} results; outcomes are subtracted unit by unit."]
        said.append(f"Bands and p (adj.): max-t over the {over}.")
    else:
        why = f" Not paired, because {about['differ']}." if about.get("differ") else ""
        said = [f"{k} independent groups of units, each resampled by itself.{why}"]
        said.append(f"Bands: Bonferroni, p (adj.): Holm, over the {over}.")
    for row in rows[rows["result"] == "mean of such models"].to_dict("records"):
        if several:
            break
        tau = print_row(row["tau"], row["std_error"], row["conf_low"], row["conf_high"]).estimate
        p = print_p(row["p_heterogeneity"])
        tested = f" (p {p if p.startswith(('<', '>')) else f'= {p}'} against 0)" if p else ""
        said.append(f"Between models, {meaning_of(row['estimand']).symbol}: standard deviation {tau}{tested}.")
    said.append(
        f"Mean of these: the {k} models as they are, over new units. Mean of such models, and a new one (prediction "
        f"interval): the {k} as a random sample of models, t with {k - 1} degrees of freedom."
    )
    return tuple(said)


def model_title(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return the title: how many results, of what."""
    site = str(rows["site"].iloc[0]) if rows["site"].nunique() == 1 else ""
    return f"{len(section(provenance, 'models').get('labels', []))} results compared{f' ({site})' if site else ''}"
