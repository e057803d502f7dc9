"""From a clean frame of units to the tidy table: contrasts, intervals, one row an estimand and a site."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._errors import DegenerateWarning, warn
from ..estimands import AbstractEstimand, Linear
from ..estimands._abstract import contrast
from ..inference import Inference, Intervals, mean_intervals, ratio_intervals
from ._codes import coded, grouped
from ._frame import KEYS, POTENTIAL_OUTCOMES
from ._ids import in_order, places
from ._roles import both_roles
from ._rounding import MAGNITUDE, Precision, limits, resolved
from ._shared import Draws, cubes, shared_intervals, warn_shared

Array = NDArray[np.float64]
_LISTED = 6
_CELLS = 2**18  # of a contrast that is computed at once
_OF_DONORS = ("g00", "g01", "g10", "g11", "y0m", "y1m", "ym")  # outcomes that may have another unit's mediator


class SiteInfo(NamedTuple):
    """What a sweep's table says of a site."""

    layer: int | None
    position: str
    unit: int | None


class Tabulated(NamedTuple):
    """A tidy table without its provenance.

    Parameters
    ----------
    table
        One row an estimand and a group (site, arm, dose).
    kind
        Kind of the table: 'effects', 'sweep' or 'ablation'.
    """

    table: pd.DataFrame
    kind: Literal["effects", "sweep", "ablation"]


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
    outcomes, clusters, weights = matrices(units, keys, ordered)
    sweep = not ablation and (sites is not None or len(groups) > 1)
    width = width_of(units) if width is None else width
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # said once, below, with the names of estimands and sites
        if draws == "shared":
            parts = cubes(units, codes_of(units, keys, ordered), list(outcomes))
            found = [
                shared_intervals(one, parts, (clusters, weights), settings, precision=precision, bands=sweep)
                for one in estimands
            ]
        else:
            found = [
                _intervals(one, outcomes, (clusters, weights), settings, precision=precision, bands=sweep, width=width)
                for one in estimands
            ]
    tables = [
        _rows(one.key, intervals, ordered, keys, sweep=sweep).iloc[rows]
        for one, intervals in zip(estimands, found, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    warn_degenerate(table, [intervals.reason[row] for intervals in found for row in rows])
    if draws == "shared":
        warn_shared(units)
    if sweep:
        table = _with_sites(table, sites)
    if ablation:
        n_draws = units["draw"].groupby(codes_of(units, keys, groups)).nunique()
        table["n_draws"] = np.tile(n_draws, len(estimands))
    return Tabulated(table, "ablation" if ablation else "sweep" if sweep else "effects")


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


def _name(row: Mapping[Any, Any], sites: int) -> str:
    """Return how a warning calls a row of a table of so many sites: its estimand or arm, and the site of several."""
    where = f" at {row['site']}" if row["site"] and sites > 1 else ""
    if "arm" not in row:
        return f"{row['estimand']}{where}"
    dose = f", dose {row['dose']:g}" if row["dose"] == row["dose"] else ""
    return f"{row['arm'] or row['estimand']}{dose}{where}"


def _intervals(
    estimand: AbstractEstimand,
    outcomes: Mapping[str, Array],
    design: tuple[NDArray[Any], Array],
    settings: Inference,
    *,
    precision: Precision,
    bands: bool,
    width: float,
) -> Intervals:
    clusters, weights = design
    values = resolved_contrast(estimand.weights, outcomes, precision)
    if estimand.denominator is not None:
        below = resolved_contrast(estimand.denominator, outcomes, precision)
        return ratio_intervals(
            values, below, clusters=clusters, weights=weights, settings=settings,
            answers=weights_of_answers(estimand, width) if width else None,
        )  # fmt: skip
    return mean_intervals(
        values,
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
    seen: set[float] = set()
    for name in POTENTIAL_OUTCOMES:
        if name in units:
            values = units[name].to_numpy(dtype=float)
            if not ((values == 0.0) | (values == 1.0)).all():
                return 0.0
            seen |= {values.min(), values.max()}
    return float(seen == {0.0, 1.0})


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


def resolved_contrast(weights: Linear, outcomes: Mapping[str, Array], precision: Precision) -> Array:
    """Return the contrast of each unit and group, (n, K), in which a spread that is but rounding is none."""
    first = next(iter(outcomes.values()))
    found = np.empty(first.shape[::-1]).T  # column by column, as `matrices` has them
    step = max(1, _CELLS // len(first))
    for start in range(0, first.shape[1], step):
        part = {name: outcome[:, start : start + step] for name, outcome in outcomes.items()}
        found[:, start : start + step] = resolved(contrast(weights, part), limits(weights, part, precision))
    return found


def _rows(
    key: str, found: Intervals, groups: Sequence[tuple[Any, ...]], keys: Sequence[str], *, sweep: bool
) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "estimand": key,
            "estimate": found.estimate,
            "std_error": found.std_error,
            "conf_low": found.conf_low,
            "conf_high": found.conf_high,
            "p_value": found.p_value,
            "method": list(found.method),
            "n": found.n,
            "n_clusters": found.n_clusters,
        }
    )
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


def _with_sites(table: pd.DataFrame, sites: Mapping[str, SiteInfo] | None) -> pd.DataFrame:
    known = sites or {}
    info = [known.get(site, SiteInfo(None, "", None)) for site in table["site"]]
    table["layer"] = pd.array([one.layer for one in info], dtype="Int64")
    table["position"] = [one.position for one in info]
    table["unit"] = pd.array([one.unit for one in info], dtype="Int64")
    return table


def codes_of(units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]]) -> NDArray[np.intp]:
    """Return the number of each row's group."""
    codes, found = grouped(units, keys)
    numbers = {group: i for i, group in enumerate(groups)}
    return np.array([numbers[group] for group in found], dtype=np.intp)[codes]


def matrices(
    units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]]
) -> tuple[dict[str, Array], NDArray[Any], Array]:
    """Return each potential outcome as ``(units, groups)``, draws averaged, with clusters and weights a unit.

    In memory each outcome lies group by group.
    """
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
    if "donor" in units:
        _count_donors(units, codes, row, weights, outcomes)
    return outcomes, first["cluster"].to_numpy(), weights


def _count_donors(
    units: pd.DataFrame, codes: NDArray[np.intp], row: NDArray[np.intp], weights: Array, outcomes: dict[str, Array]
) -> None:
    """Let each unit count as donor too, in groups and outcomes whose mediator is that of another unit, in place."""
    draw = pd.factorize(units["draw"])[0]
    donors = row_of_donor(units)
    for code in np.unique(codes[donors >= 0]):
        here = codes == code
        who, when = row[here], draw[here]
        shape = (len(weights), int(when.max()) + 1)
        if int(here.sum()) != shape[0] * shape[1]:
            continue  # not every unit in every draw: means of units alone
        gave = np.full(shape, -1, dtype=np.int64)
        gave[who, when] = donors[here]
        for name in (name for name in _OF_DONORS if name in outcomes):
            values = np.empty(shape)
            values[who, when] = units.loc[here, name].to_numpy(dtype=float)
            outcomes[name][:, code] = both_roles(values[:, :, None], gave, weights)[:, 0]


def row_of_donor(units: pd.DataFrame) -> NDArray[np.int64]:
    """Return for each row the number of the unit that gave, in the order of the units; -1 where none did."""
    found: NDArray[np.int64] = pd.Index(units["unit"].unique()).get_indexer(pd.Index(units["donor"])).astype(np.int64)
    return found
