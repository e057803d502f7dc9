"""From the units of coalitions of sites to the table of interactions: joint, alone, leave-one-out, Shapley, pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from ..errors import InteractionWarning, warn
from ..estimands import (
    Array,
    Coalition,
    CoalitionContrast,
    Orders,
    apply_contrasts,
    contrasts,
    needed_coalitions,
    order_contributions,
)
from ..inference import Inference, Intervals, crossed_intervals, mean_intervals
from ..inference.sample import quiet
from .table import Precision, matrices, resolved, warn_degenerate, width_of

Direction = Literal["denoising", "noising"]
DIRECTIONS: tuple[Direction, ...] = ("denoising", "noising")

_WORTH = {"denoising": ("y01", "y00"), "noising": ("y11", "y10")}
_ROUNDINGS = 2  # of one outcome, in units of the precision of the largest of the unit's
_ORDER = ("joint", "non_additivity", "alone", "shapley", "leave_one_out", "pair_interaction", "shapley_interaction")
_OF_A_SITE = ("alone", "shapley", "leave_one_out")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Game:
    """Which coalitions of sites a units frame holds, and what is asked of them.

    Parameters
    ----------
    players
        Names of the sites. The row of a coalition in the units frame has their names, in this order, joined by " & ".
    direction
        "denoising": v(S) = Y(0, M_S(1)) - Y(0, M(0)), columns y01 and y00; "noising": v(S) = Y(1, M(1)) - Y(1, M_S(0)),
        columns y11 and y10.
    orders
        Sampled orders of the players, (n_orders, k); None when all coalitions were run.
    pairwise
        Whether pairs are asked for.

    Examples
    --------
    >>> game = Game(players=("mlp[0]", "mlp[1]"))
    >>> [game.name_of(coalition) for coalition in game.coalitions]
    ['mlp[0]', 'mlp[1]', 'mlp[0] & mlp[1]']
    """

    players: tuple[str, ...]
    direction: Direction = "denoising"
    orders: Orders | None = None
    pairwise: bool = True

    @property
    def coalitions(self) -> list[Coalition]:
        """The coalitions whose worth is needed."""
        return needed_coalitions(len(self.players), self.orders, pairwise=self.pairwise)

    def name_of(self, coalition: Coalition) -> str:
        """Return the site of a coalition in the units frame."""
        return " & ".join(self.players[player] for player in coalition)


def tabulate_interactions(
    units: pd.DataFrame, game: Game, settings: Inference, precision: Precision = "float32"
) -> pd.DataFrame:
    """Return the table of kind 'interactions' of a units frame with one row a coalition and unit.

    Warns
    -----
    DegenerateWarning
        Once, if rows have no interval.
    InteractionWarning
        If the interval of the non-additivity leaves out 0.

    Notes
    -----
    Rows are contrasts of the unit's own potential outcomes, so their intervals are those of means. Sampled Shapley
    effects share their orders between units: two-way cluster-robust over units and pairs of an order and its reverse.
    Adjusted p-values hold jointly over the sites (or pairs) of an estimand: step-down max-t, and Holm for sampled ones.
    """
    coalitions = game.coalitions
    names = [(game.name_of(coalition),) for coalition in coalitions]
    outcomes, clusters, weights = matrices(units, ["site"], names)
    more, less = (outcomes[name] for name in _WORTH[game.direction])
    worths, sizes = more - less, np.maximum(np.abs(more), np.abs(less))
    asked = contrasts(len(game.players), exact=game.orders is None, pairwise=game.pairwise)
    rounding = _ROUNDINGS * float(np.finfo(precision).eps)
    limits = rounding * np.stack([_terms(one) * _largest(one, sizes, coalitions) for one in asked], axis=1)
    values = resolved(apply_contrasts(asked, worths, coalitions), limits)
    families, width = [one.key for one in asked], width_of(units)
    span = [0.5 * width * _terms(one) for one in asked] if width else None  # a worth is a difference of two answers
    design: dict[str, Any] = {"clusters": clusters, "weights": weights, "settings": settings}
    with quiet():  # said once, below, with the names of rows
        found = mean_intervals(values, bands=True, families=families, span=span, **design)
        rows = [(one.key, one.players, 1, line) for one, line in zip(asked, _lines(found), strict=True)]
        for key, _, _, line in rows:
            if families.count(key) == 1:  # nothing to adjust for
                line["p_adjusted"] = line["p_value"]
        if game.orders is not None:
            added = order_contributions(game.orders, worths, coalitions)
            sampled = _lines(crossed_intervals(_settled(added, 4 * rounding * sizes.max(axis=1)), **design))
            adjusted = _holm([line["p_value"] for line in sampled])
            for player, (line, p) in enumerate(zip(sampled, adjusted, strict=True)):
                rows.append(("shapley", (player,), len(game.orders), {**line, "p_adjusted": p}))
    rows.sort(key=lambda row: _place(row[0], row[1]))
    table = pd.DataFrame([_row(*row, game) for row in rows])
    _warn(table, game, settings)
    return table.drop(columns="reason")


def _terms(one: CoalitionContrast) -> float:
    """Return the sum of the absolute weights of outcomes: each worth is a difference of two, one shared by all."""
    return sum(map(abs, one.weights.values())) + abs(sum(one.weights.values()))


def _largest(one: CoalitionContrast, sizes: Array, coalitions: Sequence[Coalition]) -> Array:
    """Return the largest outcome of each unit, (n,), in the coalitions of a contrast."""
    inside = [column for column, coalition in enumerate(coalitions) if one.weights.get(coalition)]
    return np.asarray(sizes[:, inside].max(axis=1))


def _settled(added: Array, limit: Array) -> Array:
    """Return what players add, (n, draws, k), without what is but rounding; `limit` is that of each unit, (n,)."""
    return resolved(added, limit[:, None, None], axis=(0, 1))


def _lines(found: Intervals) -> list[dict[str, Any]]:
    """Return one dict a column of what is found."""
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "p_adjusted", "method", "reason")
    columns = {field.name: getattr(found, field.name) for field in fields(found) if field.name in names}
    columns = {name: column for name, column in columns.items() if column is not None}
    shared = {"n": found.n, "n_clusters": found.n_clusters}
    return [{**{name: column[i] for name, column in columns.items()}, **shared} for i in range(len(found.method))]


def _holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm's step-down; NaN where there is none."""
    given = np.asarray(p_values, dtype=float)
    adjusted, known = np.full(len(given), np.nan), ~np.isnan(given)
    if known.any():
        adjusted[known] = multipletests(given[known], method="holm")[1]
    return adjusted


def _place(key: str, players: Coalition) -> tuple[Any, ...]:
    """Return where a row stands: all sites, then site by site, then pair by pair."""
    rank = _ORDER.index(key)
    return (0 if rank < 2 else 1 if key in _OF_A_SITE else 2, players, rank)


def _row(key: str, players: Coalition, n_draws: int, line: dict[str, Any], game: Game) -> dict[str, Any]:
    pair = key in ("pair_interaction", "shapley_interaction")
    site = game.players[players[0]] if pair else game.name_of(players)
    partner = game.players[players[1]] if pair else ""
    return {"estimand": key, "site": site, "partner": partner, "n_draws": n_draws, **line}


def _warn(table: pd.DataFrame, game: Game, settings: Inference) -> None:
    named = table.assign(
        site=[
            "all sites" if key in _ORDER[:2] else f"{site} x {partner}" if partner else site
            for key, site, partner in zip(table["estimand"], table["site"], table["partner"], strict=True)
        ]
    )
    warn_degenerate(named, list(table["reason"]))
    row = table[table["estimand"] == "non_additivity"].iloc[0]
    if not (row["conf_low"] > 0 or row["conf_high"] < 0):
        return
    joint = float(table.loc[table["estimand"] == "joint", "estimate"].iloc[0])
    level = f"{100 * settings.confidence_level:g}%"
    digits = _digits(float(row["std_error"]))
    low, high, gap, alone = (
        f"{number:.{digits}f}"
        for number in (row["conf_low"], row["conf_high"], row["estimate"], joint - row["estimate"])
    )
    warn(
        f"Effects of single sites do not add up: those of the {len(game.players)} sites alone sum to {alone}, and "
        f"their joint effect is {joint:.{digits}f}; the difference is {gap} ({level} interval {low} to {high}). Report "
        "the joint effect with 'shapley', which sums to it, and the interactions, not 'alone' effects by themselves.",
        InteractionWarning,
    )


def _digits(std_error: float) -> int:
    """Return how many decimals show two digits of the standard error."""
    return max(0, 1 - int(np.floor(np.log10(std_error)))) if std_error > 0 else 3
