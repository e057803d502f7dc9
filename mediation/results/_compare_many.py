"""Several models, checkpoints or seeds: all differences with joint bands, and what holds for models like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from .._checks import called, elements, listed, shown, suggestion
from .._errors import DesignError
from ..estimands import AbstractEstimand, estimands_from, known_estimands
from ..estimate import POTENTIAL_OUTCOMES, Many, coarsest, need_one_kind, tabulate_contrasts, tabulate_models
from ..inference import Method
from ._compare import _KEPT, _KINDS, Asked, Asking, Result, _settings, result_of
from ._effects import Effects
from ._match import matched
from ._pairing import are_paired
from ._provenance import section
from ._screened import need_all_sites
from ._settings import need_own_draws, precision_of


def compare_many(
    results: Sequence[Effects] | Mapping[str, Effects],
    *,
    labels: Sequence[str] | None = None,
    reference: str | None = None,
    paired: bool | None = None,
    estimands: Asked = None,
    method: Method | None = None,
    confidence_level: float | None = None,
    n_resamples: int | None = None,
    rng: int | np.random.Generator | None = None,
) -> Effects:
    """Return the differences between several results with joint bands, and the mean over models like them.

    Parameters
    ----------
    results
        Two or more, of models, checkpoints or seeds that are asked the same question; a dict names them. Sweeps need
        the same sites, ablations the same arms and doses.
    labels
        What each is called; None: the keys of the dict, or "1", "2", ...
    reference
        The label that all others are compared with; None: all pairs, the earlier minus the later.
    paired
        Whether all are of the same units, by number, cluster and weight; False: independent groups; None: what the
        units say.
    estimands
        Keys or estimands, none of them a ratio; None: those of all tables in units of the outcome.
    method, confidence_level, n_resamples, rng
        None: as in the first result.

    Returns
    -------
    Effects
        Of kind 'models'. `part` says what a row is: a 'model' (its own effect), a 'contrast', or a 'mean'. There are
        three means: that of these models, as they are, over new units; that of such models, of which these are taken
        as a random sample; and, with the prediction interval, the effect of one new such model. `tau` is the standard
        deviation between models, and `p_heterogeneity` tests that all have the same effect.

    Raises
    ------
    DesignError, DataError
        If there are fewer than two results, labels repeat, sites or estimands do not match, units share their draws, or
        paired units differ.

    Notes
    -----
    Results on the same units have correlated errors. Contrasts are therefore taken unit by unit, with max-t bands over
    all contrasts (and sites) of an estimand; the mean of these models is that of each unit's mean over models; and the
    mean of such models has the two-way variance over units and models, whose shared part does not shrink with more
    models. Independent results have studentised intervals with Bonferroni bands, and the interval of Hartung, Knapp,
    Sidik and Jonkman for the mean of such models. See `mediation.estimate.tabulate_models`.

    Examples
    --------
    >>> from mediation import effects
    >>> noise = np.random.default_rng(0).normal(0.0, 0.1, size=(3, 12))
    >>> seeds = [effects(pd.DataFrame({"y00": 0.0, "y11": 1 + seed + noise[seed]}), rng=0) for seed in range(3)]
    >>> found = compare_many(seeds, labels=["a", "b", "c"]).tidy()
    >>> found[["part", "result", "estimate"]].round(1).head(6).values.tolist()
    [['model', 'a', 1.0], ['model', 'b', 2.0], ['model', 'c', 3.0],
     ['contrast', 'a - b', -1.0], ['contrast', 'a - c', -2.0], ['contrast', 'b - c', -1.0]]
    """
    parts, names = _parts(results, labels)
    if reference is not None and not (isinstance(reference, str) and reference in names):
        raise DesignError(
            f"compare_many: reference = {shown(reference)}, and the results are {listed(names)}. "
            f"{suggestion(reference, names)}"
        )
    for one in parts:
        need_one_kind(one.units, "compare_many")
    many, differ = _many(parts, names, paired)
    wanted = _estimands(parts, names, estimands)
    asked = Asking(paired, ("first", "second"), estimands, method, confidence_level, n_resamples, rng)
    settings = _settings(parts[0].provenance, asked)
    pairs = list(combinations(range(len(names)), 2))
    if reference is not None:
        pairs = [(at, names.index(reference)) for at in range(len(names)) if names[at] != reference]
    contrasts = tabulate_contrasts(many, pairs, wanted, settings).assign(part="contrast")
    table = pd.concat([tabulate_models(many, wanted, settings), contrasts], ignore_index=True)
    about = {
        "labels": names,
        "reference": reference or "",
        "paired": many.paired,
        "decided": "asked" if paired is not None else "by the units",
        "differ": differ,
        "n": [len(pd.unique(side.units["unit"])) for side in many.sides],
    }
    known = _provenance(parts, names, {name: getattr(settings, name) for name in _STATED}, about)
    units = pd.concat(
        [side.units.assign(result=name) for side, name in zip(many.sides, names, strict=True)], ignore_index=True
    )
    return Effects(_ordered(table, many, [one.key for one in wanted]), units, known)


_STATED = ("method", "confidence_level", "n_resamples", "seed")


def _parts(results: Any, labels: Sequence[str] | None) -> tuple[list[Result], list[str]]:
    """Return what is compared and what each is called."""
    if isinstance(results, Mapping):
        names = list(results) if labels is None else labels
        results = list(results.values())
    elif isinstance(results, Effects) or not isinstance(results, Sequence):
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
    parts = [result_of(one) for one in results]
    for one, name in zip(parts, names, strict=True):
        if one.kind not in _KINDS:
            raise DesignError(
                f"compare_many: {name!r} is of kind {one.kind!r}; results of {listed(_KINDS)} are compared. Compare "
                "the results that it was made of."
            )
        if (one.kind == "ablation") != (parts[0].kind == "ablation"):
            raise DesignError(
                f"compare_many: {names[0]!r} is of kind {parts[0].kind!r} and {name!r} of kind {one.kind!r}; an "
                "ablation effect is no contrast of base and source. Compare ablations, or results of mediate."
            )
        need_own_draws(one.provenance, "compare_many")
        need_all_sites(one.provenance, "compare_many")
    return parts, list(names)


def _many(parts: Sequence[Result], names: Sequence[str], paired: bool | None) -> tuple[Many, str]:
    """Return the results with their units and groups matched, and in what the units differ."""
    if paired is not None and not isinstance(paired, bool):
        raise DesignError(f"compare_many: paired = {shown(paired)}: True, False or None is needed.")
    first = parts[0]
    ablation = first.kind == "ablation"
    matches = [
        matched(first.table, one.table, (names[0], name), ablation=ablation)
        for one, name in zip(parts, names, strict=True)
    ]
    sides = [one.side for one in parts]
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
    precision = coarsest(precision_of(one.provenance) for one in parts)
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
        for name in _KEPT
        if name in first and all(one.provenance.get(name) == first[name] for one in parts)
    }
    pairs = [section(one.provenance, "pairs") for one in parts]
    shared = {name: value for name, value in pairs[0].items() if all(one.get(name) == value for one in pairs)}
    n = [int(one.table["n"].max()) for one in parts]
    clusters = [int(one.table["n_clusters"].max()) for one in parts]
    total = {"n": n[0] if about["paired"] else sum(n), "n_clusters": clusters[0] if about["paired"] else sum(clusters)}
    return {
        **same,
        "kind": "models",
        "models": dict(about),
        "inference": dict(inference),
        "pairs": {**shared, **total},
        "results": {name: dict(one.provenance) for name, one in zip(names, parts, strict=True)},
    }
