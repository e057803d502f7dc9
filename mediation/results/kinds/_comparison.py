"""What a summary says of a comparison: both results beside their difference, and on which units it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..account import in_crossed_clusters, section, text_at
from ..text import Field, meaning_of, print_row, shorten

_LONGEST = 18  # characters of a result's name in the head of a column


def comparison_labels(provenance: Mapping[str, Any]) -> tuple[str, str]:
    """Return what the two results are called.

    Examples
    --------
    >>> comparison_labels({"comparison": {"labels": ["small", "large"]}}), comparison_labels({})
    (('small', 'large'), ('first', 'second'))
    """
    labels = section(provenance, "comparison").get("labels")
    if isinstance(labels, list) and len(labels) == 2:
        return str(labels[0]), str(labels[1])
    return "first", "second"


def comparison_title(table: pd.DataFrame, provenance: Mapping[str, Any], estimand: str | None) -> str:
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


def comparison_fields(rows: pd.DataFrame, numbers: Sequence[Field], provenance: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the columns of the summary; `numbers` are those of the difference and its interval."""
    difference, error, interval = numbers
    both = [
        Field(shorten(label, _LONGEST), _beside(rows, name), "decimal", "drop")
        for name, label in zip(("first", "second"), comparison_labels(provenance), strict=True)
    ]
    return (*_named(rows), *both, Field("difference", difference.cells, difference.align), error, interval)


def _named(rows: pd.DataFrame) -> list[Field]:
    """Return the columns that name a row: whichever of arm, dose, site and estimand differ."""
    meanings = [meaning_of(key) for key in rows["estimand"]]
    fields = []
    if bool((rows["arm"] != "").any()) or bool(rows["dose"].notna().any()):
        fields.append(Field("arm", tuple(arm or "ablation" for arm in rows["arm"]), give="cut"))
    if rows["dose"].notna().any():
        fields.append(Field("dose", tuple("" if pd.isna(dose) else f"{dose:g}" for dose in rows["dose"]), "decimal"))
    if rows["site"].nunique() > 1:
        fields.append(Field("site", tuple(rows["site"]), give="cut"))
    if rows["estimand"].nunique() > 1 or not fields:
        fields.append(Field("", tuple(meaning.symbol for meaning in meanings)))
        if rows["site"].nunique() == 1:
            fields.append(Field("estimand", tuple(meaning.label for meaning in meanings), give="drop"))
    return fields


def _beside(rows: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Return the estimates of one result, to the decimal places of the differences."""
    return tuple(
        print_row(value, error, low, high).estimate
        for value, error, low, high in zip(
            rows[name], rows["std_error"], rows["conf_low"], rows["conf_high"], strict=True
        )
    )


def comparison_who(provenance: Mapping[str, Any]) -> str:
    """Return whose difference it is: the same units, or two groups."""
    known = section(provenance, "comparison")
    n, clusters = known.get("n"), known.get("n_clusters")
    if not (isinstance(n, list) and isinstance(clusters, list)):
        return ""
    name = section(provenance, "pairs").get("cluster")
    if known.get("paired"):
        where = in_crossed_clusters(provenance) or _in_clusters(n[0], clusters[0], name)
        units = f"n = {n[0]:,} units{where}, the same in both results"
        why = "" if known.get("decided") == "asked" else " (ids of units, clusters and weights agree)"
        return f"Paired: {units}{why}; outcomes are subtracted unit by unit."
    parts = " and ".join(
        f"n = {size:,} ({label}{_in_clusters(size, groups, name).replace(' in', ',', 1)})"
        for size, groups, label in zip(n, clusters, comparison_labels(provenance), strict=True)
    )
    said = f"Two independent groups of units: {parts}; each is resampled by itself."
    if known.get("decided") != "asked":
        return f"{said} Not paired, because {known.get('differ')}."
    if known.get("shared_units"):
        said += f" {known['shared_units']:,} ids are in both: if these are the same units, the interval is not theirs."
    return said


def _in_clusters(n: int, clusters: int, name: object) -> str:
    if clusters == n:
        return ""
    return f" in {clusters:,} clusters{f' ({name})' if name else ''}"


def comparison_notes(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
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
