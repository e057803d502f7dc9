"""What every method is given about a block of columns, and what it returns: ends of intervals and p-values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .._settings import Inference
from ..sample import SAME, Array, Linearised, Sampling


@final
@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A block of k columns in scaled units, none of them degenerate.

    Parameters
    ----------
    block
        Means and residual totals.
    centre, std_error
        What is studentised: the mean and its standard error, or Bonett and Price's for columns of few flips, (k,).
    null
        The values that the p-values test, (k,).
    design, settings
        The sampling design, and method, level and number of resamples.
    """

    block: Linearised
    centre: Array
    std_error: Array
    null: Array
    design: Sampling
    settings: Inference

    def columns(self, some: slice | NDArray[np.bool_]) -> Part:
        """Return the part that holds `some` of the columns."""
        return Part(
            self.block.columns(some), self.centre[some], self.std_error[some], self.null[some], self.design,
            self.settings,
        )  # fmt: skip


class Ends(NamedTuple):
    """Intervals and one-sided p-values of k columns.

    Parameters
    ----------
    low, high
        Ends, (k,).
    p_less, p_greater
        P-values against "the mean is below (above) the null value", (k,). The interval leaves out the null value
        exactly when twice the smaller one is at most alpha.
    lacking
        Where this method has no interval, (k,): an infinite end, or two equal ones.
    mark
        What to add to the method's name, (k,) texts.
    """

    low: Array
    high: Array
    p_less: Array
    p_greater: Array
    lacking: NDArray[np.bool_]
    mark: NDArray[np.str_]


def two_sided(p_less: Array, p_greater: Array) -> Array:
    """Return two-sided p-values: twice the smaller one, at most 1.

    Examples
    --------
    >>> two_sided(np.array([0.01, 0.6]), np.array([0.99, 0.6]))
    array([0.02, 1.  ])
    """
    return np.minimum(1.0, 2.0 * np.minimum(p_less, p_greater))


def ends_of(part: Part, low: Array, high: Array, p_less: Array, p_greater: Array) -> Ends:
    """Return ends, with those at the null value up to rounding put on it, and zero widths marked as lacking."""
    close = SAME * np.maximum(1.0, np.abs(part.block.mean))
    low = np.where(np.abs(low - part.null) <= close, part.null, low)
    high = np.where(np.abs(high - part.null) <= close, part.null, high)
    lacking = ~(np.isfinite(low) & np.isfinite(high) & (high - low > close))
    return Ends(low, high, p_less, p_greater, lacking, np.zeros(len(low), dtype="<U1"))
