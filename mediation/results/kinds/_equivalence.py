"""Equivalence: the verdicts, in a column and in sentences, and what they rest on."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd

from ..account import section
from ..text import Field, Summary, meaning_of, print_row
from ._abstract import AbstractKind
from ._column import ARM, PLACE, Column
from ._fields import (
    default_estimand,
    dose_fields,
    estimands_in,
    listed_rows,
    most_telling,
    named_field,
    number_fields,
    p_field,
    symbols,
)
from ._notes import notes
from ._paired import comparison_labels

EQUIVALENT, DIFFERENT, BOTH = "equivalent", "different", "both: real but negligible"
UNDECIDED, NO_INTERVAL = "undecided", "no interval"
VERDICTS = (EQUIVALENT, BOTH, DIFFERENT, UNDECIDED, NO_INTERVAL)
_MOST_SENTENCES = 8
_LISTED = 6
_CONCLUSIONS: Mapping[str, str] = MappingProxyType(
    {
        EQUIVALENT: "equivalent to no {it} at that margin",
        BOTH: "real but negligible at that margin",
        DIFFERENT: "different from no {it}",
        UNDECIDED: "undecided, neither {it} nor absence is shown",
    }
)


@final
class EquivalenceKind(AbstractKind):
    """Effects against a margin."""

    __slots__ = ()

    name = "equivalence"
    own = (
        *PLACE,
        *ARM,
        Column(
            "margin",
            "float64",
            "Margin m of the question whether the effect lies in (-m, m), in units of the estimate.",
        ),
        Column(
            "equivalence_low", "float64", "Lower end of the interval at level 1 - 2 alpha that the two tests invert."
        ),
        Column("equivalence_high", "float64", "Upper end of that interval."),
        Column("p_equivalence", "float64", "Larger p-value of the two one-sided tests against the margin."),
        Column("verdict", "str", "equivalent, different, both: real but negligible, undecided, or no interval."),
    )
    key = ("estimand", "site", "arm", "dose")
    marks = frozenset({"verdict"})
    picture = "equivalence"
    pictures = "equivalence(effects)"
    why_not_adjusted = "it answers by p_equivalence, not by p_value. State a smaller alpha in equivalence(...) instead"

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the verdicts: of a sweep, of its strongest sites."""
        of_sites = section(provenance, "equivalence").get("of") == "sweep"
        if of_sites:
            estimand = estimand or default_estimand(estimands_in(table))
        every = listed_rows(table, estimand)
        rows = most_telling(every, most) if of_sites else every
        fields = _columns(rows, number_fields(rows, provenance), provenance)
        said = (*_verdict_notes(every, rows, provenance), *notes(self, rows, provenance))
        return Summary(equivalence_title(every, provenance), fields, said)

    def where(self, table: pd.DataFrame) -> str:
        """Return the equivalence of what, with the number of each verdict."""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items())
        return f"equivalence of {super().where(table)} ({counts})"

    def sensitivity(self, table: pd.DataFrame) -> str:
        """Return the margin."""
        return f"Equivalence within {table['margin'].iloc[0]:g}."


def print_margin(margin: float) -> str:
    """Return a margin as it was asked for, or in three digits where it was estimated.

    Examples
    --------
    >>> print_margin(0.1), print_margin(0.123456)
    ('0.1', '0.123')
    """
    return f"{margin:.3g}"


def tested_interval(row: Mapping[Hashable, Any]) -> str:
    """Return the interval that the two tests invert, in digits."""
    low, high = row["equivalence_low"], row["equivalence_high"]
    return print_row(row["estimate"], row["std_error"], low, high).interval


def tested_level(provenance: Mapping[str, Any]) -> str:
    """Return the level of the interval that the tests invert, such as '95%'.

    Examples
    --------
    >>> tested_level({"equivalence": {"alpha": 0.05}}), tested_level({})
    ('90%', '')
    """
    alpha = section(provenance, "equivalence").get("alpha")
    return f"{100 * (1 - 2 * alpha):.6g}%" if isinstance(alpha, float) else ""


def tested_thing(provenance: Mapping[str, Any]) -> str:
    """Return what may be none: an effect, or a difference of two.

    Examples
    --------
    >>> tested_thing({"comparison": {"paired": True}}), tested_thing({})
    ('difference', 'effect')
    """
    return "difference" if section(provenance, "comparison") else "effect"


def two_intervals(table: pd.DataFrame) -> bool:
    """Whether the interval that decides about the margin is another than the one that decides about 0."""
    ends = [table[["conf_low", "conf_high"]], table[["equivalence_low", "equivalence_high"]]]
    first, second = (part.to_numpy(dtype=float) for part in ends)
    both = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    return bool((~np.isclose(first[both], second[both], rtol=1e-9, atol=0.0)).any())


def equivalence_title(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return the title: whether which effects are within which margin."""
    keys = list(dict.fromkeys(table["estimand"]))
    what = meaning_of(keys[0]).symbol if len(keys) == 1 else "each effect"
    sites = [site for site in dict.fromkeys(table["site"]) if site]
    at = f" of {sites[0]}" if len(sites) == 1 and "at" not in what else ""
    if section(provenance, "comparison"):
        labels = " and ".join(comparison_labels(provenance))
        return f"Equivalence of {labels}: does the difference in {what}{at} lie within {_margin_words(provenance)}?"
    return f"Equivalence to no effect: does {what}{at} lie within {_margin_words(provenance)}?"


def _margin_words(provenance: Mapping[str, Any]) -> str:
    known = section(provenance, "equivalence")
    size, reference = known.get("margin"), known.get("relative_to")
    if not isinstance(size, (int, float)):
        return "the margin"
    share = print_margin(float(size))
    return f"±{share}" if reference is None else f"±{share} of |{meaning_of(str(reference)).symbol}|"


def _columns(rows: pd.DataFrame, numbers: Sequence[Field], provenance: Mapping[str, Any]) -> tuple[Field, ...]:
    """Return the columns of the summary; `numbers` are those of estimates and pointwise intervals."""
    estimate, error, shown = numbers
    records = rows.to_dict("records")
    fields = [*_named(rows), estimate, error]
    tested = Field(f"{tested_level(provenance)} tested".strip(), tuple(map(tested_interval, records)), "right")
    fields += [replace(shown, give="drop"), tested] if two_intervals(rows) else [shown]
    if rows["margin"].nunique() > 1:
        fields.append(Field("margin", tuple(print_margin(margin) for margin in rows["margin"]), "decimal"))
    fields.append(p_field(rows["p_equivalence"], "p (margin)"))
    return (*fields, Field("verdict", tuple(rows["verdict"])))


def _named(rows: pd.DataFrame) -> list[Field]:
    """Return the columns that name a row: whichever of estimand, site, arm and dose differ."""
    fields = [named_field("arm", rows["arm"])] if bool((rows["arm"] != "").any()) else []
    if rows["site"].nunique() > 1:
        fields.append(named_field("site", rows["site"]))
    placed = bool(fields)
    fields += dose_fields(rows)
    if rows["estimand"].nunique() > 1 or not fields:
        fields.append(Field("", tuple(symbols(rows))))
        if not placed:
            fields.append(Field("estimand", tuple(meaning_of(key).label for key in rows["estimand"]), give="drop"))
    return fields


def _verdict_notes(table: pd.DataFrame, rows: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the verdicts in sentences or counts, and the rules they follow."""
    few = len(table) <= _MOST_SENTENCES
    said = [sentence(row, provenance) for row in table.to_dict("records")] if few else [_counts(table, len(rows))]
    if few and section(provenance, "comparison"):
        said = [f"Difference in {text}" for text in said]
    return tuple(
        filter(
            None, (*said, _rule(table, provenance), _relative(provenance), _several(table), _zero(table, provenance))
        )
    )


def sentence(row: Mapping[Hashable, Any], provenance: Mapping[str, Any]) -> str:
    """Return the verdict of one row in words, with the numbers that it rests on."""
    known = section(provenance, "equivalence")
    name = meaning_of(str(row["estimand"])).symbol
    where = str(row["arm"] or row["site"])
    name = f"{name} at {where}" if where and known.get("of") != "effects" else name
    shown = print_row(row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], method=row["method"])
    if row["verdict"] == NO_INTERVAL:
        return f"{name} {shown.estimate}, no interval: no test was made."
    said, end = f"{name} {shown.estimate}", _CONCLUSIONS[row["verdict"]].format(it=tested_thing(provenance))
    margin, zero = (
        f"±{print_margin(row['margin'])}",
        "leaves out 0" if row["verdict"] in (BOTH, DIFFERENT) else "holds 0",
    )
    if row_name(row) in (known.get("weak") or ()):
        reference = meaning_of(str(known.get("relative_to") or "te")).symbol
        return f"{said} {shown.interval} {zero}: {end}. Nothing is small beside {reference}, which may itself be 0."
    low, high = row["equivalence_low"], row["equivalence_high"]
    beyond = low >= row["margin"] or high <= -row["margin"]
    reach = "lies within" if row["verdict"] in (EQUIVALENT, BOTH) else "lies beyond" if beyond else "reaches beyond"
    end += ", by more than the margin" if beyond and row["verdict"] == DIFFERENT else ""
    if _alike(row):
        return f"{said} {shown.interval} {reach} {margin}{'' if beyond else f' and {zero}'}: {end}."
    tested = tested_interval(row)
    return f"{said}: tested interval {tested} {reach} {margin}, pointwise interval {shown.interval} {zero}: {end}."


def _alike(row: Mapping[Hashable, Any]) -> bool:
    """Whether the interval that was tested is the pointwise one."""
    pairs = ((row["equivalence_low"], row["conf_low"]), (row["equivalence_high"], row["conf_high"]))
    return all(a == b or math.isclose(a, b, rel_tol=1e-9) for a, b in pairs)


def _counts(table: pd.DataFrame, shown: int) -> str:
    found = table["verdict"].value_counts()
    counts = ", ".join(f"{found[verdict]:,} {verdict}" for verdict in VERDICTS if verdict in found)
    said = f"Of {len(table):,} rows: {counts}."
    return said if shown == len(table) else f"{said} Listed are the {shown} strongest."


def _rule(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    alpha = section(provenance, "equivalence").get("alpha")
    tests = f" (two one-sided tests, each at level {alpha:g})" if isinstance(alpha, float) else ""
    level = tested_level(provenance)
    if not two_intervals(table):
        return (
            f"equivalent: the {level} interval lies within the margin{tests}. different: it does not, and leaves out 0."
        )
    return (
        f"equivalent: the {level} tested interval lies within the margin{tests}. different: it does not, and the "
        "pointwise interval leaves out 0."
    )


def _relative(provenance: Mapping[str, Any]) -> str:
    known = section(provenance, "equivalence")
    reference = known.get("relative_to")
    if reference is None:
        return ""
    symbol, share = meaning_of(str(reference)).symbol, print_margin(float(known.get("margin", float("nan"))))
    return (
        f"The margin is {share} |{symbol}| as estimated. The tests are of effect - {share} {symbol} and effect + "
        f"{share} {symbol} unit by unit, so the tested interval holds the uncertainty of the margin; {symbol} must be "
        "told from 0."
    )


def _several(table: pd.DataFrame) -> str:
    groups = table[["site", "arm", "dose"]].drop_duplicates()
    if len(groups) < 2:
        return ""
    return (
        "Verdicts are for each row by itself. 'Equivalent at all of them' needs no adjustment, since every test must "
        f"reject; a claim on rows picked from the {len(groups)} does: divide alpha by {len(groups)}."
    )


def _zero(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    known = set(section(provenance, "equivalence").get("zero") or ())
    names = [name for name in map(row_name, table.to_dict("records")) if name in known]
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"Exactly 0 in every unit, which is known and was not tested: {', '.join(names[:_LISTED])}{more}."


def row_name(row: Mapping[Hashable, Any]) -> str:
    """Return how a row is called in notes: its estimand, and its arm or site."""
    symbol = meaning_of(str(row["estimand"])).symbol
    where = str(row.get("arm") or row.get("site") or "")
    dose = row.get("dose")
    at = f" at {where}" if where else ""
    return f"{symbol}{at}, dose {dose:g}" if isinstance(dose, float) and dose == dose else f"{symbol}{at}"
