"""What a result states by itself of the items of a reporting checklist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .._result import Result
from ..account import section, text_at
from ..kinds import notes, role
from ..text import cautions, meaning_of, print_p, print_row

Facts = dict[str, tuple[str, ...]]
_MOST = 12  # rows of estimates that are written out
_NAMES = ("site", "arm", "dose", "outcome", "corruption", "control", "partner", "subgroup", "level", "result")


def facts_of(result: Result) -> Facts:
    """Return, by the key of the item, the sentences that the result supports; keys without any are left out."""
    table, provenance = result.table, result.provenance
    check = result.kind.sensitivity(table)
    found: Facts = {
        "design": _design(provenance),
        "participants": _participants(table, provenance),
        "sample_size": (_counted(table, provenance),),
        "effects": _effects(table),
        "model": _model(provenance),
        "assumptions": _assumptions(table, provenance),
        "measurement": _measurement(provenance),
        "levels": _levels(result.units, provenance),
        "statistics": _statistics(result),
        "sensitivity": (check,),
        "flow": _flow(table, provenance),
        "estimates": _estimates(table, provenance),
        "sensitivity_results": ("The estimates above are those of the sensitivity analysis.",) * bool(check),
        "limitations": tuple(cautions(table)),
        "data": _versions(provenance),
    }
    return {key: tuple(filter(None, said)) for key, said in found.items() if any(said)}


def _design(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    model = section(provenance, "model")
    if not model.get("id"):
        return ()
    details = ", ".join(str(model[key]) for key in ("architecture", "revision", "dtype", "device") if model.get(key))
    done = text_at(provenance, "intervention")
    return (
        f"Experiment on a network: {model['id']}{f' ({details})' if details else ''}.",
        f"Intervention: {done}." if done else "",
    )


def _participants(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    pairs = section(provenance, "pairs")
    if not pairs.get("base") or not pairs.get("source"):
        return ()
    return (f"A unit is a pair of inputs: base ({pairs['base']!r}) and source ({pairs['source']!r}).",)


def _counted(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    n, clusters = int(table["n"].max()), int(table["n_clusters"].max())
    pairs = section(provenance, "pairs")
    if isinstance(pairs.get("n"), int) and isinstance(pairs.get("n_clusters"), int):
        n, clusters = pairs["n"], pairs["n_clusters"]
    name = pairs.get("cluster")
    grouped = f" in {clusters:,} clusters{f' ({name})' if name else ''}" if clusters < n else ", taken as independent"
    return f"n = {n:,} units{grouped}."


def _effects(table: pd.DataFrame) -> tuple[str, ...]:
    meanings = [meaning_of(str(key)) for key in dict.fromkeys(table["estimand"])]
    return tuple(
        f"{one.symbol}, {one.label}{f': {one.formula} ({one.patching})' if one.formula else ''}." for one in meanings
    )


def _model(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    site = text_at(provenance, "mediator")
    if not site:
        return ()
    outcome = text_at(provenance, "outcome") or "outcome"
    return (f"Input -> {site} -> {outcome}, and input -> {outcome} by every path that does not pass there.",)


def _assumptions(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    if not section(provenance, "model").get("id"):
        return ()
    said = ["Input and mediator are both set by intervention, so neither is confounded with the outcome."]
    if set(table["estimand"]) & {"tnie", "pnie", "pnde", "tnde", "pm", "pm_pure", "int_med"}:
        said.append("Potential outcomes across inputs (y01, y10) are run, not inferred.")
    for name, what in (("consistency", "Consistency"), ("self_patch", "Self-patch")):
        check = section(section(provenance, "checks"), name)
        worst = check.get("max_abs_difference", check.get("largest"))
        if worst is not None:
            said.append(f"{what} was checked: largest difference {worst:.1e}.")
    return tuple(said)


def _measurement(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    site, outcome = text_at(provenance, "mediator"), text_at(provenance, "outcome")
    pairs = section(provenance, "pairs")
    exposure = (
        f"Exposure: {role(provenance, 'base')} = 0, {role(provenance, 'source')} = 1." if pairs.get("base") else ""
    )
    rollout = section(provenance, "rollout")
    decoding = f"Decoding: {rollout['sampling']}." if rollout.get("sampling") else ""
    return (exposure, f"Mediator: {site}." if site else "", f"Outcome: {outcome}." if outcome else "", decoding)


def _levels(units: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    draws = int(units["draw"].nunique())
    shared = section(provenance, "inference").get("draws") == "shared"
    kept = "shared by all units" if shared else "averaged within the unit"
    return (
        "Exposure, mediator and outcome are measured in each unit.",
        f"{draws:,} random draws, {kept}." if draws > 1 else "",
    )


def _statistics(result: Result) -> tuple[str, ...]:
    kind, table, provenance = result.kind, result.table, result.provenance
    known = section(provenance, "inference")
    level = known.get("confidence_level")
    said = [f"Confidence level {100 * level:g}%." if isinstance(level, float) else ""]
    said += [
        one for one in notes(kind, table, provenance) if one.startswith(("Intervals:", "Paired", "Two independent"))
    ]
    if {"band_low", "p_adjusted"} & set(table.columns) and bool(table["p_adjusted"].notna().any()):
        stated = section(provenance, "adjustment").get("method", "max-t" if kind.banded else "")
        said.append(f"Adjusted p-values account for the number of tests{f' ({stated})' if stated else ''}.")
    elif len(table) > 1:
        said.append("p-values and intervals are of one row each, not adjusted for their number.")
    if kind.of_units and {"pnie", "tnie"} <= set(table["estimand"]):
        there = "int_med" in set(table["estimand"])
        said.append(
            "Exposure-mediator interaction is allowed for: pure and total effects are apart"
            f"{', INTmed is their difference' if there else ''}."
        )
    said.append("Missing values: none; units without an outcome are refused or listed as left out.")
    return (*said, *(f"Software: {one}" for one in _versions(provenance)))


def _versions(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    found = section(provenance, "versions")
    return (", ".join(f"{name} {version}" for name, version in found.items()) + ".",) if found else ()


def _flow(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    rollout = section(provenance, "rollout")
    left = rollout.get("units_left_out")
    said = [f"Analysed: {_counted(table, provenance)}"]
    if isinstance(left, Mapping) and left:
        reasons = list(left.values())
        counted = ", ".join(f"{one} {reasons.count(one)}" for one in dict.fromkeys(reasons))
        said.append(f"Left out: {len(left)} of {rollout.get('units_asked')} units ({counted}).")
    unparsed = rollout.get("unparsed")
    if isinstance(unparsed, Mapping) and unparsed:
        said.append(f"Without an answer: {', '.join(f'{name} {rate:.1%}' for name, rate in unparsed.items())}.")
    without = int((table["method"] == "degenerate").sum())
    said.append(f"{without} of {len(table)} rows have no interval." if without else "")
    return tuple(said)


def _estimates(table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    level = section(provenance, "inference").get("confidence_level")
    which = f"{100 * level:g}% " if isinstance(level, float) else ""
    names = [name for name in _NAMES if name in table and table[name].nunique() > 1]
    rows = table
    if len(table) > _MOST:
        rows = table.loc[table["estimate"].abs().sort_values(ascending=False, kind="stable").index[:_MOST]]
    said = []
    for row in rows.to_dict("records"):
        printed = print_row(row["estimate"], row["std_error"], row["conf_low"], row["conf_high"], method=row["method"])
        where = ", ".join(str(row[name]) for name in names if not pd.isna(row[name]) and row[name] != "")
        p = print_p(row["p_value"])
        said.append(
            f"{meaning_of(str(row['estimand'])).symbol}{f' ({where})' if where else ''} = {printed.estimate}, "
            f"{which}{printed.interval}{f', p {p}' if p.startswith(('<', '>')) else f', p = {p}' if p else ''}."
        )
    more = len(table) - len(rows)
    return (*said, f"{more:,} further rows are in the table (tidy)." if more else "")
