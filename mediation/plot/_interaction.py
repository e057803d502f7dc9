"""Interactions of several mediators as a matrix: each alone on the diagonal, pairs beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from .._checks import one_of
from ..errors import DesignError
from ..results import Effects, meaning_of
from ..results.account import section
from ..results.text import print_row, shorten
from .drawing import (
    FAINT,
    HATCH,
    INK,
    axes,
    axis_label,
    bare,
    check_colours,
    colour_bar,
    extent,
    hatch,
    key_above,
    literal,
    on_outcome,
    outcome_of,
    table_of,
    title,
)

Pair = Literal["pair_interaction", "shapley_interaction"]

_DIAGONAL: Mapping[str, str] = {"pair_interaction": "alone", "shapley_interaction": "shapley"}
_HATCHED = "#8C8C8C"
_MOST_DIGITS = 8  # sites up to which cells hold digits
_LONGEST = 24  # characters of a site's label


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its place, estimate, digits, whether it has an interval, and the side of 0 that it is on for sure."""

    row: int
    column: int
    estimate: float
    text: str
    known: bool
    side: int


def interaction(
    effects: Effects,
    estimand: Pair = "pair_interaction",
    *,
    ax: Axes | None = None,
    limit: float | None = None,
    cmap: str | Colormap = "RdBu_r",
    outcome: str | None = None,
) -> Axes:
    """Draw the k x k matrix of several mediators: each site's effect on the diagonal, pair interactions beside it.

    Cells of two sites that add up are 0. Above 0 the two need each other (they do more together than the sum of what
    each does alone); below 0 they are redundant. A triangle marks what differs from 0, jointly over the cells of its
    kind (adjusted p-value); it points up above 0 and down below, so the sign is read in grey as well. Cells without an
    interval are hatched. Up to 8 sites, cells hold their estimates in digits.

    Parameters
    ----------
    effects
        Result of kind 'interactions'.
    estimand
        'pair_interaction', with effects of sites alone on the diagonal, or 'shapley_interaction', with Shapley effects.
    ax
        Axes to draw on; a new figure when None.
    limit
        End of the colour scale on both sides; the largest absolute estimate when None.
    cmap
        Diverging colour map.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on; the colour bar is beside it.

    Raises
    ------
    DesignError
        If `effects` is of another kind or has no pairs, or `limit` or `cmap` is wrong.
    """
    effects = on_outcome(effects, outcome, "interaction")
    table = table_of(effects, kinds=("interactions",), figure="interaction", ax=ax)
    one_of(estimand, list(_DIAGONAL), what="interaction estimand")
    check_colours("interaction", cmap, limit)
    known = effects.provenance
    alpha = 1.0 - float(section(known, "inference").get("confidence_level", 0.95))
    names, cells = _cells(table, estimand, alpha)
    side = min(max(1.5 + 0.62 * len(names), 3.4), 9.0)
    ax = axes(ax, width=side + 2.2, height=side + 1.5)
    image = _image(ax, cells, len(names), limit, cmap)
    key = [*_hatched(ax, cells), *_marked(ax, cells, len(names), alpha)]
    if len(names) <= _MOST_DIGITS:
        _digits(ax, cells)
    _ticks(ax, names)
    bar = colour_bar(ax, image)
    bar.set_label(axis_label("effect on", outcome_of(known), extent(ax)[1]))
    title(ax, _title(estimand, known), pad=key_above(ax, key), room=1.1)
    return ax


def _cells(table: pd.DataFrame, estimand: str, alpha: float) -> tuple[list[str], list[Cell]]:
    """Return the names of the sites and the cells, each pair twice."""
    diagonal, pairs = table[table["estimand"] == _DIAGONAL[estimand]], table[table["estimand"] == estimand]
    if pairs.empty:
        why = "they are computed for three or more sites, when all sets of sites are run"
        if estimand == "pair_interaction":
            why = "run interactions(..., pairwise=True), or draw forest(effects)"
        raise DesignError(f"interaction was asked for {estimand!r}, and the table has none: {why}.")
    names = [str(site) for site in diagonal["site"]]
    at = {name: index for index, name in enumerate(names)}
    cells = []
    for line in [*diagonal.to_dict("records"), *pairs.to_dict("records")]:
        first = at[str(line["site"])]
        second = at[str(line["partner"])] if line["partner"] else first
        estimate, sure = float(line["estimate"]), float(line["p_adjusted"]) <= alpha
        text = print_row(estimate, *(float(line[name]) for name in ("std_error", "conf_low", "conf_high"))).estimate
        is_known, towards = not math.isnan(float(line["conf_low"])), int(np.sign(estimate)) if sure else 0
        for row, column in {(first, second), (second, first)}:
            cells.append(Cell(row, column, estimate, text, is_known, towards))
    return names, cells


def _image(ax: Axes, cells: list[Cell], k: int, limit: float | None, cmap: str | Colormap) -> Any:
    grid: NDArray[np.float64] = np.full((k, k), np.nan)
    for cell in cells:
        grid[cell.row, cell.column] = cell.estimate
    most = limit or float(np.nanmax(np.abs(grid))) or 1.0
    ax.set_facecolor(FAINT)
    image = ax.imshow(
        np.ma.masked_invalid(grid), cmap=cmap, vmin=-most, vmax=most, aspect="auto", interpolation="nearest"
    )
    frames = [Rectangle((i - 0.47, i - 0.47), 0.94, 0.94) for i in range(k)]
    halo = [withStroke(linewidth=2.4, foreground="white")]
    ax.add_collection(
        PatchCollection(
            frames, facecolor="none", edgecolor=INK, linewidth=0.9, zorder=3, gid="diagonal", path_effects=halo
        )
    )
    return image


def _hatched(ax: Axes, cells: list[Cell]) -> list[Artist]:
    """Hatch the cells without an interval, and return the entry of the legend."""
    without = [(cell.row, cell.column) for cell in cells if not cell.known]
    hatch(ax, without, face="none", edge=_HATCHED, gid="no interval")
    key = Patch(facecolor="white", edgecolor=_HATCHED, hatch=HATCH, linewidth=0, label="no interval")
    return [key] if without else []


def _marked(ax: Axes, cells: list[Cell], k: int, alpha: float) -> list[Artist]:
    """Mark the cells that differ from 0, and return the entries of the legend."""
    width, height = extent(ax)
    size = min(max(0.16 * 72 * min(width, height) / k, 2.0), 5.0)
    raised = 0.31 if k <= _MOST_DIGITS else 0.0  # digits take the middle
    threshold = f"p (adj.) ≤ {alpha:.3g}".replace("0.", ".")
    key: list[Artist] = []
    for name, side, marker, label in (("above", 1, "^", "above 0"), ("below", -1, "v", "below 0")):
        found = [cell for cell in cells if cell.side == side]
        if not found:
            continue
        ax.scatter(
            [cell.column for cell in found], [cell.row - raised for cell in found], s=size**2, marker=marker, c=INK,
            linewidths=0.6, edgecolors="white", zorder=4, gid=name,
        )  # fmt: skip
        key.append(
            Line2D([], [], linestyle="none", marker=marker, markersize=4.6, color=INK, label=f"{label}, {threshold}")
        )
    return key


def _digits(ax: Axes, cells: list[Cell]) -> None:
    halo = [withStroke(linewidth=2.0, foreground="white")]
    for cell in cells:
        ax.text(
            cell.column, cell.row + 0.08, cell.text, ha="center", va="center", fontsize="small", color=INK, zorder=5,
            path_effects=halo, gid="digits",
        )  # fmt: skip


def _ticks(ax: Axes, names: list[str]) -> None:
    shown = [literal(shorten(name, _LONGEST)) for name in names]
    at = list(range(len(names)))
    ax.set_yticks(at, shown)
    ax.set_xticks(at, shown, rotation=45, ha="right", rotation_mode="anchor")
    bare(ax)


def _title(estimand: str, known: Mapping[str, Any]) -> str:
    direction = str(section(known, "interactions").get("direction") or "")
    inside = meaning_of(_DIAGONAL[estimand])
    beside = meaning_of(estimand)
    first = f"Interactions of sites{f' ({direction})' if direction else ''}"
    short = estimand == "pair_interaction"  # the formulas of the others are long
    inside_said, beside_said = (
        f"{one.label}, {one.formula}" if short else f"{one.label} ({one.symbol})" for one in (inside, beside)
    )
    return f"{first}\nDiagonal (framed): {inside_said}\nBeside it: {beside_said}"
