"""Axes that rows of effects stand on: limits, names at the left, what is measured below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ...results import Meaning, meaning_of
from ._ask import outcome_of
from ._theme import INK, RULE, axes, axis_label, extent, literal, plain_frame


def row_axes(ax: Axes | None, limits: tuple[float, float], bottom: float, *, width: float = 7.2, height: float) -> Axes:
    """Return axes whose rows go down from 0 to `bottom`, with a line at 0."""
    ax = axes(ax, width=width, height=height)
    ax.set_xlim(*limits)
    ax.set_ylim(bottom, -0.6)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    return ax


def name_rows(ax: Axes, names: Mapping[float, str], heads: Mapping[float, str], bold: Sequence[bool] = ()) -> None:
    """Write the names of rows by their height, and those of groups in bold; `bold` says of each row whether it is."""
    ax.set_yticks([*names, *heads], [*names.values(), *heads.values()])
    strong = [*(bold or (False for _ in names)), *(True for _ in heads)]
    for label, heavy in zip(ax.get_yticklabels(), strong, strict=True):
        label.set_fontweight("bold" if heavy else "normal")


def finish_rows(ax: Axes, keys: Sequence[str], known: Mapping[str, Any]) -> None:
    """Leave the lower side of the frame, and write below it what the effects of `keys` are measured in."""
    ax.tick_params(axis="y", length=0, pad=8)
    plain_frame(ax, keep=("bottom",))
    only = meaning_of(keys[0])
    what = f"{only.symbol}: effect on" if len(set(keys)) == 1 else "effect on"
    ratio = len(set(keys)) == 1 and only.is_ratio
    ax.set_xlabel(only.label if ratio else axis_label(what, outcome_of(known), 1.1 * extent(ax)[0]))


def in_words(meaning: Meaning) -> str:
    """Return what names a row of one estimand: its words and its symbol, or the symbol alone."""
    return literal(f"{meaning.label}  {meaning.symbol}" if meaning.formula else meaning.symbol)


def off_axis(ax: Axes, y: float) -> None:
    """Say in a row that its ratio is not on this axis."""
    ax.text(
        0.015, y, "ratio: not on this axis", transform=ax.get_yaxis_transform(), va="center", fontsize="small",
        color=RULE, bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.5}, zorder=2,
    )  # fmt: skip


def strongest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the rows of the largest estimates, in the order of the table; rows of pairs are left out first."""
    if len(table) <= most:
        return table
    order = table["estimate"].abs().sort_values(ascending=False, kind="stable", na_position="last").index
    if "partner" in table:
        order = order[(table.loc[order, "partner"] != "").to_numpy().argsort(kind="stable")]
    rows: pd.DataFrame = table.loc[sorted(order[:most])]
    return rows
