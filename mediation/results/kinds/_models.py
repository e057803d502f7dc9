"""Several results: each, their differences, and models like them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..account import section
from ..text import Field, Summary, meaning_of, print_p, print_row
from ._abstract import AbstractKind
from ._column import ARM, Column, bands_over
from ._fields import group_fields, listed_rows, named_field, number_fields, p_field, title_at
from ._notes import notes

_GROUP = ["estimand", "site", "arm", "dose"]


@final
class ModelsKind(AbstractKind):
    """Effects of several results, their contrasts and means."""

    __slots__ = ()

    name = "models"
    own = (
        Column("part", "str", "'model': one result; 'contrast': one minus another; 'mean': over the results."),
        Column("result", "str", "Label of the result, 'a - b' of a contrast, or whose mean it is."),
        *bands_over("band over all contrasts (and sites) of the estimand", "the number of contrasts (and sites)"),
        *ARM,
        Column("tau", "float64", "Standard deviation of the effect between models; NaN but for means."),
        Column("p_heterogeneity", "float64", "p-value of 'all models have the same effect'; NaN but for means."),
    )
    key = (*_GROUP, "part", "result")
    marks = frozenset({"tau"})
    why_not_adjusted = "its contrasts have p_adjusted and bands already"
    shares_units = False

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return each result, the contrasts with their bands, and the means."""
        rows, counts = _told(listed_rows(table, estimand), most)
        bands = number_fields(rows, provenance, banded=True)[-1]
        band = tuple(cell if part == "contrast" else "" for cell, part in zip(bands.cells, rows["part"], strict=True))
        fields = (
            *group_fields(rows, ~rows.duplicated(_GROUP), arms=rows["arm"].nunique() > 1),
            named_field("result", rows["result"]),
            *number_fields(rows, provenance),
            Field(bands.header, band, "right", "drop"),
            p_field(rows["p_value"]),
            p_field(rows["p_adjusted"], "p (adj.)"),
        )
        title = f"{len(section(provenance, 'models').get('labels', []))} results compared{title_at(rows)}"
        return Summary(title, fields, (*counts, *_stands_for(rows, provenance), *notes(self, rows, provenance)))

    def where(self, table: pd.DataFrame) -> str:
        """Return which estimands are where, of how many results."""
        return f"{super().where(table)} of {table.loc[table['part'] == 'model', 'result'].nunique()} results"


def _told(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the `most` sites (arms, doses) that differ most between models, and what is said of it."""
    place = table.groupby(_GROUP[1:], sort=False, dropna=False).ngroup()
    if place.nunique() <= most:
        return table, []
    kept = table.groupby(place)["p_heterogeneity"].min().sort_values(kind="stable", na_position="last").index[:most]
    rows: pd.DataFrame = table[place.isin(kept)]
    return rows, [f"{most} of {place.nunique()} sites shown, those whose models differ most."]


def _stands_for(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
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
