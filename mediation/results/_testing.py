"""What can be asked of the p-values and the units of a result: adjustment, layers, equivalence, tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Self

import pandas as pd

from ..estimands import AbstractEstimand
from ..inference import Alternative
from ._outcomes import each_outcome, of_one_outcome, rows_by_outcome
from ._result import AbstractResult
from .questions import AdjustMethod, Asked, Family, TestMethod, adjusted, equivalence_of, hierarchy_of, rows_of_tests


class AbstractTesting(AbstractResult):
    """Methods of `Effects` that decide: which effects are there, and which are negligible."""

    __slots__ = ()

    def adjust(self, method: AdjustMethod = "bh", *, family: Family = "estimand") -> Self:
        """Return the same effects with p-values adjusted for how many they are; nothing else changes but max-t's bands.

        Parameters
        ----------
        method
            ``"bh"``: Benjamini and Hochberg (1995), which holds the expected share of false ones among what is found
            (for independent or positively dependent effects). ``"holm"``: Holm (1979), which holds the chance of any
            false one. ``"max-t"``: the same by step-down max-t, which uses the dependence between sites and makes the
            bands anew; a sweep has it already, over the sites of each estimand.
        family
            Which p-values are adjusted together: those of each ``"estimand"`` (within each outcome, where there are
            several), those of each estimand over all ``"outcomes"``, or ``"all"`` of the table.

        Returns
        -------
        Effects
            With `p_adjusted` replaced, or added. Rows without a p-value keep none and do not count as tests; for max-t
            that holds for ratios too. The heat map marks by the bands, whatever `p_adjusted` is.

        Raises
        ------
        DesignError
            If the rows are not alike ('effects'), or max-t is asked of a result whose units are not those of its rows.

        Warns
        -----
        FewResamplesWarning
            If even the smallest p-value that B resamples can give, 2 / (B + 1), would not be enough for one true effect
            among the tests.

        Examples
        --------
        >>> from mediation import effects
        >>> frame = pd.DataFrame({"unit": [0, 1, 2, 3] * 2, "site": ["a"] * 4 + ["b"] * 4, "y00": 0.0})
        >>> sweep = effects(frame.assign(y01=[1, 2, 3, 2, 0, 1, -1, 0.1]), estimands="pnie", rng=0)
        >>> bool((sweep.adjust("holm").tidy()["p_adjusted"] >= sweep.tidy()["p_value"]).all())
        True
        """
        return self._of(adjusted(self._parts(), method=method, family=family))

    def hierarchy(
        self, estimand: str = "pnie", *, alpha: float | None = None, layers: Mapping[str, int] | None = None
    ) -> Self:
        """Return tests of the layers of a sweep and, within the rejected layers, of their sites.

        A layer is rejected when some site in it has an effect: one strong site, or many weak ones of whatever sign. The
        chance of any false rejection, of a layer or of a site, is held at `alpha`; see
        `mediation.inference.hierarchical_max_t`, which is the test.

        Parameters
        ----------
        estimand
            Key of the estimand.
        alpha
            Level of the tests, of each outcome by itself; None: one minus the confidence level.
        layers
            The layer of each site by its name, for a sweep that does not tell (from a frame of your own); None: those
            of the table.

        Returns
        -------
        Effects
            Of kind 'hierarchy': a row per layer, with the mean of its sites' effects as its estimate (not the effect
            of all of them at once, and near 0 where signs differ), and a row per site. `p_adjusted` never falls from a
            layer to its sites; `rejected` is 'yes', 'no' or 'not tested'.

        Raises
        ------
        DesignError
            If the result is no sweep, sites belong to no layer, or each layer has one site.
        """
        asked = partial(hierarchy_of, estimand=estimand, alpha=alpha, layers=layers)
        return self._of(each_outcome(self._parts(), asked))

    def equivalence(
        self,
        margin: float,
        *,
        alpha: float = 0.025,
        estimands: Asked = None,
        relative_to: str | AbstractEstimand | None = None,
    ) -> Self:
        """Return whether each effect is within a margin of 0, by two one-sided tests: the evidence for "no effect".

        Parameters
        ----------
        margin
            Largest effect that would still be negligible, positive: in units of the outcome, as a ratio for 'pm', or as
            a share of `relative_to`, which alone is a margin for several outcomes.
        alpha
            Level of each test. An effect is 'equivalent' when its interval of level 1 - 2 alpha lies within the margin.
        estimands
            Keys or estimands to test; None: those of the table in units of the outcome.
        relative_to
            Key of the effect that the margin is a share of, such as 'te'; its uncertainty is part of the test.

        Returns
        -------
        Effects
            Of kind 'equivalence'. `verdict` is 'equivalent', 'different' (0 is left out of the interval), 'both: real
            but negligible', 'undecided', or 'no interval'. See `mediation.inference.mean_equivalence`.

        Raises
        ------
        DesignError
            If the margin is not a positive number on the scale of all the estimands.
        """
        parts = self._parts()
        if relative_to is None:
            parts = of_one_outcome(parts, "equivalence with a margin in units of the outcome")
        asked = partial(equivalence_of, margin=margin, alpha=alpha, estimands=estimands, relative_to=relative_to)
        return self._of(each_outcome(parts, asked))

    def test(
        self,
        estimand: str | Sequence[str] | None = None,
        *,
        method: TestMethod = "sign-flip",
        alternative: Alternative = "two-sided",
        n_flips: int = 9999,
    ) -> pd.DataFrame:
        """Return tests of "no effect" from the units: one row an estimand and a site, arm or dose.

        Parameters
        ----------
        estimand
            Keys to test; None: those of the table, less ratios (and for McNemar's test less interactions).
        method
            ``"sign-flip"``: `mediation.inference.sign_flip`, for effects that are symmetric about 0 when there is none;
            whole clusters are flipped. ``"mcnemar"``: `mediation.inference.mcnemar`, for right and wrong answers.
        alternative
            ``"two-sided"``, or the side on which an effect is looked for (sign flips).
        n_flips
            Number of sign vectors that are drawn, where all of them would be more.

        Returns
        -------
        pandas.DataFrame
            Columns `estimand, site` (`arm, dose`; first `outcome`, where there are several), `statistic, p_value,
            method, n, n_clusters`. p-values are not adjusted for the number of rows; one is NaN, with a warning, where
            there is no test.

        Raises
        ------
        DesignError, DataError
            If the result is of several results or an estimand is a ratio; if McNemar's test is asked of clusters, or
            of numbers other than -1, 0 and 1.
        """
        asked = partial(rows_of_tests, estimand=estimand, method=method, alternative=alternative, n_flips=n_flips)
        return rows_by_outcome(self._parts(), asked)
