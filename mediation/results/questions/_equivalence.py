"""From effects to tests of equivalence: which rows, against which margin, and the verdicts in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..._checks import elements, listed, number, one_of
from ...errors import DataError, DegenerateWarning, DesignError, WeakTotalEffectWarning, warn
from ...estimands import AbstractEstimand, estimand_for, known_estimands
from ...estimate import Margin, need_one_kind, tabulate_equivalence
from .._result import Result
from ..account import need_own_draws, section
from ..kinds import BOTH, DIFFERENT, EQUIVALENT, NO_INTERVAL, UNDECIDED, ComparisonKind, EquivalenceKind, row_name
from ..text import meaning_of, set_of

_KIND, _COMPARISON = EquivalenceKind(), ComparisonKind.name
_ADDED = (
    "band_low",
    "band_high",
    "p_adjusted",
    "n_draws",
    "first",
    "second",
    "first_low",
    "first_high",
    "second_low",
    "second_high",
)
_SAME = 1e-6  # estimates of table and units that differ by more, relative to the outcomes, are of other data
_LISTED = 6

Asked = str | AbstractEstimand | Iterable[str | AbstractEstimand] | None


def equivalence_of(
    result: Result,
    margin: float,
    *,
    alpha: float,
    estimands: Asked,
    relative_to: str | AbstractEstimand | None,
) -> Result:
    """Return the result of kind 'equivalence'."""
    result.need_kind("equivalence", "it tests", also=[_COMPARISON])
    units, provenance, kind = result.units, result.provenance, result.kind.name
    number(margin, what="equivalence: margin", needed="a positive number")
    need_own_draws(provenance, "equivalence")
    need_one_kind(
        units, "equivalence", "An interval of level 1 - 2 alpha inside +-margin is the same test: read it there."
    )
    of = section(provenance, "comparison").get("of", "effects") if kind == _COMPARISON else kind
    reference = None if relative_to is None else _reference(result, relative_to)
    wanted = _wanted(result, estimands, reference)
    if kind == _COMPARISON:
        _check_comparison(wanted, reference)
    answers = section(provenance, "comparison").get("answers")
    width = None if answers is None else 2.0 * bool(answers)  # a difference of answers ranges over twice as much
    asked_margin = Margin(margin, alpha, reference, width)
    found = tabulate_equivalence(units, wanted, result.settings, asked_margin, result.precision)
    rows = _joined(result.table[result.table["estimand"].isin([one.key for one in wanted])], found)
    rows["verdict"] = [_verdict(row) for row in rows.to_dict("records")]
    _warn(rows, reference, alpha)
    asked = {
        "margin": float(margin),
        "alpha": float(alpha),
        "relative_to": None if reference is None else reference.key,
        "of": of,
        "zero": [row_name(row) for row in rows[rows["zero"]].to_dict("records")],
        "weak": [row_name(row) for row in rows[rows["weak"]].to_dict("records")],
    }
    kept = rows.drop(columns=["inside", "weak", "zero", *(name for name in _ADDED if name in rows)])
    for column in _KIND.own:
        if column.name not in kept:
            kept[column.name] = "" if column.dtype == "str" else pd.NA if column.dtype == "Int64" else np.nan
    return Result(_KIND, kept, units, {**provenance, "kind": _KIND.name, "equivalence": asked})


def _check_comparison(wanted: Sequence[AbstractEstimand], reference: AbstractEstimand | None) -> None:
    """Check that what is asked of a difference of two results can be made of the differences of their units."""
    ratios = [one.key for one in wanted if one.denominator is not None]
    if ratios:
        raise DesignError(
            f"equivalence: {ratios[0]!r} of a comparison is a difference of two ratios, which has no such test. Ask "
            "for effects in units of the outcome, such as 'tnie'."
        )
    if reference is not None:
        raise DesignError(
            f"equivalence: relative_to = {reference.key!r} of a comparison would be the difference of two of them. "
            "Give a margin in units of the outcome."
        )


def _reference(result: Result, relative_to: str | AbstractEstimand) -> AbstractEstimand:
    (reference,) = result.wanted(estimand_for(relative_to))
    if reference.denominator is not None:
        raise DesignError(
            f"equivalence: relative_to = {reference.key!r} is a ratio; an effect in units of the outcome is needed, "
            "such as relative_to='te'."
        )
    return reference


def _wanted(result: Result, asked: Asked, reference: AbstractEstimand | None) -> list[AbstractEstimand]:
    """Return the estimands to test: those asked for, else those of the table that the margin has the units of."""
    present = result.estimands
    if asked is None:
        known = known_estimands()
        own = [key for key in present if key not in known]
        if own:
            raise DesignError(
                f"equivalence: estimand {own[0]!r} is your own, and its contrast is not kept with the result. Give the "
                "objects: equivalence(..., estimands=[...])."
            )
        every = result.wanted(present)
        means = [one for one in every if one.denominator is None and one != reference]
        if means or reference is not None:
            return _some(means, present, reference)
        return list(every)
    needed = "a list of keys, such as ['pnie'], or None"
    whole = isinstance(asked, (str, AbstractEstimand))
    some: list[Any] = [asked] if whole else elements(asked, what="equivalence: estimands", needed=needed)
    for one in some:
        one_of(one.key if isinstance(one, AbstractEstimand) else one, present, what="equivalence: estimand")
    every = result.wanted(some)
    _check_scale(every, reference)
    return list(every)


def _some(
    means: Sequence[AbstractEstimand], present: Sequence[str], reference: AbstractEstimand | None
) -> list[AbstractEstimand]:
    if not means:
        key = "" if reference is None else reference.key
        raise DesignError(
            f"equivalence: of {listed(present)} none is left to compare with {key!r}; a margin relative to it is for "
            "another effect in units of the outcome, such as 'pnie'."
        )
    return list(means)


def _check_scale(every: Sequence[AbstractEstimand], reference: AbstractEstimand | None) -> None:
    """Check that one margin is on the scale of all estimands that are asked for."""
    ratios = [one.key for one in every if one.denominator is not None]
    means = [one.key for one in every if one.denominator is None]
    if ratios and means:
        raise DesignError(
            f"equivalence: one margin for {means[0]!r}, in units of the outcome, and {ratios[0]!r}, a ratio. Ask for "
            "them apart, each with a margin of its own."
        )
    if ratios and reference is not None:
        raise DesignError(
            f"equivalence: estimand {ratios[0]!r} is a share already; give its margin as a ratio, without relative_to."
        )
    if reference is not None and reference.key in means:
        raise DesignError(
            f"equivalence: {reference.key!r} cannot be within a share of itself; leave it out of estimands, or drop "
            "relative_to."
        )


def _joined(rows: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table with their tests; DataError if the units are not those of the table."""
    keys = ["estimand", *(name for name in ("site", "arm", "dose") if name in found)]
    left = rows.assign(dose=rows["dose"].astype(float)) if "dose" in keys else rows
    joined: pd.DataFrame = left.merge(found, on=keys, how="left", suffixes=("", "_of_units"), validate="one_to_one")
    lacking = joined["margin"].isna() & joined["inside"].isna()
    if lacking.any():
        raise DataError(
            f"equivalence: the units frame has no units of {row_name(joined[lacking].iloc[0].to_dict())}. Give the "
            "units that the table was made of."
        )
    gap = (joined["estimate"] - joined["estimate_of_units"]).abs()
    odd = gap > _SAME * np.maximum(joined["size"], joined["estimate"].abs())
    if odd.any():
        row = joined[odd].iloc[0]
        raise DataError(
            f"equivalence: {row_name(row.to_dict())} is {row['estimate']:.6g} in the table and "
            f"{row['estimate_of_units']:.6g} by the units. Make the table anew from these units, with med.effects."
        )
    for name in ("inside", "weak", "zero"):
        joined[name] = joined[name].astype(bool)
    return joined.drop(columns=["estimate_of_units", "size"])


def _verdict(row: Mapping[Hashable, Any]) -> str:
    """Return the verdict of a row from its tests and its pointwise interval (confidence set, for a ratio)."""
    if np.isnan(row["p_equivalence"]):
        return NO_INTERVAL
    shown = set_of(row)
    excluded = not shown.is_missing and not shown.contains(0.0)
    if row["inside"]:
        return BOTH if excluded else EQUIVALENT
    return DIFFERENT if excluded else UNDECIDED


def _warn(rows: pd.DataFrame, reference: AbstractEstimand | None, alpha: float) -> None:
    """Say once which rows no test could be made of, and once where the reference is too weak to compare with."""
    without = rows[rows["verdict"] == NO_INTERVAL]
    if len(without):
        zero = int(without["zero"].sum())
        said = f" ({zero} exactly 0 in every unit)" if zero else ""
        warn(
            f"{len(without)} of {len(rows)} rows have no interval{said}, so no test was made, and the verdict is "
            f"{NO_INTERVAL!r}: {_names(without)}.",
            DegenerateWarning,
        )
    weak = rows[rows["weak"] & (rows["verdict"] != NO_INTERVAL)]
    if len(weak):
        below = "the total effect" if reference is None else meaning_of(reference.key).symbol
        warn(
            f"In {len(weak)} of {len(rows)} rows {below} is not distinguishable from 0 at level {alpha:g}, so nothing "
            f"can be shown to be small beside it ({_names(weak)}). Give a margin in units of the outcome.",
            WeakTotalEffectWarning,
        )


def _names(rows: pd.DataFrame) -> str:
    names = [row_name(row) for row in rows.to_dict("records")]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
