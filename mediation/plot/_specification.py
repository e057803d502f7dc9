"""The specification curve: one effect under every choice, sorted, with the choices below."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .._checks import one_of
from .._moved import GONE_IN
from ..errors import DesignError, warn
from ..results import Effects
from ..results.kinds import side_of, specifications, varied
from ..results.text import shorten
from .drawing import (
    FAINT,
    INK,
    RULE,
    VERMILION,
    Row,
    axes,
    interval_name,
    key_above,
    literal,
    no_interval_key,
    plain_frame,
    table_of,
    title,
)

_CURVE, _ROW, _COLUMN = 2.4, 0.19, 0.19  # inches: height of the curve, of a row of the dashboard, width of a column
_CAP, _CAP_SHARE = 0.16, 0.006  # half width of an interval's end, in columns and at most as a share of the axis
_LONGEST = 28  # characters of a level


def specification(
    effects: Effects,
    *,
    ax: Axes | None = None,
    estimand: str | None = None,
    outcome: str | None = None,
    metric: str | None = None,
) -> Axes:
    """Draw the specification curve: estimates with their intervals, sorted, and below each the choices behind it.

    Effects on two outcomes are in two units, so shares of the total effect are drawn unless one outcome is named. The
    reference, the first specification, is a diamond; intervals on both sides of 0 are grey. A filled arrow head is an
    end at infinity (a Fieller set may be a half-line, two, or the whole line), a hollow one an end beyond the axis.

    Parameters
    ----------
    effects
        Result of kind 'specification'.
    ax
        Axes to draw on; a new figure when None. Curve and choices are on the same axes.
    estimand
        Draw the rows of this estimand only, such as 'pm_pure', 'pnie' (of one outcome) or 'te'.
    outcome
        Draw the effects on this outcome, in its units.
    metric
        The former name of `outcome`, for one release.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is of another kind, has no such estimand or outcome, or rows in several units would share the axis.
    """
    table = table_of(effects, kinds=("specification",), figure="specification", ax=ax)
    if metric is not None:
        warn(f"specification: metric is now outcome; the old name goes in version {GONE_IN}.", DeprecationWarning)
    rows, what = _rows(table, estimand, metric if outcome is None else outcome)
    order = rows["estimate"].sort_values(kind="stable", na_position="last").index
    lines = rows.loc[order].to_dict("records")
    drawn = [
        Row(line["estimate"], line["std_error"], line["conf_low"], line["conf_high"], line["method"]) for line in lines
    ]
    reference = list(order).index(0)
    levels = _levels(rows.loc[order])
    ax = axes(ax, width=max(5.4, 1.9 + _COLUMN * len(drawn)), height=1.3 + _CURVE + _ROW * len(levels))
    low, high = _limits(drawn)
    step = (high - low) * _ROW / _CURVE
    ax.set_xlim(-0.8, len(drawn) - 0.2)
    ax.set_ylim(low - step * (len(levels) + 0.8), high)
    ax.axvspan(reference - 0.5, reference + 0.5, color=FAINT, zorder=0, linewidth=0, gid="reference")
    ax.plot(ax.get_xlim(), [0, 0], color=INK, linewidth=0.8, zorder=1, gid="zero")
    for x, row in enumerate(drawn):
        _draw(ax, row, x, (low, high), is_reference=x == reference)
    ticks = [(float(tick), f"{tick:g}") for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    ticks += _dashboard(ax, levels, low, step, reference)
    ax.set_yticks([y for y, _ in ticks], [label for _, label in ticks])
    for tick in ax.yaxis.get_major_ticks()[-len(levels) :] if levels else ():
        tick.tick1line.set_visible(False)
    for label, (_, level, _) in zip(ax.get_yticklabels()[-len(levels) :] if levels else (), levels, strict=True):
        label.set_fontweight("bold" if level is None else "normal")
    _finish(ax, effects, drawn, what)
    return ax


def _rows(table: pd.DataFrame, estimand: str | None, outcome: str | None) -> tuple[pd.DataFrame, str]:
    """Return the rows to draw, with the numbers to draw as estimate and interval, and what they are."""
    if estimand is not None:
        one_of(estimand, list(dict.fromkeys(map(str, table["estimand"]))), what="estimand")
    if outcome is not None:
        table = table[table["outcome"] == one_of(outcome, list(dict.fromkeys(table["outcome"])), what="outcome")]
    rows = specifications(table, estimand)
    named = " and ".join(dict.fromkeys(rows["effect"]))
    if estimand is None and outcome is None and rows["share_estimate"].notna().any():
        shares = rows[rows["share_estimate"].notna()].reset_index(drop=True)
        names = ["estimate", "std_error", "conf_low", "conf_high", "method"]
        shares[names] = shares[[f"share_{name}" for name in names]]
        return shares, f"{named} as a share of the total effect"
    ratio = bool(rows["method"].str.contains("fieller").any())
    if rows["outcome"].nunique() > 1 and not ratio:
        outcomes = list(dict.fromkeys(rows["outcome"]))
        raise DesignError(
            f"specification: {named} on {len(outcomes)} outcomes would share one axis, and each has its own units. "
            f"Name one, outcome={outcomes[0]!r}, or leave out estimand to draw shares of the total effect."
        )
    return rows, named if ratio else f"{named} on {rows['outcome'].iloc[0]}"


def _levels(rows: pd.DataFrame) -> list[tuple[str, str | None, list[bool]]]:
    """Return the rows of the dashboard: a choice, one of its levels (None: the heading), and which columns have it."""
    found: list[tuple[str, str | None, list[bool]]] = []
    for choice in varied(rows):
        found.append((choice, None, []))
        levels = sorted(set(rows[choice]), key=list(rows.sort_index()[choice]).index)  # in the order of the table
        found += [(choice, level, [value == level for value in rows[choice]]) for level in levels]
    return found


def _limits(rows: list[Row]) -> tuple[float, float]:
    """Return the limits of the curve: every bounded estimate, and ends that are not far beyond all of them."""
    bounded = [row for row in rows if row.missing or row.set.is_bounded] or rows
    inner = [row.estimate for row in bounded if math.isfinite(row.estimate)] + [0.0]
    reach = max(inner) - min(inner) or 1.0
    ends = [end for row in rows for piece in row.set.pieces for end in piece if math.isfinite(end)]
    near = [end for end in ends if min(inner) - reach <= end <= max(inner) + reach]
    finite = [end for row in bounded for end in row.set.ends if math.isfinite(end)]
    far = [min(inner) - reach] * any(end < min(inner) - reach for end in finite)
    far += [max(inner) + reach] * any(end > max(inner) + reach for end in finite)
    low, high = min(inner + near + far), max(inner + near + far)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _draw(ax: Axes, row: Row, x: float, limits: tuple[float, float], *, is_reference: bool) -> None:
    """Draw one estimate as a column: its pieces, an arrow at an end that is not on the axis, its marker."""
    low, high = limits
    side = side_of(row.set)
    left, right = ax.get_xlim()
    half = min(_CAP, _CAP_SHARE * (right - left) + 0.02)
    colour = VERMILION if is_reference else RULE if side == 0 else INK
    for bottom, top in row.set.pieces:
        a, b = min(max(bottom, low), high), max(min(top, high), low)
        ax.plot([x, x], [a, b], color=colour, linewidth=1.5, solid_capstyle="butt", zorder=3, gid="interval")
        for end, at, head in ((bottom, a, "v"), (top, b, "^")):
            if low <= end <= high:
                ax.plot([x - half, x + half], [at, at], color=colour, linewidth=1.1, zorder=3, gid="cap")
            elif (end < low and head == "v") or (end > high and head == "^"):
                _marker(ax, (x, at), head, colour, filled=math.isinf(end), gid="arrow" if math.isinf(end) else "beyond")
    if not math.isfinite(row.estimate):
        return
    inside = low <= row.estimate <= high
    shape = ("D" if is_reference else "o") if inside else ("v" if row.estimate < low else "^")
    at = min(max(row.estimate, low), high)
    _marker(ax, (x, at), shape, colour, filled=not row.missing, gid="estimate", size=6.5 if is_reference else 5.0)


def _marker(
    ax: Axes, at: tuple[float, float], shape: str, colour: str, *, filled: bool, gid: str, size: float = 5.0
) -> None:
    ax.plot(
        *at, linestyle="none", marker=shape, markersize=size, markerfacecolor=colour if filled else "white",
        markeredgecolor=colour, markeredgewidth=1.1, zorder=4, clip_on=False, gid=gid,
    )  # fmt: skip


def _dashboard(
    ax: Axes, levels: list[tuple[str, str | None, list[bool]]], low: float, step: float, reference: int
) -> list[tuple[float, str]]:
    """Draw which level of each choice each column has, and return the ticks that name them."""
    ticks = []
    if levels:
        ax.plot(ax.get_xlim(), [low, low], color=RULE, linewidth=0.6, zorder=1)
    for index, (choice, level, has) in enumerate(levels):
        y = low - step * (index + 0.8)
        ticks.append((y, literal(choice if level is None else shorten(level, _LONGEST))))
        if level is None:
            continue
        mine = [x for x, one in enumerate(has) if one]
        others = [x for x, one in enumerate(has) if not one]
        ax.plot(
            others, [y] * len(others), linestyle="none", marker=".", markersize=2, color=RULE, zorder=2, gid="other"
        )
        for x in mine:
            colour, shape = (VERMILION, "D") if x == reference else (INK, "s")
            _marker(ax, (x, y), shape, colour, filled=True, gid="level", size=4.4 if x == reference else 4.0)
    return ticks


def _key(rows: list[Row]) -> list[Line2D]:
    def entry(shape: str, colour: str, label: str, **more: Any) -> Line2D:
        return Line2D([], [], linestyle="none", marker=shape, color=colour, markersize=5, label=label, **more)

    sides = [side_of(row.set) for row in rows]
    found = [entry("D", VERMILION, "reference")]
    if any(abs(side) == 1 for side in sides):
        found.append(entry("o", INK, "on one side of 0"))
    if any(side == 0 for side in sides):
        found.append(entry("o", RULE, "on both sides"))
    if any(row.missing for row in rows):
        found.append(no_interval_key())
    return found


def _finish(ax: Axes, effects: Effects, rows: list[Row], what: str) -> None:
    known = effects.provenance
    ax.set_xticks([])
    plain_frame(ax, keep=())
    sets = "sets (Fieller)" if any("fieller" in row.method for row in rows) else "intervals"
    ax.set_xlabel(f"{len(rows)} specifications, sorted by estimate")
    pad = key_above(ax, _key(rows))
    where = str(effects.tidy()["site"].iloc[0])
    said = f"{what}{f' at {where}' if where else ''}"
    title(ax, f"{said}\nwith {interval_name(known).replace('intervals', sets)}", pad=pad)
