"""A specification table: the choices, the effect under each, and what it hangs on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import pandas as pd

from ...estimands import AbstractEstimand
from ...estimate import SHARES, JointColumn, Precision, specification_columns
from ..text import Field, IntervalSet, Summary, meaning_of, print_row, set_of
from ._abstract import AbstractKind
from ._adjustment import adjustment_note
from ._column import ARMS, LATER_BANDS, Column
from ._fields import adjusted_fields, named_field, number_fields
from ._notes import notes, role

EXCHANGE = "exchange"
_KEYS = ["site", "outcome", "corruption", "arm", "dose"]
_NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "method"]
_CHOICES = ("effect", "outcome", "corruption", "put in")


@final
class SpecificationKind(AbstractKind):
    """One question under many choices."""

    __slots__ = ()

    name = "specification"
    own = (
        Column("outcome", "str", "Name of the outcome."),
        Column("corruption", "str", "Name of the pairs, which differ in how the base was made."),
        *ARMS,
    )
    key = ("estimand", *_KEYS)
    marks = frozenset({"corruption"})
    later = LATER_BANDS
    picture = "specification"
    pictures = "specification(effects)"
    rows_adjusted = "specifications"
    by_max_t = True
    renamed = MappingProxyType({"metric": "outcome"})
    by_outcome = False

    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return each specification with its share of TE, and how many agree."""
        rows = specifications(table, estimand)
        told = table if estimand is None else table[table["estimand"].isin([estimand, "te"])]
        fields = (*_columns(rows, number_fields(rows, provenance)), *adjusted_fields(rows))
        adjusted = adjustment_note(self, table, provenance)
        said = (*_agreeing(rows), adjusted, *notes(self, told, provenance), _exchanged(rows, provenance))
        return Summary(_title(rows), fields, tuple(filter(None, said)))

    def sensitivity(self, table: pd.DataFrame) -> str:
        """Return how many choices there are."""
        return f"{table['outcome'].nunique()} outcomes, {table['corruption'].nunique()} ways of making the base."

    def joint_columns(
        self, units: pd.DataFrame, wanted: Sequence[AbstractEstimand], precision: Precision
    ) -> Iterable[JointColumn]:
        """Return the values under each specification by unit."""
        return specification_columns(units, wanted, precision)


def specifications(table: pd.DataFrame, estimand: str | None = None) -> pd.DataFrame:
    """Return the rows that are specifications, each with its share of TE beside it.

    Parameters
    ----------
    table
        Of kind 'specification'.
    estimand
        The rows of this key; None for all amounts but TE (all shares, where nothing else is in the table).

    Returns
    -------
    DataFrame
        The rows, with the columns ``effect``, ``put in`` (`label_of_arm`) and ``share_...`` (NaN where there is none).
    """
    is_ratio = table["estimand"].map(lambda key: meaning_of(key).is_ratio).astype(bool)
    mine = ~is_ratio & (table["estimand"] != "te") if estimand is None else table["estimand"] == estimand
    rows = table[mine if mine.any() else is_ratio].copy()
    rows["effect"] = [meaning_of(key).symbol for key in rows["estimand"]]
    rows["put in"] = [label_of_arm(arm, dose) for arm, dose in zip(rows["arm"], rows["dose"], strict=True)]
    of = {share: effect for effect, share in SHARES.items()}
    shares = table[table["estimand"].isin(list(of))]
    shares = shares.assign(estimand=shares["estimand"].map(of))[["estimand", *_KEYS, *_NUMBERS]]
    shares = shares.rename(columns={name: f"share_{name}" for name in _NUMBERS})
    found: pd.DataFrame = rows.merge(shares, how="left", on=["estimand", *_KEYS])
    found["share_method"] = found["share_method"].fillna("")
    return found


def label_of_arm(arm: str, dose: float) -> str:
    """Return what is put in the mediator's place: the other input's mediator, or the arm and its dose.

    Examples
    --------
    >>> label_of_arm("", float("nan")), label_of_arm("noise", 0.5)
    ('exchange', 'noise 0.5')
    """
    return f"{arm} {dose:g}" if arm and dose == dose else arm or EXCHANGE


def agreement_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how many specifications agree with the first, by each level of each choice.

    Parameters
    ----------
    rows
        From `specifications`.

    Returns
    -------
    DataFrame
        Columns ``choice, level, n, same side, other side, covers 0, no interval, same sign``; first a row of all, then
        the levels of the choices that have more than one. The side is that of the first estimate: 'same side' counts
        intervals that lie there, 'covers 0' those with points on both sides, 'same sign' estimates there.
    """
    sign = 1.0 if rows["estimate"].iloc[0] >= 0 else -1.0
    sides = pd.Series([side_of(set_of(row)) for row in rows.to_dict("records")], index=rows.index) * sign
    marks = pd.DataFrame(
        {
            "same side": sides > 0,
            "other side": sides < 0,
            "covers 0": sides == 0,
            "no interval": sides.isna(),
            "same sign": rows["estimate"] * sign > 0,
        }
    )
    found = [{"choice": "all", "level": "", "n": len(rows), **marks.sum().to_dict()}]
    for choice in varied(rows):
        for level in dict.fromkeys(rows[choice]):
            mine = (rows[choice] == level).to_numpy()
            counts = marks[mine].sum().to_dict()
            found.append({"choice": choice, "level": str(level), "n": int(mine.sum()), **counts})
    return pd.DataFrame(found)


def side_of(found: IntervalSet) -> float:
    """Return the side of 0 on which a set lies: 1, -1, 0 where it has points on both (or 0 itself), NaN without one."""
    if found.is_missing:
        return math.nan
    low, high = found.ends
    return 1.0 if low > 0 else -1.0 if high < 0 else 0.0


def varied(rows: pd.DataFrame) -> list[str]:
    """Return the choices that have several levels; the effect only where it does not follow from what is put in."""
    found = [choice for choice in _CHOICES if rows[choice].nunique() > 1]
    follows = "put in" in found and bool((rows.groupby("put in")["effect"].nunique() == 1).all())
    return [choice for choice in found if choice != "effect" or not follows]


def _title(rows: pd.DataFrame) -> str:
    """Return the title: which effect, where, and the choices that do not vary."""
    symbols = " and ".join(dict.fromkeys(rows["effect"]))
    site = str(rows["site"].iloc[0])
    fixed = [f"{choice} {rows[choice].iloc[0]}" for choice in ("outcome", "corruption") if choice not in varied(rows)]
    said = f"; {', '.join(fixed)}" if fixed else ""
    return f"{symbols}{f' at {site}' if site else ''} by specification ({len(rows)}{said})"


def _columns(rows: pd.DataFrame, numbers: Sequence[Field]) -> tuple[Field, ...]:
    """Return the columns: the choices that vary, the effect in units of its outcome, and its share of TE."""
    fields = [named_field(choice, rows[choice]) for choice in varied(rows)]
    shared = bool(rows["share_estimate"].notna().any())
    fields += [field for field in numbers if not (shared and field.header == "std. error")]
    if shared:
        printed = [
            print_row(*(row[f"share_{name}"] for name in _NUMBERS[:-1]), method=row["share_method"])
            for row in rows.to_dict("records")
        ]
        none = rows["share_estimate"].isna()
        estimates = tuple("" if gone else one.estimate for gone, one in zip(none, printed, strict=True))
        sets = tuple("" if gone else one.interval for gone, one in zip(none, printed, strict=True))
        header = f"its {numbers[-1].header.replace('interval', 'set')}"
        fields += [Field("share", estimates, "decimal", "drop"), Field(header, sets, "right")]
    return tuple(fields)


def _agreeing(rows: pd.DataFrame) -> list[str]:
    """Return what is said of the specifications together: how many agree with the first, and by which choice not."""
    counts = agreement_of(rows)
    every = counts.iloc[0]
    side, other = ("above", "below") if rows["estimate"].iloc[0] >= 0 else ("below", "above")
    none = f"; {every['no interval']} without one" if every["no interval"] else ""
    found = [
        f"{every['n']} specifications, the first is the reference: intervals {side} 0 in {every['same side']}, "
        f"{other} 0 in {every['other side']}, covering 0 in {every['covers 0']}{none}. {every['same sign']} estimates "
        "have the sign of the reference."
    ]
    parts = []
    for choice, levels in counts.iloc[1:].groupby("choice", sort=False):
        said = ", ".join(f"{row['level']} {row['same side']}/{row['n']}" for row in levels.to_dict("records"))
        parts.append(f"by {choice}: {said}")
    if parts:
        found.append(f"Intervals {side} 0, {'; '.join(parts)}.")
    if len(rows) > 1:
        found.append(
            "They share units and so are no independent evidence: the counts describe what the result hangs on and "
            "have no error rate."
        )
    if rows["share_estimate"].notna().any():
        found.append(
            "share: of TE on the same outcome (Fieller's set). Amounts on two outcomes have two units; compare shares."
        )
    return found


def _exchanged(rows: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return what the rows with an arm are, where there are rows without."""
    if not (rows["arm"] != "").any() or (rows["arm"] != "").all():
        return ""
    said = role(provenance, str(provenance.get("run") or "source"))
    natural = " and ".join(dict.fromkeys(rows.loc[rows["arm"] == "", "effect"]))
    return (
        f"{EXCHANGE}: {natural}. Other rows: AE = y - ym, the {said} run as it is minus the run with something else "
        "put in the mediator's place."
    )
