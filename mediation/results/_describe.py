"""From a table of effects to its summary: which rows, in which words, with which footnotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .._checks import one_of, positive_int
from ._adjust import adjustment_note
from ._describe_comparison import comparison_fields, comparison_notes, comparison_title
from ._describe_controls import chosen_sites, control_fields, control_notes, control_title
from ._describe_equivalence import equivalence_fields, equivalence_notes, equivalence_title, most_telling
from ._describe_hierarchy import hierarchy_fields, hierarchy_notes, hierarchy_title, rows_told
from ._describe_interactions import adjusted_field, chosen, differ_note, named_fields, title_of
from ._describe_models import model_fields, model_notes, model_title, rows_told as models_told
from ._describe_specification import (
    ablation_note,
    specification_fields,
    specification_notes,
    specification_title,
    specifications,
)
from ._describe_subgroups import rows_shown, subgroup_fields, subgroup_notes, subgroup_title
from ._kinds import Kind
from ._meanings import meaning_of
from ._notes import notes
from ._numbers import print_p, print_row
from ._provenance import section, text_at
from ._reach import reach_note
from ._settings import settings_of
from ._summary import Field, Summary


def describe(
    table: pd.DataFrame, kind: Kind, provenance: Mapping[str, Any], *, estimand: str | None, most: int
) -> Summary:
    """Return the summary of a valid table.

    Raises
    ------
    DesignError
        If `estimand` is not in the table, or `most` is not a whole number above 0.
    """
    present = [str(key) for key in dict.fromkeys(table["estimand"])]
    if estimand is not None:
        one_of(estimand, present, what="estimand")
    positive_int(most, what="most")
    if kind == "sweep":
        return _sweep(table, provenance, estimand or default_estimand(present), most)
    if kind == "comparison":
        return _comparison(table, provenance, estimand, most)
    if kind == "equivalence" and section(provenance, "equivalence").get("of") == "sweep":
        estimand = estimand or default_estimand(present)
    if kind == "specification":
        return _specification(table, provenance, estimand)
    rows = table if estimand is None else table[table["estimand"] == estimand]
    whole = {
        "equivalence": _equivalence,
        "interactions": _interactions,
        "controls": _controls,
        "hierarchy": _hierarchy,
        "subgroups": _subgroups,
        "models": _models,
    }
    if kind in whole:
        return whole[kind](rows, provenance, most)
    return _ablation(rows, provenance) if kind == "ablation" else _effects(rows, provenance)


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


def excludes_zero(low: pd.Series, high: pd.Series) -> pd.Series:
    """Return whether each interval lies wholly above or wholly below 0; False where there is none."""
    return (low > 0) | (high < 0)


def _effects(table: pd.DataFrame, provenance: Mapping[str, Any]) -> Summary:
    meanings = [meaning_of(key) for key in table["estimand"]]
    site = str(table["site"].iloc[0]) or text_at(provenance, "mediator")
    fields = (
        Field("", tuple(meaning.symbol for meaning in meanings)),
        Field("estimand", tuple(meaning.label for meaning in meanings), give="cut"),
        Field("contrast", tuple(meaning.formula for meaning in meanings), give="drop"),
        *_numbers(table, provenance),
        Field("p", tuple(print_p(p) for p in table["p_value"]), "right"),
    )
    title = f"Mediation effects of {site}" if site else "Mediation effects"
    return Summary(title, fields, notes(table, "effects", provenance))


def _ablation(table: pd.DataFrame, provenance: Mapping[str, Any]) -> Summary:
    fields = [Field("arm", tuple(arm or "ablation" for arm in table["arm"]), give="cut")]
    if bool((table.groupby("arm")["site"].transform("nunique") > 1).any()):
        fields.append(Field("site", tuple(table["site"]), give="cut"))
    if table["dose"].notna().any():
        fields.append(Field("dose", tuple("" if pd.isna(dose) else f"{dose:g}" for dose in table["dose"]), "decimal"))
    if table["n_draws"].max() > 1:
        fields.append(Field("draws", tuple(str(n) for n in table["n_draws"]), "right", "drop"))
    fields += [*_numbers(table, provenance), Field("p", tuple(print_p(p) for p in table["p_value"]), "right")]
    fields += _adjusted(table)
    said = filter(None, (adjustment_note(table, "ablation", provenance), *notes(table, "ablation", provenance)))
    sites = [site for site in dict.fromkeys(table["site"]) if site]
    title = f"Ablation effects at {sites[0]}" if len(sites) == 1 else "Ablation effects"
    return Summary(title, tuple(fields), tuple(said))


def _adjusted(rows: pd.DataFrame) -> list[Field]:
    """Return the column of adjusted p-values, where `adjust` has added them."""
    if "p_adjusted" not in rows:
        return []
    return [Field("p (adj.)", tuple(print_p(p) for p in rows["p_adjusted"]), "right")]


def _equivalence(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    of_sites = section(provenance, "equivalence").get("of") == "sweep"
    rows = most_telling(table, most) if of_sites else table
    fields = equivalence_fields(rows, _numbers(rows, provenance), provenance)
    said = (*equivalence_notes(table, rows, provenance), *notes(rows, "equivalence", provenance))
    return Summary(equivalence_title(table, provenance), fields, said)


def _hierarchy(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    rows = rows_told(table, most)
    fields = hierarchy_fields(table, rows, _numbers(rows, provenance))
    said = (*hierarchy_notes(table, rows, provenance), *notes(rows, "hierarchy", provenance))
    return Summary(hierarchy_title(table), fields, said)


def _subgroups(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    rows, counts = rows_shown(table, most)
    bands = _numbers(rows, provenance, banded=True)
    fields = subgroup_fields(rows, _numbers(rows, provenance), bands, provenance)
    said = (*counts, *subgroup_notes(rows, provenance), *notes(rows, "subgroups", provenance))
    return Summary(subgroup_title(rows, provenance), fields, said)


def _models(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    rows, counts = models_told(table, most)
    fields = model_fields(rows, _numbers(rows, provenance), _numbers(rows, provenance, banded=True))
    said = (*counts, *model_notes(rows, provenance), *notes(rows, "models", provenance))
    return Summary(model_title(rows, provenance), fields, said)


def _interactions(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    rows, counts = chosen(table, most)
    fields = (*named_fields(rows), *_numbers(rows, provenance), adjusted_field(rows))
    return Summary(title_of(provenance), fields, (*counts, *notes(rows, "interactions", provenance)))


def _controls(table: pd.DataFrame, provenance: Mapping[str, Any], most: int) -> Summary:
    rows, counts = chosen_sites(table, most)
    fields = (*control_fields(rows, _numbers(rows, provenance)), *_adjusted(rows))
    with_intervals = rows[rows["control"] != "self-patch"]  # why that has none is said in its own sentence
    adjusted = adjustment_note(table, "controls", provenance)
    said = (*counts, adjusted, *control_notes(rows, provenance), *notes(with_intervals, "controls", provenance))
    return Summary(control_title(rows), fields, tuple(filter(None, said)))


def _specification(table: pd.DataFrame, provenance: Mapping[str, Any], estimand: str | None) -> Summary:
    rows = specifications(table, estimand)
    fields = (*specification_fields(rows, _numbers(rows, provenance)), *_adjusted(rows))
    told = table if estimand is None else table[table["estimand"].isin([estimand, "te"])]
    footnotes = notes(told, "specification", provenance)
    adjusted = adjustment_note(table, "specification", provenance)
    said = filter(None, (*specification_notes(rows), adjusted, *footnotes, ablation_note(rows, provenance)))
    return Summary(specification_title(rows), fields, tuple(said))


def _comparison(table: pd.DataFrame, provenance: Mapping[str, Any], estimand: str | None, most: int) -> Summary:
    sweep = section(provenance, "comparison").get("of") == "sweep"
    present = [str(key) for key in dict.fromkeys(table["estimand"])]
    one = estimand or (default_estimand(present) if sweep else None)
    every = table if one is None else table[table["estimand"] == one]
    rows, counts, banded = every, [], bool(every["band_low"].notna().any())
    if sweep:
        order = every["estimate"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
        rows = every.loc[order[:most]]
        counts = [_count(every, len(rows), "difference", banded=banded)]
    numbers = _numbers(rows, provenance, banded=banded)
    fields = comparison_fields(rows, numbers, provenance)
    p_values = rows["p_adjusted"] if banded else rows["p_value"]
    p = Field("p (adj.)" if banded else "p", tuple(print_p(value) for value in p_values), "right")
    said = (*counts, *notes(rows, "comparison", provenance), *comparison_notes(rows, provenance))
    return Summary(comparison_title(every, provenance, one), (*fields, p), said)


def _sweep(table: pd.DataFrame, provenance: Mapping[str, Any], estimand: str, most: int) -> Summary:
    every = table[table["estimand"] == estimand]
    order = every["estimate"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
    rows = every.loc[order[:most]]
    banded = bool(every["band_low"].notna().any())
    meaning = meaning_of(estimand)
    fields = [Field("site", tuple(rows["site"]), give="cut")]
    for name in ("layer", "head", "feature"):
        if rows[name].notna().any():
            cells = tuple("" if pd.isna(number) else str(number) for number in rows[name])
            fields.append(Field(name, cells, "right", "drop"))
    if (rows["position"] != "").any():
        labels = section(provenance, "position_labels")
        cells = tuple(" ".join(str(labels.get(key, key)).split()) for key in rows["position"])
        fields.append(Field("position", cells, give="cut"))
    fields += _numbers(rows, provenance, banded=banded)
    p_values = rows["p_adjusted"] if banded else rows["p_value"]
    fields.append(Field("p (adj.)" if banded else "p", tuple(print_p(p) for p in p_values), "right"))
    title = f"{meaning.symbol}, {meaning.label}, by site" if meaning.symbol != meaning.label else f"{estimand} by site"
    count = _count(every, len(rows), meaning.symbol, banded=banded)
    differ = differ_note(table, estimand)
    adjusted = adjustment_note(table, "sweep", provenance) if banded else ""
    said = filter(None, (count, adjusted, reach_note(every, settings_of(provenance).alpha), differ))
    return Summary(title, tuple(fields), (*said, *notes(rows, "sweep", provenance)))


def _count(every: pd.DataFrame, shown: int, symbol: str, *, banded: bool) -> str:
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


def _numbers(table: pd.DataFrame, provenance: Mapping[str, Any], *, banded: bool = False) -> list[Field]:
    low, high = ("band_low", "band_high") if banded else ("conf_low", "conf_high")
    level = confidence(provenance)
    header = f"{level} band".strip() if banded else f"{level} interval".strip()
    printed = [
        print_row(estimate, error, a, b, method=method)
        for estimate, error, a, b, method in zip(
            table["estimate"], table["std_error"], table[low], table[high], table["method"], strict=True
        )
    ]
    return [
        Field("estimate", tuple(row.estimate for row in printed), "decimal"),
        Field("std. error", tuple(row.std_error for row in printed), "decimal", "drop"),
        Field(header, tuple(row.interval for row in printed), "right"),
    ]


def confidence(provenance: Mapping[str, Any]) -> str:
    """Return the confidence level as text, empty when it is not known.

    Examples
    --------
    >>> confidence({"inference": {"confidence_level": 0.95}}), confidence({})
    ('95%', '')
    """
    level = section(provenance, "inference").get("confidence_level")
    return f"{100 * level:g}%" if isinstance(level, float) else ""
