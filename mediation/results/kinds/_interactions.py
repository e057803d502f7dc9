"""Interactions: how sites share their joint effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..account import section
from ..text import Field, Summary, meaning_of
from ._abstract import AbstractKind
from ._column import P_ADJUSTED, Column
from ._fields import adjusted_fields, excludes_zero, listed_rows, named_field, number_fields, symbols
from ._notes import notes

_OF_ALL = ("joint", "non_additivity")
_WORTH = {
    "denoising": "v(S) = Y(0, M_S(1)) - Y(0, M(0)): the sites of S patched together from the source into the base run",
    "noising": "v(S) = Y(1, M(1)) - Y(1, M_S(0)): the sites of S patched together from the base into the source run, "
    "sign reversed",
}


@final
class InteractionsKind(AbstractKind):
    """Effects of sites alone, in pairs and together."""

    __slots__ = ()

    name = "interactions"
    own = (
        Column("partner", "str", "The second site of a pair; empty otherwise."),
        Column("n_draws", "int64", "Orders of the sites that were sampled; 1 when the value is exact."),
        P_ADJUSTED,
    )
    key = ("estimand", "site", "partner")
    marks = frozenset({"partner"})
    picture = "interaction"
    pictures = "interaction(effects) or forest(effects)"
    rows_adjusted = "rows"

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the effects of all sites together, of the strongest sites, and of the strongest pairs."""
        rows, counts = _chosen(listed_rows(table, estimand), most)
        fields = (*_named_fields(rows), *number_fields(rows, provenance), *adjusted_fields(rows))
        known = section(provenance, "interactions")
        count, direction = len(known.get("sites") or ()), known.get("direction")
        how = f" ({direction})" if direction else ""
        title = f"How {f'{count} ' if count else ''}sites share their joint effect{how}"
        return Summary(title, fields, (*counts, *notes(self, rows, provenance)))

    def draws(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
        """Return how the Shapley effects were computed, empty when there are none."""
        rows = table[table["estimand"] == "shapley"]
        if rows.empty:
            return ""
        drawn, k = int(rows["n_draws"].max()), len(section(provenance, "interactions").get("sites") or ())
        if drawn > 1:
            return f"Shapley effects: over {drawn // 2:,} sampled orders and their reverses, the same for all units."
        return f"Shapley effects: exact{f', over all {2**k:,} sets of sites' if k else ''}."

    def convention(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
        """Return what v(S) and the effects that are listed mean."""
        direction = str(section(provenance, "interactions").get("direction", ""))
        said = [_WORTH.get(direction, "v(S): the effect of patching the sites of S together")]
        said += [
            f"{meaning_of(key).symbol}: {meaning_of(key).formula}"
            for key in dict.fromkeys(table["estimand"])
            if meaning_of(key).formula
        ]
        return "; ".join(said) + ". p (adj.): jointly over the sites, or pairs, of an effect."

    def caution(self, table: pd.DataFrame) -> str:
        """Return the caution that single-site effects do not add up, where the interval says so."""
        rows = table[table["estimand"] == "non_additivity"]
        if not bool(excludes_zero(rows["conf_low"], rows["conf_high"]).any()):
            return ""
        return (
            "Effects of single sites do not add up to the joint one: the interval of the non-additivity leaves out 0. "
            "Report the joint effect with Shapley effects, which sum to it."
        )


def _chosen(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows to list (of all sites, of the `most` strongest sites and pairs), and what is said of the rest."""
    kept, said = table["estimand"].isin(_OF_ALL), []
    pairs = table["partner"] != ""
    for rows, names, key in ((~kept & ~pairs, "sites", "shapley"), (pairs, "pairs", "pair_interaction")):
        part = table[rows]
        if part.empty:
            continue
        by = key if (part["estimand"] == key).any() else str(part["estimand"].iloc[0])
        strength = part[part["estimand"] == by].set_index(["site", "partner"])["estimate"].abs()
        strongest = strength.sort_values(ascending=False, kind="stable").index[:most]
        kept |= rows & pd.MultiIndex.from_frame(table[["site", "partner"]]).isin(strongest)
        if len(strongest) < len(strength):
            said.append(
                f"{len(strongest)} of {len(strength)} {names} shown, the strongest by |{meaning_of(by).symbol}|."
            )
    return table[kept], said


def _named_fields(rows: pd.DataFrame) -> list[Field]:
    """Return the columns that name a row: the site (once for rows that follow each other), and the effect."""
    names = [
        "all sites" if key in _OF_ALL else f"{site} x {partner}" if partner else site
        for key, site, partner in zip(rows["estimand"], rows["site"], rows["partner"], strict=True)
    ]
    once = [name if i == 0 or name != names[i - 1] else "" for i, name in enumerate(names)]
    return [named_field("site", once), Field("effect", tuple(symbols(rows)))]
