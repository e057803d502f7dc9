"""Effects: the tidy table, the unit-level potential outcomes behind it, and where both came from."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import pandas as pd

from .._checks import one_of, positive_int
from .._printable import printable
from ..errors import DataError
from ..inference import Method
from ._moderation import AbstractModeration
from ._outcomes import OUTCOME, chosen, names_of, outcome_named
from ._result import Result, parts_of
from ._testing import AbstractTesting
from .account import plain, precision_of, text_at
from .comparison import Asking, compared
from .files import validate, validate_units, write
from .kinds import AbstractKind, Kind, kind_stated
from .questions import Asked, row_named
from .text import IntervalSet, Summary, set_of, summary_of_outcomes


@final
@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Effects(AbstractModeration, AbstractTesting):
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
    kind
        The kind of the table, by name or as an object; None: that of `provenance`, or else that of the columns.

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
    _kind: AbstractKind

    def __init__(
        self,
        table: pd.DataFrame,
        units: pd.DataFrame,
        provenance: Mapping[str, Any],
        *,
        kind: str | AbstractKind | None = None,
    ) -> None:
        known = plain(provenance)
        if not isinstance(table, pd.DataFrame):
            raise DataError(f"The table must be a pandas DataFrame, found {type(table).__name__}.")
        if not isinstance(kind, AbstractKind):
            kind = kind_stated(known.get("kind") if kind is None else kind, list(map(str, table.columns)))
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_table", validate(table, kind))
        object.__setattr__(self, "_units", kind.current(validate_units(units)))
        object.__setattr__(self, "_provenance", known)

    @property
    def kind(self) -> Kind:
        """What a row is: 'effects' (an estimand), 'sweep' (an estimand at a site), 'ablation' (an arm at a dose)."""
        return self._kind.name

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

    def _parts(self) -> Result:
        return Result(self._kind, self._table, self._units, self._provenance)

    @classmethod
    def _of(cls, result: Result) -> Self:
        return cls(result.table, result.units, result.provenance, kind=result.kind)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the outcomes, where the result is of several; empty where it is of one."""
        return names_of(self._parts())

    def outcome(self, name: str) -> Self:
        """Return the effects on one of several outcomes, as if it had been asked for alone.

        Parameters
        ----------
        name
            One of `outcomes`.

        Raises
        ------
        DesignError
            If the result has no such outcome, or is of one only.

        Examples
        --------
        >>> from mediation import effects
        >>> frame = pd.DataFrame({"outcome": ["kl"] * 3 + ["logit"] * 3, "unit": [0, 1, 2] * 2, "y00": 0.0})
        >>> both = effects(frame.assign(y11=[1.0, 2.0, 3.0, 5.0, 5.5, 6.0]), rng=0)
        >>> both.outcomes, both.outcome("logit").tidy()["estimate"].tolist()
        (('kl', 'logit'), [5.5])
        """
        return self._of(outcome_named(self._parts(), name, "outcome"))

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
        if estimand is not None:
            one_of(estimand, self._parts().estimands, what="estimand")
        positive_int(most, what="most")
        if not self.outcomes:
            return self._kind.summary(self._table, self._provenance, estimand=estimand, most=most)
        labels = self._provenance[OUTCOME]
        each = {name: chosen(self._parts(), name) for name in self.outcomes}
        return summary_of_outcomes(
            {
                name: self._kind.summary(one.table, {**one.provenance, OUTCOME: ""}, estimand=estimand, most=most)
                for name, one in each.items()
            },
            labels,
        )

    def confidence_set(self, estimand: str, site: str | None = None, **row: object) -> IntervalSet:
        """Return the confidence set of one row: nearly always one interval, for ratios also half-lines.

        Parameters
        ----------
        estimand
            Its key, such as ``"pm"``.
        site
            The site, for a sweep; may be left out where there is one row.
        **row
            Further columns that name the row, such as ``arm="zero"`` or ``outcome="probability"``.

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
        return set_of(row_named(self._parts(), estimand, {"site": site, **row}))

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
        return self._of(compared(self._parts(), parts_of(other, "compare"), asked))

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
        return write(self._parts(), path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Effects):
            return NotImplemented
        same_frames = self._table.equals(other._table) and self._units.equals(other._units)
        return same_frames and self._provenance == other._provenance

    def __hash__(self) -> int:
        return hash((tuple(self._table["estimand"]), tuple(self._table["site"]), len(self._units)))

    def __repr__(self) -> str:
        outcome = ", ".join(self.outcomes) or text_at(self._provenance, "outcome")
        what = f"{self._kind.where(self._table)}, n = {int(self._table['n'].max())}"
        return printable(f"<Effects: {what}{', outcome ' + outcome if outcome else ''}>", one_line=True)

    def _repr_html_(self) -> str:
        return self.summary().as_html()
