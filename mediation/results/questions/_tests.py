"""Tests of effects that need no resampling: sign flips and McNemar's, from the units of a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ..._checks import elements, listed, one_of
from ...errors import DataError, DegenerateWarning, DesignError, warn
from ...estimands import AbstractEstimand
from ...estimate import UnitValues, need_one_kind, unit_values
from ...inference import Alternative, TestResult, mcnemar, sign_flip
from ...inference.sample import quiet
from .._result import Result
from ..account import need_own_draws

TestMethod = Literal["sign-flip", "mcnemar"]

_FLIPS = (-1.0, 0.0, 1.0)
_LISTED = 6


def rows_of_tests(
    result: Result,
    estimand: str | Sequence[str] | None,
    *,
    method: TestMethod,
    alternative: Alternative,
    n_flips: int,
) -> pd.DataFrame:
    """Return one row an estimand and a group (site, arm, dose): statistic, p-value and how it was made."""
    one_of(method, list(get_args(TestMethod)), what="test: method")
    result.need_kind("test", "it tests")
    need_own_draws(result.provenance, f"test(method={method!r})")
    need_one_kind(result.units, f"test(method={method!r})")
    wanted = _wanted(result, estimand, method)
    found = unit_values(result.units, wanted, result.precision)
    tables: list[pd.DataFrame] = []
    reasons: list[str] = []
    with quiet():  # said once, below, with the names of estimands and sites
        for one in wanted:
            values = found.values[one.key]
            if method == "mcnemar":
                told = _mcnemar(one.key, values, found, alternative)
            else:
                told = sign_flip(
                    np.where(np.abs(values) <= found.resolution[one.key], 0.0, values),
                    clusters=found.clusters,
                    weights=found.weights,
                    n_flips=n_flips,
                    seed=result.settings.seed,
                    alternative=alternative,
                )
            tables.append(_rows(one.key, found, told))
            reasons += told.reason
    rows = pd.concat(tables, ignore_index=True)
    _warn(rows, reasons)
    return rows


def _wanted(result: Result, estimand: str | Sequence[str] | None, method: str) -> list[AbstractEstimand]:
    """Return the estimands to test: those asked for, else those of the table that the test can be made of."""
    present = result.estimands
    asked = (
        present
        if estimand is None
        else [estimand]
        if isinstance(estimand, str)
        else elements(estimand, what="test: estimand", needed="a key, such as 'te', or a list of keys,")
    )
    for key in asked:
        one_of(key, present, what="test: estimand")
    every = result.wanted(asked)
    ratios = [one.key for one in every if one.denominator is not None]
    if estimand is not None and ratios:
        raise DesignError(
            f"test: estimand {ratios[0]!r} is a ratio, and these tests are of means. Test its numerator, such as "
            "'tnie': the ratio is 0 when that is."
        )
    means = [one for one in every if one.denominator is None]
    if estimand is None and method == "mcnemar":
        means = [one for one in means if sorted(one.weights.values()) == [-1, 1]]
    if not means:
        raise DesignError(
            f"test(method={method!r}): none of {listed(present)} is a difference of two outcomes. Use "
            "method='sign-flip'."
        )
    return means


def _mcnemar(key: str, values: np.ndarray[Any, Any], found: UnitValues, alternative: str) -> TestResult:
    if alternative != "two-sided":
        raise DesignError(
            f"test(method='mcnemar', alternative={alternative!r}): McNemar's test is two-sided. Use "
            "method='sign-flip', which gives the same p-values for flips and can be one-sided."
        )
    if len(set(found.clusters.tolist())) < len(found.clusters) or len(set(found.weights.tolist())) > 1:
        raise DesignError(
            "test(method='mcnemar'): McNemar's test is for independent units of equal weight, and these have clusters "
            "or weights. Use method='sign-flip', which flips whole clusters."
        )
    odd = ~np.isin(values, _FLIPS)
    if odd.any():
        raise DataError(
            f"test(method='mcnemar'): {key} of unit {int(np.argwhere(odd)[0][0])} is {values[odd][0]:g}; McNemar's "
            "test needs differences of right and wrong answers, -1, 0 or 1, as med.Accuracy gives them (without draws "
            "to average). Use method='sign-flip' for any numbers."
        )
    return mcnemar(values)


def _rows(key: str, found: UnitValues, told: TestResult) -> pd.DataFrame:
    return pd.DataFrame({"estimand": key, **found.groups}).assign(
        statistic=told.statistic, p_value=told.p_value, method=list(told.method), n=told.n, n_clusters=told.n_clusters
    )


def _warn(result: pd.DataFrame, reasons: Sequence[str]) -> None:
    """Warn once about the rows that have no test, by reason."""
    without = result.assign(reason=list(reasons)).query("reason != ''")
    if without.empty:
        return
    parts = []
    for reason, rows in without.groupby("reason", sort=False):
        names = [f"{key} at {site}" if site else key for key, site in zip(rows["estimand"], rows["site"], strict=True)]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        parts.append(f"{reason} ({', '.join(names[:_LISTED])}{more})")
    warn(
        f"{len(without)} of {len(result)} tests cannot be made, and their p-value is NaN. Why: {'; '.join(parts)}.",
        DegenerateWarning,
    )
