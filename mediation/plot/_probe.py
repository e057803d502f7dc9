"""What probes read, by step and attribute, beside the commonest label and shuffled ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .._checks import one_of
from ..results.text import shorten
from .drawing import INK, RULE, axes, frame_of, key_above, line, literal, look, no_interval_key, plain_frame, title

_NEEDED = (
    *("features", "attribute", "step", "accuracy", "conf_low", "conf_high", "majority", "control_accuracy"),
    "selectivity_p",
)
_LONGEST = 30
_BETWEEN = 0.8  # steps between two attributes
_DODGE = 0.44  # steps that the markers of one step take


def probe(probes: Any, *, ax: Axes | None = None, attribute: str | None = None) -> Axes:
    """Draw the accuracy of probes at each step with its interval, attribute beside attribute.

    Thick grey lines are the share of the commonest label; crosses are the accuracy of the same probes on shuffled
    labels (drawn for the states). Baselines stand beside the states, with markers of their own. Hollow markers have no
    interval.

    Parameters
    ----------
    probes
        What `mediation.probing.probe_steps` returns, or its tidy frame.
    ax
        Axes to draw on; a new figure when None.
    attribute
        The one attribute to draw; all when None.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    DesignError
        If there is no such table, or no such attribute in it.
    """
    table, intervals = frame_of(probes, _NEEDED, "probe", "probing.probe_steps", ax)
    if attribute is not None:
        one_of(attribute, list(dict.fromkeys(table["attribute"])), what="probe: attribute")
        table = table[table["attribute"] == attribute]
    attributes = list(dict.fromkeys(table["attribute"]))
    features = list(dict.fromkeys(table["features"]))
    steps = sorted(set(table["step"]))
    width = (steps[-1] - steps[0] + 1) + _BETWEEN
    apart = max(0.34, 0.13 * len(features) + 0.1)
    ax = axes(ax, width=min(max(2.2 + apart * width * len(attributes), 4.6), 12.0), height=3.5)
    ticks: dict[float, str] = {}
    for place, one in enumerate(attributes):
        start = place * width - steps[0]
        mine = table[table["attribute"] == one]
        _group(ax, mine, features, start)
        ticks |= {start + step: str(step) for step in steps}
    _names(ax, attributes, [place * width + (width - _BETWEEN - 1) / 2 for place in range(len(attributes))], steps)
    if len(steps) > 1:
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set_xlabel("step (from 0)", labelpad=3)
    _limits(ax, table, (-0.7, len(attributes) * width - _BETWEEN - 0.3))
    pad = key_above(ax, _key(features, missing=bool(table["conf_low"].isna().any())))
    what = f"What probes read from {features[0]}" + (f": {attributes[0]}" if len(attributes) == 1 else "")
    title(ax, f"{what}\nAccuracy out of sample, with {intervals}", pad=pad)
    return ax


def _group(ax: Axes, rows: pd.DataFrame, features: list[str], start: float) -> None:
    """Draw one attribute: each kind of features over the steps, and what is reached without looking."""
    shifts = np.linspace(-0.5, 0.5, len(features)) * _DODGE if len(features) > 1 else [0.0]
    for index, (name, shift) in enumerate(zip(features, shifts, strict=True)):
        mine = rows[rows["features"] == name].sort_values("step")
        if mine.empty:
            continue
        x = start + mine["step"].to_numpy(dtype=float) + shift
        line(ax, x, mine, look(index), value="accuracy", band=False)
        if index == 0:
            ax.plot(
                x, mine["control_accuracy"], linestyle="none", marker="x", markersize=4.5, color=INK,
                markeredgewidth=1.1, zorder=3.5, gid="control",
            )  # fmt: skip
    first = rows[rows["features"] == features[0]].sort_values("step")
    for step, share in zip(first["step"], first["majority"], strict=True):
        at = start + float(step)
        ax.plot(
            [at - 0.5, at + 0.5], [share, share], color=RULE, linewidth=2.2, solid_capstyle="butt", zorder=1,
            gid="majority",
        )  # fmt: skip


def _names(ax: Axes, attributes: list[str], centres: list[float], steps: list[int]) -> None:
    """Write the names of attributes: below the axis when there is one step, else inside at the top."""
    shown = [literal(shorten(one, _LONGEST)) for one in attributes]
    if len(steps) == 1:
        ax.set_xticks(centres, shown)
    elif len(attributes) > 1:
        for centre, name in zip(centres, shown, strict=True):
            ax.text(
                centre, 0.985, name, transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize="medium",
                fontweight="bold", color=INK, gid="attribute",
            )  # fmt: skip
    for one, other in pairwise(centres):
        ax.axvline((one + other) / 2, color=RULE, linewidth=0.6, linestyle=":", zorder=0)


def _limits(ax: Axes, table: pd.DataFrame, across: tuple[float, float]) -> None:
    plain_frame(ax)
    ax.set_xlim(*across)
    numbers = table[["accuracy", "conf_low", "conf_high", "majority", "control_accuracy"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    margin = 0.06 * max(high - low, 0.1)
    headroom = 0.12 * (high - low) if len(set(table["attribute"])) > 1 and len(set(table["step"])) > 1 else 0.0
    ax.set_ylim(max(-0.02, low - margin), max(min(1.02, high + margin), high + margin * 0.5) + headroom)
    ax.set_yticks([tick for tick in ax.get_yticks() if -1e-9 <= tick <= 1 + 1e-9 and ax.get_ylim()[0] <= tick])
    ax.set_ylabel("accuracy")


def _key(features: list[str], *, missing: bool) -> list[Artist]:
    shown = [literal(shorten(name, _LONGEST)) for name in features]
    key: list[Artist] = [
        Line2D([], [], markersize=5, linewidth=1.4, label=name, **look(index)) for index, name in enumerate(shown)
    ]
    key.append(Line2D([], [], color=RULE, linewidth=2.2, label="commonest label"))
    key.append(Line2D([], [], linestyle="none", marker="x", color=INK, markersize=4.5, label="shuffled labels"))
    return [*key, no_interval_key()] if missing else key
