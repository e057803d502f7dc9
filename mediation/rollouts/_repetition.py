"""Whether a generation ended in a loop."""

from __future__ import annotations

from collections.abc import Sequence

from .._checks import positive_int


def repeats(ids: Sequence[int], *, times: int = 4, least: int = 12) -> bool:
    """Return whether `ids` ends in one block of tokens that is repeated.

    True if for some block length p and some k of at least `times` the last k p tokens are one block of p tokens k
    times in a row, and k p is at least `least`. A loop that was cut inside its block is one of the turned block, whose
    last repeats are counted. The time is linear in the number of tokens (the Z-function of the reversed sequence:
    Gusfield 1997, *Algorithms on Strings, Trees and Sequences*, section 1.3).

    Parameters
    ----------
    ids
        Token ids of one generation, in order.
    times
        How often the block must follow itself, at least 2.
    least
        How many tokens the repeats must cover in all.

    Returns
    -------
    bool
        False for an empty sequence.

    Raises
    ------
    DesignError
        If `times` is not a whole number of at least 2, or `least` not one of at least 1.

    Examples
    --------
    >>> repeats([7, 7, 7, 7]), repeats([7] * 12), repeats([1, 2, 3, 4, 5] * 4)
    (False, True, True)
    >>> repeats([9] + [1, 2] * 3, times=3, least=6)
    True
    """
    positive_int(times, what="repeats: times", least=2)
    positive_int(least, what="repeats: least")
    shared = _shared_with_shifts(ids[::-1])
    for period in range(1, len(ids) // times + 1):
        count = max(times, -(-least // period))
        if shared[period] >= (count - 1) * period:
            return True
    return False


def _shared_with_shifts(ids: Sequence[int]) -> list[int]:
    """Return for every shift how many tokens the shifted sequence begins with in common with itself.

    Examples
    --------
    >>> _shared_with_shifts([1, 1, 2, 1, 1])
    [5, 1, 0, 2, 1]
    """
    n = len(ids)
    shared = [n] + [0] * (n - 1) if n else []
    left = right = 0
    for shift in range(1, n):
        found = min(right - shift, shared[shift - left]) if shift < right else 0
        while shift + found < n and ids[found] == ids[shift + found]:
            found += 1
        shared[shift] = found
        if shift + found > right:
            left, right = shift, shift + found
    return shared
