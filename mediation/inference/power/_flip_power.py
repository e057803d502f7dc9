"""Power for differences of right and wrong answers, in {-1, 0, 1}: by enumeration of the flips, as McNemar's is.

The numbers a of +1 and b of -1 among n units are multinomial, and they decide the interval: Bonett and Price's where
fewer than ten units differ from the commonest value, Student's t otherwise (which bootstrap-t comes to there). So the
power is the sum of the probabilities of the pairs (a, b) whose interval leaves out 0, or lies inside the margin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from ..sample import FEW, Array, bonett_price
from ._power import fewest

MOST_PAIRS = 2**19
_TAIL = 1e-11


class Flips(NamedTuple):
    """Chances that a unit's difference is +1 and -1.

    Parameters
    ----------
    up, down
        Probabilities; their sum is the share of discordant units, their difference the effect.
    """

    up: float
    down: float

    @property
    def discordant(self) -> float:
        """Share of units that flip either way."""
        return self.up + self.down

    def scaled(self, factor: float) -> Flips:
        """Return flips with `factor` times as many discordant units, at most all.

        Examples
        --------
        >>> Flips(0.25, 0.25).scaled(1.5)
        Flips(up=0.375, down=0.375)
        """
        factor = min(factor, 1.0 / self.discordant) if self.discordant else 1.0
        return Flips(self.up * factor, self.down * factor)

    def shifted(self, effect: float) -> Flips:
        """Return flips with the mean `effect` and the same share of discordant units (more where it must be).

        Examples
        --------
        >>> Flips(0.2, 0.1).shifted(0.0), Flips(0.05, 0.0).shifted(0.1)
        (Flips(up=0.15000000000000002, down=0.15000000000000002), Flips(up=0.1, down=0.0))
        """
        share = max(self.discordant, abs(effect))
        return Flips((share + effect) / 2, (share - effect) / 2)


def flips_of(values: ArrayLike) -> Flips | None:
    """Return the shares of +1 and -1 among `values` (n,); None when other values than -1, 0 and 1 are there.

    Examples
    --------
    >>> flips_of([1.0, 0.0, 0.0, -1.0]), flips_of([0.5, 0.0])
    (Flips(up=0.25, down=0.25), None)
    """
    array = np.asarray(values, dtype=float)
    if not np.isin(array, (-1.0, 0.0, 1.0)).all():
        return None
    return Flips(float(np.mean(array == 1.0)), float(np.mean(array == -1.0)))


def flip_intervals(a: Array, b: Array, n: int, confidence_level: float) -> tuple[Array, Array]:
    """Return the ends of the intervals of samples of `n` units with `a` of +1 and `b` of -1; NaN where all are alike.

    Examples
    --------
    >>> low, high = flip_intervals(np.array([5.0]), np.array([1.0]), 48, 0.95)
    >>> low.round(3), high.round(3)
    (array([-0.029]), array([0.189]))
    """
    mean = (a - b) / n
    sum_squares = np.maximum(a + b - n * mean**2, 0.0)
    few = n - np.maximum(np.maximum(a, b), n - a - b) < FEW
    adjusted = bonett_price(mean, sum_squares, n)
    share = (1.0 + confidence_level) / 2
    centre = np.where(few, adjusted.centre, mean)
    usual = np.sqrt(sum_squares / (n * (n - 1)))
    reach = np.where(few, stats.norm.ppf(share) * adjusted.std_error, stats.t.ppf(share, n - 1) * usual)
    alike = sum_squares <= 0.0
    return np.where(alike, np.nan, centre - reach), np.where(alike, np.nan, centre + reach)


def _pairs(flips: Flips, n: int) -> tuple[Array, Array]:
    """Return the counts of +1 and of -1 that have a chance worth counting."""

    def counts(share: float) -> Array:
        low, high = stats.binom.ppf(_TAIL, n, share), stats.binom.isf(_TAIL, n, share)
        return np.arange(max(low, 0.0), min(high, n) + 1.0)

    return counts(flips.up), counts(flips.down)


def can_enumerate(flips: Flips, n: int) -> bool:
    """Return whether the pairs are few enough to go through; where they are not, the t formula is exact enough.

    Examples
    --------
    >>> can_enumerate(Flips(0.1, 0.1), 200), can_enumerate(Flips(0.3, 0.3), 10**6)
    (True, False)
    """
    up, down = _pairs(flips, n)
    return len(up) * len(down) <= MOST_PAIRS


def flip_power(flips: Flips, n: int, *, alpha: float = 0.05, margin: float | None = None) -> float:
    """Return the chance that the interval of level 1 - `alpha` leaves out 0, or lies inside (-margin, margin).

    Parameters
    ----------
    flips
        True shares of +1 and -1.
    n
        Number of units, taken as independent.
    alpha
        One minus the level of the interval.
    margin
        Margin of equivalence; None asks for the power against no effect.

    Examples
    --------
    >>> round(flip_power(Flips(0.2, 0.05), 100), 3)
    0.892
    >>> round(flip_power(Flips(0.0, 0.0), 100), 3)
    0.0
    """
    up, down = _pairs(flips, n)
    a, b = np.meshgrid(up, down, indexing="ij")
    possible = a + b <= n
    a, b = a[possible], b[possible]
    rest = n - a - b
    log_chance = special.gammaln(n + 1) - special.gammaln(a + 1) - special.gammaln(b + 1) - special.gammaln(rest + 1)
    log_chance += special.xlogy(a, flips.up) + special.xlogy(b, flips.down)
    log_chance += special.xlogy(rest, max(1.0 - flips.discordant, 0.0))
    low, high = flip_intervals(a, b, n, 1.0 - alpha)
    hit = (low > 0.0) | (high < 0.0) if margin is None else (low > -margin) & (high < margin)
    return float(min(np.exp(log_chance[hit]).sum(), 1.0))


def flip_detectable(flips: Flips, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest effect that is found with the given power at the pilot's share of discordant units.

    An effect above that share needs more of them, all of one sign. NaN where even n units that all flip are too few.

    Examples
    --------
    >>> 0.1 < flip_detectable(Flips(0.1, 0.1), 100) < 0.2
    True
    """
    return _crossing(lambda effect: flip_power(flips.shifted(effect), n, alpha=alpha) - power)


def flip_margin(flips: Flips, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest margin inside which an effect of 0 is shown to lie with the given power; NaN if none is.

    Examples
    --------
    >>> 0.1 < flip_margin(Flips(0.1, 0.1), 100) < 0.2
    True
    """
    null = flips.shifted(0.0)
    return _crossing(lambda margin: flip_power(null, n, alpha=alpha, margin=margin) - power)


def _crossing(gap: Callable[[float], float]) -> float:
    """Return where a step function that rises from below 0 first is at least 0 on (0, 1), to four digits."""
    low, high = 0.0, 1e-4
    while gap(high) < 0.0:
        low, high = high, 1.25 * high
        if high >= 1.0:
            return float("nan")
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if gap(middle) >= 0.0 else (middle, high)
    return high


def flip_units(flips: Flips, *, alpha: float = 0.05, power: float = 0.8, margin: float | None = None) -> int | None:
    """Return the number of units at which the power first reaches `power`, up to the steps that counts make.

    None when it needs so many that counting pairs is no longer worth it: use the t formula.

    Examples
    --------
    >>> 75 < flip_units(Flips(0.2, 0.05)) < 85
    True
    """
    most = 2
    while can_enumerate(flips, 2 * most) and most < 2**16:
        most *= 2
    return fewest(lambda n: flip_power(flips, n, alpha=alpha, margin=margin), power, most=most)
