"""What is drawn on an Axes, found by the ids that the figures give to their artists."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D


def lines(ax: Axes, gid: str) -> list[Line2D]:
    return [line for line in ax.lines if line.get_gid() == gid]


def ends(ax: Axes, gid: str = "interval") -> dict[float, tuple[float, float]]:
    """Left and right end of the lines of one kind, by height."""
    return {float(line.get_ydata()[0]): tuple(map(float, line.get_xdata())) for line in lines(ax, gid)}


def points(ax: Axes) -> dict[float, Line2D]:
    return {float(line.get_ydata()[0]): line for line in lines(ax, "estimate")}


def labels(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_yticklabels()]


def digits(ax: Axes) -> dict[float, str]:
    """The numbers written right of each row."""
    rows: dict[float, list[str]] = {}
    for text in ax.texts:
        if text.get_gid() == "digits":
            rows.setdefault(float(text.xy[1]), []).append(text.get_text())
    return {y: " ".join(parts) for y, parts in rows.items()}


def marked(ax: Axes, gid: str) -> set[tuple[int, int]]:
    """Cells (column, row) that carry a mark."""
    found = [collection for collection in ax.collections if collection.get_gid() == gid]
    return {(round(x), round(y)) for collection in found for x, y in collection.get_offsets()}


def hatched(ax: Axes) -> set[tuple[int, int]]:
    found = [collection for collection in ax.collections if collection.get_gid() == "fixed"]
    corners = [path.vertices.mean(axis=0) for collection in found for path in collection.get_paths()]
    centres = [np.asarray(path.get_extents().get_points()).mean(axis=0) for c in found for path in c.get_paths()]
    assert len(corners) == len(centres)
    return {(round(x), round(y)) for x, y in centres}


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def title(ax: Axes) -> str:
    return ax.get_title(loc="left")
