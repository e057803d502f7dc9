"""One question under many choices: from units with the columns outcome, corruption, arm and dose to a tidy table."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

import pandas as pd

from ..errors import DegenerateWarning, warn
from ..estimands import AblationEffect, AbstractEstimand, Linear, ProportionMediated, TotalEffect
from ..inference import Inference
from .frame import POTENTIAL_OUTCOMES
from .table import Precision, tabulate

CHOICES = ("outcome", "corruption", "arm", "dose")
SHARES = MappingProxyType({"pnie": "pm_pure", "tnie": "pm", "ablation": "ablation_share"})
"""Key of the share of TE by key of the effect that it is a share of."""


@final
@dataclass(frozen=True, slots=True)
class AblationShare(AbstractEstimand):
    """Ablation effect as a share of the total effect, (mean y - mean ym) / (mean y11 - mean y00)."""

    @property
    def key(self) -> str:
        """``"ablation_share"``."""
        return "ablation_share"

    @property
    def weights(self) -> Linear:
        """Coefficients of the ablation effect."""
        return {"y": 1.0, "ym": -1.0}

    @property
    def denominator(self) -> Linear:
        """Coefficients of TE."""
        return {"y11": 1.0, "y00": -1.0}


def with_shares(wanted: Sequence[AbstractEstimand]) -> tuple[AbstractEstimand, ...]:
    """Return TE, the estimands that are asked for, and the share of TE of each that has one.

    Examples
    --------
    >>> from mediation.estimands import estimand_for
    >>> [one.key for one in with_shares([estimand_for("tnie"), estimand_for("cde")])]
    ['te', 'tnie', 'pm', 'cde']
    """
    shares = {"pnie": ProportionMediated("pure"), "tnie": ProportionMediated("total")}
    found: list[AbstractEstimand] = [TotalEffect()]
    for one in wanted:
        found += [one, *([shares[one.key]] if one.key in shares else [])]
    return tuple(dict.fromkeys(found))


def tabulate_specifications(
    units: pd.DataFrame, wanted: Sequence[AbstractEstimand], settings: Inference, precision: Precision = "float64"
) -> pd.DataFrame:
    """Return the table of kind 'specification': each group of `CHOICES` as it would be tabulated alone.

    Parameters
    ----------
    units
        Clean units with the columns `CHOICES`. A group with an arm has y and ym, and y00 and y11 where TE is known; a
        group without has the potential outcomes that `wanted` needs.
    wanted
        Natural effects, from `with_shares`.
    settings
        Of the intervals; the same for each group.
    precision
        In which the outcomes were computed.

    Warns
    -----
    DegenerateWarning
        Once, when estimates have no interval.
    """
    tables, reasons = [], []
    for _, group in units.groupby(list(CHOICES), sort=False, dropna=False):
        part = group.drop(columns=list(CHOICES)).dropna(axis=1, how="all").reset_index(drop=True)
        named = {name: group[name].iloc[0] for name in CHOICES}
        for columns, estimands in _questions(part, str(named["arm"]), wanted):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = tabulate(part[columns], estimands, settings, precision=precision).table
            reasons += [str(one.message) for one in caught if one.category is DegenerateWarning]
            draws = int(part["draw"].nunique())
            tables.append(found.assign(**named, n_draws=draws))
    table = pd.concat(tables, ignore_index=True)
    if reasons:
        without = int(table["conf_low"].isna().sum())
        why = reasons[0].partition("Why: ")[2]
        warn(
            f"{without} of {len(table)} estimates of the specification table have no interval (NaN); the estimates "
            f"stand. Why, for the first: {why}",
            DegenerateWarning,
        )
    return table


def _questions(
    part: pd.DataFrame, arm: str, wanted: Sequence[AbstractEstimand]
) -> list[tuple[list[str], Sequence[AbstractEstimand]]]:
    """Return the columns and the estimands of a group: what `mediate` or `ablate` would tabulate, then the share."""
    if not arm:
        return [(list(part.columns), wanted)]
    own = [name for name in part.columns if name not in POTENTIAL_OUTCOMES or name in ("y", "ym")]
    found: list[tuple[list[str], Sequence[AbstractEstimand]]] = [(own, [AblationEffect()])]
    if {"y00", "y11"} <= set(part.columns):
        found.append((list(part.columns), [AblationShare()]))
    return found
