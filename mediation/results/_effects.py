"""Effects: the tidy table, the unit-level potential outcomes behind it, and where both came from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd

from .._errors import DataError
from ._describe import describe
from ._io import Parts, read_parts, write
from ._kinds import Kind
from ._provenance import plain, text_at
from ._row import row_named
from ._schema import kind_of, validate, validate_units
from ._sets import IntervalSet, set_of
from ._summary import Summary


@final
@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Effects:
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
    >>> table = pd.DataFrame(
    ...     {
    ...         "estimand": ["te"],
    ...         "site": ["mlp(3)"],
    ...         "estimate": [1.5],
    ...         "std_error": [0.25],
    ...         "conf_low": [1.0],
    ...         "conf_high": [2.0],
    ...         "p_value": [0.001],
    ...         "method": ["bootstrap-t"],
    ...         "n": [2],
    ...         "n_clusters": [2],
    ...     }
    ... )
    >>> units = pd.DataFrame(
    ...     {
    ...         "site": "mlp(3)",
    ...         "unit": [0, 1],
    ...         "cluster": [0, 1],
    ...         "weight": 1.0,
    ...         "draw": 0,
    ...         "y00": [0.0, 0.0],
    ...         "y11": [1.0, 2.0],
    ...     }
    ... )
    >>> effects = Effects(table, units, {"outcome": "LogProb('answer')"})
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
        """Copy of the unit-level potential outcomes, from which any interval can be redone."""
        return self._units.copy()

    @property
    def provenance(self) -> dict[str, Any]:
        """Copy of the account of the run."""
        return copy.deepcopy(self._provenance)

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
        table = self._table
        keys = list(dict.fromkeys(table["estimand"]))
        named = ", ".join(keys) if len(keys) <= 10 else f"{len(keys)} estimands"
        if self.kind == "sweep":
            where = f"{named} at {table['site'].nunique()} sites"
        elif self.kind == "ablation":
            where = f"{len(table)} rows of {table['arm'].nunique()} arms"
        else:
            site = str(table["site"].iloc[0])
            where = f"{named} at {site}" if site else named
        outcome = text_at(self._provenance, "outcome")
        return f"<Effects: {where}, n = {int(table['n'].max())}{', outcome ' + outcome if outcome else ''}>"

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def read(path: str | Path) -> Effects:
    """Return the effects that `Effects.save` wrote.

    Parameters
    ----------
    path
        Any one of the three files, or their common name without a suffix.

    Raises
    ------
    DataError
        If a file is missing, does not match the digest saved with it, or was written by a newer version.

    Notes
    -----
    Nothing in the files is executed: they are parquet and JSON.
    """
    parts = read_parts(path)
    return Effects(parts.table, parts.units, parts.provenance)
