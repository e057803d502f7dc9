"""Columns of a summary that several kinds have: numbers, p-values, what names a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..account import section
from ..text import Field, meaning_of, print_p, print_row


def default_estimand(present: list[str]) -> str:
    """Return the estimand that a sweep is about when none is named: PNIE (denoising), or the first but TE.

    Examples
    --------
    >>> default_estimand(["te", "tnie", "pnie"]), default_estimand(["te", "cde"]), default_estimand(["te"])
    ('pnie', 'cde', 'te')
    """
    if "pnie" in present:
        return "pnie"
    return next((key for key in present if key != "te"), present[0])


def estimands_in(table: pd.DataFrame) -> list[str]:
    """Return the keys of the estimands of a table, each once, in its order."""
    return [str(key) for key in dict.fromkeys(table["estimand"])]


def listed_rows(table: pd.DataFrame, estimand: str | None) -> pd.DataFrame:
    """Return the rows of one estimand, or the table for None."""
    return table if estimand is None else table[table["estimand"] == estimand]


def strongest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the `most` rows of the largest absolute estimates, strongest first."""
    order = table["estimate"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
    rows: pd.DataFrame = table.loc[order[:most]]
    return rows


def most_telling(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the `most` strongest rows, strongest first; the table as it is if there are no more."""
    return table if len(table) <= most else strongest(table, most)


def excludes_zero(low: pd.Series, high: pd.Series) -> pd.Series:
    """Return whether each interval lies wholly above or wholly below 0; False where there is none."""
    return (low > 0) | (high < 0)


def confidence(provenance: Mapping[str, Any]) -> str:
    """Return the confidence level as text, empty when it is not known.

    Examples
    --------
    >>> confidence({"inference": {"confidence_level": 0.95}}), confidence({})
    ('95%', '')
    """
    level = section(provenance, "inference").get("confidence_level")
    return f"{100 * level:g}%" if isinstance(level, float) else ""


def number_fields(table: pd.DataFrame, provenance: Mapping[str, Any], *, banded: bool = False) -> list[Field]:
    """Return the columns of estimate, standard error and interval (or band)."""
    low, high, what = ("band_low", "band_high", "band") if banded else ("conf_low", "conf_high", "interval")
    names = ["estimate", "std_error", low, high, "method"]
    printed = [
        print_row(*numbers, method=method) for *numbers, method in table[names].itertuples(index=False, name=None)
    ]
    return [
        Field("estimate", tuple(row.estimate for row in printed), "decimal"),
        Field("std. error", tuple(row.std_error for row in printed), "decimal", "drop"),
        Field(f"{confidence(provenance)} {what}".strip(), tuple(row.interval for row in printed), "right"),
    ]


def p_field(p_values: pd.Series, header: str = "p") -> Field:
    """Return a column of p-values."""
    return Field(header, tuple(map(print_p, p_values)), "right")


def adjusted_fields(rows: pd.DataFrame) -> list[Field]:
    """Return the column of adjusted p-values, where there is one."""
    return [p_field(rows["p_adjusted"], "p (adj.)")] if "p_adjusted" in rows else []


def p_of_bands(rows: pd.DataFrame, *, banded: bool) -> Field:
    """Return the column of the p-values that go with the intervals that are shown."""
    return p_field(rows["p_adjusted"], "p (adj.)") if banded else p_field(rows["p_value"])


def named_field(name: str, cells: Iterable[object]) -> Field:
    """Return a column that names rows, shortened where there is no room."""
    return Field(name, tuple(map(str, cells)), give="cut")


def once(cells: Iterable[object], first: Iterable[bool]) -> tuple[str, ...]:
    """Return the cells of the rows that begin a group; those of others are empty."""
    return tuple(str(cell) if show else "" for cell, show in zip(cells, first, strict=True))


def symbols(rows: pd.DataFrame) -> list[str]:
    """Return the symbol of each row's estimand."""
    return [meaning_of(key).symbol for key in rows["estimand"]]


def doses(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the dose of each row as text, empty where there is none."""
    return tuple("" if pd.isna(dose) else f"{dose:g}" for dose in rows["dose"])


def dose_fields(rows: pd.DataFrame) -> list[Field]:
    """Return the column of doses, where there are any."""
    return [Field("dose", doses(rows), "decimal")] if rows["dose"].notna().any() else []


def group_fields(rows: pd.DataFrame, first: pd.Series, *, arms: bool) -> list[Field]:
    """Return the columns that name a group of rows, each name written where its group begins."""
    fields = [Field("", once(symbols(rows), first))]
    if rows["site"].nunique() > 1:
        fields.append(named_field("site", once(rows["site"], first)))
    if arms:
        fields.append(named_field("arm", once(rows["arm"], first)))
    if rows["dose"].notna().any():
        fields.append(Field("dose", once(doses(rows), first), "decimal"))
    return fields


def title_at(rows: pd.DataFrame) -> str:
    """Return the one site of all rows in brackets; empty where there are several, or it has no name."""
    site = str(rows["site"].iloc[0]) if rows["site"].nunique() == 1 else ""
    return f" ({site})" if site else ""


def sites_counted(every: pd.DataFrame, shown: int, symbol: str, *, banded: bool) -> str:
    """Return how many of the sites are listed, and at how many the bands exclude 0."""
    total = len(every)
    first = (
        f"{shown} of {total} sites shown, the strongest by |{symbol}|."
        if shown < total
        else f"All {total} sites shown."
    )
    if not banded:
        return (
            first + " No simultaneous bands in this table: intervals hold for one site named in advance, not for all."
        )
    without = int(every["band_low"].isna().sum())
    excluding = int(excludes_zero(every["band_low"], every["band_high"]).sum())
    tail = f"; {without} {'has' if without == 1 else 'have'} none" if without else ""
    return f"{first} Simultaneous bands exclude 0 at {excluding}{tail}."
