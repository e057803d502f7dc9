"""Intervals of numbers that are not means over units, from leaving units (or groups of units) out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
MOST = 100  # blocks of groups that are left out in turn, where each costs a whole computation


@final
@dataclass(frozen=True, slots=True)
class Spread:
    """An estimate with its interval; NaN where there is none."""

    estimate: float
    std_error: float = float("nan")
    conf_low: float = float("nan")
    conf_high: float = float("nan")
    method: str = "degenerate"


@final
@dataclass(frozen=True, slots=True)
class Scale:
    """A function that takes the numbers to a scale on which they vary evenly, and its inverse."""

    there: Callable[[Array], Array]
    back: Callable[[Array], Array]


PLAIN = Scale(lambda x: x, lambda x: x)
LOG = Scale(np.log, np.exp)
FISHER = Scale(np.arctanh, np.tanh)


def jackknife(estimate: float, without: Array, *, confidence_level: float, scale: Scale = PLAIN, what: str) -> Spread:
    """Return the interval of an estimate from those that leave out one block each.

    se^2 = (J - 1) / J sum_j (e_(j) - mean)^2, on `scale`, with the t quantile of J - 1 degrees of freedom (Arvesen
    1969, Ann. Math. Statist. 40, for U-statistics; Efron and Stein 1981, Ann. Statist. 9: the variance is not too small
    on average). Ends are taken back from `scale`.

    Parameters
    ----------
    estimate
        From all units.
    without
        One number a block, ``(J,)``.
    confidence_level
        Of the interval.
    scale
        On which the interval is symmetric.
    what
        What is left out, for `method`.
    """
    blocks = len(without)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved, centre = scale.there(without), float(scale.there(np.array([estimate]))[0])
    if blocks < 2 or not np.isfinite(moved).all() or not np.isfinite(centre):
        return Spread(estimate)
    spread = np.sqrt((blocks - 1) / blocks * np.sum((moved - moved.mean()) ** 2))
    if spread <= 1e-12 * max(1.0, abs(centre)):
        return Spread(estimate)
    reach = float(stats.t.ppf((1 + confidence_level) / 2, blocks - 1)) * spread
    low, high = scale.back(np.array([centre - reach, centre + reach]))
    plain = float(np.sqrt((blocks - 1) / blocks * np.sum((without - without.mean()) ** 2)))
    return Spread(estimate, plain, float(low), float(high), f"jackknife t ({blocks} {what})")


def corrected(estimate: float, without: Array) -> float:
    """Return ``J e - (J - 1) mean_j e_(j)``, whose bias is of order 1 / n^2 instead of 1 / n (Quenouille 1956).

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 6.0])
    >>> corrected(x.var(), np.array([np.delete(x, j).var() for j in range(3)])), float(x.var(ddof=1))
    (7.0, 7.0)
    """
    return float(len(without) * estimate - (len(without) - 1) * np.mean(without))


def blocks_of(groups: NDArray[np.intp], rng: np.random.Generator, most: int = MOST) -> NDArray[np.intp]:
    """Return a block for every unit: its group, or, of more than `most` groups, groups put together at random."""
    size = int(groups.max()) + 1
    if size <= most:
        return groups
    block = np.empty(size, dtype=np.intp)
    block[rng.permutation(size)] = np.arange(size) % most
    found: NDArray[np.intp] = block[groups]
    return found
