"""A matrix of similarities as a heat map: units by units, or steps by steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from .._checks import elements, instance, listed, number, one_of, reals, shown, true_or_false
from ..errors import DataError, DesignError
from ..results.text import shorten
from .drawing import FAINT, GLYPH, axes, bare, check_colours, colour_bar, extent, frame_of, literal, title

_NEEDED = ("states", "measure", "step", "other", "estimate", "conf_low", "conf_high")
_MOST_DIGITS = 10
_MOST_TICKS = 16
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_MINUS = "\N{MINUS SIGN}"
_ROOM = 0.48  # inches of a cell that holds an interval in digits
_SAID = {
    "intra cosine": ("cosine of two steps of a unit, mean over units", "mean cosine"),
    "intra centred cosine": ("centred cosine of two steps of a unit, mean over units", "mean centred cosine"),
    "cka": ("alignment of two steps (debiased linear CKA)", "CKA"),
}


def similarity(
    matrix: Any,
    measure: str = "intra cosine",
    *,
    ax: Axes | None = None,
    labels: Sequence[Any] | None = None,
    name: str = "",
    low: float | None = None,
    cmap: str | Colormap = "cividis",
    colorbar: bool = True,
) -> Axes:
    """Draw similarities of pairs: of steps, from a `Similarity`, or of units, from a matrix of cosines.

    The colours rise evenly from dark to light, in grey as well. Up to 10 rows the cells hold their numbers, with the
    interval below where there is one. Cells without a number are grey.

    Parameters
    ----------
    matrix
        What `mediation.probing.similarity` returns; or an array ``(k, k)`` of similarities up to 1, such as
        ``cosine_similarity_matrix(states[:, 0])``. One panel a step: call it once for each of several axes.
    measure
        For a `Similarity`: a measure of pairs of steps.
    ax
        Axes to draw on; a new figure when None.
    labels
        Names of rows and columns; numbers from 0 when None.
    name
        Title; for a `Similarity`, its own.
    low
        Low end of the colours, which end at 1: None is 0, or the tenth below the lowest number where that is below 0.
        Give one number to several panels to make them comparable.
    cmap
        Colour map.
    colorbar
        Whether to draw the colour bar, at the right of the axes.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If there is no such measure, or an option is wrong.
    DataError
        If an array is not square, or a number is above 1.
    """
    check_colours("similarity", cmap)
    true_or_false(colorbar, what="similarity colorbar")
    if low is not None and not number(low, what="similarity low", needed="a number below 1, such as 0.0,") < 1:
        raise DesignError(f"similarity low = {shown(low)}: a number below 1 is needed, such as 0.0.")
    instance(name, str, what="similarity: name", needed="a text", error=DesignError)
    rows: pd.DataFrame | None = None
    if hasattr(matrix, "tidy") or isinstance(matrix, pd.DataFrame):
        rows, intervals = _rows(matrix, measure, ax)
        grid = _grid(rows)
        first, what = _SAID.get(measure, (measure, measure))
        said = f"{name or rows['states'].iloc[0]}: {first}\nWith {intervals} in brackets"
        axis = "step (from 0)"
    else:
        frame_of(pd.DataFrame({"estimate": [0]}), (), "similarity", "probing.similarity", ax)
        grid, said, what, axis = _square(matrix), name, "cosine", "unit"
    k = len(grid)
    names = _names(labels, k)
    bracketed = rows is not None and k <= _MOST_DIGITS
    side = min(max(1.2 + (0.62 if bracketed else 0.42) * k, 3.0), 6.4)
    ax = axes(ax, width=side + 1.2, height=side + 0.5)
    least = float(np.nanmin(grid)) if np.isfinite(grid).any() else 0.0
    bottom = low if low is not None else min(0.0, math.floor(10 * least) / 10)
    ax.set_facecolor(FAINT)
    image = ax.imshow(np.ma.masked_invalid(grid), cmap=cmap, vmin=bottom, vmax=1.0, interpolation="nearest")
    if k <= _MOST_DIGITS:
        _digits(ax, image, grid, rows)
    _ticks(ax, names, axis)
    if colorbar:
        extend = "min" if np.isfinite(grid).any() and least < bottom else "neither"
        beside = ax.inset_axes((1.03, 0.0, 0.045, 1.0))  # as high as the matrix, whatever the figure
        bar = colour_bar(ax, image, cax=beside, extend=extend)
        bar.set_label(what)
    if said:
        title(ax, said, room=1.2)
    return ax


def _rows(given: Any, measure: str, ax: object) -> tuple[pd.DataFrame, str]:
    table, intervals = frame_of(given, _NEEDED, "similarity", "probing.similarity", ax)
    pairs = table[table["other"].notna()]
    if pairs.empty:
        raise DesignError("similarity: no measure of pairs of steps is there: the states have one step.")
    one_of(measure, list(dict.fromkeys(pairs["measure"])), what="similarity: measure of pairs")
    rows = pairs[pairs["measure"] == measure]
    kinds = list(dict.fromkeys(rows["states"]))
    if len(kinds) > 1:
        raise DesignError(f"similarity draws one kind of states, found {listed(kinds)}. Draw one each.")
    return rows.reset_index(drop=True), intervals


def _grid(rows: pd.DataFrame) -> NDArray[np.float64]:
    k = int(rows[["step", "other"]].astype(int).to_numpy().max()) + 1
    grid = np.full((k, k), np.nan)
    np.fill_diagonal(grid, 1.0)
    for step, other, estimate in zip(rows["step"], rows["other"], rows["estimate"], strict=True):
        grid[step, other] = grid[other, step] = estimate
    return grid


def _square(given: Any) -> NDArray[np.float64]:
    needed = "a square array, such as cosine_similarity_matrix(states[:, 0]),"
    grid = reals(given, what="similarity: matrix", needed=needed, error=DataError)
    if grid.ndim != 2 or grid.shape[0] != grid.shape[1] or not grid.size:
        raise DataError(
            f"similarity: found {type(given).__name__} of shape {grid.shape}; a square array is needed, "
            "such as cosine_similarity_matrix(states[:, 0]), or what probing.similarity returns."
        )
    if np.nanmax(grid, initial=-1.0) > 1 + 1e-6:
        raise DataError(f"similarity: the matrix holds {np.nanmax(grid):.4g}; similarities are at most 1.")
    return grid


def _names(labels: Sequence[Any] | None, k: int) -> list[str]:
    given = [] if labels is None else elements(labels, what="similarity: labels", needed="a list of names, one a row,")
    names = (
        [str(index) for index in range(k)]
        if labels is None
        else [label if isinstance(label, str) else shown(label) for label in given]
    )
    if len(names) != k:
        raise DesignError(f"similarity: labels = {shown(labels)}: {len(names)} for {k} rows; one a row is needed.")
    return [literal(shorten(one, 16)) for one in names]


def _digits(ax: Axes, image: Any, grid: NDArray[np.float64], rows: pd.DataFrame | None) -> None:
    """Write the numbers, and below them the intervals where a cell has room."""
    ends: dict[tuple[int, int], tuple[float, float]] = {}
    if rows is not None:
        for line in rows.to_dict("records"):
            ends[int(line["step"]), int(line["other"])] = float(line["conf_low"]), float(line["conf_high"])
    cell = min(extent(ax)) / len(grid)
    size, small = min(8.0, 72 * cell / 3), min(6.3, 72 * cell / 6)
    for row, column in np.ndindex(grid.shape):
        number = float(grid[row, column])
        if not math.isfinite(number):
            continue
        red, green, blue, _ = image.cmap(image.norm(number))
        ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        low, high = ends.get((row, column)) or ends.get((column, row)) or (math.nan, math.nan)
        known = math.isfinite(low) and cell >= _ROOM
        ax.text(
            column, row - (0.14 if known else 0), _two(number), ha="center", va="center", color=ink,
            fontsize=size, gid="digits",
        )  # fmt: skip
        if known:
            ax.text(
                column, row + 0.22, f"[{_two(low)}, {_two(high)}]", ha="center", va="center", color=ink,
                fontsize=small, gid="interval",
            )  # fmt: skip


def _two(number: float) -> str:
    """Return a number in two digits, without its leading 0.

    Examples
    --------
    >>> _two(0.876), _two(1.0), _two(0.999)
    ('.88', '1', '>.99')
    """
    if 0.995 <= number < 1 - 1e-9:
        return ">.99"
    if abs(number) >= 0.995:
        return "1" if number > 0 else f"{_MINUS}1"
    return f"{number:.2f}".replace("-", _MINUS).replace("0.", ".")


def _ticks(ax: Axes, names: list[str], axis: str) -> None:
    size = FontProperties(size=mpl.rcParams["xtick.labelsize"]).get_size_in_points()
    tall = max(map(len, names)) > 4
    each = 1.5 * size if tall else (max(map(len, names)) + 1) * GLYPH * 1.2 * size
    most = min(_MOST_TICKS, max(2, int(72 * extent(ax)[0] / each)))
    step = next(step for step in (*_STEPS, len(names)) if len(names) <= most * step)
    at = list(range(0, len(names), step))
    ax.set_xticks(
        at, [names[index] for index in at], rotation=45 if tall else 0, ha="right" if tall else "center",
        rotation_mode="anchor" if tall else "default",
    )  # fmt: skip
    ax.set_yticks(at, [names[index] for index in at])
    ax.set_xlabel(axis)
    ax.set_ylabel(axis)
    bare(ax)
