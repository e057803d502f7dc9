"""Effects: the tidy table, the unit-level potential outcomes behind it, and where both came from."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from .._errors import DataError
from ..estimands import AbstractEstimand
from ..inference import Alternative, Method
from ._moderation import AbstractModeration
from .account import plain, precision_of
from .comparison import Asking, compared, result_of
from .files import Parts, kind_of, validate, validate_units, write
from .kinds import Kind, describe, in_one_line
from .questions import (
    AdjustMethod,
    Asked,
    Family,
    TestMethod,
    adjusted,
    equivalence_of,
    hierarchy_of,
    row_named,
    rows_of_tests,
)
from .text import IntervalSet, Summary, set_of


@final
@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Effects(AbstractModeration):
    """Effects with their intervals: one tidy row per estimand, site or arm.

    The object cannot change: frames are copied on the way in and on the way out. Two are equal when table, units
    and provenance are equal, NaN equal to NaN.

    Parameters
    ----------
    table
        Tidy rows; `columns(kind)` lists the columns. The kind follows from them: with `arm` an 'ablation', with
        `layer` a 'sweep', otherwise 'effects'.
    units
        One row per site, unit and draw: `site, unit, cluster, weight, draw` and the potential outcomes
        (``y00, y01, y10, y11``; ``y_xm`` = input x with the mediator of m).
    provenance
        Plain data on the run: `kind, model, outcome, mediator, intervention, pairs, seed, inference, plan,
        versions, position_labels, checks`; every key may be absent.

    Raises
    ------
    DataError
        If the table, the units or the provenance do not fit the schema.

    Examples
    --------
    >>> row = {"estimand": "te", "site": "mlp(3)", "estimate": 1.5, "std_error": 0.25, "conf_low": 1.0}
    >>> row |= {"conf_high": 2.0, "p_value": 0.001, "method": "bootstrap-t", "n": 2, "n_clusters": 2}
    >>> units = {"site": "mlp(3)", "unit": [0, 1], "cluster": [0, 1], "weight": 1.0, "draw": 0}
    >>> units |= {"y00": [0.0, 0.0], "y11": [1.0, 2.0]}
    >>> effects = Effects(pd.DataFrame([row]), pd.DataFrame(units), {"outcome": "LogProb('answer')"})
    >>> effects
    <Effects: te at mlp(3), n = 2, outcome LogProb('answer')>
    >>> effects.kind
    'effects'
    """

    _table: pd.DataFrame
    _units: pd.DataFrame
    _provenance: dict[str, Any]

    def __init__(self, table: pd.DataFrame, units: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
        known = plain(provenance)
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"The table must be a pandas DataFrame, found {type(table).__name__}.")
        kind = kind_of(table)
        stated = known.get("kind", kind)
        if stated != kind:
            raise DataError(
                f"provenance['kind'] = {stated!r}, but the columns are those of {kind!r}; drop it or correct one."
            )
        object.__setattr__(self, "_table", validate(table, kind))
        object.__setattr__(self, "_units", validate_units(units))
        object.__setattr__(self, "_provenance", known)

    @property
    def kind(self) -> Kind:
        """What a row is: 'effects' (an estimand), 'sweep' (an estimand at a site), 'ablation' (an arm at a dose)."""
        return kind_of(self._table)

    @property
    def table(self) -> pd.DataFrame:
        """Copy of the tidy table; the same as `tidy()`."""
        return self._table.copy()

    @property
    def units(self) -> pd.DataFrame:
        """Copy of the unit-level potential outcomes, from which any interval can be redone.

        Units have the ids of your frame, or the numbers of the pairs. `attrs["precision"]` says in which precision
        outcomes were computed, so that `med.effects(result.units)` knows what is but rounding.
        """
        units = self._units.copy(deep=False)  # pandas copies what is written to
        units.attrs["precision"] = precision_of(self._provenance)
        return units

    @property
    def provenance(self) -> dict[str, Any]:
        """Copy of the account of the run."""
        return copy.deepcopy(self._provenance)

    def _parts(self) -> tuple[pd.DataFrame, Kind, pd.DataFrame, dict[str, Any]]:
        return self._table, self.kind, self._units, self._provenance

    def tidy(self) -> pd.DataFrame:
        """Return a copy of the tidy table, one row per estimand, site or arm."""
        return self._table.copy()

    def summary(self, estimand: str | None = None, *, most: int = 10) -> Summary:
        """Return the table as it would stand in a paper, with its footnotes.

        Parameters
        ----------
        estimand
            For a sweep, the estimand whose sites are listed: 'pnie' when it is there, unless another is named.
            For other kinds, the one estimand to list instead of all.
        most
            For a sweep, the number of sites to list, strongest first.

        Raises
        ------
        DesignError
            If the table has no such estimand.
        """
        return describe(self._table, self.kind, self._provenance, estimand=estimand, most=most)

    def confidence_set(self, estimand: str, site: str | None = None, **row: object) -> IntervalSet:
        """Return the confidence set of one row: nearly always one interval, for ratios also half-lines.

        Parameters
        ----------
        estimand
            Its key, such as ``"pm"``.
        site
            The site, for a sweep; may be left out where there is one row.
        **row
            Further columns that name the row, such as ``arm="zero"`` or ``metric="probability"``.

        Raises
        ------
        DesignError
            If no row, or more than one, is named.

        Examples
        --------
        >>> from mediation import effects
        >>> frame = pd.DataFrame({"y00": [0.0] * 5, "y10": [0.4, 0.6, 0.5, 0.7, 0.5], "y11": [1.0, 1.3, 1.1, 1.2, 0.9]})
        >>> found = effects(frame, rng=0).confidence_set("pm")
        >>> found.is_bounded, found.contains(0.5), found.contains(0.0)
        (True, True, False)
        """
        return set_of(row_named(self._table, self.kind, estimand, {"site": site, **row}))

    def adjust(self, method: AdjustMethod = "bh", *, family: Family = "estimand") -> Effects:
        """Return the same effects with p-values adjusted for how many they are; nothing else changes but max-t's bands.

        Parameters
        ----------
        method
            ``"bh"``: Benjamini and Hochberg (1995), which holds the expected share of false ones among what is found
            (for independent or positively dependent effects). ``"holm"``: Holm (1979), which holds the chance of any
            false one. ``"max-t"``: the same by step-down max-t, which uses the dependence between sites and makes the
            bands anew; a sweep has it already, over the sites of each estimand.
        family
            Which p-values are adjusted together: those of each ``"estimand"``, or ``"all"`` of the table.

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
        table, known = adjusted(self._table, self.kind, self._units, self._provenance, method=method, family=family)
        return Effects(table, self._units, known)

    def hierarchy(
        self, estimand: str = "pnie", *, alpha: float | None = None, layers: Mapping[str, int] | None = None
    ) -> Effects:
        """Return tests of the layers of a sweep and, within the rejected layers, of their sites.

        A layer is rejected when some site in it has an effect: one strong site, or many weak ones of whatever sign. The
        chance of any false rejection, of a layer or of a site, is held at `alpha`; see
        `mediation.inference.hierarchical_max_t`, which is the test.

        Parameters
        ----------
        estimand
            Key of the estimand.
        alpha
            Level of the tests; None: one minus the confidence level.
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
        table, known = hierarchy_of(
            self._table, self.kind, self._units, self._provenance, estimand=estimand, alpha=alpha, layers=layers
        )
        return Effects(table, self._units, known)

    def equivalence(
        self,
        margin: float,
        *,
        alpha: float = 0.025,
        estimands: Asked = None,
        relative_to: str | AbstractEstimand | None = None,
    ) -> Effects:
        """Return whether each effect is within a margin of 0, by two one-sided tests: the evidence for "no effect".

        Parameters
        ----------
        margin
            Largest effect that would still be negligible, positive: in units of the outcome, as a ratio for 'pm', or as
            a share of `relative_to`.
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
        table, known = equivalence_of(
            self._table, self.kind, self._units, self._provenance, margin,
            alpha=alpha, estimands=estimands, relative_to=relative_to,
        )  # fmt: skip
        return Effects(table, self._units, known)

    def compare(
        self,
        other: Effects,
        *,
        paired: bool | None = None,
        labels: Sequence[str] = ("first", "second"),
        estimands: Asked = None,
        method: Method | None = None,
        confidence_level: float | None = None,
        n_resamples: int | None = None,
        rng: int | np.random.Generator | None = None,
    ) -> Effects:
        """Return this result minus another, estimand by estimand, with the interval of the difference.

        Parameters
        ----------
        other
            Another model, mediator or outcome. Sweeps need the same sites, ablations the same arms and doses.
        paired
            Whether both are of the same units, by their ids, clusters and weights, in whatever order their rows stand;
            False: two independent groups; None: what the ids say: the same units, or none in common.
        labels
            What the two are called in summaries and figures.
        estimands
            Keys or estimands; None: those of both tables in units of the outcome. Ratios only if asked for.
        method, confidence_level, n_resamples, rng
            None: as in this result. Two groups have "bootstrap-t", "percentile", "t" and "normal".

        Returns
        -------
        Effects
            Of kind 'comparison': `estimate` is `first` minus `second`, of paired units subtracted unit by unit.

        Raises
        ------
        DesignError, DataError
            If sites, arms or estimands do not match; if paired units differ, or some of the units that you gave ids
            are in both results and others are not: a few of them are named.
        """
        asked = Asking(paired, labels, estimands, method, confidence_level, n_resamples, rng)
        return Effects(*compared(result_of(self), result_of(other), asked))

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
            Columns `estimand, site` (`arm, dose`), `statistic, p_value, method, n, n_clusters`. p-values are not
            adjusted for the number of rows; one is NaN, with a warning, where there is no test.

        Raises
        ------
        DesignError, DataError
            If the result is of several results or an estimand is a ratio; if McNemar's test is asked of clusters, or
            of numbers other than -1, 0 and 1.
        """
        return rows_of_tests(
            self._table, self.kind, self._units, self._provenance, estimand,
            method=method, alternative=alternative, n_flips=n_flips,
        )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write table, units and provenance as three files that belong together, and return the path of the table.

        ``save("x.parquet")`` writes ``x.parquet`` (table), ``x.units.parquet`` (units) and ``x.json`` (provenance,
        schema version, digests). A path without a suffix gets ``.parquet``. Missing folders are made, files are
        replaced in one step each, and no object is pickled.

        Raises
        ------
        DesignError
            If the suffix is that of another format.
        DataError
            If a column of the units cannot be written as plain data.
        """
        return write(Parts(self._table, self._units, self._provenance, self.kind), path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Effects):
            return NotImplemented
        same_frames = self._table.equals(other._table) and self._units.equals(other._units)
        return same_frames and self._provenance == other._provenance

    def __hash__(self) -> int:
        return hash((tuple(self._table["estimand"]), tuple(self._table["site"]), len(self._units)))

    def __repr__(self) -> str:
        return in_one_line(self._table, self.kind, self._provenance)

    def _repr_html_(self) -> str:
        return self.summary().as_html()
