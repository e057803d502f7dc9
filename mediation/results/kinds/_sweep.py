"""A sweep: a row an estimand and a site, with bands over all sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import pandas as pd

from ..account import section, settings_of
from ..text import Field, Summary, meaning_of, reach_note
from ._abstract import AbstractKind, named
from ._adjustment import adjustment_note
from ._column import SWEEP
from ._fields import (
    default_estimand,
    estimands_in,
    excludes_zero,
    named_field,
    number_fields,
    p_of_bands,
    sites_counted,
    strongest,
)
from ._notes import notes


@final
class SweepKind(AbstractKind):
    """Estimands at many sites."""

    __slots__ = ()

    name = "sweep"
    own = SWEEP
    key = ("estimand", "site")
    marks = frozenset(column.name for column in SWEEP)
    picture = "heatmap"
    pictures = "heatmap(effects) or forest(effects)"
    of_units = True
    rows_adjusted = "sites"
    by_max_t = True
    banded = True

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the strongest sites of one estimand, and at how many the bands exclude 0."""
        estimand = estimand or default_estimand(estimands_in(table))
        every = table[table["estimand"] == estimand]
        rows = strongest(every, most)
        banded = bool(every["band_low"].notna().any())
        fields = [named_field("site", rows["site"])]
        for name in ("layer", "head", "feature"):
            if rows[name].notna().any():
                cells = tuple("" if pd.isna(number) else str(number) for number in rows[name])
                fields.append(Field(name, cells, "right", "drop"))
        if (rows["position"] != "").any():
            labels = section(provenance, "position_labels")
            fields.append(named_field("position", (" ".join(str(labels.get(k, k)).split()) for k in rows["position"])))
        fields += [*number_fields(rows, provenance, banded=banded), p_of_bands(rows, banded=banded)]
        meaning = meaning_of(estimand)
        said = (
            sites_counted(every, len(rows), meaning.symbol, banded=banded),
            adjustment_note(self, table, provenance) if banded else "",
            reach_note(every, settings_of(provenance).alpha),
            differ_note(table, estimand),
        )
        title = f"{meaning.symbol}, {meaning.label}," if meaning.symbol != meaning.label else estimand
        return Summary(f"{title} by site", tuple(fields), (*filter(None, said), *notes(self, rows, provenance)))

    def where(self, table: pd.DataFrame) -> str:
        """Return which estimands are at how many sites."""
        return f"{named(table)} at {table['site'].nunique()} sites"


def differ_note(table: pd.DataFrame, estimand: str) -> str:
    """Return at how many sites of a sweep noising and denoising differ, by the band of INTmed; empty if at none.

    Parameters
    ----------
    table
        Table of a sweep, all estimands.
    estimand
        The estimand that the summary lists; the note is for 'pnie' and 'tnie'.
    """
    if estimand not in ("pnie", "tnie"):
        return ""
    bands = {
        key: table[table["estimand"] == key].set_index("site")[["band_low", "band_high"]]
        for key in (estimand, "int_med")
    }
    differ, marked = (
        set(band.index[excludes_zero(band["band_low"], band["band_high"])])
        for band in (bands["int_med"], bands[estimand])
    )
    if not differ:
        return ""
    both, others = len(differ & marked), len(differ - marked)
    parts = [f"at {both} of {len(marked)} marked sites"] if both else []
    parts += [f"at {others} {'other' if both else 'unmarked'} site{'' if others == 1 else 's'}"] if others else []
    said = " and ".join(parts)
    return (
        f"{said[0].upper()}{said[1:]} noising and denoising differ: the band of INTmed excludes 0 "
        "(summary('int_med') lists them)."
    )
