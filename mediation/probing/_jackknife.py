"""Intervals of numbers that are not means over units, from leaving units (or groups of units) out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..errors import DegenerateWarning
from ..inference import Inference, mean_intervals

Array = NDArray[np.float64]
_LEAST_DF = 1.5
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


def jackknife(estimate: float, without: Array, *, confidence_level: float, what: str) -> Spread:
    """Return the interval of a cosine from those that leave out one block each.

    se^2 = (J - 1) / J sum_j (e_(j) - mean)^2, on Fisher's z scale, with the t quantile of J - 1 degrees of freedom
    (Arvesen 1969, Ann. Math. Statist. 40, for U-statistics; Efron and Stein 1981, Ann. Statist. 9: the variance is not
    too small on average). Ends are taken back from that scale.

    Parameters
    ----------
    estimate
        From all units.
    without
        One number a block, ``(J,)``.
    confidence_level
        Of the interval.
    what
        What is left out, for `method`.
    """
    blocks = len(without)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved, centre = np.arctanh(without), float(np.arctanh(estimate))
    if blocks < 2 or not np.isfinite(moved).all() or not np.isfinite(centre):
        return Spread(estimate)
    spread = float(jackknife_error(moved))
    if spread <= 1e-12 * max(1.0, abs(centre)):
        return Spread(estimate)
    reach = float(stats.t.ppf((1 + confidence_level) / 2, blocks - 1)) * spread
    low, high = np.tanh([centre - reach, centre + reach])
    return Spread(estimate, float(jackknife_error(without)), float(low), float(high), f"jackknife t ({blocks} {what})")


@final
@dataclass(frozen=True, slots=True)
class Pseudo:
    """Jackknife pseudo-values ``J e - (J - 1) e_(j)`` of K numbers on a scale, and the intervals made from them.

    Pseudo-values are close to independent, with the estimate's leading term as their mean (Tukey 1958, Ann. Math.
    Statist. 29; Miller 1974, Biometrika 61), so the package's bootstrap-t of a mean holds for them. It takes their
    skewness into account, which Student's t does not.

    Parameters
    ----------
    whole, without
        The numbers from all units, ``(K,)``, and without each block, ``(J, K)``; both on the scale.
    """

    whole: Array
    without: Array

    @property
    def values(self) -> Array:
        """``(J, K)``."""
        blocks = len(self.without)
        return blocks * self.whole - (blocks - 1) * self.without

    def widening(self, confidence_level: float) -> Array:
        """Return by what factor an interval is widened because its variance is itself uncertain, ``(K,)``.

        The ratio of Student's quantiles with d and J - 1 degrees of freedom, d = J / (kurtosis - 1). By Satterthwaite,
        a variance from J values has 2 J / (kurtosis - 1) degrees of freedom. The kurtosis of a sample is at most about
        J, and much too small where tails are heavy; half is what simulations ask for.
        """
        blocks = len(self.without)
        tail = (1 + confidence_level) / 2
        squares = (self.values - self.values.mean(axis=0)) ** 2
        kurtosis = blocks * np.sum(squares**2, axis=0) / np.maximum(np.sum(squares, axis=0) ** 2, 1e-300)
        df = blocks / np.maximum(kurtosis - 1, 1e-9)
        wanted = np.asarray(stats.t.ppf(tail, np.clip(df, _LEAST_DF, blocks - 1)))
        return wanted / float(stats.t.ppf(tail, blocks - 1))

    def intervals(self, centre: Array, settings: Inference, *, widened: bool) -> tuple[Array, Array, tuple[str, ...]]:
        """Return both ends about `centre`, ``(K,)``, and how they were made; NaN and "degenerate" without spread."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            found = mean_intervals(self.values, settings=settings)
        factor = self.widening(settings.confidence_level) if widened else np.ones(len(self.whole))
        low = centre - factor * (found.estimate - found.conf_low)
        high = centre + factor * (found.conf_high - found.estimate)
        return low, high, found.method


def jackknife_error(without: Array) -> Any:
    """Return the jackknife's standard error from the numbers without each block, ``(J,)`` or ``(J, K)``."""
    blocks = len(without)
    return np.sqrt((blocks - 1) / blocks * np.sum((without - without.mean(axis=0)) ** 2, axis=0))


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
