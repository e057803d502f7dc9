"""A kind of result: its columns, what names a row, its words, its picture, and what can be asked of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import pandas as pd

from ..._moved import GONE_IN
from ...errors import warn
from ...estimands import AbstractEstimand
from ...estimate import JointColumn, Precision
from ..text import Summary
from ._column import COMMON, OUTCOME, Column


class AbstractKind(ABC):
    """A kind of result. A new one is a file with a final class of this base; `Effects(..., kind=...)` takes it.

    Attributes
    ----------
    name
        What `Effects.kind` returns, and a saved result states.
    own
        Columns besides those that every table has.
    key
        Columns that together name a row.
    marks
        Names of columns that only this kind has: a table that states no kind is known by them.
    later
        Columns that are there after `Effects.adjust` only.
    picture, pictures
        Function of `mediation.plot` that draws it if none is named; calls to propose where another was asked for.
    of_units
        Whether it is of the units of one study, as 'effects' are, and so can be compared, tested and planned from.
    rows_adjusted, why_not_adjusted
        What its rows are called when p-values are adjusted for their number; or why they are not.
    by_max_t, banded
        Whether `adjust("max-t")` can resample its units; whether its p_adjusted are of max-t from the start.
    shares_units
        Whether every row is of all units.
    renamed
        Present names of columns by former ones, which are accepted for one release.
    by_outcome
        Whether several outcomes make a column `outcome` in front of its table; not where it has such a column itself.
    """

    __slots__ = ()

    name: ClassVar[str]
    own: ClassVar[tuple[Column, ...]] = ()
    key: ClassVar[tuple[str, ...]]
    marks: ClassVar[frozenset[str]] = frozenset()
    later: ClassVar[tuple[Column, ...]] = ()
    picture: ClassVar[str] = "forest"
    pictures: ClassVar[str] = "forest(effects)"
    of_units: ClassVar[bool] = False
    rows_adjusted: ClassVar[str] = ""
    why_not_adjusted: ClassVar[str] = "its p-values are not adjusted"
    by_max_t: ClassVar[bool] = False
    banded: ClassVar[bool] = False
    shares_units: ClassVar[bool] = True
    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({})
    by_outcome: ClassVar[bool] = True

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns of a table of this kind, in order."""
        return COMMON + self.own

    def columns_of(self, names: Collection[str]) -> tuple[Column, ...]:
        """Return the columns of a table that has those named `names`: with the optional ones that are among them."""
        several = (OUTCOME,) if self.by_outcome and OUTCOME.name in names else ()
        return (*several, *self.columns, *(column for column in self.later if column.name in names))

    def key_of(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the columns that together name a row of a table that has those named `names`."""
        return (OUTCOME.name, *self.key) if self.by_outcome and OUTCOME.name in names else self.key

    def current(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame with former names of columns replaced, and warn of them."""
        old = {name: new for name, new in self.renamed.items() if name in frame and new not in frame}
        for name, new in old.items():
            warn(f"Column {name!r} is now {new!r}; the old name goes in version {GONE_IN}.", DeprecationWarning)
        return frame.rename(columns=old) if old else frame

    @property
    def banded_later(self) -> bool:
        """Whether it has bands from `adjust("max-t")` only."""
        return any(column.name == "band_low" for column in self.later)

    @abstractmethod
    def summary(
        self, table: pd.DataFrame, provenance: Mapping[str, Any], *, estimand: str | None, most: int
    ) -> Summary:
        """Return the summary of a table: title, columns and footnotes.

        Parameters
        ----------
        table
            A valid table.
        provenance
            The account of the run.
        estimand
            The one to list, which is there; None for all, or the usual one.
        most
            Rows to list, where there may be many.
        """

    def where(self, table: pd.DataFrame) -> str:
        """Return which estimands are where, for the representation of a result."""
        site = str(table["site"].iloc[0]) if table["site"].nunique() == 1 else f"{table['site'].nunique()} sites"
        return f"{named(table)} at {site}" if site else named(table)

    def contradictions(self, table: pd.DataFrame) -> list[tuple[pd.Series, str]]:
        """Return which rows contradict the kind, and why; DataError where the table as a whole does."""
        return []

    def draws(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str | None:
        """Return the footnote on random draws; None for the usual one."""
        return None

    def convention(self, table: pd.DataFrame, provenance: Mapping[str, Any]) -> str | None:
        """Return the footnote on what the letters mean; None for the usual one."""
        return None

    def caution(self, table: pd.DataFrame) -> str:
        """Return a caution of this kind alone; empty for none."""
        return ""

    def cautioned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that the general cautions are about."""
        return table

    def sensitivity(self, table: pd.DataFrame) -> str:
        """Return what it checks, if it is a check of another result; empty otherwise."""
        return ""

    def joint_columns(
        self, units: pd.DataFrame, wanted: Sequence[AbstractEstimand], precision: Precision
    ) -> Iterable[JointColumn]:
        """Return the values by unit of the rows that joint bands are made of, where rows differ in their units."""
        return ()


def named(table: pd.DataFrame) -> str:
    """Return the keys of the estimands, or how many they are.

    Examples
    --------
    >>> named(pd.DataFrame({"estimand": ["te", "te", "pnie"]}))
    'te, pnie'
    """
    keys = list(dict.fromkeys(table["estimand"]))
    return ", ".join(keys) if len(keys) <= 10 else f"{len(keys)} estimands"
