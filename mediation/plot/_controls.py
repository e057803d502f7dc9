"""An effect and its null controls, in groups: the effect first, then the controls, then the effect beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ..results import meaning_of
from ..results.kinds import BEYOND, CONTROLS, REAL, control_title, label_of_control
from ..results.text import shorten
from .drawing import (
    COLOURS,
    FAINT,
    INK,
    draw_row,
    finish_rows,
    interval_name,
    literal,
    name_rows,
    row_axes,
    row_of,
    span,
    title,
    write_digits,
)

_GAP = 0.55  # rows between the controls and the effect beyond them
_LONGEST = 44
_GREY = "#6B6B6B"


def draw_controls(table: pd.DataFrame, provenance: Mapping[str, Any], ax: Axes | None) -> Axes:
    """Draw the rows of a table of controls, a group for each effect and site.

    In each group the effect itself stands first, in colour and on a shaded line, and a dotted line carries its
    estimate down to the controls, in grey; the effect beyond each control follows as diamonds.
    """
    groups = [rows for _, rows in table.groupby(["estimand", "site"], sort=False)]
    heights, heads = _heights(groups)
    rows = [row_of(line) for line in table.to_dict("records")]
    bottom = heights[-1] + 0.6
    ax = row_axes(ax, span(rows), bottom, height=1.2 + 0.27 * (bottom + 0.6))
    for y, row, line in zip(heights, rows, table.to_dict("records"), strict=True):
        colour, marker, size = _look(str(line["estimand"]), str(line["control"]))
        if line["control"] == REAL:
            ax.axhspan(y - 0.45, y + 0.45, color=FAINT, linewidth=0, zorder=0, gid="real")
            last = max(h for h, other in zip(heights, table.index, strict=True) if _beside(table, line, other))
            ax.plot([row.estimate] * 2, [y, last], color=colour, linewidth=0.9, linestyle=":", zorder=1, gid="carried")
        draw_row(ax, row, y, colour=colour, marker=marker, size=size)
    settled = [control == CONTROLS[0] for control in table["control"]]
    printed = [row.printed() for row in rows]
    printed = [
        replace(text, interval="in every unit") if zero else text for text, zero in zip(printed, settled, strict=True)
    ]
    write_digits(ax, printed, heights)
    names = dict(zip(heights, map(label_of_control, table["control"]), strict=True))
    name_rows(ax, names, heads if len(groups) > 1 else {}, [control == REAL for control in table["control"]])
    finish_rows(ax, list(table["estimand"]), provenance)
    title(ax, f"{control_title(table)}\nwith {interval_name(provenance)}", room=1.25)
    return ax


def _heights(groups: list[pd.DataFrame]) -> tuple[list[float], dict[float, str]]:
    """Return the height of each row, and of each group's head with its words."""
    heights: list[float] = []
    heads: dict[float, str] = {}
    y, several = 0.0, len(groups) > 1
    for rows in groups:
        if several:
            head = f"{meaning_of(str(rows['estimand'].iloc[0])).symbol} at {rows['site'].iloc[0]}"
            heads[y] = literal(shorten(head.removesuffix(" at "), _LONGEST))
            y += 1
        before = REAL
        for control in rows["control"]:
            y += _GAP if control.startswith(BEYOND) and not before.startswith(BEYOND) else 0
            heights.append(y)
            y, before = y + 1, control
        y += _GAP
    return heights, heads


def _look(estimand: str, control: str) -> tuple[str, str, float]:
    """Return colour, marker and size."""
    colour = COLOURS.get(estimand, INK)
    if control == REAL:
        return colour, "o", 8.0
    return (colour, "D", 5.0) if control.startswith(BEYOND) else (_GREY, "o", 5.5)


def _beside(table: pd.DataFrame, line: Mapping[Any, Any], other: Any) -> bool:
    """Return True if row `other` is the effect `line` or one of its controls."""
    row = table.loc[other]
    same = row["estimand"] == line["estimand"] and row["site"] == line["site"]
    return bool(same and not row["control"].startswith(BEYOND))
