"""The ablation effect against the strength of the ablation."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from ..errors import DesignError
from ..results import Effects
from ..results.text import shorten
from .drawing import (
    INK,
    axes,
    axis_label,
    extent,
    interval_name,
    key_above,
    literal,
    look,
    no_interval_key,
    on_outcome,
    outcome_of,
    plain_frame,
    table_of,
    title,
    with_sites,
)

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?![\w.])")
_DECADES = 50  # doses that span more than this factor are drawn on a logarithmic axis


def dose(effects: Effects, *, ax: Axes | None = None, outcome: str | None = None) -> Axes:
    """Draw the ablation effect against the dose, one line for each family of arms, with its intervals.

    Arms that differ in the dose alone, such as ``GaussianNoise(0.5)`` and ``GaussianNoise(1.0)`` at one site, are one
    family. Arms without a dose (``Zero()``) are drawn as a level to compare with, with their intervals as a band. A
    point without an interval is hollow.

    Parameters
    ----------
    effects
        Result of kind 'ablation' with at least one dose.
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
        If `effects` is not an ablation, or no arm has a dose.
    """
    effects = on_outcome(effects, outcome, "dose")
    table = table_of(effects, kinds=("ablation",), figure="dose", ax=ax)
    if not bool(table["dose"].notna().any()):
        raise DesignError(
            f"dose was asked of arms without a dose, found {', '.join(map(repr, table['arm'].head(3)))}. "
            "Ablate with several scales, such as GaussianNoise(0.5), or use forest(effects)."
        )
    table = table.assign(family=with_sites(map(_blank, table["arm"], table["dose"]), table))
    lines = table[table["dose"].notna()]
    levels = table[table["dose"].isna()]
    families = list(dict.fromkeys(lines["family"]))
    ax = axes(ax, width=6.2, height=3.5 + 0.16 * (len(families) + len(levels)))
    ax.axhline(0, color=INK, linewidth=0.8, zorder=1)
    for index, family in enumerate(families):
        _line(ax, lines[lines["family"] == family].sort_values("dose"), family, index)
    for index, (_, level) in enumerate(levels.iterrows(), start=len(families)):
        _level(ax, level, index)
    positive = lines["dose"][lines["dose"] > 0]
    if len(positive) == len(lines) and positive.max() / positive.min() >= _DECADES:
        ax.set_xscale("log")
    _finish(ax, effects, missing=bool(lines["conf_low"].isna().any()))
    return ax


def _blank(arm: str, dose_: float) -> str:
    """Replace the number in `arm` that is the dose by 'dose'; one written with a point goes first."""
    if math.isnan(dose_):
        return arm
    found = [match for match in _NUMBER.finditer(arm) if float(match.group()) == dose_]
    found.sort(key=lambda match: not any(mark in match.group() for mark in ".eE"))
    return arm if not found else f"{arm[: found[0].start()]}dose{arm[found[0].end() :]}"


def _line(ax: Axes, rows: pd.DataFrame, family: str, index: int) -> ErrorbarContainer:
    looks = look(index)
    colour = looks["color"]
    x, y = rows["dose"].to_numpy(), rows["estimate"].to_numpy()
    low, high = rows["conf_low"].to_numpy(), rows["conf_high"].to_numpy()
    ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2, gid="ribbon")
    bars = ax.errorbar(
        x, y, yerr=[y - low, high - y], markersize=5.5, linewidth=1.5, elinewidth=1.2, capsize=2.5, zorder=3,
        label=literal(shorten(family, 60)), gid="line", **looks,
    )  # fmt: skip
    hollow = rows["conf_low"].isna().to_numpy()
    if hollow.any():
        ax.plot(
            x[hollow], y[hollow], linestyle="none", marker=looks["marker"], markersize=5.5,
            markerfacecolor="white", markeredgecolor=colour, markeredgewidth=1.3, zorder=4, gid="hollow",
        )  # fmt: skip
    return bars


def _level(ax: Axes, row: pd.Series, index: int) -> None:
    colour, style = look(index)["color"], look(index)["linestyle"]
    label = literal(shorten(str(row["family"]), 60))
    if math.isfinite(row["conf_low"]) and math.isfinite(row["conf_high"]):
        ax.axhspan(
            row["conf_low"], row["conf_high"], facecolor=colour, alpha=0.10, linewidth=0, zorder=0, gid="level band"
        )
    else:
        label += " (no interval)"
    ax.axhline(row["estimate"], color=colour, linewidth=1.2, linestyle=style, zorder=1, label=label, gid="level")


def _finish(ax: Axes, effects: Effects, *, missing: bool) -> None:
    known = effects.provenance
    plain_frame(ax)
    ax.set_xlabel("dose")
    ax.set_ylabel(axis_label("ablation effect on", outcome_of(known), extent(ax)[1]))
    lines: list[Any] = []
    levels: list[Any] = []
    for handle in ax.get_legend_handles_labels()[0]:
        (lines if isinstance(handle, ErrorbarContainer) else levels).append(handle)
    pad = key_above(ax, [*lines, *levels, *([no_interval_key()] if missing else [])])
    said = f"Ablation effect by dose\nThe run as it is minus the ablated run, with {interval_name(known)}"
    title(ax, said, pad=pad)
