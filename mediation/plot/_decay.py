"""Similarity of states by step, several kinds of states as lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from .._checks import one_of
from ..errors import DesignError
from ..results.text import shorten
from .drawing import (
    CYCLE,
    INK,
    RULE,
    axes,
    extent,
    frame_of,
    key_above,
    line,
    literal,
    look,
    no_interval_key,
    plain_frame,
    title,
)

_NEEDED = ("states", "measure", "step", "other", "estimate", "conf_low", "conf_high")
_LONGEST = 34
_SAID = {
    "inter cosine": ("Cosine of two units at the same step", "mean cosine"),
    "inter centred cosine": ("Centred cosine of two units at the same step", "mean centred cosine"),
    "effective rank": ("Effective rank of the units' states at each step", "effective rank"),
    "cka": ("Alignment of each step with the first (debiased linear CKA)", "CKA"),
    "intra cosine": ("Cosine of a unit's own steps, each with its first", "mean cosine"),
    "intra centred cosine": ("Centred cosine of a unit's own steps, each with its first", "mean centred cosine"),
    "intra cosine by lag": ("Cosine of a unit's own steps, by their distance", "mean cosine"),
    "intra centred cosine by lag": ("Centred cosine of a unit's own steps, by their distance", "mean centred cosine"),
}


def decay(similarity: Any, measure: str = "intra cosine", *, ax: Axes | None = None) -> Axes:
    """Draw one measure of similarity by step, one line a kind of states, with intervals as bars and bands.

    States of one step (an inner state at the last token, say) are a level across the picture. Hollow markers have no
    interval. Each line has its name at its right.

    Parameters
    ----------
    similarity
        What `mediation.probing.similarity` returns, several of them in a list, or a frame of
        `mediation.probing.compare`.
    measure
        Which: 'inter cosine' and the like by step; 'intra cosine' and 'cka' as similarity to the first step, or the
        first by lag.
    ax
        Axes to draw on; a new figure when None.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If there is no such table, or no such measure in it.
    """
    table, intervals = frame_of(similarity, _NEEDED, "decay", "probing.similarity", ax)
    one_of(measure, list(dict.fromkeys(table["measure"])), what="decay: measure")
    rows = table[table["measure"] == measure]
    pairs = bool(rows["other"].notna().any())
    if pairs:
        rows = rows[(rows["step"] == 0) | (rows["other"] == 0)]
        far = rows[["step", "other"]].astype(float).max(axis=1)
        rows = rows.assign(step=far.astype(int))
    rows = rows[rows["estimate"].notna()]
    if rows.empty:
        raise DesignError(f"decay: {measure!r} is NaN at every step; there is nothing to draw.")
    names = list(dict.fromkeys(rows["states"]))
    longest = max(min(len(name), _LONGEST) for name in names) if len(names) > 1 else 0
    ax = axes(ax, width=5.0 + 0.06 * longest, height=3.4)
    steps = sorted(set(rows["step"]))
    ends = []
    for index, name in enumerate(names):
        mine = rows[rows["states"] == name].sort_values("step")
        ends.append(_draw(ax, mine, index, steps, alone=len(mine) == 1 and not pairs and len(steps) > 1))
    _frame(ax, steps, measure)
    if len(names) > 1:
        _label(ax, names, ends)
    missing = bool(rows["conf_low"].isna().any())
    pad = key_above(ax, [no_interval_key()] if missing else [])
    said, _ = _said(measure)
    lines = [said if len(names) > 1 else f"{said}: {names[0]}", f"With {intervals}"]
    if measure == "effective rank" and "n" in rows and rows["n"].nunique() > 1:
        lines.append(f"Grows with the number of units, {rows['n'].min()} to {rows['n'].max()} here")
    title(ax, "\n".join(lines), pad=pad)
    return ax


def _said(measure: str) -> tuple[str, str]:
    return _SAID.get(measure, (measure, measure))


def _draw(ax: Axes, rows: pd.DataFrame, index: int, steps: list[int], *, alone: bool) -> tuple[float, float]:
    """Draw the line, or the level, of one kind of states, and return where it ends."""
    looks = look(index)
    if not alone:
        line(ax, rows["step"].to_numpy(), rows, looks, value="estimate")
        return float(rows["step"].iloc[-1]), float(rows["estimate"].iloc[-1])
    only = rows.iloc[0]
    if pd.notna(only["conf_low"]):
        ax.axhspan(
            only["conf_low"], only["conf_high"], facecolor=looks["color"], alpha=0.13, linewidth=0, gid="level band"
        )
    ax.axhline(only["estimate"], color=looks["color"], linestyle=looks["linestyle"], linewidth=1.2, gid="level")
    return float(steps[-1]), float(only["estimate"])


def _frame(ax: Axes, steps: list[int], measure: str) -> None:
    plain_frame(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(steps[0] - 0.3, steps[-1] + 0.3)
    low, high = ax.get_ylim()
    if "cosine" in measure or measure == "cka":
        high = min(high, 1.04)
        if low < 0 < high:
            ax.axhline(0, color=RULE, linewidth=0.7, zorder=1)
    elif measure == "effective rank":
        low = min(low, 0.9)
    ax.set_ylim(low, high)
    ax.set_xlabel("steps apart" if measure.endswith("by lag") else "step (from 0)")
    ax.set_ylabel(_said(measure)[1])


def _label(ax: Axes, names: list[str], ends: list[tuple[float, float]]) -> None:
    """Write the names at the right, moved apart where they would cover each other, with a thread to their lines."""
    low, high = ax.get_ylim()
    size = FontProperties(size="small").get_size_in_points()
    gap = 1.35 * size / 72 / extent(ax)[1] * (high - low)
    order = sorted(range(len(names)), key=lambda index: ends[index][1])
    heights = _apart([ends[index][1] for index in order], gap, low, high)
    left, right = ax.get_xlim()
    beside = right + 0.02 * (right - left)
    for index, height in zip(order, heights, strict=True):
        x, y = ends[index]
        colour = CYCLE[index % len(CYCLE)]
        ax.annotate(
            literal(shorten(names[index], _LONGEST)), xy=(x, y), xytext=(beside, height),
            textcoords="data", annotation_clip=False, va="center", ha="left", fontsize="small", color=INK, gid="name",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 4},
            path_effects=[patheffects.withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


def _apart(heights: list[float], gap: float, low: float, high: float) -> list[float]:
    """Return rising heights moved apart to `gap` at least, between `low` and `high` as far as they fit."""
    moved = np.array(heights)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    moved -= max(0.0, moved[-1] - high)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - gap)
    moved += max(0.0, low - moved[0])
    found: list[float] = moved.tolist()
    return found
