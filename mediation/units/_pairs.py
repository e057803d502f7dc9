"""Pairs: the units of a study, each a base input, a source input and what belongs to them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from .._checks import called, elements, named_once, one_of, positive_int, shown
from .._printable import printable
from ..errors import DataError
from ._inputs import count, inputs_from, kind_of, take
from ._labels import clusters_from, in_order, named_kinds, no_column, weights_from
from ._prompt import Prompt
from ._spans import RESERVED, span_offsets

Span = tuple[tuple[int, int], ...]


class Before(NamedTuple):
    """The text before an answer, and whether the answer must split from it."""

    text: str
    strictly: bool


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Units of a study: n base inputs, n source inputs, and columns that describe them.

    Parameters
    ----------
    base, source
        The control and the treated inputs: texts, `Prompt` objects (text and images), lists of token ids (ragged is
        fine), a tensor of shape ``(n, ...)``, or a dict of such tensors (keyword arguments of the module). `source`
        may be left out when only ablations are asked.
    frame
        One row a unit; its columns are what outcomes and interventions refer to by name.
    cluster
        Column of `frame`, or n labels: units of one cluster are not independent of each other. Two columns, such as
        ``["item", "template"]``, where units belong to clusters of two kinds: those that share either are dependent,
        and intervals are two-way. `Pairs.cluster` then holds both labels, ``(n, 2)``.
    weight
        Column of `frame`, or n positive numbers.
        Labels, weights, spans and inputs that are a pandas Series are matched by its index with that of `frame`, or
        else of `base`, or else with the units' numbers; DataError if its labels are others.
    spans
        Named spans of the text: name -> column, or ``(base column, source column)``, of substrings or of
        ``(start, end)`` offsets (characters for texts, tokens for token ids); or n such values.

    Raises
    ------
    DataError
        If lengths differ, a column is missing, or a substring is not found exactly once.

    Examples
    --------
    >>> pairs = Pairs(base=["The cat sat"], source=["The dog sat"], spans={"subject": (["cat"], ["dog"])})
    >>> len(pairs), pairs.span_names
    (1, ('subject',))
    """

    base: Any
    source: Any = None
    frame: pd.DataFrame | None = None
    cluster: Any = None
    weight: Any = None
    spans: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, str] = ("base", "source")

    def __post_init__(self) -> None:
        put = object.__setattr__
        index = self._index()
        base = inputs_from(in_order(self.base, index, "base"), "base")
        n = count(base)
        if n == 0:
            raise DataError("Pairs: base holds no unit; at least two are needed for an interval, one for a number.")
        put(self, "base", base)
        if self.source is not None:
            put(self, "source", self._matching_source(in_order(self.source, index, "source")))
        frame = self._checked_frame(n)
        put(self, "frame", frame)
        for what in ("cluster", "weight"):
            put(self, what, in_order(getattr(self, what), index, what))
        names = named_kinds(self.cluster, frame, n)
        put(self, "cluster_name", (names if len(names) > 1 else names[0]) if names else None)
        put(self, "cluster", clusters_from(self.cluster, frame, n))
        put(self, "weight", weights_from(self.weight, frame, n))
        if not isinstance(self.spans, Mapping):
            raise DataError(
                f"Pairs(spans={shown(self.spans)}): a mapping from names to columns or values is needed, such as "
                "spans={'subject': 'subject_column'}."
            )
        put(
            self,
            "spans",
            {name: self._span(name, in_order(given, index, f"span {name!r}")) for name, given in self.spans.items()},
        )

    cluster_name: str | list[str] | None = field(init=False, default=None)
    answers_follow: Before | None = field(init=False, default=None)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        base: str = "base",
        source: str | None = "source",
        *,
        cluster: str | Sequence[str] | None = None,
        weight: str | None = None,
        spans: Mapping[str, str | tuple[str, str]] | None = None,
    ) -> Pairs:
        """Make pairs from a frame with one row a unit, naming the columns that hold the inputs.

        Examples
        --------
        >>> frame = pd.DataFrame({"clean": ["Paris is in"], "corrupted": ["Rome is in"], "answer": [" France"]})
        >>> Pairs.from_frame(frame, base="corrupted", source="clean")
        <Pairs n=1, texts, columns clean, corrupted, answer>
        """
        if not isinstance(frame, pd.DataFrame):
            raise DataError(
                f"Pairs.from_frame: frame is {called(frame)}; a pandas DataFrame with one row a unit is needed, "
                "such as pd.DataFrame(...)."
            )
        named_once(frame.columns, "Pairs.from_frame")
        for what, name in (("base", base), ("source", source)):
            if name is None and what == "source":
                continue
            if not isinstance(name, Hashable) or name not in frame.columns:
                raise DataError(f"Pairs.from_frame({what}={shown(name)}): no such column. {no_column(name, frame)}")
        if base == source:
            raise DataError(
                f"Pairs.from_frame(base={base!r}, source={source!r}): both are one column, so nothing would differ. "
                "Name the column of the source inputs, or source=None when only ablations are asked."
            )
        return cls(
            base=list(frame[base]),
            source=None if source is None else list(frame[source]),
            frame=frame,
            cluster=cluster,
            weight=weight,
            spans={} if spans is None else spans,
            columns=(base, source or ""),
        )

    def __len__(self) -> int:
        return count(self.base)

    @property
    def span_names(self) -> tuple[str, ...]:
        """Names of the spans, in the order given."""
        return tuple(self.spans)

    @property
    def is_text(self) -> bool:
        """True if inputs are strings."""
        return isinstance(self.base, tuple) and isinstance(self.base[0], str)

    @property
    def is_prompts(self) -> bool:
        """True if inputs are prompts of text and images."""
        return isinstance(self.base, tuple) and isinstance(self.base[0], Prompt)

    @property
    def is_ids(self) -> bool:
        """True if inputs are sequences of token ids."""
        return isinstance(self.base, tuple) and isinstance(self.base[0], Tensor)

    def inputs(self, run: str) -> Any:
        """Return the inputs of `run`: "base" or "source"."""
        one_of(run, ("base", "source"), what="Pairs.inputs: run", error=DataError)
        found = self.base if run == "base" else self.source
        if found is None:
            raise DataError(
                "The question needs source inputs, and these pairs have only base. Give Pairs(base=..., source=...); "
                "med.ablate with run='base' asks about the base alone."
            )
        return found

    def column(self, name: str) -> list[Any]:
        """Return a column of the frame, or raise DataError with the nearest name."""
        frame = self.table
        if not isinstance(name, Hashable) or name not in frame.columns:
            raise DataError(f"No column {shown(name)} among the units. {no_column(name, frame)}")
        return list(frame[name])

    @property
    def table(self) -> pd.DataFrame:
        """The frame that describes the units."""
        assert self.frame is not None
        return self.frame

    @property
    def crossed(self) -> list[int]:
        """How many clusters of either kind there are; nothing where clusters are of one kind."""
        two = self.cluster is not None and self.cluster.ndim == 2
        return [len(set(self.cluster[:, kind])) for kind in (0, 1)] if two else []

    @property
    def cluster_columns(self) -> dict[str, NDArray[Any]]:
        """The columns of a units frame that hold the cluster of each unit, (n,): one, or two where they cross."""
        if self.crossed:
            return {"cluster": self.cluster[:, 0], "cluster_2": self.cluster[:, 1]}
        return {"cluster": np.arange(len(self)) if self.cluster is None else self.cluster}

    def subset(self, units: Sequence[int]) -> Pairs:
        """Return the pairs of `units` only, in that order."""
        chosen = elements(
            units, what="Pairs.subset: units", needed="a list of unit numbers, such as [0, 2],", error=DataError
        )
        keep = [positive_int(unit, what="Pairs.subset: a unit", least=0, error=DataError) for unit in chosen]
        outside = [unit for unit in keep if not 0 <= unit < len(self)]
        if outside:
            last = len(self) - 1
            raise DataError(f"Pairs.subset: there is no unit {outside[0]}; units are 0 to {last}.")
        return Pairs(
            base=take(self.base, keep),
            source=None if self.source is None else take(self.source, keep),
            frame=self.table.iloc[keep],
            cluster=None if self.cluster is None else self.cluster[keep],
            weight=None if self.weight is None else self.weight[keep],
            spans={
                name: ([b[i] for i in keep], None if s is None else [s[i] for i in keep])
                for name, (b, s) in self.spans.items()
            },
            columns=self.columns,
        )

    def answered_after(self, text: str, *, strictly: bool) -> Pairs:
        """Return pairs whose answers are read as the tokens that they are after `text`, not after the inputs.

        Parameters
        ----------
        strictly
            Whether answers must split from it; else they are read as after other texts where they do not.
        """
        found = copy(self)
        object.__setattr__(found, "answers_follow", Before(text, strictly))
        return found

    def _index(self) -> Any:
        """Return the labels of the units: of the frame, or of a Series of base inputs, or else their numbers."""
        for given in (self.frame, self.base):
            if isinstance(given, (pd.DataFrame, pd.Series)):
                return given.index
        one = next(iter(self.base.values()), None) if isinstance(self.base, Mapping) else self.base
        try:
            return range(len(one))  # type: ignore[arg-type]
        except TypeError:  # no inputs at all, which is refused with them
            return range(0)

    def _matching_source(self, given: Any) -> Any:
        source = inputs_from(given, "source")
        n = len(self)
        if count(source) != n:
            raise DataError(
                f"Pairs: base has {n} inputs and source has {count(source)}; each base needs its own source."
            )
        mine, theirs = kind_of(self.base), kind_of(source)
        same = mine == theirs or (isinstance(self.base, Tensor) and isinstance(source, Tensor))
        if not same:
            raise DataError(f"Pairs: base is {mine} and source is {theirs}; both must be of one kind.")
        return source

    def _checked_frame(self, n: int) -> pd.DataFrame:
        if self.frame is None:
            return pd.DataFrame(index=range(n))
        if not isinstance(self.frame, pd.DataFrame):
            raise DataError(
                f"Pairs: frame is {called(self.frame)}; a pandas DataFrame with one row a unit is needed, such as "
                "pd.DataFrame(...)."
            )
        if len(self.frame) != n:
            raise DataError(
                f"Pairs: frame has {len(self.frame)} rows and base has {n} inputs; one row a unit is needed."
            )
        named_once(self.frame.columns, "Pairs(frame=...)")
        return self.frame.reset_index(drop=True).copy()

    def _span(self, name: Any, given: Any) -> tuple[Span, Span | None]:
        if not isinstance(name, str) or not name or name in RESERVED:
            raise DataError(
                f"Pairs(spans={{{name!r}: ...}}): a span needs a name of its own, such as 'subject'; "
                f"{', '.join(map(repr, RESERVED))} are positions already."
            )
        if isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], (int, np.integer)):
            first, second = given
        else:
            first, second = given, given
        base = self._span_values(name, first, "base")
        return base, None if self.source is None or second is None else self._span_values(name, second, "source")

    def _span_values(self, name: str, given: Any, run: str) -> Span:
        needed = "the name of a column, or one value a unit,"
        named = isinstance(given, str)
        values = self.column(given) if named else elements(given, what=f"Span {name!r}", needed=needed, error=DataError)
        inputs = self.inputs(run)
        if len(values) != len(self):
            raise DataError(
                f"Span {name!r}: {len(values)} given for {len(self)} units; one substring, or one (start, end), a unit "
                "is needed."
            )
        if not (self.is_text or self.is_prompts or self.is_ids or (isinstance(inputs, Tensor) and inputs.ndim > 1)):
            raise DataError(f"Span {name!r}: the inputs are {kind_of(inputs)}; only texts and token ids have spans.")
        texts = [one.text for one in inputs] if self.is_prompts else inputs
        return tuple(span_offsets(name, value, texts[unit], unit, run) for unit, value in enumerate(values))

    def __repr__(self) -> str:
        counts = self.crossed or ([len(set(self.cluster))] if self.cluster is not None else [])
        clusters = f", {' x '.join(map(str, counts))} clusters" if counts else ""
        spans = f", spans {', '.join(self.spans)}" if self.spans else ""
        names = ", ".join(map(str, self.table.columns))
        columns = f", columns {names}" if names else ""
        return printable(f"<Pairs n={len(self)}, {kind_of(self.base)}{clusters}{spans}{columns}>", one_line=True)
