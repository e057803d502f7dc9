"""Any table of effects as a column of points with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from .._checks import positive_int
from ..results import KINDS, Effects, meaning_of
from ..results.kinds import comparison_labels, rows_told
from ._controls import draw_controls
from ._equivalence import equivalence
from .drawing import (
    COLOURS,
    INK,
    axis_label,
    bands_hold_over,
    draw_row,
    extent,
    finish_rows,
    in_words,
    interval_name,
    labels_of,
    literal,
    off_axis,
    on_outcome,
    outcome_of,
    row_axes,
    row_of,
    rows_of,
    span,
    strongest,
    table_of,
    title,
    write_digits,
)

_LONGEST = 44  # characters of a row's label


def forest(
    effects: Effects,
    *,
    ax: Axes | None = None,
    estimand: str | None = None,
    most: int = 40,
    outcome: str | None = None,
) -> Axes:
    """Draw one row per line of the table: estimate, interval, and both in digits.

    A sweep adds its simultaneous bands, thin, and gives these in digits: the strongest of many sites were chosen by
    their estimates. Rows without an interval are hollow and say 'no interval'; an infinite end is an arrow; ratios
    beside amounts of the outcome have another scale and are written out only. Null controls come in groups, the
    effect itself first.

    Parameters
    ----------
    effects
        Result of any kind but 'specification', whose rows are in several units.
    ax
        Axes to draw on; a new figure when None.
    estimand
        Draw the rows of this estimand only; needed to see ratios on an axis of their own.
    most
        For a sweep, the number of rows: the strongest by absolute estimate, in the order of the table. For
        interactions, rows of pairs are left out first. For a hierarchy, of layers and of the sites in each.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is not an `Effects` or has no such estimand.
    """
    effects = on_outcome(effects, outcome, "forest")
    table = table_of(
        effects, kinds=[kind for kind in KINDS if kind != "specification"], figure="forest", ax=ax, others=True
    )
    positive_int(most, what="most")
    table = table if estimand is None else rows_of(table, estimand)
    if effects.kind == "controls":
        return draw_controls(table, effects.provenance, ax)
    if effects.kind == "equivalence":
        return equivalence(effects, ax=ax, estimand=estimand, most=most)
    shown = strongest(table, most) if effects.kind in ("sweep", "interactions", "comparison") else table
    shown = rows_told(table, most) if effects.kind == "hierarchy" else shown
    known = effects.provenance
    ratios = shown["estimand"].map(lambda key: meaning_of(key).is_ratio)
    mixed = bool(ratios.any()) and not bool(ratios.all())
    rows = [row_of(line) for line in shown.to_dict("records")]
    drawn = [row for row, ratio in zip(rows, ratios, strict=True) if not (mixed and ratio)]
    ax = row_axes(ax, span(drawn), len(rows) - 0.4, height=1.1 + 0.27 * len(rows))
    markers = ["D" if level == "layer" else "o" for level in shown.get("level", shown["site"])]
    for y, (row, key, ratio, marker) in enumerate(zip(rows, shown["estimand"], ratios, markers, strict=True)):
        if mixed and ratio:
            off_axis(ax, y)
        else:
            draw_row(ax, row, y, colour=COLOURS.get(key, INK), marker=marker)
    banded = any(math.isfinite(row.band[0]) for row in rows)
    write_digits(ax, [row.printed(banded=banded) for row in rows])
    ax.set_yticks(range(len(rows)), _labels(shown, effects.kind, known))
    _finish(ax, shown, total=len(table), kind=effects.kind, known=known)
    return ax


def _labels(table: pd.DataFrame, kind: str, known: Mapping[str, Any]) -> list[str]:
    if kind == "ablation":
        return labels_of(table, _LONGEST)
    symbols = [meaning_of(key) for key in table["estimand"]]
    if kind == "effects" or (kind == "comparison" and table["site"].nunique() == 1 and not (table["arm"] != "").any()):
        return [in_words(meaning) for meaning in symbols]
    names = labels_of(table, _LONGEST)
    if table["estimand"].nunique() == 1:
        return names
    return [f"{name}  {literal(meaning.symbol)}" for name, meaning in zip(names, symbols, strict=True)]


def _finish(ax: Axes, table: pd.DataFrame, *, total: int, kind: str, known: Mapping[str, Any]) -> None:
    keys = list(dict.fromkeys(table["estimand"]))
    only = meaning_of(keys[0])
    finish_rows(ax, keys, known)
    if kind == "ablation":
        ax.set_xlabel(axis_label("ablation effect on", outcome_of(known), 1.1 * extent(ax)[0]))
        sites = list(dict.fromkeys(table["site"]))
        where = f" at {sites[0]}" if len(sites) == 1 and sites[0] else ""
        said = f"Ablation effects{where}: the run as it is minus the ablated run"
    elif len(keys) == 1:
        said = f"{only.label[0].upper()}{only.label[1:]} ({only.symbol})" if only.formula else only.symbol
    else:
        said = "Effects of sites, alone and together" if kind == "interactions" else "Effects"
        said += f" at {table['site'].iloc[0]}" if kind == "effects" and table["site"].iloc[0] else ""
    if kind == "comparison":
        said = f"Difference, {' minus '.join(comparison_labels(known))}: {said[0].lower()}{said[1:]}"
    if kind == "hierarchy":
        said += ": layers (diamonds: mean of their sites), then sites"
    elif len(table) < total:
        said += f": the strongest {len(table)} of {total} rows"
    shown = interval_name(known)
    banded = kind in ("sweep", "comparison", "subgroups", "models") and bool(table["band_low"].notna().any())
    how = (
        f"{shown} (thick) and simultaneous bands{bands_hold_over(known)} (thin, in digits)"
        if banded
        else f"with {shown}"
    )
    how += "; * rejected, errors held over layers and sites" if kind == "hierarchy" else ""
    title(ax, f"{said}\n{how}", room=1.25)
