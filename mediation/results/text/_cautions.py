"""Cautions: what a reader of a table must not read into it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from ...errors import WeakTotalEffectWarning, warn
from ._meanings import meaning_of
from ._numbers import is_unbounded, print_row
from ._sets import IntervalSet, set_of

Row = Mapping[Hashable, Any]

_SPLIT = (
    "site",
    "outcome",
    "corruption",
    "subgroup",
)  # columns that have a total effect of their own for each of their values


def cautions(table: pd.DataFrame) -> list[str]:
    """Return the footnotes that warn of a reading, each a sentence or two."""
    found = _of_ratios(table)
    if bool((table["conf_low"].isna() & ~table["method"].map(is_unbounded)).any()):
        found.append("no interval: none can be formed (all units alike, or too few of them); the estimate stands.")
    return found


def warn_of_weak_totals(table: pd.DataFrame, confidence_level: float) -> None:
    """Warn once if a proportion of the table is one of a total effect that is not distinguishable from 0.

    That is so where the interval of TE in the same table covers 0, or, without TE, where Fieller's set is unbounded.
    """
    ratios, totals = _ratios(table).to_dict("records"), _totals(table)
    weak = [row for row in ratios if _is_weak(totals.get(_key(row)), row, confidence_level)]
    if not weak:
        return
    which = f"{len(weak)} of {len(ratios)} proportions mediated are shares"
    if len(ratios) == 1:
        which = "The proportion mediated is a share"
    several = not {"outcome", "subgroup"}.isdisjoint(table.columns) or table["site"].nunique() > 1
    warn(
        f"{which} of a total effect that is not distinguishable from 0 ({_said(weak[0], totals, several=several)}); "
        "the ratio is then uninformative. Read the indirect effects in units of the outcome, or use inputs whose total "
        "effect is larger.",
        WeakTotalEffectWarning,
    )


def _of_ratios(table: pd.DataFrame) -> list[str]:
    ratios = _ratios(table)
    if ratios.empty:
        return []
    sets = [set_of(row) for row in ratios.to_dict("records")]
    found = []
    totals = _totals(table)
    clear = {key for key, row in totals.items() if not _covers_zero(row)}
    keys = [_key(row) for row in ratios.to_dict("records")]
    if any(one.is_line for one, key in zip(sets, keys, strict=True) if key not in clear):
        found.append(
            "unbounded: TE is not distinguishable from 0, so no ratio is excluded and the ratio is uninformative."
        )
    if any(len(one.pieces) > 1 for one, key in zip(sets, keys, strict=True) if key not in clear):
        found.append(
            "Two half-lines: TE is not distinguishable from 0, so only the ratios in the gap are excluded: the ratio "
            "is uninformative."
        )
    if any(not one.is_bounded for one, key in zip(sets, keys, strict=True) if key in clear):
        found.append(
            "unbounded: the test behind the ratio's set needs more evidence of a total effect than the interval of TE, "
            "which excludes 0. The two agree with method='bootstrap-t' and with method='t'."
        )
    if not found and any(_covers_zero(row) for row in totals.values()):
        found.append("The interval of TE covers 0: a ratio of it is uninformative.")
    if _opposed(table):
        found.append(
            "PNIE and TNIE have opposite signs: how much is mediated depends on the input that runs, and no one share "
            "says it."
        )
    mediated = (ratios["estimand"] != "ablation_share").to_numpy()  # ablations may take away more than TE
    return found + _outside(ratios["estimate"][mediated], [one for one, is_ in zip(sets, mediated, strict=True) if is_])


def _outside(estimates: pd.Series[Any], sets: Sequence[IntervalSet]) -> list[str]:
    """Return what is to be said of proportions that are estimated outside of 0 to 1, with a bounded set."""
    far = [one for x, one in zip(estimates, sets, strict=True) if one.is_bounded and not 0 <= x <= 1]
    if not far:
        return []
    if all(high >= 0 and low <= 1 for low, high in (one.ends for one in far)):
        return ["A proportion estimated outside 0 to 1, with a set that reaches into it: sampling error can do that."]
    return ["A proportion outside 0 to 1 is no share: parts of the total effect have opposite signs. Read the parts."]


def _opposed(table: pd.DataFrame) -> bool:
    """Whether PNIE and TNIE differ in sign somewhere, beyond their intervals."""
    rows = table[table["estimand"].isin(["pnie", "tnie"])]
    keys = [name for name in _SPLIT if name in table]
    signs = rows.assign(above=rows["conf_low"] > 0, below=rows["conf_high"] < 0).groupby(keys, dropna=False)
    return bool((signs["above"].any() & signs["below"].any()).any())


def _ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of proportions that have a set."""
    is_ratio = table["estimand"].map(lambda key: meaning_of(key).is_ratio).astype(bool)
    has_set = table["conf_low"].notna() | table["method"].map(is_unbounded)
    rows: pd.DataFrame = table[is_ratio & has_set]
    return rows


def _totals(table: pd.DataFrame) -> dict[tuple[str, ...], Row]:
    """Return the rows of TE by what they are the total of."""
    return {_key(row): row for row in table[table["estimand"] == "te"].to_dict("records")}


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in _SPLIT if name in row)


def _covers_zero(total: Row) -> bool:
    return bool(total["conf_low"] <= 0 <= total["conf_high"])


def _is_weak(total: Row | None, ratio: Row, confidence_level: float) -> bool:
    if total is None:
        return not set_of(ratio).is_bounded
    return _covers_zero(total) or float(total["p_value"]) > 1 - confidence_level


def _said(row: Row, totals: Mapping[tuple[str, ...], Row], *, several: bool) -> str:
    """Return TE and the set of a proportion, in digits."""
    where = ", ".join(filter(None, _key(row))) if several else ""
    at = f" at {where}" if where else ""
    parts = []
    total = totals.get(_key(row))
    if total is not None:
        printed = print_row(total["estimate"], total["std_error"], total["conf_low"], total["conf_high"])
        parts.append(f"TE{at} = {printed.estimate}, interval {printed.interval}")
    printed = print_row(row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], method=row["method"])
    parts.append(f"set of {meaning_of(str(row['estimand'])).symbol}{at}: {printed.interval}")
    return "; ".join(parts)
