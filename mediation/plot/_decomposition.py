"""How the total effect splits into direct, indirect and interaction."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from .._checks import listed
from ..errors import DataError, DesignError
from ..results import Effects, meaning_of
from .drawing import (
    COLOURS,
    INK,
    RULE,
    Row,
    axes,
    axis_label,
    draw_row,
    extent,
    interval_name,
    on_outcome,
    outcome_of,
    plain_frame,
    row_of,
    span,
    table_of,
    title,
)

_SUMS = (("te", ("pnde", "pnie", "int_med")), ("oe", ("ide", "iie")))
_POINTS = ("te", "pnde", "tnde", "pnie", "tnie", "int_med", "cde", "int_ref", "pe", "oe", "ide", "iie")
_MARKERS = {"te": "D", "oe": "D", "tnde": "s", "tnie": "s", "int_med": "^", "int_ref": "v"}
_HATCHES = {"int_med": "////", "pnie": "", "iie": ""}
_TOP = -0.9  # where the strip ends above the first row
_STEP = 0.5  # height of one step of the strip, in rows
_ROOM = 0.1  # room for the names of the steps, as a share of the axis
_SLACK = 1e-3  # rounding that a sum of three effects may show, as a share of the largest


def decomposition(effects: Effects, *, ax: Axes | None = None, outcome: str | None = None) -> Axes:
    """Draw how the total effect splits: a strip whose steps add up, then every effect with its interval.

    The strip reads PNDE + PNIE + INTmed = TE (with random donors IDE + IIE = OE): each bar starts where the one
    above ends, and the last ends at the total. Below it each effect is a point with its interval, measured from 0.
    The proportion mediated is a ratio, not an amount of the outcome, so it is written out instead of drawn.

    Parameters
    ----------
    effects
        Result of kind 'effects' with 'te', 'pnde', 'pnie' and 'int_med' (or 'oe', 'ide' and 'iie').
    ax
        Axes to draw on; a new figure when None.
    outcome
        Which of several outcomes to draw.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `effects` is a sweep or an ablation, or lacks a part of the sum.
    DataError
        If the parts do not add up to the total.
    """
    effects = on_outcome(effects, outcome, "decomposition")
    table = table_of(effects, kinds=("effects",), figure="decomposition", ax=ax)
    every = {str(line["estimand"]): row_of(line) for line in table.to_dict("records")}
    total, parts = _sum(every)
    rows = {key: every[key] for key in _POINTS if key in every}
    bottom = len(rows) + (1 if "pm" in every else 0)
    ax = axes(ax, width=6.4, height=1.2 + 0.33 * (bottom + len(parts) * _STEP + 0.8))
    steps = _steps({key: rows[key].estimate for key in parts})
    low, high = span(list(rows.values()), also=(0.0, *(end for pair in steps.values() for end in pair)))
    top = _TOP - _STEP * len(steps)
    ax.set_xlim(low, high + _ROOM * (high - low))
    ax.set_ylim(bottom - 0.4, top - 0.1)
    ax.plot([0, 0], [top - 0.1, len(rows) - 0.5], color=INK, linewidth=0.8, zorder=1, gid="zero")
    ticks = _strip(ax, steps, rows[total].estimate, total, until=list(rows).index(total))
    for y, (key, row) in enumerate(rows.items()):
        draw_row(ax, row, y, colour=COLOURS[key], marker=_MARKERS.get(key, "o"))
        ticks.append((y, _label(key)))
    if "pm" in every:
        ticks.append((_ratio(ax, every["pm"], y=len(rows)), _label("pm")))
    _finish(ax, effects, ticks)
    return ax


def _sum(rows: Mapping[str, Row]) -> tuple[str, tuple[str, ...]]:
    """Return the total and the parts of the first sum that the rows allow."""
    for total, parts in _SUMS:
        if {total, *parts} <= set(rows):
            added, whole = sum(rows[key].estimate for key in parts), rows[total].estimate
            if not abs(added - whole) <= _SLACK * max(abs(rows[key].estimate) for key in parts):
                raise DataError(
                    f"{' + '.join(parts)} = {added:g}, but {total} = {whole:g}. "
                    "The parts of one run add up; take all rows from the same run."
                )
            return total, parts
    missing = [key for key in ("te", "pnde", "pnie", "int_med") if key not in rows]
    verb = "is" if len(missing) == 1 else "are"
    raise DesignError(
        f"decomposition needs te, pnde, pnie and int_med; {listed(missing)} {verb} not in the table, "
        f"which has {listed(rows)}. Nearest: forest(effects), which draws any table."
    )


def _label(key: str) -> str:
    meaning = meaning_of(key)
    return f"{meaning.label}  {meaning.symbol}"


def _steps(parts: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return where each bar of the strip starts and ends."""
    ends: dict[str, tuple[float, float]] = {}
    at = 0.0
    for key, value in parts.items():
        ends[key] = (at, at + value)
        at += value
    return ends


def _strip(
    ax: Axes, steps: dict[str, tuple[float, float]], total: float, name: str, *, until: int
) -> list[tuple[float, str]]:
    """Draw the steps above the rows, with a line from each end to the next start and from the last to the total."""
    top = _TOP - _STEP * len(steps)
    heights = [top + _STEP * (index + 0.5) for index in range(len(steps))]
    for (key, (start, end)), y in zip(steps.items(), heights, strict=True):
        ax.barh(
            y, end - start, left=start, height=0.8 * _STEP, color=COLOURS[key], edgecolor=INK, linewidth=0.7,
            hatch=_HATCHES.get(key), zorder=2, gid="step",
        )  # fmt: skip
        ax.annotate(
            f"{'+ ' if key != next(iter(steps)) else ''}{meaning_of(key).symbol}", (max(start, end), y), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize="small", color=INK,
        )  # fmt: skip
    for (_, end), y, following in zip(steps.values(), heights, [*heights[1:], float(until)], strict=True):
        if math.isfinite(end):
            ax.plot([end, end], [y, following], color=RULE, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1, gid="link")
    ax.axhline(_TOP + 0.25, color=RULE, linewidth=0.6)
    said = " + ".join(meaning_of(key).symbol for key in steps) + f"\n= {meaning_of(name).symbol}"
    return [(top + _STEP * len(steps) / 2, said)]


def _ratio(ax: Axes, row: Row, *, y: float) -> float:
    """Write the proportion mediated in a row of its own, below a rule."""
    printed = row.printed()
    ax.text(
        0.015, y, f"{printed.estimate}   Fieller {printed.interval}   (ratio {meaning_of('pm').formula})",
        transform=ax.get_yaxis_transform(), va="center", fontsize="small", color=INK, gid="pm",
    )  # fmt: skip
    ax.axhline(y - 0.5, color=RULE, linewidth=0.6)
    return y


def _finish(ax: Axes, effects: Effects, ticks: list[tuple[float, str]]) -> None:
    known = effects.provenance
    ax.set_yticks([y for y, _ in ticks], [label for _, label in ticks])
    ax.tick_params(axis="y", length=0)
    plain_frame(ax, keep=("bottom",))
    ax.set_xlabel(axis_label("effect on", outcome_of(known), 1.1 * extent(ax)[0]))
    where = str(effects.tidy()["site"].iloc[0] or known.get("mediator") or "")
    title(ax, f"How the total effect splits{' at ' + where if where else ''}\nwith {interval_name(known)}")
