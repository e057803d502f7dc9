"""Captured states, and the checks that the other files share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import elements, hashable, positive_int, reals, shown
from .._series import in_order_of
from ..errors import DataError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class States:
    """States of n units at several steps (positions, latent steps, tokens of a text); made by `capture`.

    It reads as an array: ``np.asarray(states)``, ``states.shape`` and ``states[:, 0]`` are those of `values`.

    Parameters
    ----------
    values
        ``(n, steps, hidden)``; NaN where a unit has fewer steps. ``(n, hidden)`` is one step. Activations of plain
        modules may have further axes.
    lengths
        Steps that each unit has, ``(n,)``; None where all have all of them.
    name
        What they are called in tables and pictures.

    Raises
    ------
    DataError
        If shapes do not fit, or a step that a unit has holds NaN or infinity.

    Examples
    --------
    >>> states = States(np.ones((3, 2, 4)), lengths=[2, 1, 2], name="latents")
    >>> states
    <States 'latents': 3 units, 1 to 2 steps, 4 features>
    >>> states.take(steps=[0]).shape
    (3, 1, 4)
    """

    values: NDArray[Any]
    lengths: Any = None
    name: str = "states"

    def __post_init__(self) -> None:
        check_name(self.name, "States: name")
        values = numbers_of(self.values, "States: values")
        values = values[:, None] if values.ndim == 2 else values
        if values.ndim < 3 or 0 in values.shape:
            raise DataError(
                f"States: values has shape {values.shape}; (units, steps, hidden) is needed, none of them 0."
            )
        n, steps = values.shape[:2]
        lengths = np.full(n, steps) if self.lengths is None else _whole(self.lengths)
        if lengths.shape != (n,) or lengths.dtype.kind not in "iu" or lengths.min() < 0 or lengths.max() > steps:
            raise DataError(
                f"States: lengths = {shown(self.lengths)}; a whole number from 0 to {steps} for each of {n} units is "
                "needed."
            )
        there = np.arange(steps) < lengths[:, None]
        values[~there] = np.nan
        wrong = there & ~np.isfinite(values).all(axis=tuple(range(2, values.ndim)))
        if wrong.any():
            unit, step = (int(first[0]) for first in np.nonzero(wrong))
            raise DataError(
                f"States {self.name!r}: NaN or infinity in unit {unit} at step {step}. Drop the unit, or give lengths."
            )
        values.setflags(write=False)
        lengths.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "lengths", lengths)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(units, steps, hidden)``."""
        return tuple(self.values.shape)

    @property
    def dtype(self) -> Any:
        """Data type of the values."""
        return self.values.dtype

    @property
    def has(self) -> NDArray[np.bool_]:
        """Which unit has which step, ``(units, steps)``."""
        found: NDArray[np.bool_] = np.arange(self.shape[1]) < self.lengths[:, None]
        return found

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.values[index]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype) if copy else np.asarray(self.values, dtype=dtype)

    def named(self, name: str) -> States:
        """Return the same states under another name."""
        return replace(self, name=name)

    def take(self, units: Sequence[int] | None = None, steps: Sequence[int] | None = None) -> States:
        """Return the states of some units, and of some steps (counted from 0, in rising order).

        Raises
        ------
        DataError
            If a step is out of range or they are not in rising order.
        """
        n, last = self.shape[:2]
        chosen = list(range(last)) if steps is None else _indices(steps, "steps", last)
        if not chosen or sorted(set(chosen)) != chosen or not 0 <= chosen[0] <= chosen[-1] < self.shape[1]:
            raise DataError(
                f"take: steps = {shown(steps)}; steps from 0 to {self.shape[1] - 1} in rising order are needed."
            )
        rows = list(range(n)) if units is None else _indices(units, "units", n)
        if not rows:
            raise DataError("take: units is empty; one unit at least is needed.")
        lengths = (np.array(chosen) < self.lengths[rows][:, None]).sum(axis=1)
        return States(self.values[rows][:, chosen], lengths, self.name)

    def mean(self) -> States:
        """Return the mean over the steps of each unit, as one step; a unit without steps has none."""
        total = np.where(self.has[..., None], self.values, 0).sum(axis=1)
        return States(
            (total / np.maximum(self.lengths, 1)[:, None])[:, None], np.minimum(self.lengths, 1), f"mean of {self.name}"
        )

    def __repr__(self) -> str:
        low, high = int(self.lengths.min()), int(self.lengths.max())
        steps = f"{high}" if low == high else f"{low} to {high}"
        features = " x ".join(map(str, self.shape[2:]))
        return f"<States {self.name!r}: {len(self)} units, {steps} step{'' if high == 1 else 's'}, {features} features>"


def check_name(name: object, what: str) -> None:
    """Raise DataError if a name is no text that can be printed."""
    if not isinstance(name, str) or not name.isprintable():
        raise DataError(f"{what} = {shown(name)}; a text that can be printed is needed.")


def numbers_of(values: Any, what: str) -> NDArray[Any]:
    """Return a copy of `values` as an array of floats, of the precision that they have."""
    try:
        found = np.array(values)
    except (TypeError, ValueError, RuntimeError):
        found = np.array(None)
    return (
        found
        if found.dtype.kind == "f"
        else np.array(reals(values, what=what, needed="an array (units, steps, hidden)", error=DataError))
    )


def unit_labels(given: Any, n: int, what: str) -> list[Any]:
    """Return one label for each of n units; a Series is matched by its index, which are the numbers of the units."""
    ordered = in_order_of(given, range(n), what=what, error=DataError)
    labels = elements(ordered, what=what, needed="one label a unit", error=DataError)
    if len(labels) != n:
        raise DataError(f"{what} has {len(labels)} labels for {n} units; one a unit is needed.")
    return [hashable(one, what=f"{what}: the label of unit {i}", error=DataError) for i, one in enumerate(labels)]


def _whole(lengths: Any) -> NDArray[Any]:
    try:
        return np.array(lengths)
    except (TypeError, ValueError, RuntimeError):
        return np.array(None)  # which is refused


def _indices(given: Any, what: str, size: int) -> list[int]:
    chosen = elements(
        given, what=f"take: {what}", needed=f"a list of whole numbers from 0 to {size - 1}", error=DataError
    )
    return [positive_int(one, what=f"take: one of {what}", least=0, most=size - 1, error=DataError) for one in chosen]


def states_from(given: Any, what: str) -> States:
    """Return `given` as States of three axes, or raise DataError.

    A trajectory of latents is not an array; its thoughts are ``capture(model, trajectory, med.latents())``.
    """
    if isinstance(given, States):
        found = given
    else:
        array = reals(given, what=what, needed="States or an array (units, steps, hidden)", error=DataError)
        if array.ndim not in (2, 3):
            raise DataError(f"{what} has shape {array.shape}; (units, steps, hidden) or (units, hidden) is needed.")
        found = States(array)
    if found.values.ndim != 3:
        raise DataError(f"{what} has shape {found.shape}; (units, steps, hidden) is needed. Flatten further axes.")
    return found


def matrix(given: ArrayLike, what: str, *, least: int = 1) -> Array:
    """Return `given` as finite numbers of shape (n, d), n of at least `least`, or raise DataError."""
    found = reals(given, what=what, needed="an array (n, d), one state a row,", error=DataError)
    if found.ndim != 2 or found.shape[1] == 0 or len(found) < least:
        raise DataError(
            f"{what} has shape {found.shape}; one state a row is needed, (n, d) with n of at least {least}. "
            "Of captured states (units, positions, features) take one position: states[:, k]."
        )
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise DataError(f"{what} holds NaN or infinity, first in row {row}.")
    return found
