"""Any table of effects as a column of points with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from .._checks import positive_int
from ..results import KINDS, Effects, meaning_of
from ._ask import interval_name, labels_of, outcome_of, rows_of, table_of
from ._rows import Row, draw_row, row_of, span
from ._theme import COLOURS, INK, RULE, axes, axis_label, extent, literal, plain_frame, title

_LONGEST = 44  # characters of a row's label


def forest(effects: Effects, *, ax: Axes | None = None, estimand: str | None = None, most: int = 40) -> Axes:
    """Draw one row per line of the table: estimate, interval, and both in digits.

    A sweep adds its simultaneous bands, thin, and gives these in digits: the strongest of many sites were chosen by
    their estimates. Rows without an interval are hollow and say 'no interval'; an infinite end is an arrow; ratios
    beside amounts of the outcome have another scale and are written out only.

    Parameters
    ----------
    effects
        Result of any kind.
    ax
        Axes to draw on; a new figure when None.
    estimand
        Draw the rows of this estimand only; needed to see ratios on an axis of their own.
    most
        For a sweep, the number of rows: the strongest by absolute estimate, in the order of the table.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is not an `Effects` or has no such estimand.
    """
    table = table_of(effects, kinds=KINDS, figure="forest", ax=ax)
    positive_int(most, what="most")
    table = table if estimand is None else rows_of(table, estimand)
    shown = _strongest(table, most) if effects.kind == "sweep" else table
    known = effects.provenance
    ratios = shown["estimand"].map(lambda key: meaning_of(key).is_ratio)
    mixed = bool(ratios.any()) and not bool(ratios.all())
    rows = [row_of(line) for line in shown.to_dict("records")]
    drawn = [row for row, ratio in zip(rows, ratios, strict=True) if not (mixed and ratio)]
    ax = axes(ax, width=7.2, height=1.1 + 0.27 * len(rows))
    ax.set_xlim(*span(drawn))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for y, (row, key, ratio) in enumerate(zip(rows, shown["estimand"], ratios, strict=True)):
        if mixed and ratio:
            _off_axis(ax, y)
        else:
            draw_row(ax, row, y, colour=COLOURS.get(key, INK))
    banded = any(math.isfinite(row.band[0]) for row in rows)
    _digits(ax, rows, banded=banded)
    ax.set_yticks(range(len(rows)), _labels(shown, effects.kind, known))
    _finish(ax, shown, total=len(table), kind=effects.kind, known=known)
    return ax


def _strongest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(table) <= most:
        return table
    order = table["estimate"].abs().sort_values(ascending=False, kind="stable", na_position="last").index[:most]
    return table.loc[sorted(order)]


def _off_axis(ax: Axes, y: float) -> None:
    ax.text(
        0.015, y, "ratio: not on this axis", transform=ax.get_yaxis_transform(), va="center", fontsize="small",
        color=RULE, bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.5}, zorder=2,
    )  # fmt: skip


def _digits(ax: Axes, rows: list[Row], *, banded: bool) -> None:
    """Write estimates and intervals right of the axes, in two columns."""
    printed = [row.printed(banded=banded) for row in rows]
    size = FontProperties(size="small").get_size_in_points()
    middle = 10 + 0.62 * size * max(len(texts.estimate) for texts in printed)
    for y, texts in enumerate(printed):
        for text, at, side in ((texts.estimate, middle, "right"), (texts.interval, middle + size, "left")):
            ax.annotate(
                text, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(at, 0), textcoords="offset points",
                va="center", ha=side, fontsize="small", color=INK, gid="digits", annotation_clip=False,
            )  # fmt: skip


def _labels(table: pd.DataFrame, kind: str, known: Mapping[str, Any]) -> list[str]:
    if kind == "ablation":
        return labels_of(table, _LONGEST)
    symbols = [meaning_of(key) for key in table["estimand"]]
    if kind == "effects":
        return [
            literal(f"{meaning.label}  {meaning.symbol}" if meaning.formula else meaning.symbol) for meaning in symbols
        ]
    names = labels_of(table, _LONGEST)
    if table["estimand"].nunique() == 1:
        return names
    return [f"{name}  {literal(meaning.symbol)}" for name, meaning in zip(names, symbols, strict=True)]


def _finish(ax: Axes, table: pd.DataFrame, *, total: int, kind: str, known: Mapping[str, Any]) -> None:
    ax.tick_params(axis="y", length=0, pad=8)
    plain_frame(ax, keep=("bottom",))
    keys = list(dict.fromkeys(table["estimand"]))
    only = meaning_of(keys[0])
    outcome, inches = outcome_of(known), 1.1 * extent(ax)[0]
    if kind == "ablation":
        ax.set_xlabel(axis_label("ablation effect on", outcome, inches))
        said = "Ablation effects: the run as it is minus the ablated run"
    elif len(keys) == 1:
        ax.set_xlabel(only.label if only.is_ratio else axis_label(f"{only.symbol}: effect on", outcome, inches))
        said = f"{only.label[0].upper()}{only.label[1:]} ({only.symbol})" if only.formula else only.symbol
    else:
        ax.set_xlabel(axis_label("effect on", outcome, inches))
        said = "Effects" + (f" at {table['site'].iloc[0]}" if kind == "effects" and table["site"].iloc[0] else "")
    if len(table) < total:
        said += f": the strongest {len(table)} of {total} rows"
    shown = interval_name(known)
    banded = kind == "sweep" and bool(table["band_low"].notna().any())
    how = f"{shown} (thick) and simultaneous bands (thin, in digits)" if banded else f"with {shown}"
    title(ax, f"{said}\n{how}", room=1.25)
