"""Every interval for a mean by its name: one function each, from arrays to intervals.

All are `mean_intervals` with the method set; what each computes is in the Notes. Common to all: the estimate is the
full-sample weighted mean; whole clusters are resampled where `clusters` are given; columns that no interval can be
formed for have NaN, a reason in words, and raise one DegenerateWarning; p-values invert the interval and are never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from numpy.typing import ArrayLike, NDArray

from .._settings import Inference, Method
from ._intervals import Intervals, mean_intervals


class MeanMethod(Protocol):
    """A function from units to intervals of their means."""

    __name__: str

    def __call__(
        self,
        values: ArrayLike,
        *,
        clusters: Sequence[Any] | NDArray[Any] | None = None,
        weights: ArrayLike | None = None,
        confidence_level: float = 0.95,
        n_resamples: int = 9999,
        seed: int = 0,
        null: ArrayLike = 0.0,
    ) -> Intervals:
        """Return the intervals of the columns of `values`, (n, K)."""


_COMMON = """

    Parameters
    ----------
    values
        One number per unit and quantity, (n, K).
    clusters
        A label per unit, (n,); whole clusters are resampled. None: units.
    weights
        A positive weight per unit, (n,); None: equal.
    confidence_level
        Nominal coverage.
    n_resamples, seed
        Number B of resamples, and the seed that they are drawn from.
    null
        The value that p-values test.

    Returns
    -------
    Intervals

    Raises
    ------
    DataError, DesignError
        As `mean_intervals`.

    Notes
    -----
    """


def _named(method: Method, first: str, notes: str) -> MeanMethod:
    def interval(
        values: ArrayLike,
        *,
        clusters: Sequence[Any] | NDArray[Any] | None = None,
        weights: ArrayLike | None = None,
        confidence_level: float = 0.95,
        n_resamples: int = 9999,
        seed: int = 0,
        null: ArrayLike = 0.0,
    ) -> Intervals:
        settings = Inference(method=method, confidence_level=confidence_level, n_resamples=n_resamples, seed=seed)
        return mean_intervals(values, clusters=clusters, weights=weights, settings=settings, null=null)

    interval.__name__ = interval.__qualname__ = method.replace("-", "_")
    interval.__doc__ = f"{first}{_COMMON}{notes}\n    "
    return interval


bootstrap_t = _named(
    "bootstrap-t",
    "Bootstrap-t intervals of means: the default of this package.",
    """(mean - t*_(B+1-k) se, mean - t*_(k) se), with t* = (mean* - mean) / se* and the cluster-robust standard error
    of each resample (Efron & Tibshirani 1993, section 12.5; Davison & Hinkley 1997, section 5.2.1). Neither critical
    value is nearer to 0 than Student's t with J - 1 degrees of freedom: for heavy tails the classical one
    under-covers, since the bootstrap cannot see further tails than the sample has. Columns of few flips are given
    Bonett and Price's interval.""",
)
percentile = _named(
    "percentile",
    "Percentile bootstrap intervals of means.",
    """(mean*_(k), mean*_(B+1-k)) (Efron & Tibshirani 1993, section 13.3). Too narrow by sqrt((n - 1) / n) and by the
    normal in place of the t quantile: needs n of 200 or more.""",
)
basic = _named(
    "basic",
    "Basic bootstrap intervals of means.",
    """(2 mean - mean*_(B+1-k), 2 mean - mean*_(k)) (Davison & Hinkley 1997, eq. 5.6). For skewed outcomes it leans to
    the wrong side.""",
)
bca = _named(
    "bca",
    "BCa intervals of means.",
    """Percentiles corrected for bias (ties count half) and skewness (jackknife over clusters) (Efron 1987; Davison &
    Hinkley 1997, section 5.3.2). For few units or clusters it covers no better than the percentile interval.""",
)
expanded_percentile = _named(
    "expanded-percentile",
    "Expanded percentile intervals of means.",
    """Percentiles at the level at which the interval is Student's for normal data: tails of
    Phi(-sqrt(J / (J - 1)) t_(J-1)) (Hesterberg 2015, section 5.3.2).""",
)
normal = _named(
    "normal",
    "Normal intervals of means with the bootstrap's standard error.",
    "mean +- z sd(mean*) (Davison & Hinkley 1997, eq. 5.5, without the bias, which a mean does not have).",
)
t = _named(
    "t",
    "Student's t intervals of means; nothing is resampled.",
    """mean +- t se, with the cluster-robust standard error (factor J / (J - 1); Cameron & Miller 2015, eq. 11) and
    J - 1 degrees of freedom.""",
)

NAMED: tuple[Callable[..., Intervals], ...] = (
    bootstrap_t, percentile, basic, bca, expanded_percentile, normal, t,
)  # fmt: skip
