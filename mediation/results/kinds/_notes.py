"""Footnotes of a summary: who was measured, how the intervals were made, and what the letters mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..account import balance_note, in_crossed_clusters, screen_notes, section, text_at
from ..text import cautions, meaning_of
from ._abstract import AbstractKind
from ._paired import comparison_who

_DEGENERATE = "degenerate"  # the method of a row without an interval
_PLAIN = ("two-way", "welch", "agresti", "bonett")  # methods of which nothing is resampled


def notes(kind: AbstractKind, table: pd.DataFrame, provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the footnotes of a table of `kind`, each one sentence or two."""
    found = [
        comparison_who(provenance) or _who(kind, table, provenance),
        balance_note(provenance),
        _draws(kind, table, provenance),
        *screen_notes(provenance),
        _intervals(table, provenance),
        _outcome(provenance),
        *_rollout(provenance),
        _model(provenance),
        _convention(kind, table, provenance),
        kind.caution(table),
        *cautions(kind.cautioned(table)),
    ]
    return tuple(note for note in found if note)


def role(provenance: Mapping[str, Any], which: str) -> str:
    """Return the role 'base' or 'source', with the user's own word for it when there is one.

    Examples
    --------
    >>> role({"pairs": {"base": "corrupted"}}, "base"), role({}, "base"), role({"pairs": {"base": "base"}}, "base")
    ('base (corrupted)', 'base', 'base')
    """
    named = section(provenance, "pairs").get(which)
    return f"{which} ({named})" if isinstance(named, str) and named not in {"", which} else which


def _who(kind: AbstractKind, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    n, clusters = int(table["n"].max()), int(table["n_clusters"].max())
    if not kind.shares_units:
        pairs = section(provenance, "pairs")
        n, clusters = int(pairs.get("n", n)), int(pairs.get("n_clusters", clusters))
    elif table["n"].nunique() > 1:
        return f"{table['n'].min()} to {n} units a row."
    crossed = in_crossed_clusters(provenance)
    if crossed:
        return f"n = {n:,} units{crossed}; units that share either count as dependent."
    if clusters == n:
        return f"n = {n:,} units, taken as independent."
    name = section(provenance, "pairs").get("cluster")
    two_way = bool(table["method"].str.startswith("two-way").any())
    done = "units of one count as dependent" if two_way else "whole clusters are resampled"
    return f"n = {n:,} units in {clusters:,} clusters{f' ({name})' if name else ''}; {done}."


def _draws(kind: AbstractKind, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    if (own := kind.draws(table, provenance)) is not None:
        return own
    if section(provenance, "inference").get("draws") == "shared":
        return "Random draws are shared by all units, so intervals are over units and draws at once (two-way)."
    if "n_draws" not in table or table["n_draws"].max() <= 1:
        return ""
    counts = sorted({int(count) for count in table["n_draws"]} - {1})
    return f"Random arms: {' or '.join(f'{count:,}' for count in counts)} draws, averaged within each unit."


def _intervals(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    by_method: dict[str, list[str]] = {}
    for name, estimand in zip(table["method"], table["estimand"], strict=True):
        method = name.split(" (")[0]
        if method == _DEGENERATE:
            continue
        symbols = by_method.setdefault(method, [])
        symbol = meaning_of(estimand).symbol
        if symbol not in symbols:
            symbols.append(symbol)
    if not any(by_method):
        return ""
    main = max(by_method, key=lambda method: len(by_method[method]))
    rest = [f"{', '.join(symbols)}: {method}" for method, symbols in by_method.items() if method not in {main, ""}]
    settings = section(provenance, "inference")
    n_resamples, seed = settings.get("n_resamples"), provenance.get("seed", settings.get("seed"))
    resampled = not main.startswith(_PLAIN) and not main.endswith((" t", " z"))
    drawn = f", B = {n_resamples:,} resamples" if resampled and isinstance(n_resamples, int) else ""
    seeded = f", seed {seed}" if resampled and seed is not None else ""
    return f"Intervals: {'; '.join([f'{main}{drawn}{seeded}', *rest])}."


def _outcome(provenance: Mapping[str, Any]) -> str:
    outcome = text_at(provenance, "outcome")
    return f"Outcome: {outcome}." if outcome else ""


def _rollout(provenance: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a study of thoughts left out, and how many answers its rules did not find."""
    rollout = section(provenance, "rollout")
    found = []
    left_out = rollout.get("units_left_out")
    if isinstance(left_out, Mapping) and left_out:
        reasons = dict.fromkeys(left_out.values())
        counted = ", ".join(f"{reason} {sum(one == reason for one in left_out.values())}" for reason in reasons)
        found.append(f"Left out: {len(left_out)} of {rollout.get('units_asked')} units ({counted}).")
    unparsed = rollout.get("unparsed")
    if isinstance(unparsed, Mapping) and unparsed:
        rates = ", ".join(f"{name} {rate:.1%}" for name, rate in unparsed.items())
        found.append(f"Generations without an answer that the rules find: {rates}.")
    return tuple(found)


def _model(provenance: Mapping[str, Any]) -> str:
    model = section(provenance, "model")
    if not model.get("id"):
        return ""
    layers = f"{model['n_layers']} layers" if model.get("n_layers") else ""
    details = [str(model[key]) for key in ("architecture", "dtype", "device") if model.get(key)]
    described = ", ".join([*details, *([layers] if layers else [])])
    return f"Model: {model['id']}{f' ({described})' if described else ''}."


def ablation_convention(provenance: Mapping[str, Any]) -> str:
    """Return what the effect of an ablation is, and of which run."""
    run = f" Input: {role(provenance, str(provenance['run']))}." if provenance.get("run") else ""
    return f"AE = y - ym: run as it is minus run with the site ablated. No contrast, so no indirect effect.{run}"


def _convention(kind: AbstractKind, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    if (own := kind.convention(table, provenance)) is not None:
        return own
    estimands = list(table["estimand"])
    base, source = role(provenance, "base"), role(provenance, "source")
    if set(estimands) == {"ablation"}:
        return ablation_convention(provenance)
    said = f"y_xm: the outcome of input x run with the mediator of m; 0 = {base}, 1 = {source}."
    if {"ide", "iie", "oe"} & set(estimands):
        said += " g_xm: the same with the mediator of a randomly drawn unit's input m."
    if {"cde", "int_ref", "pe"} & set(estimands):
        said += " y_0m, y_1m: the mediator ablated."
    return said
