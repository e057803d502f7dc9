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
    axes,
    axis_label,
    draw_row,
    extent,
    interval_name,
    literal,
    outcome_of,
    plain_frame,
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
    ax = axes(ax, width=7.2, height=1.2 + 0.27 * (bottom + 0.6))
    ax.set_xlim(*span(rows))
    ax.set_ylim(bottom, -0.6)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
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
    _name_rows(ax, table, heights, heads if len(groups) > 1 else {})
    _finish(ax, table, provenance)
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


def _name_rows(ax: Axes, table: pd.DataFrame, heights: list[float], heads: Mapping[float, str]) -> None:
    names = [label_of_control(control) for control in table["control"]]
    bold = [control == REAL for control in table["control"]]
    ax.set_yticks([*heights, *heads], [*names, *heads.values()])
    for tick, strong in zip(ax.get_yticklabels(), [*bold, *(True for _ in heads)], strict=True):
        tick.set_fontweight("bold" if strong else "normal")


def _finish(ax: Axes, table: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
    ax.tick_params(axis="y", length=0, pad=8)
    plain_frame(ax, keep=("bottom",))
    keys = list(dict.fromkeys(table["estimand"]))
    what = f"{meaning_of(keys[0]).symbol}: effect on" if len(keys) == 1 else "effect on"
    ax.set_xlabel(axis_label(what, outcome_of(provenance), 1.1 * extent(ax)[0]))
    title(ax, f"{control_title(table)}\nwith {interval_name(provenance)}", room=1.25)
