"""A comparison: both results beside their difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import pandas as pd

from ..account import section, text_at
from ..text import Field, Summary, meaning_of, print_row, shorten
from ._abstract import AbstractKind
from ._column import ARM, SWEEP, Column
from ._fields import (
    default_estimand,
    dose_fields,
    estimands_in,
    listed_rows,
    named_field,
    number_fields,
    p_of_bands,
    sites_counted,
    strongest,
    symbols,
)
from ._notes import notes
from ._paired import comparison_labels

_LONGEST = 18  # characters of a result's name in the head of a column


@final
class ComparisonKind(AbstractKind):
    """One result minus another."""

    __slots__ = ()

    name = "comparison"
    own = (
        Column("first", "float64", "Estimate of the first result; `estimate` is first minus second."),
        Column("second", "float64", "Estimate of the second result."),
        Column(
            "first_low", "float64", "Lower end of the interval of the first result; NaN if it has none at this level."
        ),
        Column("first_high", "float64", "Upper end of that interval."),
        Column("second_low", "float64", "Lower end of the interval of the second result; NaN if it has none."),
        Column("second_high", "float64", "Upper end of that interval."),
        *SWEEP,
        *ARM,
    )
    key = ("estimand", "site", "arm", "dose")
    marks = frozenset({"second"})
    picture = "compare"
    pictures = "compare(comparison) or forest(effects)"
    rows_adjusted = "sites"

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the differences: of sweeps, the largest of one estimand."""
        sweep = section(provenance, "comparison").get("of") == "sweep"
        one = estimand or (default_estimand(estimands_in(table)) if sweep else None)
        every = listed_rows(table, one)
        rows, counts, banded = every, [], bool(every["band_low"].notna().any())
        if sweep:
            rows = strongest(every, most)
            counts = [sites_counted(every, len(rows), "difference", banded=banded)]
        fields = _columns(rows, number_fields(rows, provenance, banded=banded), provenance)
        said = (*counts, *notes(self, rows, provenance), *_differ(rows, provenance))
        return Summary(_title(every, provenance, one), (*fields, p_of_bands(rows, banded=banded)), said)

    def where(self, table: pd.DataFrame) -> str:
        """Return the difference in which estimands, where."""
        return f"difference in {super().where(table)}"

    def cautioned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows in units of the outcome: a difference of proportions is not a proportion."""
        return table[~table["estimand"].map(lambda key: meaning_of(key).is_ratio).astype(bool)]


def _title(table: pd.DataFrame, provenance: Mapping[str, Any], estimand: str | None) -> str:
    """Return the title: which result minus which, of what."""
    one, two = comparison_labels(provenance)
    title = f"Comparison: {one} minus {two}"
    if estimand is not None:
        meaning = meaning_of(estimand)
        title += f", {meaning.symbol} by site" if table["site"].nunique() > 1 else f", {meaning.symbol}"
    elif set(table["estimand"]) == {"ablation"}:
        title += ", ablation effects"
    site = str(table["site"].iloc[0]) if table["site"].nunique() == 1 else ""
    return f"{title} ({site})" if site else title


def _columns(rows: pd.DataFrame, numbers: Sequence[Field], provenance: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the columns of the summary; `numbers` are those of the difference and its interval."""
    difference, error, interval = numbers
    both = [
        Field(shorten(label, _LONGEST), _beside(rows, name), "decimal", "drop")
        for name, label in zip(("first", "second"), comparison_labels(provenance), strict=True)
    ]
    return (*_named(rows), *both, Field("difference", difference.cells, difference.align), error, interval)


def _named(rows: pd.DataFrame) -> list[Field]:
    """Return the columns that name a row: whichever of arm, dose, site and estimand differ."""
    fields = dose_fields(rows)
    if bool((rows["arm"] != "").any()) or fields:
        fields.insert(0, named_field("arm", (arm or "ablation" for arm in rows["arm"])))
    if rows["site"].nunique() > 1:
        fields.append(named_field("site", rows["site"]))
    if rows["estimand"].nunique() > 1 or not fields:
        fields.append(Field("", tuple(symbols(rows))))
        if rows["site"].nunique() == 1:
            fields.append(Field("estimand", tuple(meaning_of(key).label for key in rows["estimand"]), give="drop"))
    return fields


def _beside(rows: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Return the estimates of one result, to the decimal places of the differences."""
    return tuple(
        print_row(value, error, low, high).estimate
        for value, error, low, high in zip(
            rows[name], rows["std_error"], rows["conf_low"], rows["conf_high"], strict=True
        )
    )


def _differ(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in what the two results differ by their provenance, and what is to be said of ratios."""
    notes = []
    sides = [section(provenance, name) for name in ("first", "second")]
    for key, word in (("outcome", "Outcomes"), ("mediator", "Mediators"), ("intervention", "Interventions")):
        values = [text_at(side, key) for side in sides]
        if values[0] != values[1] and all(values):
            scale = " The difference is between two scales: read the signs, not the size." if key == "outcome" else ""
            notes.append(f"{word}: {_each(values, provenance)}.{scale}")
    models = [str(section(side, "model").get("id") or "") for side in sides]
    if models[0] != models[1] and all(models):
        notes.append(f"Models: {_each(models, provenance)}.")
    ratios = table["estimand"].map(lambda key: meaning_of(key).is_ratio).astype(bool)
    if bool((ratios & table["conf_low"].isna()).any()):
        notes.append(
            "A difference of proportions has an interval only where both total effects are 3 standard errors or more "
            "away from 0."
        )
    return tuple(notes)


def _each(values: Sequence[str], provenance: Mapping[str, Any]) -> str:
    return ", ".join(f"{value} ({label})" for value, label in zip(values, comparison_labels(provenance), strict=True))
