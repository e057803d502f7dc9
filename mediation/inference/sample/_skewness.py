"""How skewness changes the tail of Student's t, told from all columns of a family at once.

The t statistic of J skewed values reaches far values more often than Student's t says: for exponential values and J = 6
the value that Student's t exceeds with probability 0.0006 is exceeded 19 times as often. One column of few values says
little of its skewness. All columns of a sweep together say much: with g1 the sample skewness of a column, the mean of
g1^2 over columns is compared with 6 (J - 2) / ((J + 1) (J + 3)), which it is for normal values, and the Pearson III
(shifted gamma) distribution with that mean of g1^2 stands for what the columns have. The tail of its t statistic is
simulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ._sampling import Array
from ._variance import Linearised

MOST = 128  # larger samples are taken as this many with as much less skewness
LEAST = 3
_STREAM = 0x736B6577  # keeps these draws apart from others made with the same seed
_CELLS = 2**23
_MOST_SAMPLES = 2**18
_LARGE = 1024
_GRID = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
_STEP = 0.1  # skewness is rounded to this, so that what was simulated serves again
_FAR = (2e-2, 1e-3)  # between these probabilities the tail's slope is read off


def squared_skewness(part: Linearised) -> Array:
    """Return g1^2 of the standardised residual totals of each column, (k,).

    Examples
    --------
    >>> from mediation.inference.sample._sampling import sampling
    >>> from mediation.inference.sample._variance import linearise
    >>> squared_skewness(linearise(np.array([[0.0], [0.0], [3.0]]), sampling(3, None, None))).round(6)
    array([0.5])
    """
    z = part.residuals / np.sqrt(part.design.working)
    z = z - z.mean(axis=1, keepdims=True)
    square = np.square(z)
    second, third = square.mean(axis=1), np.einsum("kj,kj->k", square, z) / z.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(second > 0, np.square(third) / second**3, 0.0))


def of_normal(n: int) -> float:
    """Return the expectation of g1^2 for n normal values (Fisher 1930).

    Examples
    --------
    >>> round(of_normal(6), 4)
    0.381
    """
    return 6.0 * (n - 2) / ((n + 1) * (n + 3))


@final
@dataclass(frozen=True, slots=True)
class Tail:
    """Two-sided p-values of t statistics of n skewed values, as a function of Student's.

    Parameters
    ----------
    student, skewed
        Logarithms of p-values of Student's t, increasing, and of the skewed values' t at the same place. Beyond the
        smallest the last slope goes on.
    slope
        d skewed / d student there.
    """

    student: Array
    skewed: Array
    slope: float

    def p_value(self, student: Array) -> Array:
        """Return the p-values of statistics whose Student's p-values are given; never smaller than those."""
        with np.errstate(divide="ignore"):
            log = np.log(np.maximum(student, np.finfo(np.float64).tiny))
        inside = np.interp(log, self.student, self.skewed)
        beyond = self.skewed[0] + self.slope * (log - self.student[0])
        found: Array = np.exp(np.maximum(np.where(log < self.student[0], beyond, inside), log))
        return np.minimum(found, 1.0)

    def level(self, alpha: float) -> float:
        """Return the largest Student's p-value whose skewed one is at most `alpha`."""
        log = np.log(alpha)
        if log < self.skewed[0]:
            found = self.student[0] + (log - self.skewed[0]) / self.slope
        else:
            found = float(np.interp(log, self.skewed, self.student))
        return float(np.exp(min(found, log)))


STUDENT = Tail(np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), 1.0)
"""Student's own: no skewness."""


def tail_of(squared: Array, n: int) -> Tail:
    """Return the tail for columns of n values each, from their squared sample skewness, (k,)."""
    if n < LEAST or not len(squared):
        return STUDENT
    mean, size = float(squared.mean()), min(n, MOST)
    if n > _LARGE:  # g1 is nearly unbiased
        skewness = float(np.sqrt(max(mean - of_normal(n), 0.0)))
    else:
        skewness = float(np.interp(mean / of_normal(n), *_known(n)))
    skewness = min(skewness * np.sqrt(size / n), _GRID[-1])  # t depends on skewness / sqrt(n)
    rounded = round(round(skewness / _STEP) * _STEP, 6)
    return _simulated(size, rounded) if rounded else STUDENT


def _draws(n: int, skewness: float, samples: int) -> NDArray[np.float64]:
    """Return samples (samples, n) of the Pearson III distribution of mean 0 and this skewness."""
    rng = np.random.default_rng(np.random.SeedSequence(n, spawn_key=(_STREAM, round(1000 * skewness))))
    shape = 4.0 / skewness**2
    drawn = rng.standard_gamma(shape, size=(samples, n))
    drawn -= shape
    return drawn


@lru_cache(maxsize=64)
def _known(n: int) -> tuple[Array, Array]:
    """Return the mean of g1^2, as a multiple of the normal's, and the skewness that it belongs to."""
    found = [1.0]
    for skewness in _GRID:
        x = _draws(n, skewness, max(512, min(4096, 2**19 // n)))
        x -= x.mean(axis=1, keepdims=True)
        second = np.square(x).mean(axis=1)
        found.append(float((np.square((x**3).mean(axis=1)) / second**3).mean()) / of_normal(n))
    return np.maximum.accumulate(np.array(found)), np.array([0.0, *_GRID])


@lru_cache(maxsize=64)
def _simulated(n: int, skewness: float) -> Tail:
    samples = min(_MOST_SAMPLES, _CELLS // n)
    x = _draws(n, skewness, samples)
    mean = x.mean(axis=1)
    t = np.sort(np.abs(mean) * np.sqrt(n) / x.std(axis=1, ddof=1))[::-1]
    shares = np.geomspace(_FAR[1], 1.0, 60)
    at = t[np.minimum(samples - 1, np.round(shares * samples).astype(int))]
    student = np.log(2.0 * stats.t.sf(at, n - 1))
    student[-1] = 0.0
    student, skewed = np.maximum.accumulate(student), np.log(shares)
    far = shares <= _FAR[0]
    slope = float(np.polyfit(student[far], skewed[far], 1)[0])
    return Tail(student, np.maximum(skewed, student), min(max(slope, 0.1), 1.0))
