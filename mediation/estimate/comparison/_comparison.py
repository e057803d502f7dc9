"""Two results, estimand by estimand: their difference on the same units, or on two independent groups of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import WeakTotalEffectWarning, warn
from ...estimands import AbstractEstimand, contrast
from ...inference import Inference, Intervals, group_difference_intervals, ratio_difference_intervals
from ...inference.sample import quiet
from ..frame import POTENTIAL_OUTCOMES, sort_key
from ..table import (
    Array,
    Outcomes,
    Precision,
    SiteInfo,
    resolved_contrast,
    resolved_ratio,
    rows_of,
    span_of,
    tabulate,
    warn_degenerate,
    width_of,
    with_sites,
)
from ._sides import Match, Side
from ._subtract import subtract

_NAMES = ("site", "arm", "dose")


def tabulate_comparison(
    sides: tuple[Side, Side],
    match: Match,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    *,
    paired: bool,
    sites: Mapping[str, SiteInfo] | None,
    precision: Precision = "float64",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of first minus second, and the units that it was made of.

    Paired, the potential outcomes are subtracted unit by unit, and the units returned are the differences. Otherwise
    the units of both are returned, with a column `group` that is 0 for the first result and 1 for the second.
    """
    first, second = sides
    outcomes = [side.outcomes(groups) for side, groups in ((first, match.first), (second, match.second))]
    means = [one for one in estimands if one.denominator is None]
    ratios = [one for one in estimands if one.denominator is not None]
    bands, width = sites is not None, width_of_both(first, second)
    parts: dict[str, pd.DataFrame] = {}
    if paired:
        units, draws = subtract(first, second, match, precision)
        if means:
            table = tabulate(
                units, means, settings, sites=sites, draws=draws, precision=precision, width=2.0 * width
            ).table
            parts = {str(key): rows for key, rows in table.groupby("estimand", sort=False)}
    else:
        units = pd.concat([first.units.assign(group=0), second.units.assign(group=1)], ignore_index=True)
    asked = ratios if paired else [*means, *ratios]
    parts |= _made_here(asked, outcomes, match, (settings, precision, width), paired=paired, bands=bands)
    rows = pd.concat([parts[one.key] for one in estimands], ignore_index=True)
    for name, values in (("first", outcomes[0]), ("second", outcomes[1])):
        rows[name] = np.concatenate([_estimates(one, values[0], values[2]) for one in estimands])
    return _completed(rows, match, sites, len(estimands)), units


def width_of_both(first: Side, second: Side) -> float:
    """Return 1 if the outcomes of both results are answers, right (1) or wrong (0), else 0."""
    return width_of(pd.concat([first.units, second.units], ignore_index=True))


def _made_here(
    estimands: Sequence[AbstractEstimand],
    outcomes: Sequence[tuple[Outcomes, NDArray[Any], Array]],
    match: Match,
    how: tuple[Inference, Precision, float],
    *,
    paired: bool,
    bands: bool,
) -> dict[str, pd.DataFrame]:
    """Return the rows of estimands that need both results at once: ratios, and means of two groups."""
    if not estimands:
        return {}
    named = list(match.names.itertuples(index=False, name=None))
    order = sorted(range(len(named)), key=lambda at: sort_key(named[at]))
    rows = np.argsort(order).tolist()
    ordered = [(values.at(order), clusters, weights) for values, clusters, weights in outcomes]
    with quiet():  # said once, below, with the names of estimands and sites
        found = [_intervals(one, ordered, how, paired=paired, bands=bands) for one in estimands]
    parts = {
        one.key: rows_of(one.key, intervals, [named[at] for at in order], _NAMES, sweep=bands).iloc[rows]
        for one, intervals in zip(estimands, found, strict=True)
    }
    reasons = [intervals.reason[row] for intervals in found for row in rows]
    _warn(reasons, pd.concat(parts.values(), ignore_index=True))
    return parts


def _intervals(
    estimand: AbstractEstimand,
    outcomes: Sequence[tuple[Outcomes, NDArray[Any], Array]],
    how: tuple[Inference, Precision, float],
    *,
    paired: bool,
    bands: bool,
) -> Intervals:
    settings, precision, width = how
    (first, clusters, weights), (second, other_clusters, other_weights) = outcomes
    if estimand.denominator is None:
        one, two = (resolved_contrast(estimand.weights, values, precision) for values in (first, second))
        return group_difference_intervals(
            one, two, clusters_first=clusters, clusters_second=other_clusters,
            weights_first=weights, weights_second=other_weights, settings=settings, bands=bands,
            span=span_of(estimand, width) if width else None,
        )  # fmt: skip
    both = [resolved_ratio(estimand.weights, estimand.denominator, values, precision) for values in (first, second)]
    return ratio_difference_intervals(
        both[0], both[1], paired=paired, clusters=(clusters, other_clusters),
        weights=(weights, other_weights), settings=settings,
    )  # fmt: skip


def _warn(reasons: Sequence[str], table: pd.DataFrame) -> None:
    weak = [reason.startswith("the denominator of the") for reason in reasons]
    warn_degenerate(table, ["" if little else reason for reason, little in zip(reasons, weak, strict=True)])
    if any(weak):
        row = table.iloc[weak.index(True)]
        at = f" at {row['site']}" if row["site"] else ""
        warn(
            f"{sum(weak)} of {len(reasons)} differences have no interval (NaN), because a proportion of a total effect "
            f"near 0 may be anything: {row['estimand']}{at}: {reasons[weak.index(True)]}. Compare the indirect effects "
            "in units of the outcome instead.",
            WeakTotalEffectWarning,
        )


def _estimates(estimand: AbstractEstimand, outcomes: Mapping[str, Array], weights: Array) -> Array:
    """Return the estimate of each group, (k,); NaN for a ratio over 0."""
    above = np.average(contrast(estimand.weights, outcomes), axis=0, weights=weights)
    if estimand.denominator is None:
        return np.asarray(above)
    below = np.average(contrast(estimand.denominator, outcomes), axis=0, weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below == 0, np.nan, above / below)


def _completed(
    rows: pd.DataFrame, match: Match, sites: Mapping[str, SiteInfo] | None, n_estimands: int
) -> pd.DataFrame:
    """Return the rows with the columns that every comparison has."""
    names = pd.concat([match.names] * n_estimands, ignore_index=True)
    for name in _NAMES:
        rows[name] = names[name]
    for name in ("band_low", "band_high", "p_adjusted"):
        if name not in rows:
            rows[name] = np.nan
    return with_sites(rows, sites).drop(columns="n_draws", errors="ignore")


def outcome_names(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Return the potential outcomes that both frames of units have."""
    return [name for name in POTENTIAL_OUTCOMES if name in first and name in second]
