"""From a clean frame of units to the tidy table: contrasts, intervals, one row an estimand and a site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import DegenerateWarning, DonorsWarning, warn
from ...estimands import AbstractEstimand, Linear, contrast
from ...inference import (
    Inference,
    Intervals,
    mean_intervals,
    ratio_intervals,
    two_way_intervals,
    two_way_ratio_intervals,
)
from ...inference.sample import quiet
from ..frame import (
    KEYS,
    POTENTIAL_OUTCOMES,
    Labels,
    check_crossed,
    coded,
    grouped,
    in_order,
    labels_of,
    need_one_kind,
    places,
)
from ._outcomes import OF_DONORS, Outcomes, check_shared_donors, donor_rows, per_unit, ratio_per_unit
from ._rounding import MAGNITUDE, Precision, limits, resolved
from ._shared import Draws, cubes, shared_intervals, warn_shared

Array = NDArray[np.float64]
_LISTED = 6
_CELLS = 2**18  # of a contrast that is computed at once


class SiteInfo(NamedTuple):
    """What a sweep's table says of a site."""

    layer: int | None
    position: str
    head: int | None = None
    feature: int | None = None


class Tabulated(NamedTuple):
    """A tidy table without its provenance.

    Parameters
    ----------
    table
        One row an estimand and a group (site, arm, dose).
    kind
        Kind of the table: 'effects', 'sweep' or 'ablation'.
    bands
        What the bands of each estimand come from.
    """

    table: pd.DataFrame
    kind: Literal["effects", "sweep", "ablation"]
    bands: dict[str, str]


def tabulate(
    units: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    *,
    sites: Mapping[str, SiteInfo] | None = None,
    draws: Draws = "independent",
    precision: Precision = "float64",
    width: float | None = None,
) -> Tabulated:
    """Return the effects of a clean units frame as a table: one row an estimand and a group (site, arm, dose).

    `draws` says whether each unit has draws of its own, which are averaged within it, or all units share them;
    `precision`, in which the outcomes were computed. `width` is the range of an outcome that is an answer (1) or a
    difference of two (2), 0 for other outcomes; None: found out. Groups are computed in an order of their own, and the
    rows stand in that of the frame.
    """
    ablation = "arm" in units.columns
    keys = [name for name in KEYS if name in units.columns]
    groups = groups_of(units, keys)
    ordered = in_order(groups)
    rows = places(groups, ordered)
    check_crossed(units, shared=draws == "shared")
    outcomes, clusters, weights = matrices(units, keys, ordered, crossed=True)
    sweep = not ablation and (sites is not None or len(groups) > 1)
    width = width_of(units) if width is None else width
    with quiet():  # said once, below, with the names of estimands and sites
        if draws == "shared":
            if "donor" in units:
                check_shared_donors(units, keys)
            parts = cubes(units, codes_of(units, keys, ordered), list(outcomes))
            spans = [span_of(one, width) if width and one.denominator is None else None for one in estimands]
            found = [
                shared_intervals(one, parts, (clusters, weights), settings, precision=precision, bands=sweep, span=span)
                for one, span in zip(estimands, spans, strict=True)
            ]
        else:
            who = labels_of(units), weights
            found = [
                _intervals(one, outcomes, who, settings, precision=precision, bands=sweep, width=width)
                for one in estimands
            ]
    named = zip(estimands, found, strict=True)
    tables = [rows_of(one.key, intervals, ordered, keys, sweep=sweep).iloc[rows] for one, intervals in named]
    table = pd.concat(tables, ignore_index=True)
    warn_degenerate(table, [intervals.reason[row] for intervals in found for row in rows])
    if draws == "shared":
        warn_shared(units)
    else:
        warn_donors(estimands, known="donor" in units, one_donor=outcomes.one_donor)
    if sweep:
        table = with_sites(table, sites)
    if ablation:
        n_draws = units["draw"].groupby(codes_of(units, keys, groups)).nunique()
        table["n_draws"] = np.tile(n_draws, len(estimands))
    bands = {one.key: told.band_method for one, told in zip(estimands, found, strict=True) if told.band_method}
    return Tabulated(table, "ablation" if ablation else "sweep" if sweep else "effects", bands)


def groups_of(units: pd.DataFrame, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the distinct values of the columns `keys`, in the order of the frame; NaN becomes None."""
    return grouped(units, keys)[1]


def warn_degenerate(table: pd.DataFrame, reasons: Sequence[str]) -> None:
    """Warn once about the rows that have no interval, by reason."""
    without = table.assign(reason=list(reasons)).query("reason != ''")
    if without.empty:
        return
    parts = []
    sites = int(table["site"].nunique())
    for reason, rows in without.groupby("reason", sort=False):
        names = [_name(row, sites) for row in rows.head(_LISTED).to_dict("records")]
        more = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
        parts.append(f"{reason} ({', '.join(names)}{more})")
    warn(
        f"{len(without)} of {len(table)} estimates have no interval (NaN); the estimates stand. Why: "
        f"{'; '.join(parts)}.",
        DegenerateWarning,
    )


def warn_donors(estimands: Sequence[AbstractEstimand], *, known: bool, one_donor: bool) -> None:
    """Warn if intervals cannot count donors: nothing says which unit gave in which row, or it was always the same."""
    found = [one.key for one in estimands if any(name.startswith("g") for name in one.needs)]
    if found and one_donor:
        warn(
            f"{', '.join(found)}: all mediators come from one unit, so these intervals are about that unit's mediator "
            "in other units, not about mediators drawn from units. For those, let many units give: med.Swap().",
            DonorsWarning,
        )
    if found and not known:
        warn(
            f"{', '.join(found)}: the frame does not say whose mediator each row has, so these intervals count units "
            "as receivers only. Where the donors are units of the frame, they are too narrow. Name the donor of each "
            "row in a column 'donor' (its id in the column 'unit'; empty where the mediator came from outside).",
            DonorsWarning,
        )


def _name(row: Mapping[Any, Any], sites: int) -> str:
    """Return how a warning calls a row of a table of so many sites: its estimand or arm, and the site of several."""
    where = f" at {row['site']}" if row["site"] and sites > 1 else ""
    if "arm" not in row:
        return f"{row['estimand']}{where}"
    dose = f", dose {row['dose']:g}" if row["dose"] == row["dose"] else ""
    return f"{row['arm'] or row['estimand']}{dose}{where}"


def _intervals(
    estimand: AbstractEstimand,
    outcomes: Outcomes,
    design: tuple[Labels, Array],
    settings: Inference,
    *,
    precision: Precision,
    bands: bool,
    width: float,
) -> Intervals:
    clusters, weights = design
    crossed = isinstance(clusters, tuple)
    of_ratios: Callable[..., Intervals] = two_way_ratio_intervals if crossed else ratio_intervals
    of_means: Callable[..., Intervals] = two_way_intervals if crossed else mean_intervals
    if estimand.denominator is not None:
        values, below = resolved_ratio(estimand.weights, estimand.denominator, outcomes, precision)
        return of_ratios(
            values, below, clusters=clusters, weights=weights, settings=settings,
            answers=weights_of_answers(estimand, width) if width else None,
        )  # fmt: skip
    return of_means(
        resolved_contrast(estimand.weights, outcomes, precision),
        clusters=clusters,
        weights=weights,
        settings=settings,
        bands=bands,
        span=span_of(estimand, width) if width else None,
    )


def width_of(units: pd.DataFrame) -> float:
    """Return 1 if the outcomes of a clean frame of units are answers (each is 0 or 1, and both occur), else 0.

    Examples
    --------
    >>> width_of(pd.DataFrame({"y": [0.0, 1.0], "ym": 0.0})), width_of(pd.DataFrame({"y": [0.0, 0.0]}))
    (1.0, 0.0)
    """
    zeros = ones = False
    for name in (name for name in POTENTIAL_OUTCOMES if name in units):
        values = units[name].to_numpy(dtype=float)
        wrong, right = values == 0.0, (values == 1.0) | np.isnan(values)
        if not (wrong | right).all():
            return 0.0
        zeros, ones = zeros or bool(wrong.any()), ones or bool((values == 1.0).any())
    return float(zeros and ones)


def span_of(estimand: AbstractEstimand, width: float) -> float:
    """Return the largest value of a contrast of outcomes whose range is `width`, such as answers (1).

    Examples
    --------
    >>> from mediation.estimands import estimands_from
    >>> [span_of(one, 1.0) for one in estimands_from(["y00", "y01", "y10", "y11"], ["te", "int_med"])]
    [1.0, 2.0]
    """
    return 0.5 * width * sum(abs(weight) for weight in estimand.weights.values())


def weights_of_answers(estimand: AbstractEstimand, width: float) -> tuple[list[float], list[float]]:
    """Return the weights of the outcomes, times their range, in a ratio's numerator and denominator, in one order."""
    below = estimand.denominator or {}
    names = list(dict.fromkeys([*estimand.weights, *below]))
    return [width * estimand.weights.get(name, 0.0) for name in names], [width * below.get(name, 0.0) for name in names]


def resolved_contrast(weights: Linear, outcomes: Outcomes, precision: Precision) -> Array:
    """Return the contrast of each unit and group, (n, K), in which a spread that is but rounding is none."""
    if outcomes.donors:
        return resolved(per_unit(weights, outcomes), limits(weights, outcomes, precision))
    first = next(iter(outcomes.values()))
    found = np.empty(first.shape[::-1]).T  # column by column, as `matrices` has them
    step = max(1, _CELLS // len(first))
    for start in range(0, first.shape[1], step):
        part = {name: outcome[:, start : start + step] for name, outcome in outcomes.items()}
        found[:, start : start + step] = resolved(contrast(weights, part), limits(weights, part, precision))
    return found


def resolved_ratio(
    weights: Linear, denominator: Linear, outcomes: Outcomes, precision: Precision
) -> tuple[Array, Array]:
    """Return numerator and denominator of each unit and group, as `resolved_contrast` does."""
    above, below = ratio_per_unit(weights, denominator, outcomes)
    return (
        resolved(above, limits(weights, outcomes, precision)),
        resolved(below, limits(denominator, outcomes, precision)),
    )


def numbers_of(found: Intervals) -> dict[str, Any]:
    """Return what a table says of intervals, by the name of the column."""
    names = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    numbers = {name: getattr(found, name) for name in names}
    return {**numbers, "method": list(found.method), "n": found.n, "n_clusters": found.n_clusters}


def rows_of(
    key: str, found: Intervals, groups: Sequence[tuple[Any, ...]], keys: Sequence[str], *, sweep: bool
) -> pd.DataFrame:
    """Return the rows of one estimand, a row a group; those of a sweep have bands."""
    rows = pd.DataFrame({"estimand": key, **numbers_of(found)})
    for i, name in enumerate(keys):
        rows[name] = (
            pd.array([group[i] for group in groups], dtype=float) if name == "dose" else [group[i] for group in groups]
        )
    if sweep:
        nothing = np.full(len(groups), np.nan)
        rows["band_low"] = nothing if found.band_low is None else found.band_low
        rows["band_high"] = nothing if found.band_high is None else found.band_high
        rows["p_adjusted"] = nothing if found.p_adjusted is None else found.p_adjusted
    return rows


def with_sites(table: pd.DataFrame, sites: Mapping[str, SiteInfo] | None) -> pd.DataFrame:
    """Add to a table what is known of each row's site: its layer, position, head and feature."""
    known = sites or {}
    info = [known.get(site, SiteInfo(None, "")) for site in table["site"]]
    for name in SiteInfo._fields:
        values = [getattr(one, name) for one in info]
        table[name] = values if name == "position" else pd.array(values, dtype="Int64")
    return table


def codes_of(units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]]) -> NDArray[np.intp]:
    """Return the number of each row's group."""
    codes, found = grouped(units, keys)
    numbers = {group: i for i, group in enumerate(groups)}
    return np.array([numbers[group] for group in found], dtype=np.intp)[codes]


def matrices(
    units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]], *, crossed: bool = False
) -> tuple[Outcomes, NDArray[Any], Array]:
    """Return each potential outcome as ``(units, groups)``, draws averaged, with clusters and weights a unit.

    Clusters are of the first kind; a caller that knows of a second (`labels_of`) says so by `crossed`. In memory each
    outcome lies group by group.
    """
    if not crossed:
        need_one_kind(units, "This analysis")
    present = [name for name in (*POTENTIAL_OUTCOMES, MAGNITUDE) if name in units.columns]
    codes = codes_of(units, keys, groups)
    row, who = coded(units["unit"])
    shape = (len(groups), len(who))
    cell = codes * len(who) + row
    count = np.bincount(cell, minlength=len(groups) * len(who))
    outcomes: dict[str, Array] = {}
    for name in present:
        total: Any = np.bincount(cell, weights=units[name].to_numpy(dtype=float), minlength=len(count))
        outcomes[name] = np.divide(total, count, out=total).reshape(shape).T
    first = units[~units["unit"].duplicated()]
    weights = first["weight"].to_numpy(dtype=float)
    clusters = first["cluster"].to_numpy()
    of_donors = "donor" in units and not OF_DONORS.isdisjoint(present)
    donors, one_donor = donor_rows(units, codes, present, (clusters, weights)) if of_donors else ([], False)
    return Outcomes(outcomes, donors, one_donor=one_donor), clusters, weights
