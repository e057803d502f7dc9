"""Draws that all units share: intervals over units and draws at once, in place of draws averaged within units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from ..._checks import listed
from ...errors import DataError, SharedDrawsWarning, warn
from ...estimands import AbstractEstimand, Linear, contrast
from ...inference import (
    Inference,
    Intervals,
    crossed_intervals,
    crossed_ratio_intervals,
    mean_intervals,
    ratio_intervals,
)
from ._rounding import Precision, is_one, limits, resolved

Array = NDArray[np.float64]
Draws = Literal["independent", "shared"]
DRAWS: tuple[Draws, ...] = ("independent", "shared")

_ARRAYS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """Potential outcomes of groups (sites, arms, doses) that have the same draws.

    Parameters
    ----------
    columns
        Numbers of the groups, (k,).
    outcomes
        Each potential outcome, (units, draws, k).
    """

    columns: NDArray[np.intp]
    outcomes: Mapping[str, Array]


def cubes(units: pd.DataFrame, code: NDArray[np.intp], names: Sequence[str]) -> list[Cube]:
    """Return the potential outcomes `names` of a clean units frame by unit and draw; `code` numbers its rows' groups.

    Raises
    ------
    DataError
        If units differ in their draws within a group.
    """
    row = pd.factorize(units["unit"])[0]
    draw = units["draw"].to_numpy()
    by_draws: dict[tuple[Any, ...], list[int]] = {}
    for group in range(int(code.max()) + 1):
        by_draws.setdefault(_draws_of(units, row, draw, code == group), []).append(group)
    found = []
    for draws, groups in by_draws.items():
        inside = np.isin(code, groups)
        column = np.searchsorted(groups, code[inside])
        at = (row[inside], np.searchsorted(draws, draw[inside]), column)
        outcomes = {}
        for name in names:
            outcomes[name] = np.full((int(row.max()) + 1, len(draws), len(groups)), np.nan)
            outcomes[name][at] = units[name].to_numpy(dtype=float)[inside]
        found.append(Cube(np.array(groups, dtype=np.intp), outcomes))
    return found


def _draws_of(units: pd.DataFrame, row: NDArray[np.intp], draw: NDArray[Any], inside: NDArray[np.bool_]) -> Any:
    """Return the sorted draws of a group; DataError if a unit lacks one."""
    draws = np.unique(draw[inside])
    present = np.zeros((int(row.max()) + 1, len(draws)), dtype=bool)
    present[row[inside], np.searchsorted(draws, draw[inside])] = True
    if not present.all():
        unit, lacking = np.argwhere(~present)[0]
        who = units["unit"].unique().tolist()[unit]
        raise DataError(
            f"draws = 'shared', and unit {who!r} has no draw {draws[lacking]:g} while another has (of draws "
            f"{listed([f'{one:g}' for one in draws])}); shared draws are the same for every unit. Add the rows, drop "
            "the draw everywhere, or say draws='independent' if each unit has draws of its own."
        )
    return tuple(draws.tolist())


def shared_intervals(
    estimand: AbstractEstimand,
    parts: Sequence[Cube],
    design: tuple[NDArray[Any], Array],
    settings: Inference,
    *,
    precision: Precision,
    bands: bool,
    span: float | None = None,
) -> Intervals:
    """Return the intervals of an estimand for all groups, (K,), with two-way variances over units and draws.

    A contrast that is the same in every draw (up to rounding of the outcomes) has nothing to do with the draws: it has
    the interval of a mean over units. Bands are Bonferroni's, adjusted p-values Holm's. Rare flips of answers, whose
    largest contrast is `span`, have the wider of the two-way interval and Bonett and Price's.
    """
    size = sum(len(part.columns) for part in parts)
    joint = replace(
        settings, method="t", confidence_level=1 - settings.alpha / size, n_resamples=_enough(settings, size)
    )
    pieces, wide = [], []
    for part in parts:
        values, fixed = _settled(estimand.weights, part.outcomes, precision)
        below = None
        if estimand.denominator is not None:
            below, also = _settled(estimand.denominator, part.outcomes, precision)
            fixed &= also
        for some, crossed in ((np.flatnonzero(fixed), False), (np.flatnonzero(~fixed), True)):
            if not len(some):
                continue
            under = None if below is None else below[:, :, some]
            here = part.columns[some]
            pieces.append((here, _of(values[:, :, some], under, design, settings, crossed=crossed, span=span)))
            if bands and below is None:
                wide.append((here, _of(values[:, :, some], None, design, joint, crossed=crossed, span=span)))
    return _gathered(size, pieces, wide)


def _enough(settings: Inference, size: int) -> int:
    """Return a number of resamples that settings of a level of 1 - alpha / size allow; none are drawn."""
    return max(settings.n_resamples, math.ceil(4 * size / settings.alpha))


def _settled(weights: Linear, outcomes: Mapping[str, Array], precision: Precision) -> tuple[Array, NDArray[np.bool_]]:
    """Return a contrast (n, R, k), without what is but rounding, and which columns are the same in several draws."""
    values, limit = contrast(weights, outcomes), limits(weights, outcomes, precision)
    same = is_one(values, limit, axis=1).all(axis=0)
    return resolved(values, limit, axis=(0, 1)), np.asarray(same & (values.shape[1] > 1))


def _of(
    values: Array,
    below: Array | None,
    design: tuple[NDArray[Any], Array],
    settings: Inference,
    *,
    crossed: bool,
    span: float | None,
) -> Intervals:
    clusters, weights = design
    if below is None:
        own = replace(settings, method="bootstrap-t") if span else settings
        plain = mean_intervals(values.mean(axis=1), clusters=clusters, weights=weights, settings=own, span=span)
        if not crossed:
            return plain
        both = crossed_intervals(values, clusters=clusters, weights=weights, settings=settings)
        return _wider(both, plain) if span else both
    if crossed:
        return crossed_ratio_intervals(values, below, clusters=clusters, weights=weights, settings=settings)
    top, bottom = values.mean(axis=1), below.mean(axis=1)
    return ratio_intervals(top, bottom, clusters=clusters, weights=weights, settings=settings)


def _wider(both: Intervals, plain: Intervals) -> Intervals:
    """Return the two-way intervals, and where answers hardly flip the wider of these and Bonett and Price's."""
    rare = np.array([name == "bonett-price" for name in plain.method])
    return replace(
        both,
        conf_low=np.where(rare, np.fmin(both.conf_low, plain.conf_low), both.conf_low),
        conf_high=np.where(rare, np.fmax(both.conf_high, plain.conf_high), both.conf_high),
        p_value=np.where(rare, np.fmax(both.p_value, plain.p_value), both.p_value),
        method=tuple(
            f"{two_way if two_way != 'degenerate' else 'two-way t'}, at least bonett-price" if few else two_way
            for two_way, few in zip(both.method, rare.tolist(), strict=True)
        ),
        reason=tuple("" if few else why for why, few in zip(both.reason, rare.tolist(), strict=True)),
    )


def _gathered(
    size: int, pieces: Sequence[tuple[NDArray[np.intp], Intervals]], wide: Sequence[tuple[NDArray[np.intp], Intervals]]
) -> Intervals:
    """Return one result from those of some columns each; `wide` holds the bands, where there are any."""
    arrays = {name: np.full(size, np.nan) for name in _ARRAYS}
    method, reason = [""] * size, [""] * size
    for here, found in pieces:
        for name in _ARRAYS:
            arrays[name][here] = getattr(found, name)
        for column, how, why in zip(here.tolist(), found.method, found.reason, strict=True):
            method[column], reason[column] = how, why
    low, high, adjusted = np.full((3, size), np.nan)
    if wide:
        for here, found in wide:
            low[here] = np.fmin(found.conf_low, arrays["conf_low"][here])
            high[here] = np.fmax(found.conf_high, arrays["conf_high"][here])
        tested = ~np.isnan(arrays["p_value"])
        if tested.any():
            adjusted[tested] = multipletests(arrays["p_value"][tested], method="holm")[1]
    first = pieces[0][1]
    bands = (low, high, adjusted) if wide else (None, None, None)
    return Intervals(
        estimate=arrays["estimate"],
        std_error=arrays["std_error"],
        conf_low=arrays["conf_low"],
        conf_high=arrays["conf_high"],
        p_value=arrays["p_value"],
        method=tuple(method),
        n=first.n,
        n_clusters=first.n_clusters,
        reason=tuple(reason),
        band_low=bands[0],
        band_high=bands[1],
        p_adjusted=bands[2],
    )


def warn_shared(units: pd.DataFrame) -> None:
    """Say what was done about draws that all units share, and how to do without it."""
    n_draws = int(units["draw"].nunique())
    warn(
        f"draws = 'shared': the {n_draws} draws are the same for every unit, so more units do not average them out. "
        f"Intervals are two-way t intervals over units and draws, with at most {n_draws - 1} degrees of freedom: "
        "wide when draws are few. Better: seed the draws of each unit by itself, common across sites and arms, as "
        "med.mediate and med.ablate do; then draws are averaged within the unit and units are resampled.",
        SharedDrawsWarning,
    )
