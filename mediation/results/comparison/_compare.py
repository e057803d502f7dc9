"""The difference of two results: what is compared with what, on which units, by which settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pandas as pd

from ..._checks import listed, shown
from ...errors import DesignError
from ...estimands import AbstractEstimand, estimands_from, known_estimands
from ...estimate import (
    Side,
    SiteInfo,
    coarsest,
    crossing,
    need_one_kind,
    outcome_names,
    seed_from,
    side_of,
    tabulate_comparison,
    width_of_both,
)
from ...inference import Inference, Method
from .._result import Result
from ..account import precision_of, section, settings_of
from ..kinds import OF_UNITS, AblationKind, ComparisonKind, SweepKind
from ._match import matched
from ._pairing import are_paired

Asked = str | AbstractEstimand | Iterable[str | AbstractEstimand] | None

KEPT = ("model", "outcome", "mediator", "intervention", "run", "position_labels", "ablation")


@final
@dataclass(frozen=True, slots=True)
class Asking:
    """How two results are compared, as it was asked."""

    paired: bool | None
    labels: Sequence[str]
    estimands: Asked
    method: Method | None
    confidence_level: float | None
    n_resamples: int | None
    rng: int | np.random.Generator | None


def side(result: Result) -> Side:
    """Return the units of a result, sorted by their ids."""
    stated = section(result.provenance, "inference").get("draws")
    return side_of(result.units, "shared" if stated == "shared" else "independent")


def compared(first: Result, second: Result, asked: Asking) -> Result:
    """Return the result of kind 'comparison'."""
    labels = _labels(asked.labels)
    for label, result in zip(labels, (first, second), strict=True):
        if not result.kind.of_units:
            raise DesignError(
                f"compare: {label!r} is of kind {result.kind.name!r}; results of {listed(OF_UNITS)} are compared. "
                "Compare the results that it was made of."
            )
    if asked.paired is not None and not isinstance(asked.paired, bool):
        raise DesignError(f"compare: paired = {shown(asked.paired)}: True, False or None is needed.")
    match = matched(first.table, second.table, labels, ablation=_ablation(first, second, labels))
    estimands = _estimands(first, second, asked.estimands)
    sides = side(first), side(second)
    whose = (first.provenance, second.provenance)
    paired, decided = are_paired((sides[0].units, sides[1].units), whose, labels, asked.paired)
    precision = coarsest(precision_of(one) for one in whose)
    settings = settings_asked(first.provenance, asked)
    _check_shared(sides, estimands, paired=paired)
    sweep = any(isinstance(one.kind, SweepKind) for one in (first, second))
    sites = _sites(first.table, match.names) if sweep else None
    table, units = tabulate_comparison(
        sides, match, estimands, settings, paired=paired, sites=sites, precision=precision
    )
    for name, result, groups in (("first", first, match.first), ("second", second, match.second)):
        ends = _own_intervals(result, [one.key for one in estimands], groups, settings.confidence_level)
        table[[f"{name}_low", f"{name}_high"]] = ends
    about = {
        "paired": paired,
        **decided,
        "answers": bool(width_of_both(*sides)),
        "labels": list(labels),
        "of": SweepKind.name if sweep else first.kind.name,
        "n": [int(side.units["unit"].nunique()) for side in sides],
        "n_clusters": [min(crossing(side.units) or [int(side.units["cluster"].nunique())]) for side in sides],
    }
    return Result(ComparisonKind(), table, units, _provenance(first, second, about, settings, sides))


def _labels(labels: object) -> tuple[str, str]:
    if isinstance(labels, str) or not isinstance(labels, Sequence) or len(labels) != 2:
        raise DesignError(
            f"compare: labels = {shown(labels)}; two names are needed, such as labels=('small', 'large')."
        )
    one, two = labels
    if not (isinstance(one, str) and isinstance(two, str) and one and two and one != two):
        raise DesignError(
            f"compare: labels = {shown(labels)}; two different names are needed, such as ('small', 'large')."
        )
    return one, two


def _ablation(first: Result, second: Result, labels: tuple[str, str]) -> bool:
    kinds = [isinstance(result.kind, AblationKind) for result in (first, second)]
    if kinds[0] != kinds[1]:
        raise DesignError(
            f"compare: {labels[0]!r} is of kind {first.kind.name!r} and {labels[1]!r} of kind {second.kind.name!r}; "
            "an ablation effect is no contrast of base and source. Compare two ablations, or two results of mediate."
        )
    return kinds[0]


def _estimands(first: Result, second: Result, asked: Asked) -> tuple[AbstractEstimand, ...]:
    """Return what to compare: what is asked for, else what both tables have in units of the outcome."""
    common = outcome_names(first.units, second.units)
    if asked is not None:
        return estimands_from(common, asked)
    known = known_estimands()
    both = [key for key in dict.fromkeys(first.table["estimand"]) if key in set(second.table["estimand"])]
    usable = [known[key] for key in both if key in known and known[key].needs <= set(common)]
    means = tuple(one for one in usable if one.denominator is None)
    if not means:
        raise DesignError(
            f"compare: the first result has {listed(dict.fromkeys(first.table['estimand']))}, the second "
            f"{listed(dict.fromkeys(second.table['estimand']))}; no estimand in units of the outcome is in both. Say "
            "which to compare, by estimands=[...]; both need the potential outcomes for it."
        )
    return means


def settings_asked(provenance: Mapping[str, Any], asked: Asking) -> Inference:
    """Return the settings of the first result, with what was asked for in their place."""
    given = {"method": asked.method, "confidence_level": asked.confidence_level, "n_resamples": asked.n_resamples}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if asked.rng is not None:
        chosen["seed"] = seed_from(asked.rng)
    return replace(settings_of(provenance), **chosen)


def _check_shared(sides: tuple[Side, Side], estimands: Sequence[AbstractEstimand], *, paired: bool) -> None:
    crossed = next((side.units for side in sides if crossing(side.units)), None)
    if crossed is not None:
        if not paired:
            need_one_kind(crossed, "compare of two independent groups", "Compare results on the same units.")
        if any(one.denominator is not None for one in estimands):
            need_one_kind(crossed, "The difference of two ratios", "Compare the indirect effects: estimands=['tnie'].")
    if "shared" not in [side.draws for side in sides]:
        return
    ratio = next((one.key for one in estimands if one.denominator is not None), None)
    if ratio is not None:
        raise DesignError(
            "compare: all units of a result share their random draws (draws='shared'), and the difference of two "
            f"ratios ({ratio!r}) has no interval then. Compare the indirect effects: estimands=['te', 'tnie']."
        )
    if not paired:
        raise DesignError(
            "compare: all units of a result share their random draws (draws='shared'), and two independent groups have "
            "no interval then. Give each unit draws of its own, as med.mediate and med.ablate do, or compare on the "
            "same units."
        )


def _own_intervals(
    result: Result, keys: Sequence[str], groups: Sequence[tuple[Any, ...]], level: float
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the ends of a result's own intervals, a row an estimand and a group; NaN at another level than `level`."""
    table, names = result.table, ["estimand", "site", "arm", "dose"]
    names = [name for name in names if name in table]
    rows = table[names].astype(object).where(table[names].notna(), None).itertuples(index=False, name=None)
    ends = dict(zip(rows, table[["conf_low", "conf_high"]].itertuples(index=False, name=None), strict=True))
    nothing = (np.nan, np.nan)
    if settings_of(result.provenance).confidence_level != level:
        ends = {}
    return np.array([ends.get((key, *group), nothing) for key in keys for group in groups], dtype=np.float64)


def _sites(table: pd.DataFrame, names: pd.DataFrame) -> dict[str, SiteInfo]:
    """Return what the table of the first sweep says of its sites."""
    if "layer" not in table:
        return {str(site): SiteInfo(None, "") for site in names["site"]}
    rows = table.drop_duplicates("site")[["site", *SiteInfo._fields]]
    found = {}
    for site, layer, position, *parts in rows.itertuples(index=False, name=None):
        layer, head, feature = (None if pd.isna(one) else int(one) for one in (layer, *parts))
        found[str(site)] = SiteInfo(layer, str(position), head, feature)
    return found


def _provenance(
    first: Result, second: Result, about: Mapping[str, Any], settings: Inference, sides: tuple[Side, Side]
) -> dict[str, Any]:
    one, two = first.provenance, second.provenance
    known: dict[str, Any] = {name: one[name] for name in KEPT if name in one and one[name] == two.get(name)}
    pairs = [section(result, "pairs") for result in (one, two)]
    shared = {name: value for name, value in pairs[0].items() if pairs[1].get(name) == value}
    if about["paired"] and (counts := crossing(sides[0].units)):
        shared |= {"crossed": counts, "cluster": pairs[0].get("cluster")}
    total = about["n"][0] if about["paired"] else sum(about["n"])
    clusters = about["n_clusters"][0] if about["paired"] else sum(about["n_clusters"])
    inference: dict[str, Any] = {
        name: getattr(settings, name) for name in ("method", "confidence_level", "n_resamples", "seed")
    }
    inference["precision"] = coarsest([precision_of(one), precision_of(two)])
    if "shared" in [side.draws for side in sides]:
        inference["draws"] = "shared"
    return {
        **known,
        "kind": ComparisonKind.name,
        ComparisonKind.name: dict(about),
        "inference": inference,
        "pairs": {**shared, "n": total, "n_clusters": clusters},
        "first": dict(one),
        "second": dict(two),
    }
