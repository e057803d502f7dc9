"""Several results at once: their contrasts with joint bands, and what they say of models like them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from ...estimands import AbstractEstimand
from ...inference import Inference, crossed_intervals, homogeneity
from ...inference.sample import quiet
from ..table import Array, Precision, SiteInfo, resolved_contrast, tabulate, width_of
from ._comparison import tabulate_comparison
from ._sides import Match, Side
from ._subtract import subtract

_NAMES = ["site", "arm", "dose"]
_ENDS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
_ROUNDING = 1e-24  # of a variance, relative to the square of the largest mean
THESE, LIKE_THESE, A_NEW_ONE = "mean of these", "mean of such models", "a new such model"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """The results that are compared.

    Parameters
    ----------
    labels
        What each is called.
    sides
        Units of each, sorted by unit.
    groups
        Of each, its groups (site, arm, dose) in the order of `names`.
    names
        Columns `site, arm, dose`, one row a group.
    paired
        Whether all are of the same units.
    precision
        In which outcomes were computed, the coarsest of them.
    """

    labels: Sequence[str]
    sides: Sequence[Side]
    groups: Sequence[Sequence[tuple[Any, ...]]]
    names: pd.DataFrame
    paired: bool
    precision: Precision

    def match(self, first: int, second: int) -> Match:
        """Return which group of one belongs to which of another."""
        return Match(self.groups[first], self.groups[second], self.names)


def tabulate_contrasts(
    many: Many, pairs: Sequence[tuple[int, int]], estimands: Sequence[AbstractEstimand], settings: Inference
) -> pd.DataFrame:
    """Return first minus second of each of `pairs`, one row an estimand, group and pair, with joint bands.

    On the same units outcomes are subtracted unit by unit, and bands are max-t over the pairs and groups of an
    estimand. Independent results are resampled by themselves; bands are Bonferroni's and adjusted p-values Holm's.
    """
    called = [f"{many.labels[one]} - {many.labels[two]}" for one, two in pairs]
    if many.paired:
        return _paired(many, pairs, called, estimands, settings)
    count = len(pairs) * len(many.names)
    level = 1 - settings.alpha / count
    least = math.ceil(2 / (1 - level) - 1e-9) - 1
    joint = replace(settings, confidence_level=level, n_resamples=max(settings.n_resamples, least))
    tables = []
    for (one, two), name in zip(pairs, called, strict=True):
        rows, wide = (
            tabulate_comparison(
                (many.sides[one], many.sides[two]),
                many.match(one, two),
                estimands,
                some,
                paired=False,
                sites=None,
                precision=many.precision,
            )[0]
            for some in (settings, joint)
        )
        rows[["band_low", "band_high"]] = wide[["conf_low", "conf_high"]]
        tables.append(rows.assign(result=name))
    table = pd.concat(tables, ignore_index=True)
    for _, members in table["p_value"].dropna().groupby(table["estimand"], sort=False):
        table.loc[members.index, "p_adjusted"] = multipletests(members, method="holm")[1]
    return table.drop(columns=["first", "second", *SiteInfo._fields])


def _paired(
    many: Many,
    pairs: Sequence[tuple[int, int]],
    called: Sequence[str],
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
) -> pd.DataFrame:
    where = [
        ", ".join(str(part) for part in row if part not in {"", None} and part == part) for row in _rows(many.names)
    ]
    flat, columns = [], []
    for (one, two), name in zip(pairs, called, strict=True):
        codes = [f"{name}{f' at {place}' if len(where) > 1 else ''}" for place in where]
        coded = pd.DataFrame({"site": codes, "arm": "", "dose": np.nan})
        match = Match(many.groups[one], many.groups[two], coded)
        units = subtract(many.sides[one], many.sides[two], match, many.precision)[0]
        flat.append(units.drop(columns=["arm", "dose"], errors="ignore"))
        columns.append(many.names.assign(code=codes, result=name))
    sites = {code: SiteInfo(None, "") for one in columns for code in one["code"]}
    width = 2.0 * width_of(pd.concat([side.units for side in many.sides], ignore_index=True))
    made = pd.concat(flat, ignore_index=True)
    found = tabulate(made, estimands, settings, sites=sites, precision=many.precision, width=width).table
    found = found.rename(columns={"site": "code"}).drop(columns=[*SiteInfo._fields])
    return found.merge(pd.concat(columns), on="code", how="left", validate="many_to_one").drop(columns="code")


def _rows(names: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(names[_NAMES].itertuples(index=False, name=None))


def tabulate_models(many: Many, estimands: Sequence[AbstractEstimand], settings: Inference) -> pd.DataFrame:
    """Return each result's own effects, then their mean, that of models like them, and a new model's, by estimand.

    Notes
    -----
    theta_k are the k estimates, S their covariance matrix (cluster-robust; diagonal for independent results), s^2 the
    variance between them.

    Same units: the mean of these models is the mean over units of each unit's mean over models. For models like these,
    units and models are two crossed samples (`crossed_intervals`), since errors of models on the same units are
    correlated and do not average out. E s^2 = tau^2 + mean S_kk - mean S_kl gives tau^2, at least 0.

    Independent units: the mean of these is the plain mean, by Welch and Satterthwaite's t; for models like these,
    Paule and Mandel's tau^2 with the interval of Hartung, Knapp, Sidik and Jonkman, never narrower than without their
    factor (`statsmodels.stats.meta_analysis.combine_effects`).

    A new model's effect lies in mean +- t sqrt(tau^2 + se^2), t with k - 1 degrees of freedom (Higgins, Thompson &
    Spiegelhalter 2009, J. R. Stat. Soc. A 172).
    """
    parts = []
    with quiet():  # rows without an interval have NaN; the results have warned
        for side, groups, label in zip(many.sides, many.groups, many.labels, strict=True):
            parts.append(_own(side, groups, many, estimands, settings).assign(part="model", result=label))
        outcomes = [side.outcomes(groups) for side, groups in zip(many.sides, many.groups, strict=True)]
        for one in estimands:
            values = [resolved_contrast(one.weights, found, many.precision) for found, _, _ in outcomes]
            make = _crossed if many.paired else _independent
            parts.append(make(many, one, values, outcomes, settings))
    return pd.concat(parts, ignore_index=True)


def _own(
    side: Side,
    groups: Sequence[tuple[Any, ...]],
    many: Many,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
) -> pd.DataFrame:
    """Return the effects of one result, a row an estimand and group, in the order of `groups`."""
    names = many.names
    found = tabulate(side.units, estimands, settings, precision=many.precision).table
    found = found.drop(columns=[*SiteInfo._fields], errors="ignore")
    keys = [tuple(None if part != part else part for part in row) for row in _keys(found, side.keys)]
    rows = [
        found[(found["estimand"] == one.key) & pd.Series([key == group for key in keys])]
        for one in estimands
        for group in groups
    ]
    table = pd.concat(rows, ignore_index=True).drop(columns=[*_NAMES, "n_draws"], errors="ignore")
    table[["band_low", "band_high", "p_adjusted"]] = np.nan
    return pd.concat([table, pd.concat([names[_NAMES]] * len(estimands), ignore_index=True)], axis=1)


def _keys(table: pd.DataFrame, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(table[list(keys)].itertuples(index=False, name=None))


class _Pooled(NamedTuple):
    """The mean of models like these, a number a group: ends by name, method, tau^2, p of no differences, n and J."""

    numbers: dict[str, Array]
    method: Sequence[str]
    tau2: Array
    same: Array
    sizes: tuple[int, int]


Design = tuple[dict[str, Array], NDArray[Any], Array]


def _crossed(
    many: Many,
    one: AbstractEstimand,
    values: Sequence[Array],
    outcomes: Sequence[Design],
    settings: Inference,
) -> pd.DataFrame:
    """Return the rows of the means of models that were run on the same units."""
    _, clusters, weights = outcomes[0]
    cube = np.stack(values, axis=1)  # units, models, groups
    k = len(values)
    means = {name: np.mean([found[name] for found, _, _ in outcomes], axis=0) for name in outcomes[0][0]}
    these = _own(_averaged(many, means), many.groups[0], many, [one], settings)
    like = crossed_intervals(cube, clusters=clusters, weights=weights, settings=settings)
    same = homogeneity(
        cube.swapaxes(0, 1).reshape(-1, cube.shape[2]), np.repeat(np.arange(k), len(weights)),
        clusters=np.tile(pd.factorize(clusters)[0], k), weights=np.tile(weights, k), settings=settings,
    )  # fmt: skip
    estimates = np.average(cube, axis=0, weights=weights)
    covariance = _covariance(cube, clusters, weights)
    diagonal = np.einsum("kkg->g", covariance) / k
    off = (covariance.sum(axis=(0, 1)) - k * diagonal) / (k * (k - 1))
    tau2 = estimates.var(axis=0, ddof=1) - (diagonal - off)
    tau2 = np.where(tau2 > _ROUNDING * (estimates**2).max(axis=0), tau2, 0.0)
    numbers = {name: np.asarray(getattr(like, name)) for name in _ENDS}
    method = [f"two-way t ({'clusters' if like.n_clusters < like.n else 'units'} x models)"] * len(tau2)
    method = [said if own != "degenerate" else own for said, own in zip(method, like.method, strict=True)]
    found = _Pooled(numbers, method, tau2, same.p_value, (like.n, like.n_clusters))
    return _means(many, one, these, found, settings)


def _averaged(many: Many, means: dict[str, Array]) -> Side:
    """Return units whose outcomes are means over models, as those of the first result are named."""
    first = many.sides[0]
    who = first.units.drop_duplicates("unit")[["unit", "cluster", "weight"]]
    frames = []
    for at, group in enumerate(many.groups[0]):
        named = {name: (math.nan if part is None else part) for name, part in zip(first.keys, group, strict=True)}
        frames.append(who.assign(draw=0, **named, **{name: values[:, at] for name, values in means.items()}))
    return Side(pd.concat(frames, ignore_index=True), "independent")


def _covariance(cube: Array, clusters: NDArray[Any], weights: Array) -> Array:
    """Return the cluster-robust covariance matrix of the means of (n, k, g) values over units, (k, k, g)."""
    codes, names = pd.factorize(clusters)
    apart = weights[:, None, None] * (cube - np.average(cube, axis=0, weights=weights))
    totals = np.zeros((len(names), *cube.shape[1:]))
    np.add.at(totals, codes, apart)
    factor = len(names) / max(len(names) - 1, 1) / weights.sum() ** 2
    found: Array = factor * np.einsum("jkg,jlg->klg", totals, totals)
    return found


def _independent(
    many: Many,
    one: AbstractEstimand,
    values: Sequence[Array],
    outcomes: Sequence[Design],
    settings: Inference,
) -> pd.DataFrame:
    """Return the rows of the means of models that were run on independent units."""
    k, size = len(values), len(many.names)
    estimates = np.array(
        [np.average(some, axis=0, weights=w) for some, (_, _, w) in zip(values, outcomes, strict=True)]
    )
    variance = np.array(
        [_covariance(some[:, None], c, w)[0, 0] for some, (_, c, w) in zip(values, outcomes, strict=True)]
    )
    counts = np.array([len(pd.unique(c)) for _, c, _ in outcomes])
    variance = np.where((counts[:, None] > 1) & (variance > 0), variance, np.nan)
    freedom = variance.sum(axis=0) ** 2 / (variance**2 / np.maximum(counts - 1, 1)[:, None]).sum(axis=0)
    mean, error = estimates.mean(axis=0), np.sqrt(variance.sum(axis=0)) / k
    plain = _t(mean, error, freedom, settings)
    n, n_clusters = sum(len(w) for _, _, w in outcomes), int(counts.sum())
    these = pd.DataFrame({**plain, "estimand": one.key, "method": "Welch t", "n": n, "n_clusters": n_clusters})
    these = pd.concat([these, many.names[_NAMES]], axis=1)
    these.loc[these["std_error"].isna(), "method"] = "degenerate"
    these[["band_low", "band_high", "p_adjusted"]] = np.nan
    pooled = [_hksj(estimates[:, at], variance[:, at]) for at in range(size)]
    centre, spread, tau2 = (np.array(part) for part in zip(*pooled, strict=True))
    method = ["degenerate" if np.isnan(part) else "Hartung-Knapp-Sidik-Jonkman t" for part in spread]
    codes = np.concatenate([np.full(len(w), at) for at, (_, _, w) in enumerate(outcomes)])
    own = np.concatenate([pd.factorize(c)[0] for _, c, _ in outcomes]).tolist()
    same = homogeneity(
        np.concatenate(values), codes, weights=np.concatenate([w for _, _, w in outcomes]), settings=settings,
        clusters=list(zip(codes.tolist(), own, strict=True)),
    )  # fmt: skip
    numbers = _t(centre, spread, np.full(size, k - 1.0), settings)
    found = _Pooled(numbers, method, tau2, same.p_value, (n, n_clusters))
    return _means(many, one, these, found, settings)


def _hksj(estimates: Array, variance: Array) -> tuple[float, float, float]:
    """Return the random-effects mean, its standard error and tau^2."""
    if not np.isfinite(variance).all():
        return float(np.mean(estimates)), np.nan, np.nan
    found = combine_effects(estimates, variance, method_re="iterated", use_t=True)
    return (
        float(found.mean_effect_re),
        math.sqrt(max(found.var_hksj_re, found.var_eff_w_re)),
        max(0.0, float(found.tau2)),
    )


def _t(estimate: Array, std_error: Array, freedom: Array, settings: Inference) -> dict[str, Array]:
    reach = np.asarray(stats.t.isf(settings.alpha / 2, freedom)) * std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.asarray(2 * stats.t.sf(np.abs(estimate) / std_error, freedom))
    return dict(zip(_ENDS, (estimate, std_error, estimate - reach, estimate + reach, p_value), strict=True))


def _means(many: Many, one: AbstractEstimand, these: pd.DataFrame, found: _Pooled, settings: Inference) -> pd.DataFrame:
    """Return the three rows of each group: the mean of these, of models like these, and a new one."""
    n, n_clusters = found.sizes
    like = pd.DataFrame(
        {**found.numbers, "estimand": one.key, "method": found.method, "n": n, "n_clusters": n_clusters}
    )
    freedom = np.full(len(found.tau2), len(many.labels) - 1.0)
    ends = _t(like["estimate"].to_numpy(), np.sqrt(found.tau2 + like["std_error"].to_numpy() ** 2), freedom, settings)
    new = like.assign(**dict(ends.items())).assign(p_value=np.nan)
    new["method"] = np.where(new["std_error"].isna(), "degenerate", "prediction t")
    names = many.names[_NAMES].reset_index(drop=True)
    rows = [these.assign(result=THESE)]
    for part, name in ((like, LIKE_THESE), (new, A_NEW_ONE)):
        rows.append(pd.concat([part, names], axis=1).assign(result=name))
    table = pd.concat([part.assign(tau=np.sqrt(found.tau2), p_heterogeneity=found.same) for part in rows])
    return table.assign(part="mean")
