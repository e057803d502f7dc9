"""Confidence sets: what the ends and the method of a row say together, as disjoint intervals."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, final

from ..._checks import number, shown
from ...errors import DataError
from ...inference.ratios import gap_in

_LINE = (-math.inf, math.inf)


@final
@dataclass(frozen=True, slots=True)
class IntervalSet:
    """Confidence set of one number: closed intervals on the line, in ascending order.

    Nearly always one interval. Fieller's set for a ratio can also be a half-line, two half-lines with a gap between
    them, or the whole line.

    Parameters
    ----------
    pieces
        Pairs of ends, disjoint and ascending; an end may be infinite. Empty where no set could be formed.

    Raises
    ------
    DataError
        If an end is NaN, or the pieces are not disjoint and ascending.

    Examples
    --------
    >>> gapped = IntervalSet(((-math.inf, -0.1), (0.6, math.inf)))
    >>> gapped.contains(0.0), gapped.contains(0.6), gapped.is_bounded
    (False, True, False)
    >>> print(gapped)
    (-inf, -0.1] or [0.6, inf)
    """

    pieces: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        flat = [end for piece in self.pieces for end in piece]
        if any(map(math.isnan, flat)) or flat != sorted(flat) or len(set(flat[1:-1])) < len(flat[1:-1]):
            raise DataError(
                f"IntervalSet: the pieces are {self.pieces}; pairs of ends are needed, disjoint and ascending, such as "
                "((0.2, 0.6),)."
            )

    @property
    def is_missing(self) -> bool:
        """Whether no set could be formed (the data were degenerate)."""
        return not self.pieces

    @property
    def is_bounded(self) -> bool:
        """Whether the set lies between two finite ends; False where there is no set."""
        return bool(self.pieces) and math.isfinite(self.pieces[0][0]) and math.isfinite(self.pieces[-1][1])

    @property
    def is_line(self) -> bool:
        """Whether the set is the whole line: the data exclude no value."""
        return self.pieces == (_LINE,)

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest point of the set, infinite where it has none; NaN where there is no set."""
        return (self.pieces[0][0], self.pieces[-1][1]) if self.pieces else (math.nan, math.nan)

    def contains(self, value: float) -> bool:
        """Return whether `value` is in the set, that is, not rejected by the test that the set inverts.

        Raises
        ------
        DataError
            If there is no set: the data neither reject nor allow anything.
        """
        if self.is_missing:
            raise DataError(
                f"Whether {shown(value)} is in the set cannot be said: there is none, the data are degenerate. Ask "
                "`is_missing` first."
            )
        value = number(value, what="contains: value", needed="a finite number")
        return any(low <= value <= high for low, high in self.pieces)

    def __str__(self) -> str:
        if self.is_missing:
            return "no interval"
        return " or ".join(
            f"{'(' if math.isinf(low) else '['}{low:g}, {high:g}{')' if math.isinf(high) else ']'}"
            for low, high in self.pieces
        )


def interval_set(low: float, high: float, method: str = "") -> IntervalSet:
    """Return the set that the two ends of a row and its method stand for.

    Examples
    --------
    >>> interval_set(0.2, 0.6, "bootstrap-t").pieces
    ((0.2, 0.6),)
    >>> interval_set(-math.inf, math.inf, "fieller (complement: <= -0.1 or >= 0.6)").pieces
    ((-inf, -0.1), (0.6, inf))
    >>> interval_set(math.nan, math.nan, "degenerate").is_missing
    True
    """
    gap = gap_in(method)
    if gap is None and "(complement" in method and low > high:
        gap = (high, low)  # a table made by hand, with the ends of the gap in the place of the ends
    if gap is not None:
        return IntervalSet(((-math.inf, gap[0]), (gap[1], math.inf)))
    if "(unbounded)" in method:
        return IntervalSet((_LINE,))
    return IntervalSet(()) if math.isnan(low) or math.isnan(high) else IntervalSet(((low, high),))


def set_of(row: Mapping[Hashable, Any]) -> IntervalSet:
    """Return the confidence set of one row of a tidy table, given as a mapping (a dict or a Series).

    Examples
    --------
    >>> set_of({"conf_low": 0.2, "conf_high": 0.6, "method": "fieller"}).is_bounded
    True
    """
    return interval_set(float(row["conf_low"]), float(row["conf_high"]), str(row["method"]))
