"""What can be asked of the units of a result together with their covariates."""

from __future__ import annotations

from functools import partial
from typing import Self

import pandas as pd

from ..inference import Covariance
from ._outcomes import each_outcome, of_one_outcome, together
from ._result import AbstractResult
from .checklist import Checklist, checklist_of
from .questions import Asked, Regression, by_of, regress_of


class AbstractModeration(AbstractResult):
    """Methods of `Effects` that look at units by their covariates, and at what a report must state."""

    __slots__ = ()

    def by(
        self,
        column: str,
        *,
        frame: pd.DataFrame | pd.Series | None = None,
        estimands: Asked = None,
    ) -> Self:
        """Return the effects in each subgroup of units, with joint bands and a test of whether they differ.

        Parameters
        ----------
        column
            A column of `frame` or of `units` that is the same in all rows of a unit; ``"cluster"``, or the name that
            the pairs give it, is always there.
        frame
            One row a unit, joined by its column or index named `unit`; without one, its index must be the units in
            their order, as that of `pairs.frame` is. A Series is one column.
        estimands
            Keys or estimands; None: those of the table. Ratios have Fieller's set a subgroup, and no bands.

        Returns
        -------
        Effects
            Of kind 'subgroups', one row an estimand, site (arm, dose) and subgroup. A subgroup's interval is that of
            its units alone. `band_low, band_high, p_adjusted` hold jointly over the subgroups and sites of each
            estimand: max-t within a subgroup, at the level (1 - alpha)^(1 / G) for G subgroups. `p_moderation` is of
            "the effect is the same in all subgroups": Welch and James's statistic, or Wald's where clusters have units
            of several subgroups, by a studentised bootstrap.

        Raises
        ------
        DesignError, DataError
            If there is no such column, it is missing in a unit, it is a scale (use `regress`, or cut it), or there is
            one subgroup only; if the result is of several results, or units share draws or give to other subgroups.

        Warns
        -----
        DegenerateWarning
            If subgroups have no interval, such as those of one unit or of one cluster.

        Examples
        --------
        >>> import numpy as np
        >>> from mediation import effects
        >>> y11 = np.r_[np.linspace(0.8, 1.2, 8), np.linspace(1.7, 2.5, 8)]
        >>> frame = pd.DataFrame({"unit": range(16), "y00": 0.0, "y11": y11})
        >>> covariates = pd.DataFrame({"unit": range(16), "language": ["de"] * 8 + ["en"] * 8})
        >>> found = effects(frame, rng=0).by("language", frame=covariates).tidy()
        >>> found[["subgroup", "estimate", "n"]].round(3).values.tolist(), bool(found["p_moderation"][0] < 0.001)
        ([['de', 1.0, 8], ['en', 2.1, 8]], True)
        """
        asked = partial(by_of, column=column, frame=frame, estimands=estimands)
        return self._of(each_outcome(self._parts(), asked))

    def regress(
        self,
        formula: str,
        *,
        frame: pd.DataFrame | pd.Series | None = None,
        estimands: Asked = None,
        covariance: Covariance = "CR2",
        confidence_level: float | None = None,
    ) -> Regression:
        """Return regressions of the units' effects on covariates, one an estimand and site (arm, dose).

        Parameters
        ----------
        formula
            Right-hand side as in statsmodels, such as ``"~ length + C(template)"``; `np` can be used in it. ``"~ 1"``
            is the mean.
        frame
            Covariates, one row a unit; see `by`.
        estimands
            Keys or estimands, none of them a ratio; None: those of the table that are none.
        covariance
            ``"CR2"``: cluster-robust, corrected for few clusters (HC2 for units without clusters), with Satterthwaite's
            degrees of freedom: the default, because it holds where a covariate varies in few clusters. ``"CR1"``: the
            sandwich of ``cov_type="cluster"`` in statsmodels (HC1), with J - 1 degrees of freedom for J clusters.
        confidence_level
            None: that of the result.

        Returns
        -------
        Regression
            `tidy()` and `summary()`. Units are weighted by their weights. A coefficient that rests on one cluster, such
            as the dummy of a cluster, has no standard error: NaN, with a warning.

        Raises
        ------
        DesignError, DataError
            If the formula cannot be read, a covariate is missing in a unit, or terms determine one another; if the
            result is of several results, or units share draws or gave their mediators to one another.

        Examples
        --------
        >>> from mediation import effects
        >>> frame = pd.DataFrame({"unit": range(5), "y00": 0.0, "y11": [1.0, 1.3, 1.4, 1.9, 2.0]})
        >>> length = pd.Series([0.0, 1.0, 2.0, 3.0, 4.0], name="length")
        >>> effects(frame, rng=0).regress("~ length", frame=length).tidy()[["term", "estimate"]].round(2)
                term  estimate
        0  Intercept      1.00
        1     length      0.26
        """
        return regress_of(
            of_one_outcome(self._parts(), "regress"), formula,
            frame=frame, estimands=estimands, covariance=covariance, confidence_level=confidence_level,
        )  # fmt: skip

    def checklist(self) -> Checklist:
        """Return what a report of this mediation analysis must state (AGReMA), with what the result knows filled in.

        Returns
        -------
        Checklist
            The 25 items of A Guideline for Reporting Mediation Analyses (Lee et al. 2021, JAMA 326). `open` lists those
            that are still to be stated by you.
        """
        return checklist_of(together(self._parts()))
