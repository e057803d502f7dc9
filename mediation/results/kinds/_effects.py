"""Effects of one mediator: a row an estimand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..._checks import listed
from ...errors import DataError
from ..account import text_at
from ..text import Field, Summary, meaning_of
from ._abstract import AbstractKind
from ._adjustment import adjustment_note
from ._column import P_ADJUSTED
from ._fields import adjusted_fields, listed_rows, number_fields, p_field
from ._notes import notes


@final
class EffectsKind(AbstractKind):
    """Estimands of one mediator."""

    __slots__ = ()

    name = "effects"
    key = ("estimand",)
    pictures = "decomposition(effects) or forest(effects)"
    of_units = True
    later = (P_ADJUSTED,)
    why_not_adjusted = "its rows are several questions about one site. A sweep has one row a site"

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return each estimand with its contrast and interval."""
        rows = listed_rows(table, estimand)
        meanings = [meaning_of(key) for key in rows["estimand"]]
        site = str(rows["site"].iloc[0]) or text_at(provenance, "mediator")
        fields = (
            Field("", tuple(meaning.symbol for meaning in meanings)),
            Field("estimand", tuple(meaning.label for meaning in meanings), give="cut"),
            Field("contrast", tuple(meaning.formula for meaning in meanings), give="drop"),
            *number_fields(rows, provenance),
            p_field(rows["p_value"]),
            *adjusted_fields(rows),
        )
        title = f"Mediation effects of {site}" if site else "Mediation effects"
        said = filter(None, (adjustment_note(self, rows, provenance), *notes(self, rows, provenance)))
        return Summary(title, fields, tuple(said))

    def contradictions(self, table: pd.DataFrame) -> list[tuple[pd.Series, str]]:
        """Raise DataError where there are several sites."""
        if table["site"].nunique() > 1:
            raise DataError(
                f"A table of kind 'effects' is about one mediator, found {listed(table['site'].unique())}. "
                "Several sites make a sweep: add layer, position, head, feature, band_low, band_high, p_adjusted."
            )
        return []
