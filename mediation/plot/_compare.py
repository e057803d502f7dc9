"""Two results side by side, and their difference, for each estimand, site or arm."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from .._checks import positive_int
from ..results import Effects, meaning_of
from ..results.kinds import comparison_labels, default_estimand
from ..results.text import shorten
from .drawing import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    Row,
    draw_row,
    finish_rows,
    in_words,
    interval_name,
    labels_of,
    literal,
    name_rows,
    off_axis,
    on_outcome,
    row_axes,
    row_of,
    rows_of,
    span,
    strongest,
    table_of,
    title,
    write_digits,
)

_GAP = 0.5  # rows between groups
_LONGEST = 30  # characters of a row's label
_HEAD = 44  # characters of a group's


def compare(
    comparison: Effects,
    *,
    ax: Axes | None = None,
    estimand: str | None = None,
    most: int = 12,
    outcome: str | None = None,
) -> Axes:
    """Draw both results and, on a shaded line below them, their difference, each with its interval.

    All stand on one axis with a line at 0, since a difference has the units of what is subtracted. Sweeps add the
    simultaneous bands of the differences, thin, and give these in digits. Ratios beside amounts of the outcome have
    another scale and are written out only.

    Parameters
    ----------
    comparison
        What `Effects.compare` returns.
    ax
        Axes to draw on; a new figure when None.
    estimand
        Draw this estimand only; for a sweep, 'pnie' when it is there, unless another is named.
    most
        For a sweep, the number of sites: those of the largest difference, in the order of the table.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `comparison` is of another kind, or has no such estimand.
    """
    comparison = on_outcome(comparison, outcome, "compare")
    table = table_of(comparison, kinds=["comparison"], figure="compare", ax=ax)
    positive_int(most, what="most")
    known = comparison.provenance
    sweep = known.get("comparison", {}).get("of") == "sweep"
    if sweep and estimand is None:
        estimand = default_estimand([str(key) for key in dict.fromkeys(table["estimand"])])
    every = table if estimand is None else rows_of(table, estimand)
    shown = strongest(every, most) if sweep else every
    lines = shown.to_dict("records")
    ratios = [meaning_of(str(line["estimand"])).is_ratio for line in lines]
    mixed = any(ratios) and not all(ratios)
    triples = [_rows(line) for line in lines]
    step = 3 + _GAP + (1 if len(lines) > 1 else 0)
    tops = [step * index + (1 if len(lines) > 1 else 0) for index in range(len(lines))]
    bottom = tops[-1] + 2.6
    drawn = [row for rows, ratio in zip(triples, ratios, strict=True) if not (mixed and ratio) for row in rows]
    ax = row_axes(ax, span(drawn), bottom, height=1.25 + 0.25 * (bottom + 0.6))
    for top, rows, ratio in zip(tops, triples, ratios, strict=True):
        _draw(ax, rows, top, off=mixed and ratio)
    _name(ax, shown, tops, comparison)
    heights = [top + place for top in tops for place in range(3)]
    write_digits(ax, _digits(triples), heights)
    _finish(ax, shown, every, known)
    return ax


def _rows(line: Mapping[Hashable, Any]) -> tuple[Row, Row, Row]:
    """Return the rows of the first result, the second, and the difference."""
    first, second = (
        Row(float(line[name]), math.nan, float(line[f"{name}_low"]), float(line[f"{name}_high"]))
        for name in ("first", "second")
    )
    return first, second, row_of(line)


def _draw(ax: Axes, rows: tuple[Row, Row, Row], top: float, *, off: bool) -> None:
    ax.axhspan(top + 1.55, top + 2.45, color=FAINT, linewidth=0, zorder=0, gid="difference")
    if off:
        off_axis(ax, top + 1)
        return
    looks = ((BLUE, "o", 6.0), (ORANGE, "s", 5.5), (INK, "D", 5.5))
    for place, (row, (colour, marker, size)) in enumerate(zip(rows, looks, strict=True)):
        draw_row(ax, row, top + place, colour=colour, marker=marker, size=size)


def _digits(triples: list[tuple[Row, Row, Row]]) -> list[Any]:
    """Return the digits of each row; of a difference, its band where it has one."""
    return [
        row.printed(banded=place == 2 and math.isfinite(row.band[0]))
        for rows in triples
        for place, row in enumerate(rows)
    ]


def _name(ax: Axes, shown: pd.DataFrame, tops: list[float], comparison: Effects) -> None:
    labels = [literal(shorten(label, _LONGEST)) for label in comparison_labels(comparison.provenance)]
    names = {top + place: name for top in tops for place, name in enumerate((*labels, "difference"))}
    heads = {} if len(tops) == 1 else {top - 1: head for top, head in zip(tops, _heads(shown), strict=True)}
    name_rows(ax, names, heads)


def _heads(shown: pd.DataFrame) -> list[str]:
    """Return the name of each group: the estimand, or the site or arm."""
    meanings = [meaning_of(str(key)) for key in shown["estimand"]]
    named = shown["estimand"].nunique() > 1
    if shown[["site", "arm", "dose"]].drop_duplicates().shape[0] == 1:
        return [in_words(one) for one in meanings]
    places = labels_of(shown, _HEAD)
    return [f"{place}  {literal(one.symbol)}" if named else place for place, one in zip(places, meanings, strict=True)]


def _finish(ax: Axes, shown: pd.DataFrame, every: pd.DataFrame, known: Mapping[str, Any]) -> None:
    finish_rows(ax, list(map(str, shown["estimand"])), known)
    one, two = comparison_labels(known)
    site = str(shown["site"].iloc[0]) if shown["site"].nunique() == 1 else ""
    said = f"{one} minus {two}{f' ({site})' if site not in {'', f'{one} - {two}'} else ''}"
    paired = known.get("comparison", {}).get("paired")
    said += ", on the same units" if paired else ", two independent groups" if paired is False else ""
    said += f"; the largest {len(shown)} of {len(every)}" if len(shown) < len(every) else ""
    how = f"with {interval_name(known)}"
    if shown["band_low"].notna().any():
        how = f"{interval_name(known)} (thick) and simultaneous bands of differences (thin, in digits)"
    title(ax, f"{said}\n{how}", room=1.25)
