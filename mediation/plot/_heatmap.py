"""A sweep as a heat map: layers up, positions or heads across, marked where the simultaneous band excludes 0."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ..results import Effects, meaning_of
from ..results.account import settings_of
from ..results.kinds import role
from ..results.text import reach_note, shorten
from .drawing import (
    FAINT,
    GLYPH,
    HATCH,
    INK,
    Grid,
    axes,
    axis_label,
    bands_hold_over,
    bare,
    check_colours,
    colour_bar,
    extent,
    grid_of,
    hatch,
    key_above,
    literal,
    on_outcome,
    outcome_of,
    rows_of,
    table_of,
    title,
)

_HATCHED = "#BDBDBD"
_MOST_TICKS = 16
_LONGEST = 20  # characters of a line of a column's label
_STEPS = (1, 2, 5, 10, 20, 50, 100)
_CALLED = {"pnie": "denoising", "tnie": "noising, sign reversed"}
_HOW = {
    "pnie": "{source}{kind} activation patched into the {base} run",
    "tnie": "{base}{kind} activation patched into the {source} run",
    "pnde": "{source} run with the {base}{kind} activation patched in, minus the {base} run",
    "tnde": "{source} run minus the {base} run with the {source}{kind} activation patched in",
    "te": "{source} run minus the {base} run: the same at every site",
    "int_med": "noising effect minus denoising effect",
}


def heatmap(
    effects: Effects,
    estimand: str = "pnie",
    *,
    ax: Axes | None = None,
    position: str | int | None = None,
    head: int | None = None,
    feature: int | None = None,
    limit: float | None = None,
    cmap: str | Colormap = "RdBu_r",
    outcome: str | None = None,
    unit: int | None = None,
) -> Axes:
    """Draw one estimand of a sweep: layers up, positions (or heads) across, colours symmetric about 0.

    A small triangle marks a cell whose simultaneous band excludes 0; it points up where the band lies above 0 and down
    where it lies below, so the sign is read in grey as well. Cells that are exactly 0 without an interval are hatched:
    there the site cannot reach the outcome. Cells without a band are crossed, cells that were not run are empty.

    Parameters
    ----------
    effects
        Result of kind 'sweep'. Labels of positions are taken from ``provenance["position_labels"]``.
    estimand
        Key of the estimand: 'pnie' is denoising, 'tnie' noising.
    ax
        Axes to draw on; a new figure when None.
    position, head, feature
        The one position, head or feature to draw, for a sweep over layers, positions and heads or features.
    limit
        End of the colour scale on both sides; the largest absolute estimate when None. Give one number to several
        panels to make them comparable.
    cmap
        Diverging colour map.
    outcome
        Which of several outcomes to draw.
    unit
        The old name of `head`, until version 0.3.

    Returns
    -------
    Axes
        The axes drawn on; the colour bar is beside it.

    Raises
    ------
    DesignError
        If `effects` is not a sweep, lacks the estimand, or its sites do not form a grid of two axes.
    """
    effects = on_outcome(effects, outcome, "heatmap")
    table = table_of(effects, kinds=("sweep",), figure="heatmap", ax=ax)
    check_colours("heatmap", cmap, limit)
    known = effects.provenance
    if unit is not None:
        warnings.warn("heatmap: unit is now head; the old name goes in version 0.3.", DeprecationWarning, stacklevel=2)
        head = unit
    grid = grid_of(rows_of(table, estimand), known, position=position, head=head, feature=feature)
    ax = axes(ax, width=_width(grid), height=_height(grid))
    image = ax.imshow(
        np.ma.masked_invalid(grid.estimate), origin="lower", aspect="auto", cmap=cmap, interpolation="nearest",
        vmin=-(limit or _limit(grid)), vmax=limit or _limit(grid),
    )  # fmt: skip
    ax.set_facecolor(FAINT)
    key = _marks(ax, grid, f"band{bands_hold_over(known)}")
    _ticks(ax, grid)
    meaning = meaning_of(estimand)
    bar = colour_bar(ax, image, extend=_extend(grid, limit))
    what = f"{meaning.symbol}: share of" if meaning.is_ratio else f"{meaning.symbol}: effect on"
    bar.set_label(axis_label(what, "the total effect" if meaning.is_ratio else outcome_of(known), extent(ax)[1]))
    limits = reach_note(rows_of(table, estimand), settings_of(known).alpha)
    title(ax, "\n".join(filter(None, (_title(estimand, known, grid), limits))), pad=key_above(ax, key), room=1.35)
    return ax


def _marks(ax: Axes, grid: Grid, band: str) -> list[Artist]:
    """Mark what the colours cannot say, and return the entries of the legend."""
    width, height = extent(ax)
    cell = 72 * min(width / grid.estimate.shape[1], height / grid.estimate.shape[0])
    size = min(max(0.42 * cell, 2.0), 5.2)
    key: list[Artist] = []
    hatch(ax, np.argwhere(grid.fixed), face=FAINT, edge=_HATCHED, gid="fixed")
    for name, cells, marker, label in (
        ("above", grid.above, "^", f"{band} above 0"),
        ("below", grid.below, "v", f"{band} below 0"),
        ("unknown", grid.unknown, "x", "no band"),
    ):
        if not cells.any() or (name == "unknown" and not np.isfinite(grid.low).any()):
            continue
        rows, columns = np.nonzero(cells)
        halo = [withStroke(linewidth=2.0, foreground="white")] if marker == "x" else None
        ax.scatter(
            columns, rows, s=size**2, marker=marker, c=INK, linewidths=0.6 if halo is None else 1.0, zorder=3, gid=name,
            edgecolors="white" if halo is None else None, path_effects=halo,
        )  # fmt: skip
        key.append(Line2D([], [], linestyle="none", marker=marker, markersize=4.6, color=INK, label=label))
    if grid.fixed.any():
        key.append(
            Patch(facecolor=FAINT, edgecolor=_HATCHED, hatch=HATCH, linewidth=0, label="exactly 0 by construction")
        )
    if not grid.ran.all():
        key.append(Patch(facecolor=FAINT, edgecolor=_HATCHED, linewidth=0.5, label="not run"))
    return key


def _ticks(ax: Axes, grid: Grid) -> None:
    names = ["\n".join(literal(shorten(line, _LONGEST)) for line in name.split("\n")) for name in grid.columns]
    numbers = all(name.removeprefix("-").isdecimal() for name in names)
    at = list(range(0, len(names), _step(len(names)) if numbers else 1))
    widest = max(len(line) for index in at for line in names[index].split("\n"))
    size = FontProperties(size=mpl.rcParams["xtick.labelsize"]).get_size_in_points()
    if GLYPH * size * (widest + 1) <= 72 * extent(ax)[0] / len(at):
        ax.set_xticks(at, [names[index] for index in at])
    else:  # too long to lie flat
        slant = len(at) <= _MOST_TICKS
        ax.set_xticks(
            at, [names[index].replace("\n", " ") for index in at], rotation=45 if slant else 90,
            ha="right" if slant else "center", rotation_mode="anchor" if slant else "default",
        )  # fmt: skip
    rows = range(0, len(grid.layers), _step(len(grid.layers)))
    ax.set_yticks(list(rows), [str(grid.layers[row]) for row in rows])
    ax.set_ylabel("layer")
    ax.set_xlabel(grid.across)
    bare(ax)


def _step(count: int) -> int:
    return next((step for step in _STEPS if count <= _MOST_TICKS * step), _STEPS[-1])


def _limit(grid: Grid) -> float:
    finite = np.abs(grid.estimate[np.isfinite(grid.estimate)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _extend(grid: Grid, limit: float | None) -> Literal["neither", "both", "min", "max"]:
    if limit is None:
        return "neither"
    over, under = bool((grid.estimate > limit).any()), bool((grid.estimate < -limit).any())
    return "both" if over and under else "max" if over else "min" if under else "neither"


def _width(grid: Grid) -> float:
    return min(max(2.6 + 0.42 * len(grid.columns), 4.6), 13.0)


def _height(grid: Grid) -> float:
    return min(max(2.5 + 0.15 * len(grid.layers), 3.0), 9.0)


def _title(estimand: str, known: Mapping[str, Any], grid: Grid) -> str:
    meaning = meaning_of(estimand)
    symbol = ", ".join([meaning.symbol, *([_CALLED[estimand]] if estimand in _CALLED else [])])
    name = f"{meaning.label[0].upper()}{meaning.label[1:]} ({symbol})" if meaning.formula else estimand
    words = {which: role(known, which) for which in ("base", "source")} | {"kind": f" {grid.kind}".rstrip()}
    how = _HOW.get(estimand, meaning.patching).format(**words)
    lines = [f"{name}, {grid.held}" if grid.held else name, f"{how[:1].upper()}{how[1:]}"]
    if not np.isfinite(grid.low).any() and np.isfinite(grid.estimate).any():
        lines.append("No simultaneous bands in this table: nothing is marked")
    return "\n".join(line for line in lines if line)
