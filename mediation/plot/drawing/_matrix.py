"""What pictures of cells share: the colour scale that is asked for, hatched cells, and axes without a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle

from ..._checks import number, one_of, shown
from ...errors import DesignError

HATCH = "////"


def check_colours(figure: str, cmap: object, limit: float | None = None) -> None:
    """Raise DesignError if `cmap` is no colour map, or `limit` no number above 0."""
    needed = "a finite number above 0, such as 1.0,"
    if limit is not None and not number(limit, what=f"{figure} limit", needed=needed) > 0:
        raise DesignError(f"{figure} limit = {shown(limit)}: a finite number above 0 is needed, such as 1.0.")
    if not isinstance(cmap, Colormap):
        one_of(cmap, list(mpl.colormaps), what=f"{figure} cmap")


def hatch(ax: Axes, cells: Iterable[Iterable[int]], *, face: str, edge: str, gid: str) -> None:
    """Hatch cells, each a row and a column."""
    squares = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in cells]
    if squares:
        ax.add_collection(
            PatchCollection(squares, facecolor=face, edgecolor=edge, hatch=HATCH, linewidth=0, zorder=2, gid=gid)
        )


def bare(ax: Axes) -> None:
    """Take the frame away, and leave short ticks."""
    ax.tick_params(length=2.5)
    for spine in ax.spines.values():
        spine.set_visible(False)


def colour_bar(ax: Axes, image: Any, **options: Any) -> Any:
    """Return the colour bar of an image, at the right of its axes or in those of the option `cax`."""
    figure: Any = ax.get_figure(root=True)
    place = {} if "cax" in options else {"ax": ax, "pad": 0.02}
    return figure.colorbar(image, **place, **options)
