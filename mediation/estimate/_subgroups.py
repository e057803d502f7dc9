"""Effects within subgroups of units, with joint bands, and a test of whether they differ."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from .._checks import listed
from ..errors import DegenerateWarning, DesignError, warn
from ..estimands import AbstractEstimand
from ..inference import Inference, homogeneity
from ..inference.sample import quiet
from .frame import KEYS
from .table import Precision, SiteInfo, groups_of, tabulate, unit_values, width_of

_JOINT = ("band_low", "band_high", "p_adjusted")


def tabulate_subgroups(
    units: pd.DataFrame,
    labels: Mapping[Any, str],
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    precision: Precision,
) -> tuple[pd.DataFrame, str]:
    """Return effects by subgroup, one row an estimand, group (site, arm, dose) and subgroup, and the name of the test.

    Parameters
    ----------
    units
        Clean units whose draws are their own.
    labels
        The subgroup of each unit; subgroups are listed in the order of its values.
    estimands
        Means and ratios.
    settings, precision
        Of the intervals, and of the outcomes.

    Raises
    ------
    DesignError
        If units of one subgroup gave their mediator to units of another.

    Warns
    -----
    DegenerateWarning
        Once, when estimates have no interval.

    Notes
    -----
    A subgroup's interval is that of its units alone. For G subgroups, bands are max-t bands over the sites (arms,
    doses) of each subgroup at the level (1 - alpha)^(1 / G): subgroups of different clusters are independent, so all
    hold jointly at 1 - alpha, with the same share of the error for each (balanced: Beran 1988). Where clusters have
    units of several subgroups, they hold at 1 - alpha or more, for means that are about normal (Sidak 1967; Royen
    2014). An adjusted p-value is 1 - (1 - p)^G.
    """
    _check_donors(units, labels)
    names = list(dict.fromkeys(labels.values()))
    keys = [name for name in KEYS if name in units.columns]
    groups = groups_of(units, keys)
    flat, called = _flat(units, keys, groups)
    of_unit = flat["unit"].map(labels)
    tables: list[pd.DataFrame] = []
    reasons: dict[str, list[str]] = {}
    for name in names:
        part = flat[of_unit == name].reset_index(drop=True)
        rows, why = _joint(part, estimands, settings, precision, n_subgroups=len(names), width=width_of(units))
        tables.append(rows.assign(subgroup=name))
        for text in why:
            reasons.setdefault(text, []).append(name)
    table = pd.concat(tables, ignore_index=True)
    tests, method = _tests(flat, labels, estimands, settings, precision)
    table = table.merge(tests, on=["estimand", "site"], how="left", validate="many_to_one")
    ranks = {"estimand": [one.key for one in estimands], "site": called, "subgroup": names}
    order = [table[name].map({value: at for at, value in enumerate(values)}) for name, values in ranks.items()]
    table = table.iloc[np.lexsort(order[::-1])].reset_index(drop=True)
    at = table["site"].map({name: place for place, name in enumerate(called)})
    for name in KEYS:
        empty: Any = math.nan if name == "dose" else ""
        column = keys.index(name) if name in keys else None
        values = [empty if column is None else groups[place][column] for place in at]
        table[name] = pd.array(values, dtype=float) if name == "dose" else values
    if reasons:
        without = int((table["method"] == "degenerate").sum())
        parts = [f"{text}, in {listed(who, most=6)}" for text, who in reasons.items()]
        warn(
            f"by: {without} of {len(table)} estimates have no interval (NaN); the estimates stand. Why: "
            f"{'; '.join(parts)}.",
            DegenerateWarning,
        )
    return table, method


def _check_donors(units: pd.DataFrame, labels: Mapping[Any, str]) -> None:
    if "donor" not in units:
        return
    gave = units["donor"].map(labels)
    across = gave.notna() & (gave != units["unit"].map(labels))
    if across.any():
        row = units.loc[across].iloc[0]
        raise DesignError(
            f"by: unit {row['donor']} of subgroup {labels[row['donor']]!r} gave its mediator to unit {row['unit']} of "
            f"{labels[row['unit']]!r} (donors are drawn from all units), so subgroups are not samples of their own. "
            "Run each subgroup by itself, so that donors come from it, and compare the results."
        )


def _flat(
    units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]]
) -> tuple[pd.DataFrame, list[str]]:
    """Return the units with one name for each group in `site`, without arm and dose, and those names in order."""
    named = [
        "" if len(groups) == 1 else ", ".join(str(part) for part in one if part not in {None, ""}) for one in groups
    ]
    if len(set(named)) < len(named):
        named = [f"{name} ({place})" for place, name in enumerate(named)]
    code = units.groupby(list(keys), sort=False, dropna=False).ngroup()
    flat = units.assign(site=code.map(dict(enumerate(named)))).drop(columns=["arm", "dose"], errors="ignore")
    return flat, named


def _joint(
    part: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    precision: Precision,
    *,
    n_subgroups: int,
    width: float,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of one subgroup with bands that are jointly valid for all, and why some have no interval."""
    level = settings.confidence_level ** (1 / n_subgroups)
    least = math.ceil(2 / (1 - level) - 1e-9) - 1
    joint = replace(settings, confidence_level=level, n_resamples=max(settings.n_resamples, least))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = tabulate(part, estimands, settings, precision=precision, width=width).table
    with quiet():  # the same columns, said above
        nothing = {str(site): SiteInfo(None, "") for site in part["site"].unique()}
        wide = tabulate(part, estimands, joint, sites=nothing, precision=precision, width=width).table
    for one in caught:
        if one.category is not DegenerateWarning:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    for name in _JOINT:
        rows[name] = wide[name]
    rows["p_adjusted"] = -np.expm1(n_subgroups * np.log1p(-rows["p_adjusted"].clip(upper=1 - 1e-16)))
    why = [str(one.message).partition("Why: ")[2].rstrip(".") for one in caught if one.category is DegenerateWarning]
    return rows.drop(columns=[*SiteInfo._fields], errors="ignore"), why


def _tests(
    flat: pd.DataFrame,
    labels: Mapping[Any, str],
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    precision: Precision,
) -> tuple[pd.DataFrame, str]:
    """Return the p-value of "no difference between subgroups" of each mean and group, Holm's over the groups."""
    means = [one for one in estimands if one.denominator is None]
    empty = pd.DataFrame({"estimand": pd.Series(dtype="str"), "site": pd.Series(dtype="str"), "p_moderation": []})
    if not means:
        return empty.astype({"p_moderation": float}), ""
    found = unit_values(flat, means, precision)
    subgroups = [labels[unit] for unit in flat["unit"].unique()]
    tables, method = [], ""
    for one in means:
        told = homogeneity(
            np.where(np.abs(found.values[one.key]) <= found.resolution[one.key], 0.0, found.values[one.key]), subgroups,
            clusters=found.clusters, weights=found.weights, settings=settings,
        )  # fmt: skip
        method = told.method
        p_value = told.p_value.copy()
        tested = np.flatnonzero(~np.isnan(p_value))
        if len(np.unique(told.statistic[tested])) > 1:
            p_value[tested] = multipletests(p_value[tested], method="holm")[1]
        tables.append(pd.DataFrame({"estimand": one.key, "site": found.groups["site"], "p_moderation": p_value}))
    return pd.concat(tables, ignore_index=True), method
