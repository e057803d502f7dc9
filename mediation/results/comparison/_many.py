"""Several results: what is compared with what, on which units, and the rows of their contrasts and means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..._checks import called, elements, listed, shown, suggestion
from ...errors import DesignError
from ...estimands import AbstractEstimand, estimands_from, known_estimands
from ...estimate import POTENTIAL_OUTCOMES, Many, coarsest, need_one_kind, tabulate_contrasts, tabulate_models
from .._outcomes import by_name, chosen, common_names, stacked
from .._result import AbstractResult, Result, parts_of
from ..account import need_all_sites, need_own_draws, section
from ..kinds import OF_UNITS, AblationKind, ModelsKind
from ._compare import KEPT, Asked, Asking, settings_asked, side
from ._match import matched
from ._pairing import are_paired

_STATED = ("method", "confidence_level", "n_resamples", "seed")


def compared_many(results: Any, labels: Sequence[str] | None, reference: str | None, asked: Asking) -> Result:
    """Return the result of kind 'models'."""
    parts, names = _parts(results, labels)
    if reference is not None and not (isinstance(reference, str) and reference in names):
        raise DesignError(
            f"compare_many: reference = {shown(reference)}, and the results are {listed(names)}. "
            f"{suggestion(reference, names)}"
        )
    outcomes = common_names(parts, "compare_many")
    if not outcomes:
        return _compared(parts, names, reference, asked)
    ask = partial(_compared, names=names, reference=reference, asked=asked)
    return stacked(by_name(outcomes, lambda name: ask([chosen(one, name) for one in parts])))


def _compared(parts: Sequence[Result], names: Sequence[str], reference: str | None, asked: Asking) -> Result:
    for one in parts:
        need_one_kind(one.units, "compare_many")
    many, differ = _many(parts, names, asked.paired)
    wanted = _estimands(parts, names, asked.estimands)
    settings = settings_asked(parts[0].provenance, asked)
    pairs = list(combinations(range(len(names)), 2))
    if reference is not None:
        pairs = [(at, names.index(reference)) for at in range(len(names)) if names[at] != reference]
    contrasts = tabulate_contrasts(many, pairs, wanted, settings).assign(part="contrast")
    table = pd.concat([tabulate_models(many, wanted, settings), contrasts], ignore_index=True)
    about = {
        "labels": list(names),
        "reference": reference or "",
        "paired": many.paired,
        "decided": "asked" if asked.paired is not None else "by the units",
        "differ": differ,
        "n": [len(pd.unique(side.units["unit"])) for side in many.sides],
    }
    known = _provenance(parts, names, {name: getattr(settings, name) for name in _STATED}, about)
    units = pd.concat(
        [side.units.assign(result=name) for side, name in zip(many.sides, names, strict=True)], ignore_index=True
    )
    return Result(ModelsKind(), _ordered(table, many, [one.key for one in wanted]), units, known)


def _parts(results: Any, labels: Sequence[str] | None) -> tuple[list[Result], list[str]]:
    """Return what is compared and what each is called."""
    if isinstance(results, Mapping):
        names = list(results) if labels is None else labels
        results = list(results.values())
    elif isinstance(results, AbstractResult) or not isinstance(results, Sequence):
        raise DesignError(
            f"compare_many: {called(results)} was given; a list of Effects is needed, or a dict that names them: "
            "{'small': one, 'large': other}."
        )
    else:
        names = [str(place + 1) for place in range(len(results))] if labels is None else labels
    if len(results) < 2:
        raise DesignError(f"compare_many: {len(results)} result was given; two or more are needed.")
    names = elements(names, what="compare_many: labels", needed=f"a list of {len(results)} names")
    odd = not all(isinstance(name, str) and name.isprintable() and name for name in names)
    if odd or len(names) != len(results) or len(set(names)) < len(names):
        raise DesignError(
            f"compare_many: labels = {shown(names)}; {len(results)} different names are needed, one a result."
        )
    parts = [parts_of(one, "compare") for one in results]
    for one, name in zip(parts, names, strict=True):
        if not one.kind.of_units:
            raise DesignError(
                f"compare_many: {name!r} is of kind {one.kind.name!r}; results of {listed(OF_UNITS)} are compared. "
                "Compare the results that it was made of."
            )
        if isinstance(one.kind, AblationKind) != isinstance(parts[0].kind, AblationKind):
            raise DesignError(
                f"compare_many: {names[0]!r} is of kind {parts[0].kind.name!r} and {name!r} of kind {one.kind.name!r}; "
                "an ablation effect is no contrast of base and source. Compare ablations, or results of mediate."
            )
        need_own_draws(one.provenance, "compare_many")
        need_all_sites(one.provenance, "compare_many")
    return parts, list(names)


def _many(parts: Sequence[Result], names: Sequence[str], paired: bool | None) -> tuple[Many, str]:
    """Return the results with their units and groups matched, and in what the units differ."""
    if paired is not None and not isinstance(paired, bool):
        raise DesignError(f"compare_many: paired = {shown(paired)}: True, False or None is needed.")
    first = parts[0]
    ablation = isinstance(first.kind, AblationKind)
    matches = [
        matched(first.table, one.table, (names[0], name), ablation=ablation)
        for one, name in zip(parts, names, strict=True)
    ]
    sides = [side(one) for one in parts]
    told = [
        are_paired(
            (first.units, one.units), (first.provenance, one.provenance), (names[0], name), paired, what="compare_many"
        )
        for one, name in zip(parts[1:], names[1:], strict=True)
    ]
    differ = next(filter(None, (account["differ"] for _, account in told)), "")
    pairs = [same for same, _ in told]
    if any(pairs) and not all(pairs):
        raise DesignError(
            f"compare_many: some results are of the same units as {names[0]!r} and others are not: {differ}. Compare "
            "results that are all on the same units, or all on units of their own."
        )
    precision = coarsest(one.precision for one in parts)
    groups = [match.second for match in matches]
    return Many(names, sides, groups, matches[0].names, all(pairs), precision), differ


def _estimands(parts: Sequence[Result], names: Sequence[str], asked: Asked) -> tuple[AbstractEstimand, ...]:
    """Return what to compare: what is asked for, else what all tables have in units of the outcome."""
    common = [name for name in POTENTIAL_OUTCOMES if all(name in one.units for one in parts)]
    if asked is not None:
        found = estimands_from(common, asked)
        ratio = next((one.key for one in found if one.denominator is not None), None)
        if ratio is not None:
            raise DesignError(
                f"compare_many: {ratio!r} is a ratio of means, which no single unit has. Compare its numerator, such "
                "as 'tnie', or two results at a time with effects.compare."
            )
        return found
    known = known_estimands()
    shared = [
        known[key] for key in dict.fromkeys(parts[0].table["estimand"])
        if key in known and known[key].needs <= set(common) and known[key].denominator is None
        and all(key in set(one.table["estimand"]) for one in parts)
    ]  # fmt: skip
    if not shared:
        raise DesignError(
            f"compare_many: no estimand in units of the outcome is in all of {listed(names)}. Say which to compare, by "
            "estimands=[...]; all results need the potential outcomes for it."
        )
    return tuple(shared)


def _ordered(table: pd.DataFrame, many: Many, keys: Sequence[str]) -> pd.DataFrame:
    """Return the rows by estimand, group and part, each in the order in which it was made."""
    table = table.copy()
    for name in ("tau", "p_heterogeneity"):
        if name not in table:
            table[name] = np.nan
    ranks = {
        "estimand": list(keys),
        "site": list(dict.fromkeys(many.names["site"])),
        "part": ["model", "contrast", "mean"],
    }
    rank = {name: table[name].map({value: at for at, value in enumerate(values)}) for name, values in ranks.items()}
    place = np.arange(len(many.names))
    named = many.names.assign(place=place)[["site", "arm", "dose", "place"]]
    at = table[["site", "arm", "dose"]].merge(named, on=["site", "arm", "dose"], how="left")["place"].to_numpy()
    order = np.lexsort([np.arange(len(table)), rank["part"].to_numpy(), at, rank["estimand"].to_numpy()])
    return table.iloc[order].drop(columns=["layer", "position", "head", "feature", "n_draws"], errors="ignore")


def _provenance(
    parts: Sequence[Result], names: Sequence[str], inference: Mapping[str, Any], about: Mapping[str, Any]
) -> dict[str, Any]:
    first = parts[0].provenance
    same = {
        name: first[name]
        for name in KEPT
        if name in first and all(one.provenance.get(name) == first[name] for one in parts)
    }
    pairs = [section(one.provenance, "pairs") for one in parts]
    shared = {name: value for name, value in pairs[0].items() if all(one.get(name) == value for one in pairs)}
    n = [int(one.table["n"].max()) for one in parts]
    clusters = [int(one.table["n_clusters"].max()) for one in parts]
    total = {"n": n[0] if about["paired"] else sum(n), "n_clusters": clusters[0] if about["paired"] else sum(clusters)}
    return {
        **same,
        "kind": ModelsKind.name,
        ModelsKind.name: dict(about),
        "inference": dict(inference),
        "pairs": {**shared, **total},
        "results": {name: dict(one.provenance) for name, one in zip(names, parts, strict=True)},
    }
