"""Ablation effects: a row an arm and a dose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..text import Field, Summary
from ._abstract import AbstractKind
from ._adjustment import adjustment_note
from ._column import ARMS, P_ADJUSTED
from ._fields import adjusted_fields, dose_fields, listed_rows, named_field, number_fields, p_field
from ._notes import ablation_convention, notes


@final
class AblationKind(AbstractKind):
    """Effects of arms at doses."""

    __slots__ = ()

    name = "ablation"
    own = ARMS
    key = ("site", "arm", "dose")
    marks = frozenset(column.name for column in ARMS)
    later = (P_ADJUSTED,)
    pictures = "forest(effects), or dose(effects) when the arms have doses"
    of_units = True
    rows_adjusted = "arms"
    by_max_t = True

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return each arm, with site and dose where they differ."""
        rows = listed_rows(table, estimand)
        fields = [named_field("arm", (arm or "ablation" for arm in rows["arm"]))]
        if bool((rows.groupby("arm")["site"].transform("nunique") > 1).any()):
            fields.append(named_field("site", rows["site"]))
        fields += dose_fields(rows)
        if rows["n_draws"].max() > 1:
            fields.append(Field("draws", tuple(str(n) for n in rows["n_draws"]), "right", "drop"))
        fields += [*number_fields(rows, provenance), p_field(rows["p_value"]), *adjusted_fields(rows)]
        said = filter(None, (adjustment_note(self, rows, provenance), *notes(self, rows, provenance)))
        sites = [site for site in dict.fromkeys(rows["site"]) if site]
        title = f"Ablation effects at {sites[0]}" if len(sites) == 1 else "Ablation effects"
        return Summary(title, tuple(fields), tuple(said))

    def where(self, table: pd.DataFrame) -> str:
        """Return how many rows are of how many arms."""
        return f"{len(table)} rows of {table['arm'].nunique()} arms"

    def contradictions(self, table: pd.DataFrame) -> list[tuple[pd.Series, str]]:
        """Return rows of other estimands, and rows without a draw."""
        return [
            (table["estimand"] != "ablation", "the estimand of an ablation table is 'ablation'"),
            (table["n_draws"] < 1, "n_draws must be at least 1"),
        ]

    def convention(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
        """Return what AE is."""
        return ablation_convention(provenance)
