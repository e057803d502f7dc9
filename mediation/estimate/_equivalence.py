"""Equivalence from a clean frame of units: each estimand and group tested against a margin."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._errors import DegenerateWarning
from ..estimands import AbstractEstimand
from ..inference import (
    Equivalence,
    Inference,
    group_equivalence,
    mean_equivalence,
    ratio_equivalence,
    relative_equivalence,
)
from ._frame import KEYS
from ._outcomes import Outcomes, per_unit, ratio_per_unit
from ._tabulate import Array, _resolved, groups_of, matrices, right_or_wrong


@final
@dataclass(frozen=True, slots=True)
class Margin:
    """What counts as negligible, and how sure one must be.

    Parameters
    ----------
    size
        Positive: in units of the outcome, as a ratio for estimands that are ratios, or as a share of `relative_to`.
    alpha
        Level of each of the two one-sided tests.
    relative_to
        The estimand that the margin is a share of; None for a margin that stands by itself.
    """

    size: float
    alpha: float = 0.025
    relative_to: AbstractEstimand | None = None


def tabulate_equivalence(
    units: pd.DataFrame, estimands: Sequence[AbstractEstimand], settings: Inference, margin: Margin
) -> pd.DataFrame:
    """Return the tests of `estimands` against `margin`: one row an estimand and a group (site, arm, dose).

    Besides the columns of the tidy table there are `inside` (whether the claim is made), `weak` (whether what the
    margin is a share of cannot be told from 0) and `zero` (whether the value is exactly 0 in every unit).
    """
    keys = [name for name in KEYS if name in units.columns]
    groups = groups_of(units, keys)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)  # told by the caller, with the names of the rows
        if "group" in units.columns:
            halves = [matrices(units[units["group"] == code], keys, groups) for code in (0, 1)]
            tables = [_two_groups(one, halves, settings, margin, groups, keys) for one in estimands]
        else:
            outcomes, clusters, weights = matrices(units, keys, groups)
            design = {"clusters": clusters, "weights": weights, "settings": settings, "alpha": margin.alpha}
            tables = [_rows(one, outcomes, design, margin, groups, keys) for one in estimands]
    return pd.concat(tables, ignore_index=True)


def _two_groups(
    estimand: AbstractEstimand,
    halves: Sequence[tuple[Outcomes, NDArray[Any], Array]],
    settings: Inference,
    margin: Margin,
    groups: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
) -> pd.DataFrame:
    """Return the rows of a difference of two independent groups of units."""
    (first, clusters, weights), (second, other_clusters, other_weights) = halves
    one, two = (per_unit(estimand.weights, outcomes) for outcomes in (first, second))
    found = group_equivalence(
        _resolved(one, first), _resolved(two, second), margin.size, alpha=margin.alpha,
        clusters=(clusters, other_clusters), weights=(weights, other_weights), settings=settings,
    )  # fmt: skip
    zero = (np.abs(one).max(axis=0) == 0.0) & (np.abs(two).max(axis=0) == 0.0)
    return _framed(estimand.key, _means(one, weights) - _means(two, other_weights), found, zero, groups, keys)


def _rows(
    estimand: AbstractEstimand,
    outcomes: Outcomes,
    design: Mapping[str, Any],
    margin: Margin,
    groups: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
) -> pd.DataFrame:
    values = per_unit(estimand.weights, outcomes)
    below = None
    found: Equivalence
    if estimand.denominator is not None:
        values, below = ratio_per_unit(estimand.weights, estimand.denominator, outcomes)
        found = ratio_equivalence(values, below, margin.size, **design)
    elif margin.relative_to is not None:
        values, whole = ratio_per_unit(estimand.weights, margin.relative_to.weights, outcomes)
        below = _resolved(whole, outcomes)
        found = relative_equivalence(_resolved(values, outcomes), below, margin.size, **design)
    else:
        found = mean_equivalence(
            _resolved(values, outcomes), margin.size, binary=right_or_wrong(outcomes) and not outcomes.donors, **design
        )
    means = _means(values, design["weights"])
    if estimand.denominator is not None and below is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            means = means / _means(below, design["weights"])
    return _framed(estimand.key, means, found, np.abs(values).max(axis=0) == 0.0, groups, keys)


def _framed(
    key: str,
    means: Array,
    found: Equivalence,
    zero: NDArray[np.bool_],
    groups: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
) -> pd.DataFrame:
    rows = {
        "estimand": key,
        "estimate": means,
        "margin": found.margin,
        "equivalence_low": found.low,
        "equivalence_high": found.high,
        "p_equivalence": found.p_value,
        "inside": found.inside,
        "weak": found.weak,
        "zero": zero,
    }
    named = {name: [group[i] for group in groups] for i, name in enumerate(keys)}
    if "dose" in named:
        named["dose"] = [np.nan if dose is None else float(dose) for dose in named["dose"]]
    return pd.DataFrame({**rows, **named})


def _means(values: Array, weights: NDArray[Any]) -> Array:
    return np.asarray(np.average(values, axis=0, weights=weights), dtype=np.float64)
