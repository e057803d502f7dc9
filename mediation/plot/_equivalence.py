"""Effects beside the margin inside which they would be negligible, with the verdict on each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from .._checks import positive_int
from ..errors import DesignError
from ..results import KINDS, Effects, meaning_of
from ..results.account import section
from ..results.kinds import most_telling, print_margin, tested_level, tested_thing, two_intervals
from ..results.text import shorten
from .drawing import (
    COLOURS,
    FAINT,
    INK,
    RULE,
    Row,
    draw_row,
    finish_rows,
    interval_name,
    literal,
    on_outcome,
    row_axes,
    row_of,
    rows_of,
    span,
    table_of,
    title,
    write_digits,
)

_LONGEST = 44  # characters of a row's label
_REACH = 4.0  # effects whose interval begins farther than this many margins from 0 are arrows at the edge
_WIDEST = 12.0  # and no interval takes the axis farther than this many


def equivalence(
    effects: Effects,
    *,
    ax: Axes | None = None,
    estimand: str | None = None,
    most: int = 40,
    outcome: str | None = None,
) -> Axes:
    """Draw each effect with the interval that was tested, the margin as a shaded zone, and the verdict in words.

    An effect is equivalent to none where its interval lies inside the zone. Where the interval that decides about 0 is
    another, it is drawn thin. An effect whose interval begins beyond four margins is an arrow at the edge, with its
    numbers in digits; rows without an interval are hollow.

    Parameters
    ----------
    effects
        Result of `Effects.equivalence`.
    ax
        Axes to draw on; a new figure when None.
    estimand
        Draw the rows of this estimand only.
    most
        For a sweep, the number of rows: the strongest by absolute estimate.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is of another kind or has no such estimand.
    """
    effects = on_outcome(effects, outcome, "equivalence")
    table = table_of(effects, kinds=KINDS, figure="equivalence", ax=ax)
    if effects.kind != "equivalence":
        raise DesignError(
            f"equivalence draws the result of effects.equivalence(margin), found one of kind {effects.kind!r}. Ask for "
            "that first: the margin is yours to state, such as effects.equivalence(0.1)."
        )
    positive_int(most, what="most")
    table = table if estimand is None else rows_of(table, estimand)
    known = effects.provenance
    sweep = section(known, "equivalence").get("of") == "sweep"
    shown = most_telling(table, most) if sweep else table
    double = two_intervals(shown)
    rows = [_tested(line, double=double) for line in shown.to_dict("records")]
    limits = _limits(rows, shown["margin"])
    ax = row_axes(ax, limits, len(rows) - 0.4, width=7.6, height=1.25 + 0.28 * len(rows))
    _zones(ax, list(shown["margin"]))
    for y, (row, key) in enumerate(zip(rows, shown["estimand"], strict=True)):
        draw_row(ax, row, y, colour=COLOURS.get(key, INK))
    _write(ax, rows, list(shown["verdict"]))
    ax.set_yticks(range(len(rows)), _labels(shown))
    _finish(ax, shown, known, total=len(table), double=double)
    return ax


def _tested(line: Mapping[Any, Any], *, double: bool) -> Row:
    """Return a row with the interval that was tested; where there are two, the pointwise one is its band."""
    row = row_of(line)
    low, high = float(line["equivalence_low"]), float(line["equivalence_high"])
    return replace(row, low=low, high=high, method="", band=(row.low, row.high) if double else (math.nan, math.nan))


def _limits(rows: list[Row], margins: pd.Series) -> tuple[float, float]:
    """Return the limits of the axis: the margins and the rows that begin within a few of them."""
    widest = float(margins.max())
    near = [row for row in rows if not (row.low > _REACH * widest or row.high < -_REACH * widest)]
    low, high = span([*near, Row(0.0, 0.0, -widest, widest)])
    return max(low, -_WIDEST * widest), min(high, _WIDEST * widest)


def _zones(ax: Axes, margins: Sequence[float]) -> None:
    """Shade the margin: one zone where it is the same for all rows, otherwise one a row."""
    alike = len(set(margins)) == 1
    spans = [(margins[0], -0.6, len(margins))] if alike else [(m, y - 0.42, 0.84) for y, m in enumerate(margins)]
    for margin, bottom, height in spans:
        ax.add_patch(
            Rectangle((-margin, bottom), 2 * margin, height, facecolor=FAINT, edgecolor="none", zorder=0, gid="margin")
        )
        for end in (-margin, margin):
            ax.plot(
                [end, end], [bottom, bottom + height], color=RULE, linewidth=0.9, linestyle="--", zorder=0.5,
                gid="margin end",
            )  # fmt: skip


def _write(ax: Axes, rows: list[Row], verdicts: list[str]) -> None:
    """Write estimates, intervals and verdicts right of the axes."""
    printed = [row.printed() for row in rows]
    write_digits(ax, printed)
    size = FontProperties(size="small").get_size_in_points()
    at = 10 + size * (2.2 + 0.62 * max(len(one.estimate) for one in printed))
    at += 0.56 * size * max(len(one.interval) for one in printed)
    for y, verdict in enumerate(verdicts):
        ax.annotate(
            verdict, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(at, 0), textcoords="offset points",
            va="center", ha="left", fontsize="small", color=INK, gid="verdict", annotation_clip=False,
        )  # fmt: skip


def _labels(table: pd.DataFrame) -> list[str]:
    """Return what names a row: its arm or site where they differ, and its estimand where that differs."""
    several = bool(table["arm"].nunique() > 1 or table["site"].nunique() > 1)
    symbols = table["estimand"].nunique() > 1 or not several
    labels = []
    for row in table.to_dict("records"):
        meaning = meaning_of(row["estimand"])
        where = shorten(str(row["arm"] or row["site"]), _LONGEST) if several else ""
        if where and row["arm"] and not math.isnan(row["dose"]) and (table["arm"] == row["arm"]).sum() > 1:
            where += f", dose {row['dose']:g}"
        name = meaning.symbol if where or not meaning.formula else f"{meaning.label}  {meaning.symbol}"
        labels.append(literal("  ".join(filter(None, (where, name if symbols else "")))))
    return labels


def _finish(ax: Axes, table: pd.DataFrame, known: Mapping[str, Any], *, total: int, double: bool) -> None:
    finish_rows(ax, list(table["estimand"]), known)
    ax.locator_params(axis="x", nbins=7)
    asked = section(known, "equivalence")
    reference = asked.get("relative_to")
    size = print_margin(float(asked.get("margin", table["margin"].iloc[0])))
    of = "" if reference is None else f" |{meaning_of(str(reference)).symbol}|"
    said = f"Equivalence to no {tested_thing(known)} at a margin of ±{size}{of} (shaded)"
    if len(table) < total:
        said += f": the strongest {len(table)} of {total} rows"
    tested = f"{tested_level(known)} intervals against the margin (thick, in digits)".strip()
    how = f"{tested}, {interval_name(known)} against 0 (thin)" if double else f"with {interval_name(known)}"
    title(ax, f"{said}\n{how}", room=1.25)
