"""What a figure asks of its data, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ..._checks import listed, one_of
from ...errors import DesignError
from ...results import KINDS, Effects, Kind
from ...results.account import TOGETHER, section
from ...results.kinds import confidence, kind_named
from ...results.text import shorten
from ._theme import literal


def check_axes(ax: object, figure: str) -> None:
    """Raise DesignError if `ax` is given and no `Axes`."""
    if ax is not None and not isinstance(ax, Axes):
        raise DesignError(
            f"{figure}(ax=...) must be one matplotlib Axes, found {type(ax).__name__}. Pick one, such as axes[0]."
        )


def table_of(
    effects: Effects, *, kinds: Sequence[Kind], figure: str, ax: object = None, others: bool = False
) -> pd.DataFrame:
    """Return the tidy table of `effects` if its kind is among `kinds`, or with `others` is no kind of the package.

    Raises
    ------
    DesignError
        If `effects` is not an `Effects`, `ax` is not an `Axes`, or the kind is another.
    """
    if not isinstance(effects, Effects):
        raise DesignError(
            f"{figure} draws the Effects that mediate, ablate, effects or read return, found {type(effects).__name__}."
        )
    check_axes(ax, figure)
    if effects.kind not in kinds and not (others and effects.kind not in KINDS):
        raise DesignError(
            f"{figure} was asked of a result of kind {effects.kind!r}; it draws {' or '.join(map(repr, kinds))}. "
            f"Nearest: {kind_named(effects.kind).pictures}."
        )
    return effects.tidy()


def on_outcome(effects: Effects, outcome: str | None, figure: str) -> Effects:
    """Return the effects on the outcome that is named, as a figure draws one; DesignError where none of several is."""
    if not isinstance(effects, Effects) or (outcome is None and not effects.outcomes):
        return effects
    if outcome is None:
        raise DesignError(
            f"{figure} draws one outcome, in its own units, and this result has {listed(effects.outcomes)}. Name one: "
            f"outcome={effects.outcomes[0]!r}."
        )
    return effects.outcome(outcome)


def rows_of(table: pd.DataFrame, estimand: str) -> pd.DataFrame:
    """Return the rows of `estimand`, or raise a DesignError with the closest that is there."""
    present = [str(key) for key in dict.fromkeys(table["estimand"])]
    one_of(estimand, present, what="estimand")
    rows: pd.DataFrame = table[table["estimand"] == estimand].reset_index(drop=True)
    return rows


def outcome_of(provenance: Mapping[str, Any]) -> str:
    """Return the outcome's name for an axis label."""
    return str(provenance.get("outcome") or "the outcome")


def interval_name(provenance: Mapping[str, Any]) -> str:
    """Return what the intervals are, such as '95% intervals'.

    Examples
    --------
    >>> interval_name({"inference": {"confidence_level": 0.9}}), interval_name({})
    ('90% intervals', 'intervals')
    """
    return f"{confidence(provenance)} intervals".strip()


def bands_hold_over(provenance: Mapping[str, Any]) -> str:
    """Return where the simultaneous bands of one outcome hold beyond it: " over all outcomes", or nothing.

    Examples
    --------
    >>> bands_hold_over({"inference": {"family": "all"}}), bands_hold_over({})
    (' over all outcomes', '')
    """
    joint = section(provenance, "inference").get("family") == "all"
    later = section(provenance, "adjustment").get("bands") in ("outcomes", "all") and TOGETHER in provenance
    return " over all outcomes" if joint or later else ""


def with_sites(names: Iterable[str], table: pd.DataFrame) -> list[str]:
    """Return the names of arms, with the site where one arm is at several, and words where an arm has no name."""
    several = table.groupby("arm")["site"].transform("nunique") > 1
    return [
        f"{name or 'ablation'} at {site}" if many else name or site or "ablation"
        for name, site, many in zip(names, table["site"], several, strict=True)
    ]


def labels_of(table: pd.DataFrame, width: int) -> list[str]:
    """Return one label per row, of at most `width` characters: the arm, or the site.

    The label of a layer says that its estimate is a mean, and rejected rows have a star. An arm's label has the site
    where one arm is at several, and the dose where rows would be called alike.
    """
    for column in {"subgroup", "result"} & set(table.columns):
        places = [name for name in ("site", "arm", "dose") if table[name].nunique() > 1]
        rows = table[[*places, column]].astype(str).itertuples(index=False, name=None)
        return [literal(shorten(", ".join(row), width)) for row in rows]
    if "partner" in table:
        several = table["estimand"].isin(("joint", "non_additivity"))
        names = [
            "all sites" if every else _pair(site, partner, width) if partner else shorten(site, width)
            for every, site, partner in zip(several, table["site"], table["partner"], strict=True)
        ]
        return [literal(name) for name in names]
    if "level" in table:
        names = [
            f"{site}: mean" if level == "layer" else site
            for site, level in zip(table["site"], table["level"], strict=True)
        ]
        marks = ["  *" if rejected == "yes" else "" for rejected in table["rejected"]]
        return [literal(shorten(name, width) + mark) for name, mark in zip(names, marks, strict=True)]
    if "arm" not in table or ("second" in table and not (table["arm"] != "").any()):
        return [literal(shorten(site, width)) for site in table["site"]]
    names = [shorten(name, width) for name in with_sites(table["arm"], table)]
    twice = [names.count(name) > 1 and dose == dose for name, dose in zip(names, table["dose"], strict=True)]
    return [
        literal(f"{name}, dose {dose:g}" if same else name)
        for name, dose, same in zip(names, table["dose"], twice, strict=True)
    ]


def _pair(site: str, partner: str, width: int) -> str:
    """Return the names of two sites, each shortened by itself, in about a quarter more room than one has."""
    each = (5 * width // 4 - 3) // 2
    return f"{shorten(site, each)} x {shorten(partner, each)}"
