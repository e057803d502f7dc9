"""Pairs: the units of a study, each a base input, a source input and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .._checks import listed, suggestion
from .._errors import DataError

Inputs = tuple[str, ...] | tuple[Tensor, ...] | Tensor | dict[str, Tensor]
Span = tuple[tuple[int, int], ...]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Pairs:
    """Units of a study: n base inputs, n source inputs, and columns that describe them.

    Parameters
    ----------
    base, source
        The control and the treated inputs: texts, lists of token ids (ragged is fine), a tensor of shape
        ``(n, ...)``, or a dict of such tensors (keyword arguments of the module). `source` may be left
        out when only ablations are asked.
    frame
        One row a unit; its columns are what outcomes and interventions refer to by name.
    cluster
        Column of `frame`, or n labels: units of one cluster are not independent of each other.
    weight
        Column of `frame`, or n positive numbers.
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
        base = _inputs(self.base, "base")
        n = _count(base)
        if n == 0:
            raise DataError("Pairs: base holds no unit; at least two are needed for an interval, one for a number.")
        frame = pd.DataFrame(index=range(n)) if self.frame is None else self.frame.reset_index(drop=True).copy()
        if len(frame) != n:
            raise DataError(f"Pairs: frame has {len(frame)} rows and base has {n} inputs; one row a unit is needed.")
        put = object.__setattr__
        put(self, "base", base)
        put(self, "frame", frame)
        if self.source is not None:
            source = _inputs(self.source, "source")
            if _count(source) != n:
                raise DataError(
                    f"Pairs: base has {n} inputs and source has {_count(source)}; each base needs its source."
                )
            if type(source) is not type(base):
                raise DataError(
                    f"Pairs: base is {_kind(base)} and source is {_kind(source)}; both must be of one kind."
                )
            put(self, "source", source)
        cluster_name = self.cluster if isinstance(self.cluster, str) else None
        put(self, "cluster_name", cluster_name)
        put(self, "cluster", _labels(self.cluster, frame, n, "cluster"))
        put(self, "weight", _weights(self.weight, frame, n))
        put(self, "spans", {name: self._span(name, given) for name, given in dict(self.spans).items()})

    cluster_name: str | None = field(init=False, default=None)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        base: str = "base",
        source: str | None = "source",
        *,
        cluster: str | None = None,
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
        for what, name in (("base", base), ("source", source)):
            if name is not None and name not in frame.columns:
                raise DataError(
                    f"Pairs.from_frame({what}={name!r}): no such column. {suggestion(name, list(map(str, frame.columns)))}"
                )
        return cls(
            base=list(frame[base]),
            source=None if source is None else list(frame[source]),
            frame=frame,
            cluster=cluster,
            weight=weight,
            spans=spans or {},
            columns=(base, source or ""),
        )

    def __len__(self) -> int:
        return _count(self.base)

    @property
    def span_names(self) -> tuple[str, ...]:
        """Names of the spans, in the order given."""
        return tuple(self.spans)

    @property
    def is_text(self) -> bool:
        """True if inputs are strings."""
        return isinstance(self.base, tuple) and isinstance(self.base[0], str)

    @property
    def is_ids(self) -> bool:
        """True if inputs are sequences of token ids."""
        return isinstance(self.base, tuple) and isinstance(self.base[0], Tensor)

    def inputs(self, run: str) -> Any:
        """Return the inputs of `run`: "base" or "source"."""
        found = self.base if run == "base" else self.source
        if found is None:
            raise DataError(
                "The question needs source inputs, and these pairs have only base. Give Pairs(base=..., source=...)."
            )
        return found

    def column(self, name: str) -> list[Any]:
        """Return a column of the frame, or raise DataError with the nearest name."""
        frame = self.table
        if name not in frame.columns:
            names = list(map(str, frame.columns))
            raise DataError(
                f"No column {name!r} among the units. {suggestion(name, names) if names else 'The frame has no columns.'}"
            )
        return list(frame[name])

    @property
    def table(self) -> pd.DataFrame:
        """The frame that describes the units."""
        assert self.frame is not None
        return self.frame

    def subset(self, units: Sequence[int]) -> Pairs:
        """Return the pairs of `units` only, in that order."""
        keep = list(units)
        return Pairs(
            base=_take(self.base, keep),
            source=None if self.source is None else _take(self.source, keep),
            frame=self.table.iloc[keep],
            cluster=None if self.cluster is None else self.cluster[keep],
            weight=None if self.weight is None else self.weight[keep],
            spans={
                name: ([b[i] for i in keep], None if s is None else [s[i] for i in keep])
                for name, (b, s) in self.spans.items()
            },
            columns=self.columns,
        )

    def _span(self, name: str, given: Any) -> tuple[Span, Span | None]:
        if isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], (int, np.integer)):
            first, second = given
        else:
            first, second = given, given
        base = self._span_values(name, first, "base")
        return base, None if self.source is None or second is None else self._span_values(name, second, "source")

    def _span_values(self, name: str, given: Any, run: str) -> Span:
        values = self.column(given) if isinstance(given, str) else list(given)
        texts = self.inputs(run)
        if len(values) != len(self):
            raise DataError(f"Span {name!r}: {len(values)} values for {len(self)} units.")
        return tuple(_offsets(name, value, texts[unit], unit, run) for unit, value in enumerate(values))

    def __repr__(self) -> str:
        clusters = f", {len(np.unique(self.cluster))} clusters" if self.cluster is not None else ""
        spans = f", spans {', '.join(self.spans)}" if self.spans else ""
        columns = ", ".join(map(str, self.table.columns))
        return f"<Pairs n={len(self)}, {_kind(self.base)}{clusters}{spans}{f', columns {columns}' if columns else ''}>"


def _inputs(given: Any, what: str) -> Inputs:
    if isinstance(given, Tensor):
        if given.ndim == 0:
            raise DataError(f"Pairs: {what} is a single number; a tensor with one row a unit is needed.")
        return given
    if isinstance(given, Mapping):
        tensors = {str(name): value for name, value in given.items()}
        if not tensors or not all(isinstance(value, Tensor) and value.ndim > 0 for value in tensors.values()):
            raise DataError(f"Pairs: {what} is a mapping; it must map argument names to tensors with one row a unit.")
        if len({len(value) for value in tensors.values()}) > 1:
            raise DataError(
                f"Pairs: the tensors of {what} differ in rows: { {k: len(v) for k, v in tensors.items()} }."
            )
        return tensors
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray, pd.Series)):
        raise DataError(
            f"Pairs: {what} is {type(given).__name__}; a list of texts, a list of token ids or a tensor is needed."
        )
    items = list(given)
    if all(isinstance(item, str) for item in items):
        empty = [i for i, item in enumerate(items) if not item]
        if empty:
            raise DataError(f"Pairs: {what} of unit {empty[0]} is an empty text.")
        return tuple(items)
    bad = [i for i, item in enumerate(items) if isinstance(item, str) or item is None or isinstance(item, float)]
    if bad:
        raise DataError(
            f"Pairs: {what} of unit {bad[0]} is {items[bad[0]]!r}; every unit needs a text (or every unit token ids)."
        )
    return tuple(torch.as_tensor(item, dtype=torch.long) for item in items)


def _count(inputs: Inputs) -> int:
    if isinstance(inputs, dict):
        return len(next(iter(inputs.values())))
    return len(inputs)


def _take(inputs: Inputs, keep: list[int]) -> Any:
    if isinstance(inputs, dict):
        return {name: value[keep] for name, value in inputs.items()}
    return inputs[keep] if isinstance(inputs, Tensor) else [inputs[i] for i in keep]


def _kind(inputs: Inputs) -> str:
    if isinstance(inputs, dict):
        return f"tensors {', '.join(inputs)}"
    if isinstance(inputs, Tensor):
        return f"tensor of shape {tuple(inputs.shape)}"
    return "texts" if isinstance(inputs[0], str) else "token ids"


def _labels(given: Any, frame: pd.DataFrame, n: int, what: str) -> Any:
    if given is None:
        return None
    if isinstance(given, str):
        if given not in frame.columns:
            raise DataError(
                f"Pairs({what}={given!r}): no such column. {suggestion(given, list(map(str, frame.columns)))}"
            )
        given = frame[given]
    labels = np.asarray(list(given), dtype=object)
    if len(labels) != n:
        raise DataError(f"Pairs: {len(labels)} {what} labels for {n} units.")
    missing = np.flatnonzero(pd.isna(pd.Series(labels)))
    if len(missing):
        raise DataError(f"Pairs: unit {missing[0]} has no {what} label ({len(missing)} of {n} are missing).")
    return labels


def _weights(given: Any, frame: pd.DataFrame, n: int) -> Any:
    labels = _labels(given, frame, n, "weight")
    if labels is None:
        return None
    try:
        weights = labels.astype(float)
    except (TypeError, ValueError):
        raise DataError(f"Pairs: weights must be numbers, found {listed(labels[:3])}.") from None
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise DataError(
            f"Pairs: weights must be positive and finite; unit {int(np.argmin(weights))} has {weights.min():g}."
        )
    return weights


def _offsets(name: str, value: Any, text: Any, unit: int, run: str) -> tuple[int, int]:
    if isinstance(value, str) and isinstance(text, str):
        found = text.count(value) if value else 0
        if found != 1:
            raise DataError(
                f"Span {name!r}: {value!r} occurs {found} times in the {run} text of unit {unit} ({text!r}); "
                "once is needed. Give (start, end) character offsets instead."
            )
        start = text.index(value)
        return start, start + len(value)
    try:
        start, end = (int(part) for part in value)
    except (TypeError, ValueError):
        raise DataError(
            f"Span {name!r}: unit {unit} has {value!r}; a substring or (start, end) offsets are needed."
        ) from None
    if not 0 <= start < end <= len(text):
        raise DataError(
            f"Span {name!r}: offsets ({start}, {end}) of unit {unit} lie outside its {run} input of length {len(text)}."
        )
    return start, end
