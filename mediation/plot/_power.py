"""Power against the number of units, and what can be detected or shown to be negligible at each."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .._checks import one_of
from ..errors import DesignError
from ..results import Power, meaning_of
from ..results.planning import digits
from .drawing import BLUE, INK, ORANGE, RULE, axes, axis_label, check_axes, extent, key_above, plain_frame, title

_DECADES = 20  # numbers of units that span more than this factor are drawn on a logarithmic axis


def power(power: Power, *, ax: Axes | None = None, show: Literal["power", "effects"] = "power") -> Axes:
    """Draw what studies like a pilot can tell, against their number of units.

    Parameters
    ----------
    power
        Result of `mediation.power`.
    ax
        Axes to draw on; a new figure when None.
    show
        ``"power"``: the power to find the effect, and to show equivalence where a margin was given, with the power
        wanted as a line, and the numbers of units at which it is reached. Simulated powers are points with their 95%
        intervals. ``"effects"``: the smallest effect that is found, and the smallest margin that is shown.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If `power` is not a `Power`, or `ax` is not an `Axes`.
    """
    if not isinstance(power, Power):
        raise DesignError(f"power draws the Power that med.power returns, found {type(power).__name__}.")
    check_axes(ax, "power")
    one_of(show, ("power", "effects"), what="power: show")
    curve = power.tidy()
    ax = axes(ax, width=6.2, height=3.6)
    if len(curve) > 1 and curve["n"].max() >= _DECADES * curve["n"].min():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
    entries = _powers(ax, power, curve) if show == "power" else _effects(ax, power, curve)
    entries.append(_pilot(ax, power))
    _finish(ax, power, show, entries)
    return ax


def _line(ax: Axes, curve: pd.DataFrame, name: str, label: str, *, colour: str, style: str, marker: str) -> Any:
    few = marker if len(curve) <= 8 else ""
    (line,) = ax.plot(
        curve["n"], curve[name], color=colour, linestyle=style, marker=few, markersize=5, linewidth=1.6, label=label,
        zorder=3, gid=name,
    )  # fmt: skip
    return line


def _powers(ax: Axes, power: Power, curve: pd.DataFrame) -> list[Any]:
    """Draw the powers and the numbers of units at which they reach what is wanted."""
    target = power.target
    ax.set_ylim(0, 1.02)
    ax.axhline(target.power, color=INK, linewidth=0.8, linestyle=":", zorder=1, gid="wanted")
    shown = [
        ("power", "effect", f"to tell {digits(target.effect)} from 0", BLUE, "-", "o", power.n_needed),
        ("equivalence_power", "margin", "", ORANGE, "--", "s", power.n_for_margin),
    ]
    entries = []
    for name, what, label, colour, style, marker, needed in shown:
        if (name == "power" and not target.effect) or (name != "power" and target.margin is None):
            continue
        said = label or f"to show that 0 lies within ±{target.margin:.3g}"
        entries.append(_line(ax, curve, name, said, colour=colour, style=style, marker=marker))
        for key, one in power.simulated:
            if key == what:
                ax.errorbar(
                    [one.n], [one.power], yerr=[[one.power - one.low], [one.high - one.power]], color=colour,
                    marker=marker, markersize=5, markerfacecolor="white", capsize=2.5, linestyle="none", zorder=4,
                    gid="simulated",
                )  # fmt: skip
        if needed is not None and curve["n"].min() <= needed <= curve["n"].max():
            height = 4 if what == "effect" else 16  # in points: the two numbers may be close
            line: dict[str, Any] = {"color": colour, "linewidth": 0.9, "linestyle": style}
            ax.plot([needed, needed], [0, target.power], zorder=2, gid="needed", **line)
            ax.annotate(
                f"{needed:,}", (needed, 0), xytext=(3, height), textcoords="offset points", fontsize="small", color=INK,
                gid="needed", zorder=5, bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
    return entries


def _effects(ax: Axes, power: Power, curve: pd.DataFrame) -> list[Any]:
    """Draw the smallest detectable effect and the smallest margin."""
    wanted = f"with power {power.target.power:g}"
    entries = [
        _line(ax, curve, "detectable_effect", f"effect told from 0 {wanted}", colour=BLUE, style="-", marker="o"),
        _line(ax, curve, "smallest_margin", f"margin shown to hold 0 {wanted}", colour=ORANGE, style="--", marker="s"),
    ]
    for value, style, gid in ((abs(power.target.effect), "-", "effect"), (power.target.margin, "--", "margin")):
        if value:
            ax.axhline(value, color=RULE, linewidth=0.8, linestyle=style, zorder=1, gid=gid)
    ax.set_ylim(bottom=0)
    return entries


def _pilot(ax: Axes, power: Power) -> Any:
    """Mark the pilot's own number of units."""
    return ax.axvline(power.n, color=RULE, linewidth=0.9, linestyle="-.", zorder=1, label="the pilot", gid="pilot")


def _finish(ax: Axes, power: Power, show: str, entries: list[Any]) -> None:
    plain_frame(ax)
    meaning = meaning_of(power.estimand)
    size = power.n / power.n_clusters
    ax.set_xlabel("number of units" + (f" (in clusters of {size:.3g})" if power.n_clusters < power.n else ""))
    label = axis_label(f"{meaning.symbol}: effect on", power.outcome or "the outcome", extent(ax)[1])
    ax.set_ylabel("power" if show == "power" else label)
    pad = key_above(ax, entries)
    where = f" at {power.where}" if power.where else ""
    what = "Power" if show == "power" else "What can be told"
    checked = "; points: simulated, with 95% intervals" if show == "power" and power.simulated else ""
    title(ax, f"{what} by number of units: {meaning.symbol}{where}\nat level {power.target.alpha:g}{checked}", pad=pad)
