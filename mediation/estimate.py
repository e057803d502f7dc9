"""Statistics alone: from potential outcomes, one row a unit, to estimands with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._checks import listed
from ._errors import DataError
from .estimands import AbstractEstimand, estimands_from
from .estimands._abstract import contrast
from .inference import Inference, Intervals, mean_intervals, ratio_intervals
from .results import Effects

POTENTIAL_OUTCOMES = ("y00", "y01", "y10", "y11", "y0m", "y1m", "g00", "g01", "g10", "g11", "y", "ym")
_KEYS = ("site", "arm", "dose")
Array = NDArray[np.float64]


class SiteInfo(NamedTuple):
    """What a sweep's table says of a site."""

    layer: int | None
    position: str
    unit: int | None


def effects(
    frame: pd.DataFrame,
    *,
    estimands: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None = None,
    method: Literal["bootstrap-t", "percentile"] = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Effects:
    """Return effects with intervals from your own potential outcomes.

    Parameters
    ----------
    frame
        One row a unit (and a draw, a site, an arm, where there are such columns). Potential outcomes are
        columns named ``y00, y01, y10, y11`` (``y_xm`` = Y(x, M(m)): the input x with the mediator of m, 0 the
        base and 1 the source), ``y0m, y1m`` (the mediator ablated), ``g00 .. g11`` (a random donor's
        mediator), or ``y`` and ``ym`` (one input, plain and ablated). Optional columns: ``unit``, ``draw``
        (averaged within the unit), ``cluster``, ``weight``, ``site`` (several make a sweep), ``arm``, ``dose``.
        Other columns are ignored.
    estimands
        Keys such as ``["te", "pnie"]``; None for all that the columns answer.
    method
        Interval for means; ratios always have Fieller's.
    confidence_level
        Nominal coverage.
    n_resamples
        Bootstrap resamples.
    rng
        Seed or generator; the same gives the same numbers.
    provenance
        Plain data to keep beside the numbers.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a column is missing, holds NaN, or units differ between sites.
    DesignError
        If an estimand is unknown or its potential outcomes are missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"y00": [0.0, 0.1, 0.3], "y11": [1.0, 1.3, 1.1]})
    >>> effects(frame, rng=0).tidy()[["estimand", "estimate"]]
      estimand  estimate
    0       te       1.0
    """
    units = _units(frame)
    present = [name for name in POTENTIAL_OUTCOMES if name in units.columns]
    wanted = estimands_from(present, estimands)  # type: ignore[arg-type]
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    return summarise(units, wanted, settings, provenance=provenance or {})


def seed_from(rng: int | np.random.Generator | None) -> int:
    """Return the seed that `rng` stands for; None draws a fresh one.

    Examples
    --------
    >>> seed_from(7)
    7
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**31))
    if rng is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:
        raise DataError(f"rng = {rng!r}: a whole number of at least 0, a numpy Generator or None is needed.")
    return int(rng)


def summarise(
    units: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    *,
    sites: Mapping[str, SiteInfo] | None = None,
    provenance: Mapping[str, Any],
) -> Effects:
    """Return the effects of a clean units frame: one table row an estimand and a group (site, arm, dose)."""
    ablation = "arm" in units.columns
    keys = [name for name in _KEYS if name in units.columns]
    groups = list(dict.fromkeys(map(_without_nan, units[keys].itertuples(index=False, name=None))))
    outcomes, clusters, weights = _matrices(units, keys, groups)
    sweep = not ablation and (sites is not None or len(groups) > 1)
    tables = []
    for estimand in estimands:
        found = _intervals(estimand, outcomes, clusters, weights, settings, bands=sweep)
        tables.append(_rows(estimand.key, found, groups, keys, sweep=sweep))
    table = pd.concat(tables, ignore_index=True)
    if sweep:
        table = _with_sites(table, sites)
    if ablation:
        table["n_draws"] = [_draws(units, keys, group) for _ in estimands for group in groups]
    kind = "ablation" if ablation else "sweep" if sweep else "effects"
    inference = {
        "method": settings.method,
        "confidence_level": settings.confidence_level,
        "n_resamples": settings.n_resamples,
        "seed": settings.seed,
    }
    n, n_clusters = int(table["n"].iloc[0]), int(table["n_clusters"].iloc[0])
    pairs = {"n": n, "n_clusters": n_clusters, **dict(provenance.get("pairs", {}))}
    return Effects(table, units, {**provenance, "kind": kind, "inference": inference, "pairs": pairs})


def _intervals(
    estimand: AbstractEstimand,
    outcomes: Mapping[str, Array],
    clusters: NDArray[Any],
    weights: Array,
    settings: Inference,
    *,
    bands: bool,
) -> Intervals:
    values = contrast(estimand.weights, outcomes)
    if estimand.denominator is not None:
        below = contrast(estimand.denominator, outcomes)
        return ratio_intervals(values, below, clusters=clusters, weights=weights, settings=settings)
    return mean_intervals(values, clusters=clusters, weights=weights, settings=settings, bands=bands)


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


def _draws(units: pd.DataFrame, keys: Sequence[str], group: tuple[Any, ...]) -> int:
    mask = np.ones(len(units), dtype=bool)
    for name, value in zip(keys, group, strict=True):
        mask &= (units[name].isna() if value is None else units[name] == value).to_numpy(dtype=bool)
    return int(units.loc[mask, "draw"].nunique())


def _matrices(
    units: pd.DataFrame, keys: Sequence[str], groups: Sequence[tuple[Any, ...]]
) -> tuple[dict[str, Array], NDArray[Any], Array]:
    """Return each potential outcome as ``(units, groups)``, draws averaged, with clusters and weights a unit."""
    present = [name for name in POTENTIAL_OUTCOMES if name in units.columns]
    numbers = {group: i for i, group in enumerate(groups)}
    codes = np.array([numbers[_without_nan(group)] for group in units[keys].itertuples(index=False, name=None)])
    who = pd.Index(units["unit"].unique())
    row = who.get_indexer(units["unit"])
    count = np.zeros((len(who), len(groups)))
    np.add.at(count, (row, codes), 1.0)
    if (count == 0).any():
        unit, group = np.argwhere(count == 0)[0]
        raise DataError(
            f"Unit {who[unit]} has no row for {dict(zip(keys, groups[group], strict=True))}; every unit is needed in every group."
        )
    outcomes = {}
    for name in present:
        total = np.zeros_like(count)
        np.add.at(total, (row, codes), units[name].to_numpy(dtype=float))
        outcomes[name] = total / count
    first = units.drop_duplicates("unit")
    return outcomes, first["cluster"].to_numpy(), first["weight"].to_numpy(dtype=float)


def _without_nan(group: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if isinstance(value, float) and np.isnan(value) else value for value in group)


def _units(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a user's frame with the columns of the units frame, checked."""
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"effects({type(frame).__name__}): a pandas DataFrame with columns such as y00, y01, y10, y11 is needed."
        )
    if len(frame) == 0:
        raise DataError("effects: the frame has no rows; one row a unit is needed.")
    present = [name for name in POTENTIAL_OUTCOMES if name in frame.columns]
    if not present:
        raise DataError(
            f"effects: none of the columns {listed(POTENTIAL_OUTCOMES)} is in the frame, which has {listed(map(str, frame.columns))}."
        )
    units = pd.DataFrame({"site": frame["site"].astype(str) if "site" in frame else ""}, index=frame.index)
    repeated = [name for name in ("site", "draw", "arm", "dose") if name in frame]
    if "unit" not in frame and repeated:
        raise DataError(
            f"effects: with the columns {listed(repeated)} a column 'unit' is needed, to know which rows belong together."
        )
    units["unit"] = pd.factorize(frame["unit"])[0] if "unit" in frame else np.arange(len(frame))
    units["cluster"] = frame["cluster"] if "cluster" in frame else units["unit"]
    units["weight"] = frame["weight"] if "weight" in frame else 1.0
    units["draw"] = frame["draw"] if "draw" in frame else 0
    for name in ("arm", "dose"):
        if name in frame:
            units[name] = frame[name]
    if "arm" not in frame and {"y", "ym"} <= set(frame.columns):
        units["arm"] = ""
    if "arm" in units and "dose" not in units:
        units["dose"] = np.nan
    for name in present:
        units[name] = _numbers(frame[name], name)
    keys = [name for name in (*_KEYS, "unit", "draw") if name in units.columns]
    twice = units.duplicated(keys)
    if twice.any():
        raise DataError(f"effects: row {int(np.argmax(twice))} repeats the {', '.join(keys)} of an earlier one.")
    return units.reset_index(drop=True)


def _numbers(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    try:
        numbers = column.astype(float)
    except (TypeError, ValueError):
        raise DataError(
            f"effects: column {name!r} holds something else than numbers, such as {column.iloc[0]!r}."
        ) from None
    bad = ~np.isfinite(numbers.to_numpy())
    if bad.any():
        raise DataError(
            f"effects: {name} of row {int(np.argmax(bad))} is {numbers.iloc[int(np.argmax(bad))]}; finite numbers are needed ({int(bad.sum())} are not)."
        )
    return numbers
