"""What runs passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._checks import called, shown
from ...errors import BackendError, DesignError
from ..passes import Index
from ..session import Pass

Outcomes = NDArray[np.float64]


class AbstractExecutor(ABC):
    """Runs the passes of a study's stream, each after those that it needs.

    The one of this process is given to ``through`` of `run_study`, which returns the one that is asked: itself, or one
    that does something before, after or instead of it.
    """

    @abstractmethod
    def outcomes(self, one: Pass) -> Outcomes:
        """Return ``(rows, outcomes)`` of a pass, in the order of its cells; none of one that only leaves things.

        `Pass.outcomes` says how many rows there are. Of a study of one outcome, ``(rows,)`` will do.
        """

    @abstractmethod
    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run, so that nothing has to be run for them."""


def executor_from(through: Any, inner: AbstractExecutor) -> AbstractExecutor:
    """Return the executor that `through` makes of the one of this process.

    Raises
    ------
    DesignError
        If it makes none.
    """
    needed = "a function is needed, from the executor of this process to the one that runs the passes"
    if not callable(through):
        raise DesignError(f"run_study: through = {shown(through)}: {needed}. Give the class, or a lambda.")
    found = through(inner)
    if not isinstance(found, AbstractExecutor):
        raise DesignError(f"run_study: through gave {_told(found)}; {needed}.")
    return found


def outcomes_of(executor: AbstractExecutor, one: Pass, outcomes: int) -> Outcomes:
    """Return ``(rows, outcomes)`` of a pass; BackendError if an executor does not give them."""
    found: Any = executor.outcomes(one)
    rows = one.outcomes
    if _is_numbers(found):
        if not rows and not found.size:
            return np.empty((0, outcomes))
        if found.shape == (rows, outcomes) or (outcomes == 1 and found.shape == (rows,)):
            return np.asarray(found, dtype=np.float64).reshape(rows, outcomes)
    shape = f"({rows},)" if outcomes == 1 else f"({rows}, {outcomes})"
    wanted = f"numbers of shape {shape}" if rows else "nothing, of shape (0,), as it only leaves activations,"
    raise BackendError(
        f"{type(executor).__name__}.outcomes gave {_told(found)} for pass {one.number} ({one.kind}); a numpy array of "
        f"{wanted} is needed."
    )


def unchanged_of(executor: AbstractExecutor, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
    """Return ``(worlds, units)``: which worlds are the plain run; BackendError if an executor does not say."""
    found: Any = executor.unchanged(worlds, units)
    shape = (len(worlds), len(units))
    if isinstance(found, np.ndarray) and found.dtype == bool and found.shape == shape:
        return found
    raise BackendError(
        f"{type(executor).__name__}.unchanged gave {_told(found)}; a numpy array of truth values of shape {shape}, "
        "worlds by units, is needed."
    )


def _is_numbers(found: object) -> bool:
    return isinstance(found, np.ndarray) and found.dtype.kind in "fiu"


def _told(found: Any) -> str:
    if found is None:
        return "None"
    if isinstance(found, np.ndarray):
        return f"an array of {found.dtype}, shape {found.shape}"
    shape = getattr(found, "shape", None)
    return called(found) if shape is None else f"{called(found)} of shape {tuple(shape)}"
