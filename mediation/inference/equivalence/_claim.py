"""What tests of equivalence need and give: margins, the level, the claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import shown
from ...errors import DesignError
from .._settings import Inference
from ..intervals import Intervals, checked_settings
from ..sample import Array, quiet


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equivalence:
    """Two one-sided tests of K quantities against margins; arrays are (K,).

    Parameters
    ----------
    margin
        Margin m of each claim, in units of the quantity (for a relative margin, at the estimated reference).
    low, high
        The interval of level 1 - 2 alpha that the two tests invert; NaN where there is none.
    p_value
        Larger p-value of the two tests (for a relative margin and a ratio, also of the test that the reference is not
        0). NaN where there is no interval.
    inside
        Whether the claim is made: `p_value` at most alpha.
    weak
        Whether the reference of a relative margin, or the denominator of a ratio, is not distinguishable from 0.
    method
        How the tests were made, K strings.
    """

    margin: Array
    low: Array
    high: Array
    p_value: Array
    inside: NDArray[np.bool_]
    weak: NDArray[np.bool_]
    method: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


def margins(margin: ArrayLike, size: int) -> Array:
    """Return one margin per column; DesignError unless each is a positive number.

    Examples
    --------
    >>> margins(0.1, 2)
    array([0.1, 0.1])
    """
    try:
        given = np.asarray(margin, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        given = np.full((), np.nan)
    if given.dtype != np.float64 or isinstance(margin, bool) or not (np.isfinite(given) & (given > 0)).all():
        raise DesignError(
            f"margin = {shown(margin)}: a positive number is needed, the largest effect that would still be negligible."
        )
    if given.shape not in {(), (size,)}:
        raise DesignError(f"margin has shape {given.shape}; one number, or one for each of {size} columns is needed.")
    return np.array(np.broadcast_to(given, (size,)))


def at_level(settings: Inference, alpha: float) -> Inference:
    """Return `settings` at the level 1 - 2 alpha.

    Examples
    --------
    >>> at_level(Inference(), 0.05).confidence_level
    0.9
    """
    checked_settings(settings)
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < 0.5:
        raise DesignError(
            f"alpha = {shown(alpha)}: the level of each one-sided test is needed, above 0 and below 0.5, such as 0.025."
        )
    return replace(settings, confidence_level=1.0 - 2.0 * alpha)


def one_sided(found: Intervals, which: str) -> Array:
    """Return p-values of one side; NaN where there are none."""
    p_value = getattr(found, which)
    return np.full(len(found.method), math.nan) if p_value is None else p_value


def decided(
    margin: Array,
    low: Array,
    high: Array,
    p_value: Array,
    alpha: float,
    *,
    method: tuple[str, ...],
    weak: NDArray[np.bool_] | None = None,
) -> Equivalence:
    """Return the result; a claim needs the tests and, against rounding, the interval that they invert."""
    with np.errstate(invalid="ignore"):
        inside = (p_value <= alpha) & (low > -margin) & (high < margin)
    none = np.zeros(len(margin), dtype=bool) if weak is None else weak & np.isfinite(p_value)
    return Equivalence(
        margin=np.array(margin),
        low=np.array(low),
        high=np.array(high),
        p_value=np.array(p_value),
        inside=np.asarray(inside & ~none),
        weak=none,
        method=tuple("degenerate" if empty else name for empty, name in zip(np.isnan(p_value), method, strict=True)),
    )


def decided_by(tested: Callable[[Array], Intervals], margin: Array, alpha: float) -> Equivalence:
    """Return the result of two tests of one statistic, `tested` against the margin and against its negative."""
    below = tested(margin)
    with quiet():  # the same columns again
        above = tested(-margin)
    p_value = np.maximum(one_sided(below, "p_less"), one_sided(above, "p_greater"))
    return decided(margin, below.conf_low, below.conf_high, p_value, alpha, method=below.method)
