"""One row of a figure: an estimate as a marker and its interval as a line, whatever the interval is."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ...results.text import IntervalSet, Printed, interval_set, print_row
from ._theme import INK

CAP = 0.11  # half height of an interval's end, in rows
_FAR = 5.0  # an end of a gap this many times farther from 0 than the other is left outside of the axis
_NO_INTERVAL = "no interval"


@final
@dataclass(frozen=True, slots=True)
class Row:
    """An estimate and its interval.

    Parameters
    ----------
    estimate, std_error, low, high
        Numbers of the table; NaN ends mean that there is no interval, infinite ends that it is unbounded.
    method
        How the interval was made.
    band
        Ends of the simultaneous band, drawn thin behind the interval; NaN when there is none.
    """

    estimate: float
    std_error: float
    low: float
    high: float
    method: str = ""
    band: tuple[float, float] = (math.nan, math.nan)

    @property
    def set(self) -> IntervalSet:
        """What the ends and the method stand for: one interval, half-lines, the whole line, or nothing."""
        return interval_set(self.low, self.high, self.method)

    @property
    def missing(self) -> bool:
        """Whether there is no interval."""
        return self.set.is_missing

    def printed(self, *, banded: bool = False) -> Printed:
        """Return the estimate and its interval (or its band) in digits."""
        low, high = self.band if banded else (self.low, self.high)
        return print_row(self.estimate, self.std_error, low, high, method=self.method)


def row_of(line: Mapping[Hashable, Any]) -> Row:
    """Return the row of one line of a tidy table, given as a dict."""
    return Row(
        estimate=float(line["estimate"]),
        std_error=float(line["std_error"]),
        low=float(line["conf_low"]),
        high=float(line["conf_high"]),
        method=str(line["method"]),
        band=(float(line.get("band_low", math.nan)), float(line.get("band_high", math.nan))),
    )


def span(rows: list[Row], *, also: tuple[float, ...] = (0.0,)) -> tuple[float, float]:
    """Return the limits of an axis that holds every finite number of `rows` and `also`, with a margin.

    An unbounded row adds its estimate only when nothing else is drawn: such an estimate may be anywhere. So may one end
    of a gap, but not both.
    """
    bounded = [row for row in rows if row.missing or row.set.is_bounded] or rows
    values = [value for row in bounded for value in (row.estimate, *row.band)] + list(also)
    values += [end for row in rows for end in _near(row.set)]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin


def _near(found: IntervalSet) -> list[float]:
    """Return the ends that an axis must hold: of the two ends of a gap the one nearer to 0, and the other if close."""
    ends = [end for piece in found.pieces for end in piece if math.isfinite(end)]
    if len(found.pieces) < 2:
        return ends
    nearest = min(map(abs, ends))
    return [end for end in ends if abs(end) <= max(_FAR * nearest, 1.0)]


def draw_row(ax: Axes, row: Row, y: float, *, colour: str = INK, marker: str = "o", size: float = 6.0) -> None:
    """Draw one row at height `y`; the limits of the x axis must have been set.

    A missing interval is a hollow marker, an infinite end an arrow at the edge of the axes, and a set of two half-lines
    a line that is broken where its gap is; an estimate beyond the limits is an arrow head at the edge as well.
    """
    low, high = ax.get_xlim()
    if not row.missing:
        _draw_interval(ax, row, y, colour)
    if not math.isfinite(row.estimate):
        return
    inside = low <= row.estimate <= high
    shown = marker if inside else ("<" if row.estimate < low else ">")
    face = "white" if row.missing else colour
    at = min(max(row.estimate, low), high)
    ax.plot(
        [at], [y], linestyle="none", marker=shown, markersize=size, markerfacecolor=face, markeredgecolor=colour,
        markeredgewidth=1.3, zorder=4, clip_on=False, gid="estimate",
    )  # fmt: skip


def _draw_interval(ax: Axes, row: Row, y: float, colour: str) -> None:
    left, right = ax.get_xlim()
    ax.plot(row.band, [y, y], color=colour, linewidth=0.8, zorder=2, gid="band")
    for low, high in row.set.pieces:
        a, b = min(max(low, left), right), max(min(high, right), left)
        ax.plot([a, b], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=3, gid="interval")
        for end, at, head in ((low, a, "<"), (high, b, ">")):
            if math.isinf(end):
                ax.plot(
                    [at], [y], linestyle="none", marker=head, markersize=6, color=colour, zorder=4, clip_on=False,
                    gid="arrow",
                )  # fmt: skip
            elif left <= end <= right:
                ax.plot([at, at], [y - CAP, y + CAP], color=colour, linewidth=1.2, zorder=3, gid="cap")


def no_interval_key() -> Line2D:
    """Return the legend entry of a hollow marker."""
    return Line2D(
        [], [], linestyle="none", marker="o", markerfacecolor="white", markeredgecolor=INK, label=_NO_INTERVAL
    )
