"""Equivalence from a clean frame of units: each estimand and group tested against a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..estimands import AbstractEstimand
from ..inference import (
    Equivalence,
    Inference,
    group_equivalence,
    mean_equivalence,
    ratio_equivalence,
    relative_equivalence,
)
from ..inference.sample import quiet
from .frame import KEYS, in_order
from .table import (
    Array,
    Outcomes,
    Precision,
    groups_of,
    matrices,
    resolved_contrast,
    resolved_ratio,
    span_of,
    weights_of_answers,
    width_of,
)


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
    width
        Range of an outcome that is an answer (1) or a difference of two (2), 0 for other outcomes; None: found out.
    """

    size: float
    alpha: float = 0.025
    relative_to: AbstractEstimand | None = None
    width: float | None = None


def tabulate_equivalence(
    units: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    margin: Margin,
    precision: Precision = "float64",
) -> pd.DataFrame:
    """Return the tests of `estimands` against `margin`: one row an estimand and a group (site, arm, dose).

    Besides the columns of the tidy table there are `inside` (whether the claim is made), `weak` (whether what the
    margin is a share of is not distinguishable from 0), `zero` (whether the value is exactly 0 in every unit) and
    `size` (of the largest outcome that enters; 1 for a ratio).
    """
    keys = [name for name in KEYS if name in units.columns]
    groups = in_order(groups_of(units, keys))
    with quiet():  # told by the caller, with the names of the rows
        if "group" in units.columns:
            halves = [matrices(units[units["group"] == code], keys, groups) for code in (0, 1)]
            tables = [_two_groups(one, halves, (settings, precision), margin, groups, keys) for one in estimands]
        else:
            outcomes, clusters, weights = matrices(units, keys, groups)
            width = width_of(units) if margin.width is None else margin.width
            design = {"clusters": clusters, "weights": weights, "settings": settings, "alpha": margin.alpha}
            tables = [_rows(one, outcomes, (design, precision, width), margin, groups, keys) for one in estimands]
    return pd.concat(tables, ignore_index=True)


def _two_groups(
    estimand: AbstractEstimand,
    halves: Sequence[tuple[Outcomes, NDArray[Any], Array]],
    how: tuple[Inference, Precision],
    margin: Margin,
    groups: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
) -> pd.DataFrame:
    """Return the rows of a difference of two independent groups of units."""
    (first, clusters, weights), (second, other_clusters, other_weights) = halves
    settings, precision = how
    one, two = (resolved_contrast(estimand.weights, outcomes, precision) for outcomes in (first, second))
    found = group_equivalence(
        one, two, margin.size, alpha=margin.alpha,
        clusters=(clusters, other_clusters), weights=(weights, other_weights), settings=settings,
        span=span_of(estimand, margin.width / 2) if margin.width else None,
    )  # fmt: skip
    zero = (np.abs(one).max(axis=0) == 0.0) & (np.abs(two).max(axis=0) == 0.0)
    size = np.maximum(_size(estimand, first), _size(estimand, second))
    means = _means(one, weights) - _means(two, other_weights)
    return _framed(estimand.key, means, found, (zero, size), groups, keys)


def _rows(
    estimand: AbstractEstimand,
    outcomes: Outcomes,
    how: tuple[Mapping[str, Any], Precision, float],
    margin: Margin,
    groups: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
) -> pd.DataFrame:
    design, precision, width = how
    values = resolved_contrast(estimand.weights, outcomes, precision)
    means = _means(values, design["weights"])
    found: Equivalence
    if estimand.denominator is not None:
        values, below = resolved_ratio(estimand.weights, estimand.denominator, outcomes, precision)
        answers = weights_of_answers(estimand, width) if width else None
        found = ratio_equivalence(values, below, margin.size, answers=answers, **design)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = means / _means(below, design["weights"])
    elif margin.relative_to is not None:
        values, below = resolved_ratio(estimand.weights, margin.relative_to.weights, outcomes, precision)
        found = relative_equivalence(values, below, margin.size, **design)
    else:
        span = span_of(estimand, width) if width else None
        found = mean_equivalence(values, margin.size, span=span, **design)
    size = _size(estimand, outcomes) if estimand.denominator is None else np.ones(values.shape[1])
    return _framed(estimand.key, means, found, (np.abs(values).max(axis=0) == 0.0, size), groups, keys)


def _size(estimand: AbstractEstimand, outcomes: Mapping[str, Array]) -> Array:
    """Return the largest outcome that enters an estimand, without sign, (K,)."""
    return np.asarray(np.max([np.abs(outcomes[name]).max(axis=0) for name in estimand.weights], axis=0))


def _framed(
    key: str,
    means: Array,
    found: Equivalence,
    about: tuple[NDArray[np.bool_], Array],
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
        "zero": about[0],
        "size": about[1],
    }
    named = {name: [group[i] for group in groups] for i, name in enumerate(keys)}
    if "dose" in named:
        named["dose"] = [np.nan if dose is None else float(dose) for dose in named["dose"]]
    return pd.DataFrame({**rows, **named})


def _means(values: Array, weights: NDArray[Any]) -> Array:
    return np.asarray(np.average(values, axis=0, weights=weights), dtype=np.float64)
