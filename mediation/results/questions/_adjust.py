"""p-values adjusted for how many there are: Benjamini-Hochberg, Holm, or step-down max-t from the units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from ..._checks import listed, one_of
from ...errors import DesignError, FewResamplesWarning, warn
from ...estimands import AbstractEstimand
from ...estimate import joint_bands, need_one_kind, unit_values
from ...inference import mean_intervals
from .._outcomes import (
    OUTCOME,
    OutcomeFamily,
    each_outcome,
    names_of,
    need_same_units,
    over_all_outcomes,
    rows_of_outcome,
)
from .._result import Result
from ..account import UNCHOSEN, for_all_sites, need_all_sites, need_own_draws, screened_tests, section, settings_of
from ..kinds import BY_MAX_T, first_of_its_test
from ..text import meaning_of

AdjustMethod = Literal["bh", "holm", "max-t"]
Family = Literal["estimand", "outcomes", "all"]

_IN_STATSMODELS = {"bh": "fdr_bh", "holm": "holm"}


def adjusted(of: Result, *, method: AdjustMethod, family: Family) -> Result:
    """Return the result with `p_adjusted` (and for max-t the bands) made anew."""
    one_of(method, list(get_args(AdjustMethod)), what="adjust: method")
    one_of(family, list(get_args(Family)), what="adjust: family")
    names = names_of(of)
    if family == "outcomes" and not names:
        raise DesignError("adjust: family = 'outcomes' was asked of a result of one outcome. Use family='estimand'.")
    if names and family == "estimand":
        return each_outcome(of, lambda one: adjusted(one, method=method, family=family))
    if names:
        need_all_sites(of.provenance, f"adjust(family={family!r}) of several outcomes")
    if not of.kind.rows_adjusted and not (family == "outcomes" and of.kind.of_units):
        raise DesignError(f"adjust was asked of a result of kind {of.kind.name!r}: {of.kind.why_not_adjusted}.")
    table, provenance = of.table, of.provenance
    labels = pd.Series("", index=table.index) if family == "all" else table["estimand"]
    new = table.copy()
    if method == "max-t":
        by = _joint_bands(new, of, labels)
        new = for_all_sites(new, provenance)
    else:
        by = ""  # as before
        first = first_of_its_test(table)
        _warn_of_few(table.loc[first.unique()], labels, provenance, method)
        new["p_adjusted"] = _by_p_values(table, labels, first, method, screened_tests(provenance))
    stated = section(provenance, "adjustment")
    bands = family if method == "max-t" else stated.get("bands", "estimand")
    adjustment = {"method": method, "family": family, "bands": bands, **({"by": by} if by else {})}
    return replace(of, table=new, provenance={**provenance, "adjustment": adjustment})


def over_family(of: Result, wanted: Sequence[AbstractEstimand], family: OutcomeFamily) -> Result:
    """Return a result of several outcomes with bands that hold for the family: as they are, or over all outcomes."""
    if family == OUTCOME:
        return of
    what = "family='all'"
    if not of.kind.banded:
        raise DesignError(
            f"{what} is about the bands of a sweep, and a table of kind {of.kind.name!r} has none. Adjust its p-values "
            "for their number: effects.adjust('holm', family='outcomes')."
        )
    instead = "Use effects.adjust('holm', family='outcomes'), which needs the p-values alone."
    need_own_draws(of.provenance, what)
    need_one_kind(of.units, what, instead)
    need_all_sites(of.provenance, what)
    new, bands = of.table.copy(), {}
    for one in wanted:
        if one.denominator is None:
            rows = new[new["estimand"] == one.key].copy()
            bands[one.key] = _by_max_t(rows, of, rows["estimand"], [one])
            new.loc[rows.index] = rows
    return replace(of, table=new, provenance=over_all_outcomes(of.provenance, {"family": family, "bands": bands}))


def _by_p_values(table: pd.DataFrame, labels: pd.Series, first: pd.Series, method: str, least: int) -> pd.Series:
    """Return adjusted p-values within each label; rows without a p-value keep none and are not counted.

    Where the rows were chosen among `least` sites by the same units, each estimand counts as so many tests: those that
    were not run have a p-value of 1.
    """
    p_values = table["p_value"]
    found = pd.Series(np.nan, index=p_values.index)
    for _, members in p_values[first == p_values.index].dropna().groupby(labels, sort=False):
        counts = table.loc[members.index, "estimand"].value_counts().drop(UNCHOSEN, errors="ignore")
        tested = np.concatenate([members.to_numpy(), np.ones(int((least - counts).clip(lower=0).sum()))])
        found[members.index] = multipletests(tested, method=_IN_STATSMODELS[method])[1][: len(members)]
    told: pd.Series = found[first].set_axis(found.index)
    return told


def _joint_bands(new: pd.DataFrame, of: Result, labels: pd.Series) -> str:
    """Fill in p-values and bands of a result whose units can be resampled; return what decided them."""
    if not of.kind.by_max_t and not names_of(of):
        raise DesignError(
            f"adjust('max-t') resamples the units of a result of {listed(BY_MAX_T)}, and this result is of kind "
            f"{of.kind.name!r}. Use adjust('holm'), which needs the p-values alone."
        )
    need_own_draws(of.provenance, "adjust('max-t')")
    need_one_kind(of.units, "adjust('max-t')", "Use adjust('holm'), which needs the p-values alone.")
    if of.kind.banded_later:
        return _by_joint(new, of, labels)
    return _by_max_t(new, of, labels, [one for one in of.wanted(of.estimands) if one.denominator is None])


def _by_max_t(new: pd.DataFrame, of: Result, labels: pd.Series, means: Sequence[AbstractEstimand]) -> str:
    """Fill in p-values and bands from one weight matrix for all rows, ratios have none; return what decided them."""
    found = _values_of(of, means)
    keys = list(found.columns)
    place = {_named(row): at for at, row in enumerate(found.columns.itertuples(index=False, name=None))}
    rows = [place.get(_named(row)) for row in new[keys].itertuples(index=False, name=None)]
    there = sorted((at, row) for row, at in enumerate(rows) if at is not None)  # whatever order the table has
    chosen = [at for at, _ in there]
    spans = found.spans[chosen]
    lines = new.index[[row for _, row in there]]
    told = mean_intervals(
        found.values[:, chosen],
        clusters=found.clusters,
        weights=found.weights,
        settings=of.settings,
        bands=True,
        families=labels[lines].tolist(),
        span=None if np.isnan(spans).all() else spans,
    )
    banded = ("band_low", "band_high", "p_adjusted") if "band_low" in new else ("p_adjusted",)
    for name in banded:
        new[name] = np.nan
        new.loc[lines, name] = getattr(told, name)
    return told.band_method.split("; ")[0]


class _Values(NamedTuple):
    """Contrasts of units, (n, K); what names the K columns, one row each; their spans; clusters and weights."""

    values: NDArray[np.float64]
    columns: pd.DataFrame
    spans: NDArray[np.float64]
    clusters: NDArray[Any]
    weights: NDArray[np.float64]


def _values_of(of: Result, means: Sequence[AbstractEstimand]) -> _Values:
    """Return the contrasts of all rows, outcome after outcome; DesignError where outcomes have other units."""
    names = names_of(of)
    parts = {name: rows_of_outcome(of.units, name) for name in names} if names else {"": of.units}
    need_same_units(parts, "Bands over several outcomes")
    values, columns, spans = [], [], []
    made = {name: unit_values(units, means, of.precision) for name, units in parts.items()}
    for name, found in made.items():
        for key, one in found.values.items():
            values.append(one)
            columns.append(found.groups.assign(estimand=key, **({OUTCOME: name} if names else {})))
            spans.append(np.full(len(found.groups), found.spans[key]))
    named, first = pd.concat(columns, ignore_index=True), next(iter(made.values()))
    return _Values(np.concatenate(values, axis=1), named, np.concatenate(spans), first.clusters, first.weights)


def _by_joint(new: pd.DataFrame, of: Result, labels: pd.Series) -> str:
    """Fill in bands and p-values of controls or specifications, of which some may lack units; ratios have none."""
    wanted = of.wanted([key for key in of.estimands if not meaning_of(key).is_ratio])
    names = names_of(of)
    parts = {(name,): rows_of_outcome(of.units, name) for name in names} if names else {(): of.units}
    made = {
        _named((*name, *column.key)): column
        for name, units in parts.items()
        for column in of.kind.joint_columns(units, wanted, of.precision)
    }
    called = [_named(row) for row in new[list(of.kind.key_of(new.columns))].itertuples(index=False, name=None)]
    columns = {row: made[key] for row, key in zip(new.index, called, strict=True) if key in made}
    new[["band_low", "band_high", "p_adjusted"]] = np.nan
    for _, members in new.groupby(labels, sort=False):
        here = {row: columns[row] for row in members.index if row in columns}
        tested = {row: float(new.loc[row, "p_value"]) for row in here}
        for row, ends in joint_bands(here, tested, of.settings).items():
            new.loc[row, ["band_low", "band_high", "p_adjusted"]] = ends
    return "max-t"


def _named(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if isinstance(value, float) and math.isnan(value) else value for value in row)


def _warn_of_few(table: pd.DataFrame, labels: pd.Series, provenance: Mapping[str, Any], method: str) -> None:
    """Warn if no p-value of as few resamples could be small enough for one true effect among those tested."""
    resampled = table["method"].str.extract(r"\bB=(\d+)")[0]
    labels, there = labels[table.index], table["p_value"].notna()
    sizes = labels[there].groupby(labels, sort=False).size()
    touched = labels[there & resampled.notna()].unique()
    if not len(touched):
        return
    n_tests, n_resamples = int(sizes[touched].max()), int(resampled.dropna().astype(int).min())
    alpha = 1 - settings_of(provenance).confidence_level
    if 2 / (n_resamples + 1) <= alpha / n_tests + 1e-12:
        return
    needed = math.ceil(2 * n_tests / alpha - 1e-9) - 1
    instead = " adjust('max-t') has no such limit." if "band_low" in table else ""
    warn(
        f"adjust({method!r}): the smallest p-value of {n_resamples:,} resamples is 2/(B + 1) = "
        f"{2 / (n_resamples + 1):.2g}, and one true effect among {n_tests:,} tests is found only below {alpha:g}/"
        f"{n_tests:,} = {alpha / n_tests:.2g}. Use n_resamples = {needed:,} or more.{instead}",
        FewResamplesWarning,
    )
