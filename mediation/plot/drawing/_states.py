"""What the pictures of states share: tables of numbers by step, and lines over steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ...errors import DesignError
from ._ask import check_axes
from ._theme import CYCLE

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)), (0, (8, 3)))


def look(index: int) -> dict[str, Any]:
    """Return colour, marker and line of the line number `index`."""
    return {
        "color": CYCLE[index % len(CYCLE)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def frame_of(given: Any, needed: Sequence[str], figure: str, maker: str, ax: object) -> tuple[pd.DataFrame, str]:
    """Return the tidy frame of what is drawn, and what its intervals are called.

    Raises
    ------
    DesignError
        If it has no such frame, columns are missing, there is no row, or `ax` is not an `Axes`.
    """
    check_axes(ax, figure)
    parts = list(given) if isinstance(given, (list, tuple)) else [given]
    frames = [part if isinstance(part, pd.DataFrame) else getattr(part, "tidy", lambda: None)() for part in parts]
    if not frames or any(not isinstance(frame, pd.DataFrame) for frame in frames):
        raise DesignError(
            f"{figure} draws what {maker} returns, or its tidy frame, found {type(given).__name__}: "
            f"plot.{figure}({maker}(...))."
        )
    frame = pd.concat(frames, ignore_index=True)
    missing = [name for name in needed if name not in frame]
    if missing or frame.empty:
        found = "it has no row" if not missing else f"it has no column {missing[0]!r}"
        raise DesignError(f"{figure} draws what {maker} returns, or its tidy frame: {found}.")
    levels = {getattr(part, "confidence_level", None) for part in parts}
    level = levels.pop() if len(levels) == 1 else None
    return frame, "intervals" if level is None else f"{100 * level:g}% intervals"


def line(ax: Axes, x: Any, rows: pd.DataFrame, look: dict[str, Any], *, value: str, band: bool = True) -> None:
    """Draw numbers over steps with their intervals; a hollow marker has none."""
    y, low, high = (rows[name].to_numpy(dtype=float) for name in (value, "conf_low", "conf_high"))
    bare = np.isnan(low) & np.isfinite(y)
    colour = look["color"]
    if band:
        ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2, gid="ribbon")
    reach = np.where(np.isnan(low), 0.0, [y - low, high - y])
    ax.errorbar(
        x, y, yerr=np.clip(reach, 0, None), markersize=5, linewidth=1.4, elinewidth=1.1, capsize=2.2, zorder=3,
        gid="line", **look,
    )  # fmt: skip
    if bare.any():
        ax.plot(
            np.asarray(x)[bare], y[bare], linestyle="none", marker=look["marker"], markersize=5, zorder=4, gid="hollow",
            markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.2,
        )  # fmt: skip
