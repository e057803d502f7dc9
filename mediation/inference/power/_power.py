"""How much a study can tell: power of the t test and of two one-sided tests, and what is needed for it.

The mean of J independent clusters (units, when there are none) has a standard error omega and J - 1 degrees of freedom,
so the power of its t test is a tail of the noncentral t distribution (Cohen 1988, chapter 2; `TTestPower` in
statsmodels), and that of two one-sided tests an integral over the estimated standard error (Phillips 1990, J.
Pharmacokin. Biopharm. 18, 137-144). Both test the interval of level 1 - alpha that is shown: the first asks that it
leaves out 0, the second that it lies inside (-margin, margin).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from ..sample import Array, linearise, sampling

MOST_CLUSTERS = 10**7
_CERTAIN = 30.0  # standard errors beyond the critical value: the power is 1 or 0 in double precision
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_TAIL = 1e-13


class Pilot(NamedTuple):
    """What a pilot says of one quantity.

    Parameters
    ----------
    mean, std_error
        Weighted mean and its cluster-robust standard error.
    n, n_clusters
        Units, and clusters (units, when there are none).
    spread_df
        Degrees of freedom of the squared standard error, fewer than J - 1 where tails are heavy.
    """

    mean: float
    std_error: float
    n: int
    n_clusters: int
    spread_df: float

    def error_at(self, n_clusters: ArrayLike) -> Array:
        """Return the standard error with as many clusters like the pilot's, whose spread is kept.

        Examples
        --------
        >>> Pilot(0.0, 0.2, 50, 10, 9.0).error_at([10, 40]).round(2)
        array([0.2, 0.1])
        """
        return np.asarray(self.std_error * np.sqrt(self.n_clusters / np.asarray(n_clusters, dtype=float)))

    def widened(self, share: float) -> Pilot:
        """Return the pilot with the upper `share` confidence limit of its standard error in place of the estimate.

        The squared error is taken as a multiple of chi-square (Browne 1995, Statist. Med. 14, 1933-1940; Kieser and
        Wassmer 1996, Biom. J. 38, 941-949), with the degrees of freedom that the pilot's kurtosis leaves (O'Neill
        2014, Amer. Statist. 68, 282-296).

        Examples
        --------
        >>> round(Pilot(0.0, 1.0, 20, 20, 19.0).widened(0.8).std_error, 3)
        1.177
        """
        factor = float(np.sqrt(self.spread_df / stats.chi2.ppf(1.0 - share, self.spread_df)))
        return self._replace(std_error=self.std_error * factor)


def pilot_of(values: ArrayLike, clusters: ArrayLike | None = None, weights: ArrayLike | None = None) -> Pilot:
    """Return what the units of a pilot, (n,), say of their mean.

    Examples
    --------
    >>> found = pilot_of([1.0, 2.0, 3.0])
    >>> found.mean, round(found.std_error, 4), found.n_clusters
    (2.0, 0.5774, 3)
    """
    column = np.asarray(values, dtype=float)[:, None]
    design = sampling(len(column), None if clusters is None else np.asarray(clusters), weights)
    part = linearise(column, design)
    size = design.n_clusters
    error = float(part.std_error[0]) if part.spread.all() else 0.0
    return Pilot(float(part.estimate[0]), error, design.n, size, _spread_df(part.residuals[0]))


def _spread_df(residuals: Array) -> float:
    """Return 2 J / (kurtosis - (J - 3) / (J - 1)), at most J - 1 and at least 1 (O'Neill 2014)."""
    size = len(residuals)
    second = float(np.mean(residuals**2))
    if size < 4 or second == 0:
        return float(max(size - 1, 1))
    kurtosis = float(np.mean(residuals**4)) / second**2
    return float(np.clip(2.0 * size / (kurtosis - (size - 3) / (size - 1)), 1.0, size - 1))


def t_power(effect: ArrayLike, std_error: ArrayLike, n_clusters: ArrayLike, *, alpha: float = 0.05) -> Array:
    """Return the power of the two-sided t test of mean = 0 at level `alpha` when the mean is `effect`.

    P(|T| > q) for T noncentral t with J - 1 degrees of freedom and noncentrality effect / std_error.

    Parameters
    ----------
    effect, std_error, n_clusters
        True mean, standard error of the estimated mean and number J of clusters; arrays that broadcast.
    alpha
        Two-sided level.

    Examples
    --------
    >>> t_power(0.5, 1 / np.sqrt(34), 34).round(3)
    np.float64(0.808)
    """
    df = np.asarray(n_clusters, dtype=float) - 1.0
    away = np.abs(np.asarray(effect, dtype=float)) / np.asarray(std_error, dtype=float)
    critical = stats.t.ppf(1.0 - alpha / 2, df)
    away = np.minimum(away, critical + _CERTAIN)
    opposite = np.nan_to_num(special.nctdtr(df, away, -critical))  # NaN only where it is below 1e-13
    power = 1.0 - special.nctdtr(df, away, critical) + opposite
    return np.asarray(np.clip(np.where(away >= critical + _CERTAIN, 1.0, power), 0.0, 1.0))


def equivalence_power(
    margin: ArrayLike, std_error: ArrayLike, n_clusters: ArrayLike, *, effect: ArrayLike = 0.0, alpha: float = 0.05
) -> Array:
    """Return the chance that the t interval of level 1 - `alpha` lies inside (-margin, margin).

    That is the power of two one-sided t tests at level alpha / 2 each. With s the estimated over the true standard
    error omega, q the t quantile and f the density of sqrt(chi2 / df), it is the integral of
    [Phi((m - effect) / omega - q s) - Phi((-m - effect) / omega + q s)] f(s) over s from 0 to m / (omega q).

    Parameters
    ----------
    margin, std_error, n_clusters, effect
        Margin m, standard error omega of the estimated mean, number J of clusters, true mean; arrays that broadcast.
    alpha
        Twice the level of each of the two tests.

    Examples
    --------
    >>> equivalence_power(0.6, 1 / np.sqrt(34), 34).round(3)
    np.float64(0.849)
    """
    df = np.asarray(n_clusters, dtype=float) - 1.0
    error = np.asarray(std_error, dtype=float)
    m, shift = np.asarray(margin, dtype=float) / error, np.asarray(effect, dtype=float) / error
    m, shift, df = np.broadcast_arrays(m, shift, df)
    critical = np.asarray(stats.t.ppf(1.0 - alpha / 2, df))
    least = np.sqrt(stats.chi2.ppf(_TAIL, df) / df)
    most = np.minimum(np.sqrt(stats.chi2.isf(_TAIL, df) / df), m / critical)
    half = np.maximum(most - least, 0.0) / 2
    s = (least + half)[..., None] + half[..., None] * _NODES
    density = 2.0 * df[..., None] * s * stats.chi2.pdf(df[..., None] * s**2, df[..., None])
    reach = critical[..., None] * s
    inside = special.ndtr((m - shift)[..., None] - reach) - special.ndtr((-m - shift)[..., None] + reach)
    return np.asarray(np.clip(((np.maximum(inside, 0.0) * density) @ _WEIGHTS) * half, 0.0, 1.0))


def detectable_effect(std_error: float, n_clusters: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest effect that the t test finds with the given power.

    Examples
    --------
    >>> round(detectable_effect(1 / np.sqrt(34), 34), 3)
    0.495
    """
    return float(std_error) * _root(lambda away: float(t_power(away, 1.0, n_clusters, alpha=alpha)) - power)


def smallest_margin(std_error: float, n_clusters: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest margin inside which an effect of 0 is shown to lie with the given power.

    Examples
    --------
    >>> round(smallest_margin(1 / np.sqrt(34), 34), 3)
    0.573
    """
    return float(std_error) * _root(lambda m: float(equivalence_power(m, 1.0, n_clusters, alpha=alpha)) - power)


def _root(gap: Callable[[float], float]) -> float:
    """Return where an increasing function of a positive number crosses 0."""
    high = 4.0
    while gap(high) < 0.0:
        high *= 2.0
    return float(optimize.brentq(gap, 0.0, high, xtol=1e-10))


def fewest(power_at: Callable[[int], float], target: float, *, most: int = MOST_CLUSTERS) -> int | None:
    """Return the smallest whole number of at least 2 at which an increasing `power_at` reaches `target`.

    None when it is not reached by `most`.

    Examples
    --------
    >>> fewest(lambda size: float(t_power(0.5, 1 / np.sqrt(size), size)), 0.8)
    34
    >>> fewest(lambda size: 0.1, 0.8) is None
    True
    """
    low, high = 1, 2
    while power_at(high) < target:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= target else (middle, high)
    return high
