"""Estimates and intervals in digits, right of the axes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from ...results.text import Printed
from ._theme import INK


def write_digits(ax: Axes, printed: Sequence[Printed], heights: Sequence[float] | None = None) -> None:
    """Write estimates and intervals right of the axes, in two columns.

    Parameters
    ----------
    printed
        The texts, one a row.
    heights
        Height of each row; by default 0, 1, 2, ...
    """
    size = FontProperties(size="small").get_size_in_points()
    middle = 10 + 0.62 * size * max(len(texts.estimate) for texts in printed)
    for y, texts in zip(range(len(printed)) if heights is None else heights, printed, strict=True):
        for text, at, side in ((texts.estimate, middle, "right"), (texts.interval, middle + size, "left")):
            ax.annotate(
                text, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(at, 0), textcoords="offset points",
                va="center", ha=side, fontsize="small", color=INK, gid="digits", annotation_clip=False,
            )  # fmt: skip
