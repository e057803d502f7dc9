"""Unit-level effects on covariates: one regression an estimand and site, all on the same design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from ..._checks import in_unit_interval, listed, one_of, shown
from ...errors import DataError, DegenerateWarning, DesignError, warn
from ...estimate import unit_values
from ...inference import Coefficients, Covariance, least_squares
from .._result import Result
from ..account import section, text_at
from ..text import Field, Summary, meaning_of, print_p, print_row
from ._covariates import check_kind, covariates, wanted_of


@final
@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Regression:
    """Coefficients of unit-level effects on covariates, one row an estimand, site and term.

    Parameters
    ----------
    table
        Columns `estimand, site` (`arm, dose` for ablations), `term, estimate, std_error, conf_low, conf_high, p_value,
        df, method, n, n_clusters`.
    provenance
        Of the result, with `regression`: the formula, the covariance and the level.
    """

    _table: pd.DataFrame
    _provenance: dict[str, Any]

    def __init__(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_table", table.copy())
        object.__setattr__(self, "_provenance", dict(provenance))

    def tidy(self) -> pd.DataFrame:
        """Return a copy of the table, one row an estimand, site and term."""
        return self._table.copy()

    @property
    def formula(self) -> str:
        """The right-hand side."""
        return text_at(section(self._provenance, "regression"), "formula")

    def summary(self, estimand: str | None = None) -> Summary:
        """Return the table as it would stand in a paper, of one estimand or all."""
        if estimand is not None:
            one_of(estimand, self._table["estimand"].unique().tolist(), what="summary: estimand")
        table = self._table if estimand is None else self._table[self._table["estimand"] == estimand]
        if table.empty:
            raise DesignError(
                f"summary: estimand = {shown(estimand)}, and the regression is of "
                f"{listed(self._table['estimand'].unique())}."
            )
        return _summary(table, section(self._provenance, "regression"), self._provenance)

    def __repr__(self) -> str:
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def regress_of(
    result: Result,
    formula: str,
    *,
    frame: pd.DataFrame | pd.Series | None,
    estimands: Any,
    covariance: Covariance,
    confidence_level: float | None,
) -> Regression:
    """Return the regressions of the unit-level effects of a result on covariates."""
    check_kind(result, "regress")
    units = result.units
    if "donor" in units and bool((units["donor"].isin(units["unit"]) & (units["donor"] != units["unit"])).any()):
        raise DesignError(
            "regress takes each unit's effect as its own, and here units gave their mediator to one another, so that "
            "their errors are linked. Regress effects of a result without random donors, such as the natural ones."
        )
    known = covariates(result, frame, "regress")
    design = _design(formula, known)
    level = result.settings.confidence_level if confidence_level is None else confidence_level
    in_unit_interval(level, what="regress: confidence_level")
    wanted = wanted_of(result, estimands, ratios=False, what="regress")
    found = unit_values(units, wanted, result.precision)
    parts = []
    for one in wanted:
        values = np.where(np.abs(found.values[one.key]) <= found.resolution[one.key], 0.0, found.values[one.key])
        fitted = least_squares(
            values, design.to_numpy(dtype=float), clusters=found.clusters, weights=found.weights,
            covariance=covariance, confidence_level=level,
        )  # fmt: skip
        parts.append(_rows(one.key, list(map(str, design.columns)), found.groups, fitted))
    rows = pd.concat(parts, ignore_index=True)
    _warn(rows)
    about = {"formula": formula, "covariance": covariance, "confidence_level": level}
    return Regression(rows.drop(columns="reason"), {**result.provenance, "regression": about})


def _design(formula: object, known: pd.DataFrame) -> pd.DataFrame:
    """Return the design matrix of a right-hand side, with the names of its terms."""
    import patsy  # the formulas of statsmodels

    if not isinstance(formula, str) or ("~" in formula and formula.partition("~")[0].strip()):
        raise DesignError(
            f"regress: formula = {shown(formula)}; a right-hand side is needed, such as '~ length + C(template)'. The "
            "outcome is the effect of each unit: choose it by estimands=['pnie']."
        )
    right = formula.rpartition("~")[2]
    try:
        described = patsy.ModelDesc.from_formula(right.strip() or "1")
        space = patsy.EvalEnvironment([{"np": np}])
        found = patsy.dmatrix(described, known, eval_env=space, NA_action="raise", return_type="dataframe")
    except patsy.PatsyError as error:
        text = str(error).splitlines()[0]
        if "missing" in text:
            lacking = known.columns[known.isna().any()]
            raise DataError(
                f"regress: a covariate of {formula!r} is missing in some units ({listed(lacking)}). Fill it in, or "
                "make the effects again without those units."
            ) from error
        raise DesignError(
            f"regress: the formula {formula!r} cannot be read: {text}. The units have {listed(known.columns)}; give "
            "others by frame=df, one row a unit."
        ) from error
    if not np.isfinite(found.to_numpy(dtype=float)).all():
        raise DataError(f"regress: a term of {formula!r} is not finite in some unit; check the logs and ratios in it.")
    if not len(found.columns):
        raise DesignError(f"regress: the formula {formula!r} has no terms; '~ 1' is the mean.")
    design: pd.DataFrame = found
    return design


def _rows(key: str, terms: list[str], groups: pd.DataFrame, fitted: Coefficients) -> pd.DataFrame:
    """Return the rows of one estimand: the terms of each site (arm, dose)."""
    size, count = len(terms), len(groups)
    rows = pd.DataFrame({"estimand": [key] * (size * count)})
    for name in groups:
        rows[name] = np.repeat(groups[name].to_numpy(), size)
    rows["term"] = terms * count
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "reason"):
        rows[name] = getattr(fitted, name).T.reshape(-1)
    rows["method"] = np.where(rows["reason"] == "", fitted.method, "degenerate")
    return rows.assign(n=fitted.n, n_clusters=fitted.n_clusters)


def _warn(rows: pd.DataFrame) -> None:
    without = rows[rows["reason"] != ""]
    if without.empty:
        return
    parts = [
        f"{reason} ({', '.join(dict.fromkeys(some['estimand'] + ': ' + some['term']))})"
        for reason, some in without.groupby("reason", sort=False)
    ]
    warn(
        f"regress: {len(without)} of {len(rows)} coefficients have no standard error (NaN); the estimates stand. Why: "
        f"{'; '.join(parts)}.",
        DegenerateWarning,
    )


def _summary(table: pd.DataFrame, about: Mapping[str, Any], provenance: Mapping[str, Any]) -> Summary:
    keys = [name for name in ("estimand", "site", "arm", "dose") if name in table]
    first = ~table.duplicated(keys)
    fields = [Field("", _once([meaning_of(key).symbol for key in table["estimand"]], first))]
    fields += [Field(name, _once(table[name], first), give="cut") for name in keys[1:] if table[name].nunique() > 1]
    printed = [
        print_row(*row)
        for row in table[["estimate", "std_error", "conf_low", "conf_high"]].itertuples(index=False, name=None)
    ]
    fields += [
        Field("term", tuple(table["term"]), give="cut"),
        Field("coefficient", tuple(row.estimate for row in printed), "decimal"),
        Field("std. error", tuple(row.std_error for row in printed), "decimal", "drop"),
        Field(f"{100 * about['confidence_level']:g}% interval", tuple(row.interval for row in printed), "right"),
        Field("df", tuple("" if np.isnan(x) else f"{x:.1f}" for x in table["df"]), "decimal", "drop"),
        Field("p", tuple(print_p(p) for p in table["p_value"]), "right"),
    ]
    n, clusters = int(table["n"].iloc[0]), int(table["n_clusters"].iloc[0])
    name = section(provenance, "pairs").get("cluster")
    who = f"{n:,} units" if clusters == n else f"{n:,} units in {clusters:,} clusters{f' ({name})' if name else ''}"
    kind = (
        {"CR2": "HC2", "CR1": "HC1"}[about["covariance"]]
        if clusters == n
        else f"cluster-robust ({about['covariance']})"
    )
    freedom = "Satterthwaite's degrees of freedom" if about["covariance"] == "CR2" else "one less than clusters"
    said = [f"n = {who}.", f"Standard errors: {kind}; t with {freedom} (df)."]
    outcome = text_at(provenance, "outcome")
    said += [f"Outcome: {outcome}."] if outcome else []
    said.append("p-values are of one coefficient each, not adjusted for how many there are.")
    return Summary(f"Unit-level effects {about['formula'].strip()}", tuple(fields), tuple(said))


def _once(cells: Any, first: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(str(cell) if show else "" for cell, show in zip(cells, first, strict=True))
