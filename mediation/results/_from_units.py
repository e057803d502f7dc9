"""Effects from units: the table that `estimate` makes, with units and provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .._checks import called, one_of
from ..errors import DataError
from ..estimands import AbstractEstimand, estimands_from
from ..estimate import (
    DRAWS,
    POTENTIAL_OUTCOMES,
    Draws,
    Precision,
    SiteInfo,
    coarsest,
    crossing,
    named_clusters,
    seed_from,
    tabulate,
    units_from,
)
from ..inference import Inference, Method
from ._effects import Effects
from ._outcomes import FAMILIES, OUTCOME, OutcomeFamily, account_of, by_name, names_in, rows_of_outcome, stacked
from ._result import Result
from .account import balance_of, for_all_sites, precision_of, section, warn_of_few
from .questions import over_family
from .text import warn_of_weak_totals


def summarise(
    units: pd.DataFrame,
    estimands: Sequence[AbstractEstimand],
    settings: Inference,
    *,
    sites: Mapping[str, SiteInfo] | None = None,
    provenance: Mapping[str, Any],
    draws: Draws = "independent",
    precision: Precision | None = None,
    family: OutcomeFamily = OUTCOME,
) -> Effects:
    """Return the effects of a clean units frame: one table row an estimand and a group (site, arm, dose).

    `precision` is that in which outcomes were computed; None for what `provenance` says. Units with a column `outcome`
    are of several outcomes: each has the rows that it would have alone. There, bands hold within each outcome, or with
    `family` "all" over all of them, and ``provenance["outcome"]`` may be a dict that describes each.
    """
    one_of(family, FAMILIES, what="family")
    if names := names_in(units):

        def alone(name: str) -> Result:
            rows, known = rows_of_outcome(units, name), account_of(provenance, name)
            found = summarise(
                rows, estimands, settings, sites=sites, provenance=known, draws=draws, precision=precision
            )
            return found._parts()

        return Effects._of(over_family(stacked(by_name(names, alone)), estimands, family))
    known_precision = precision_of(provenance) if precision is None else precision
    found = tabulate(units, estimands, settings, sites=sites, draws=draws, precision=known_precision)
    warn_of_weak_totals(found.table, settings.confidence_level)
    inference = {
        "method": settings.method,
        "confidence_level": settings.confidence_level,
        "n_resamples": settings.n_resamples,
        "seed": settings.seed,
        "precision": known_precision,
        **({"draws": draws} if draws == "shared" else {}),
        **({"bands": found.bands} if found.bands else {}),
    }
    n, n_clusters = int(found.table["n"].iloc[0]), int(found.table["n_clusters"].iloc[0])
    pairs = {"n": n, "n_clusters": n_clusters, **balance_of(units), **section(provenance, "pairs")}
    pairs.pop("crossed", None)
    pairs |= {"crossed": counts} if (counts := crossing(units)) else {}
    known = {**provenance, "kind": found.kind, "inference": inference, "pairs": pairs}
    warn_of_few(known)
    return Effects(for_all_sites(found.table, known), units, known)


def effects(
    frame: pd.DataFrame,
    *,
    estimands: str | AbstractEstimand | Iterable[str | AbstractEstimand] | None = None,
    method: Method = "bootstrap-t",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator | None = None,
    provenance: Mapping[str, Any] | None = None,
    draws: Draws = "independent",
    cluster: str | Sequence[str] | None = None,
    family: OutcomeFamily = OUTCOME,
) -> Effects:
    """Return effects with intervals from your own potential outcomes.

    Parameters
    ----------
    frame
        One row a unit (and a draw, a site, an arm, where there are such columns). Potential outcomes are
        columns named ``y00, y01, y10, y11`` (``y_xm`` = Y(x, M(m)): the input x with the mediator of m, 0 the
        base and 1 the source), ``y0m, y1m`` (the mediator ablated), ``g00 .. g11`` (a random donor's
        mediator), or ``y`` and ``ym`` (one input, plain and ablated). Optional columns: ``unit``, ``draw``
        (averaged within the unit), ``cluster``, ``weight``, ``site`` (several make a sweep), ``arm``, ``dose``,
        ``donor`` (the id of the unit whose mediator the row has, empty or -1 where it came from outside the frame: the
        variance then counts that rows share units), ``outcome`` (the name of the outcome that a row's numbers are of:
        each has the rows that it would have in a frame of its own, side by side in one table; `Effects.outcome`
        chooses one). Units keep the ids of ``unit``, text, numbers or tuples of them;
        without that column a row's number is its id. The order of rows changes nothing. Other
        columns of numbers or text that say one thing of each unit are kept in `units`, for `Effects.by` and
        `Effects.regress`.
    estimands
        Keys such as ``["te", "pnie"]``; None for all that the columns answer.
    method
        Interval for means: "bootstrap-t" (the default), "percentile", "basic", "bca", "expanded-percentile", "normal"
        or "t"; ratios always have Fieller's.
    confidence_level
        Nominal coverage.
    n_resamples
        Bootstrap resamples.
    rng
        Seed or generator; the same gives the same numbers.
    provenance
        Plain data to keep beside the numbers. ``{"model": {"dtype": "float32"}}`` says that a network in single
        precision computed the outcomes, so that differences of that rounding count as none; columns of float32 say it
        too, and so do the units of a result.
    draws
        ``"independent"``: each unit has draws of its own, averaged within it. ``"shared"``: draw r is the same
        realisation for every unit, as when one seed serves all; intervals are then over units and draws at once, and a
        `SharedDrawsWarning` names the remedy.
    cluster
        The column that holds each unit's cluster; None: ``cluster``, if there is one. Two names, such as
        ``["item", "template"]``, for units that belong to clusters of two kinds: units that share either count as
        dependent, intervals are two-way *t*, and the units keep both labels as ``cluster`` and ``cluster_2``.
    family
        What simultaneous bands and adjusted p-values of a sweep with several outcomes hold for: the sites of an
        ``"outcome"``, or the sites of ``"all"`` outcomes together, estimand by estimand.

    Returns
    -------
    Effects

    Raises
    ------
    DataError
        If a column is missing, misspelt, holds NaN or no numbers (time stamps, say), units differ between sites, or a
        donor is no unit of the frame.
    DesignError
        If an estimand is unknown or its potential outcomes are missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"y00": [0.0, 0.1, 0.3], "y11": [1.0, 1.3, 1.1]})
    >>> effects(frame, rng=0).tidy()[["estimand", "estimate"]]
      estimand  estimate
    0       te       1.0
    """
    if provenance is not None and not isinstance(provenance, Mapping):
        raise DataError(f"provenance is {called(provenance)}; a dict of plain data is needed, or None.")
    one_of(draws, DRAWS, what="draws")
    frame, names = named_clusters(frame, cluster)
    units = units_from(frame)
    precision = coarsest([_precision_of_columns(frame), precision_of(provenance or {})])
    known = dict(provenance or {})
    if "unit" in frame:
        known["pairs"] = {"ids": "given", **section(known, "pairs")}
    if names:
        known["pairs"] = {**section(known, "pairs"), "cluster": names[0] if len(names) == 1 else names}
    present = [name for name in POTENTIAL_OUTCOMES if name in units.columns]
    wanted = estimands_from(present, estimands)
    settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed_from(rng))
    return summarise(units, wanted, settings, provenance=known, draws=draws, precision=precision, family=family)


def _precision_of_columns(frame: pd.DataFrame) -> Precision:
    """Return the precision of a user's outcomes: that of their columns, or of the result whose units they are."""
    if frame.attrs.get("precision") == "float32":
        return "float32"
    dtypes = [str(frame[name].dtype).lower() for name in POTENTIAL_OUTCOMES if name in frame]
    return "float32" if any(name in dtype for dtype in dtypes for name in ("float32", "float16")) else "float64"
