"""Colours, the paper theme, and the few touches that every figure shares."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from ..._checks import one_of, shown
from ...errors import DesignError

# Okabe and Ito's palette, told apart by colour-blind readers; the order keeps neighbours apart in grey as well.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW, BLACK = "#56B4E9", "#D55E00", "#F0E442", "#000000"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK)
INK, RULE, FAINT = "#222222", "#8C8C8C", "#E6E6E6"
GLYPH = 0.5  # width of an average character, in font sizes

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "te": INK,
        "oe": INK,
        "pnde": BLUE,
        "tnde": BLUE,
        "cde": BLUE,
        "ide": BLUE,
        "pnie": ORANGE,
        "tnie": ORANGE,
        "iie": ORANGE,
        "pe": VERMILION,
        "int_med": GREEN,
        "int_ref": PURPLE,
        "ablation": BLUE,
        "pm": INK,
        "joint": INK,
        "non_additivity": GREEN,
        "alone": ORANGE,
        "shapley": INK,
        "leave_one_out": BLUE,
        "pair_interaction": GREEN,
        "shapley_interaction": PURPLE,
    }
)

_PAPER: Mapping[str, Any] = MappingProxyType(
    {
        "font.size": 9.0,
        "axes.titlesize": 9.5,
        "axes.labelsize": 9.0,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "legend.fontsize": 8.0,
        "axes.linewidth": 0.8,
        "lines.linewidth": 1.4,
        "hatch.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 150.0,
        "savefig.dpi": 300.0,
        "savefig.bbox": "tight",
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none",
    }
)


@contextmanager
def theme(**settings: Any) -> Iterator[None]:
    """Draw with settings for print inside a ``with`` block; outside, nothing changes.

    Parameters
    ----------
    **settings
        matplotlib settings to add, dots written as underscores: ``font_size=8`` is ``font.size``, and
        ``font_family=["DejaVu Sans", "Noto Sans CJK JP"]`` draws tokens of other scripts where that font is installed.

    Raises
    ------
    DesignError
        If matplotlib has no such setting.

    Examples
    --------
    >>> with theme(font_size=7):
    ...     mpl.rcParams["font.size"]
    7.0
    """
    known = {name.replace(".", "_"): name for name in mpl.rcParams}
    for name in settings:
        one_of(name, list(known), what="theme setting")
    chosen = {known[name]: value for name, value in settings.items()}
    for name, value in chosen.items():
        try:
            mpl.rcParams.validate[name](value)
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise DesignError(f"theme: {name} = {shown(value)}: matplotlib does not take it ({error}).") from error
    cycle = {"axes.prop_cycle": cycler(color=list(CYCLE))}
    settings_now: dict[Any, Any] = {**_PAPER, **cycle, **chosen}
    with mpl.rc_context(settings_now):
        yield


def axes(ax: Axes | None, *, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of `width` by `height` inches with constrained layout."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    return new


def plain_frame(ax: Axes, *, keep: tuple[str, ...] = ("left", "bottom")) -> None:
    """Hide the sides of the frame that are not in `keep`."""
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(side in keep)


def literal(text: str) -> str:
    r"""Return `text` so that matplotlib prints it as it is: no formulas, no line ends.

    Examples
    --------
    >>> literal("costs $5\n")
    'costs \\$5\\n'
    """
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown.replace("$", r"\$")


def wrapped(text: str, inches: float, size: str | float = "medium") -> str:
    """Return `text` broken into lines that take at most `inches` at font size `size`."""
    points = FontProperties(size=size).get_size_in_points()
    most = max(24, int(inches * 72 / (GLYPH * points)))
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(literal(part), most))


def extent(ax: Axes) -> tuple[float, float]:
    """Return width and height of `ax` in inches."""
    box = ax.get_window_extent()
    dpi = ax.get_figure(root=True).dpi  # type: ignore[union-attr]
    return box.width / dpi, box.height / dpi


def title(ax: Axes, text: str, *, pad: float = 6.0, room: float = 1.1) -> None:
    """Set a left-aligned title, broken into lines that fit `room` times the width of `ax`, and the figure.

    Long labels push `ax` to the right, and only the figure's layout knows how far: it is asked before.
    """
    inches = room * extent(ax)[0]
    figure = ax.get_figure(root=True)
    assert figure is not None  # or it has no extent
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    beyond = (figure.bbox.width - ax.get_window_extent().x0) / figure.dpi
    ax.set_title(wrapped(text, min(inches, beyond)), loc="left", pad=pad, fontsize="medium")


def axis_label(what: str, outcome: str, inches: float) -> str:
    """Return '`what` `outcome`' in one line where it fits, otherwise with the outcome on lines of its own."""
    whole = wrapped(f"{what} {outcome}", inches)
    return whole if "\n" not in whole else f"{wrapped(what, inches)}\n{wrapped(outcome, inches)}"


def key_above(ax: Axes, entries: Sequence[Any]) -> float:
    """Set the legend between the title and the data, and return the room in points that the title must leave."""
    if not entries:
        return 6.0
    size = FontProperties(size="small").get_size_in_points()
    widths = [(GLYPH * len(str(entry.get_label())) + 3.6) * size for entry in entries]
    ncols = next((n for n in range(len(entries), 1, -1) if _legend_width(widths, n) <= 72 * extent(ax)[0]), 1)
    ax.legend(
        handles=list(entries), loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, frameon=False, fontsize="small",
        borderaxespad=0.2, borderpad=0.2, handlelength=1.8, handletextpad=0.5, columnspacing=1.4, labelspacing=0.3,
    )  # fmt: skip
    return 8.0 + 1.35 * size * math.ceil(len(entries) / ncols)


def _legend_width(widths: Sequence[float], ncols: int) -> float:
    """Width of a legend in `ncols` columns, filled from top to bottom as matplotlib does."""
    long, rest = divmod(len(widths), ncols)
    counts = [long + (column < rest) for column in range(ncols)]
    starts = [sum(counts[:column]) for column in range(ncols)]
    return sum(max(widths[start : start + count]) for start, count in zip(starts, counts, strict=True))
