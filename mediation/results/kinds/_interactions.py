"""What a summary says of interactions: how sites share their joint effect, and where noising and denoising differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..account import section
from ..text import Field, meaning_of, print_p

_OF_ALL = ("joint", "non_additivity")
_WORTH = {
    "denoising": "v(S) = Y(0, M_S(1)) - Y(0, M(0)): the sites of S patched together from the source into the base run",
    "noising": "v(S) = Y(1, M(1)) - Y(1, M_S(0)): the sites of S patched together from the base into the source run, "
    "sign reversed",
}


def chosen(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows to list (of all sites, of the `most` strongest sites and pairs), and what is said of the rest."""
    kept, said = table["estimand"].isin(_OF_ALL), []
    pairs = table["partner"] != ""
    for rows, names, key in ((~kept & ~pairs, "sites", "shapley"), (pairs, "pairs", "pair_interaction")):
        part = table[rows]
        if part.empty:
            continue
        by = key if (part["estimand"] == key).any() else str(part["estimand"].iloc[0])
        strength = part[part["estimand"] == by].set_index(["site", "partner"])["estimate"].abs()
        strongest = strength.sort_values(ascending=False, kind="stable").index[:most]
        kept |= rows & pd.MultiIndex.from_frame(table[["site", "partner"]]).isin(strongest)
        if len(strongest) < len(strength):
            said.append(
                f"{len(strongest)} of {len(strength)} {names} shown, the strongest by |{meaning_of(by).symbol}|."
            )
    return table[kept], said


def named_fields(rows: pd.DataFrame) -> list[Field]:
    """Return the columns that name a row: the site (once for rows that follow each other), and the effect."""
    names = [
        "all sites" if key in _OF_ALL else f"{site} x {partner}" if partner else site
        for key, site, partner in zip(rows["estimand"], rows["site"], rows["partner"], strict=True)
    ]
    once = [name if i == 0 or name != names[i - 1] else "" for i, name in enumerate(names)]
    symbols = tuple(meaning_of(key).symbol for key in rows["estimand"])
    return [Field("site", tuple(once), give="cut"), Field("effect", symbols)]


def adjusted_field(rows: pd.DataFrame) -> Field:
    """Return the column of adjusted p-values."""
    return Field("p (adj.)", tuple(print_p(p) for p in rows["p_adjusted"]), "right")


def title_of(provenance: Mapping[str, Any]) -> str:
    """Return the title of a summary of interactions.

    Examples
    --------
    >>> title_of({"interactions": {"sites": ["a", "b"], "direction": "noising"}})
    'How 2 sites share their joint effect (noising)'
    """
    known = section(provenance, "interactions")
    count, direction = len(known.get("sites") or ()), known.get("direction")
    return f"How {f'{count} ' if count else ''}sites share their joint effect{f' ({direction})' if direction else ''}"


def orders_note(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return how the Shapley effects were computed, empty when there are none."""
    rows = table[table["estimand"] == "shapley"]
    if rows.empty:
        return ""
    drawn, k = int(rows["n_draws"].max()), len(section(provenance, "interactions").get("sites") or ())
    if drawn > 1:
        return f"Shapley effects: over {drawn // 2:,} sampled orders and their reverses, the same for all units."
    return f"Shapley effects: exact{f', over all {2**k:,} sets of sites' if k else ''}."


def meaning_notes(table: pd.DataFrame, provenance: Mapping[str, Any]) -> str:
    """Return what v(S) and the effects that are listed mean."""
    direction = str(section(provenance, "interactions").get("direction", ""))
    said = [_WORTH.get(direction, "v(S): the effect of patching the sites of S together")]
    said += [
        f"{meaning_of(key).symbol}: {meaning_of(key).formula}"
        for key in dict.fromkeys(table["estimand"])
        if meaning_of(key).formula
    ]
    return "; ".join(said) + ". p (adj.): jointly over the sites, or pairs, of an effect."


def additivity_note(table: pd.DataFrame) -> str:
    """Return the caution that single-site effects do not add up, where the interval says so."""
    rows = table[table["estimand"] == "non_additivity"]
    if not bool(((rows["conf_low"] > 0) | (rows["conf_high"] < 0)).any()):
        return ""
    return (
        "Effects of single sites do not add up to the joint one: the interval of the non-additivity leaves out 0. "
        "Report the joint effect with Shapley effects, which sum to it."
    )


def differ_note(table: pd.DataFrame, estimand: str) -> str:
    """Return at how many sites of a sweep noising and denoising differ, by the band of INTmed; empty if at none.

    Parameters
    ----------
    table
        Table of a sweep, all estimands.
    estimand
        The estimand that the summary lists; the note is for 'pnie' and 'tnie'.
    """
    if estimand not in ("pnie", "tnie"):
        return ""
    bands = {
        key: table[table["estimand"] == key].set_index("site")[["band_low", "band_high"]]
        for key in (estimand, "int_med")
    }
    differ, marked = (
        set(band.index[(band["band_low"] > 0) | (band["band_high"] < 0)])
        for band in (bands["int_med"], bands[estimand])
    )
    if not differ:
        return ""
    both, others = len(differ & marked), len(differ - marked)
    parts = [f"at {both} of {len(marked)} marked sites"] if both else []
    parts += [f"at {others} {'other' if both else 'unmarked'} site{'' if others == 1 else 's'}"] if others else []
    said = " and ".join(parts)
    return (
        f"{said[0].upper()}{said[1:]} noising and denoising differ: the band of INTmed excludes 0 "
        "(summary('int_med') lists them)."
    )
