"""Numbers as a careful paper prints them: as many digits as the interval supports, and no more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from ._sets import IntervalSet, interval_set

_ERROR_DIGITS = 2  # significant digits of the standard error
_LONE_DIGITS = 3  # significant digits of an estimate without any measure of error
_MOST_DIGITS = 7  # more than float32 holds would be false digits
_MOST_DECIMALS, _LEAST_DECIMALS = 6, -4  # outside, scientific notation

NO_INTERVAL = "no interval"
UNBOUNDED = "unbounded"


@final
@dataclass(frozen=True, slots=True)
class Printed:
    """One estimate, printed: the value, its standard error and its interval.

    Parameters
    ----------
    estimate, std_error, interval
        Text; the interval is '[low, high]', with '(-inf' or 'inf)' where it has no end; '(-inf, x] or [y, inf)' for
        two half-lines; 'unbounded' for the whole line; or 'no interval'.
    """

    estimate: str
    std_error: str
    interval: str


def print_p(p_value: float) -> str:
    """Return a p-value in three decimals, never as 0 and never as 1.

    Examples
    --------
    >>> [print_p(p) for p in (0.0, 0.0004, 0.0314, 0.9999)]
    ['<.001', '<.001', '.031', '>.999']
    >>> print_p(float("nan"))
    ''
    """
    if math.isnan(p_value):
        return ""
    if p_value < 0.001:
        return "<.001"
    return ">.999" if p_value > 0.999 else f"{p_value:.3f}".removeprefix("0")


def print_row(estimate: float, std_error: float, low: float, high: float, *, method: str = "") -> Printed:
    """Return the texts of one row, all to the same decimal place.

    The place is that of the second significant digit of the standard error; without one, of a quarter of the
    interval's width; without either, three significant digits of the estimate. The ends of a gap have at least two
    significant digits of their own: the standard error of a ratio whose denominator may be 0 says nothing about them.

    Examples
    --------
    >>> print_row(2.31456, 0.2134, 1.8812, 2.7523)
    Printed(estimate='2.31', std_error='0.21', interval='[1.88, 2.75]')
    >>> print_row(0.75, 0.9, float("-inf"), float("inf"), method="fieller (unbounded)").interval
    'unbounded'
    >>> print_row(
    ...     9.1, 25.0, float("-inf"), float("inf"), method="fieller (complement: <= -0.1037 or >= 0.6184)"
    ... ).interval
    '(-inf, -0.10] or [0.62, inf)'
    >>> print_row(0.0, float("nan"), float("nan"), float("nan"))
    Printed(estimate='0', std_error='', interval='no interval')
    """
    decimals = _decimals(estimate, std_error, low, high)
    return Printed(
        estimate=_number(estimate, decimals),
        std_error=_error(std_error, decimals),
        interval=_interval(interval_set(low, high, method), decimals),
    )


def is_unbounded(method: str) -> bool:
    """Return whether `method` names a Fieller set without finite ends.

    Examples
    --------
    >>> is_unbounded("cluster fieller (unbounded)"), is_unbounded("fieller")
    (True, False)
    """
    return "(unbounded" in method or "(complement" in method


def _decimals(estimate: float, std_error: float, low: float, high: float) -> int:
    width = high - low
    if math.isfinite(std_error) and std_error > 0:
        decimals = _ERROR_DIGITS - 1 - _magnitude(std_error)
    elif math.isfinite(width) and width > 0:
        decimals = _ERROR_DIGITS - 1 - _magnitude(width / 4)
    else:
        decimals = _LONE_DIGITS - 1 - _magnitude(estimate)
        if not math.isfinite(estimate) or float(estimate).is_integer():
            decimals = 0
    if math.isfinite(estimate) and estimate != 0:
        decimals = min(decimals, _MOST_DIGITS - 1 - _magnitude(estimate))
    return decimals


def _magnitude(value: float) -> int:
    """Power of ten of the first significant digit, after rounding to two digits (0.0999 counts as 0.10)."""
    if value == 0 or not math.isfinite(value):
        return 0
    return int(f"{abs(value):.1e}".split("e")[1])


def _number(value: float, decimals: int) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    rounded = round(value, decimals)
    if rounded == 0:
        return f"{0:.{max(decimals, 0)}f}" if decimals <= _MOST_DECIMALS else "0"
    if decimals > _MOST_DECIMALS or decimals < _LEAST_DECIMALS:
        return f"{rounded:.{max(0, decimals + _magnitude(rounded))}e}"
    return f"{rounded:.{max(decimals, 0)}f}"


def _error(std_error: float, decimals: int) -> str:
    if math.isnan(std_error):
        return ""
    if std_error > 0 and round(std_error, decimals) == 0:
        return f"{std_error:.1e}"
    return _number(std_error, decimals)


def _interval(found: IntervalSet, decimals: int) -> str:
    if found.is_missing:
        return NO_INTERVAL
    if found.is_line:
        return UNBOUNDED
    if len(found.pieces) > 1:
        gap = found.pieces[1][0] - found.pieces[0][1]
        decimals = max(decimals, _ERROR_DIGITS - 1 - _magnitude(gap / 4))
    return " or ".join(_piece(*piece, decimals, own=len(found.pieces) > 1) for piece in found.pieces)


def _piece(low: float, high: float, decimals: int, *, own: bool) -> str:
    left = "(-inf" if math.isinf(low) else f"[{_end(low, decimals, own=own)}"
    right = "inf)" if math.isinf(high) else f"{_end(high, decimals, own=own)}]"
    return f"{left}, {right}"


def _end(value: float, decimals: int, *, own: bool) -> str:
    """Print an end; with `own` to at least two significant digits, and to no more than a float32 holds."""
    if own and value != 0:
        size = _magnitude(value)
        decimals = min(max(decimals, _ERROR_DIGITS - 1 - size), _MOST_DIGITS - 1 - size)
    return _number(value, decimals)
