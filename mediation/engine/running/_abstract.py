"""What runs passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..passes import Index
from ..session import Pass


class AbstractExecutor(ABC):
    """Runs the passes of a study's stream, each after those that it needs.

    The one of this process is given to ``through`` of `run_study`, which returns the one that is asked: itself, or one
    that does something before, after or instead of it.
    """

    @abstractmethod
    def outcomes(self, one: Pass) -> NDArray[np.float64]:
        """Return ``(rows, outcomes)`` of a pass, in the order of its cells; none of one that only leaves things."""

    @abstractmethod
    def unchanged(self, worlds: Index, units: Sequence[int]) -> NDArray[np.bool_]:
        """Return ``(worlds, units)``: which worlds are the plain run, so that nothing has to be run for them."""
