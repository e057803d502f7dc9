"""How often intervals hold the truth, and how often nulls are rejected, over simulated studies."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mediation.errors import DegenerateWarning
from mediation.inference import Inference, mean_intervals, ratio_intervals
from mediation.inference.ratios._fieller import gap_in
from mediation.inference.sample._flips import bonett_price, normal_quantile
from tests.statistical.families import Family, RatioCase, correlated_sites

STUDIES = 100  # per call: they share one count matrix, so the Monte Carlo error is that between calls


class Share(NamedTuple):
    """A share of studies, its Monte Carlo standard error (between calls), and the shares of misses on either side."""

    share: float
    error: float
    truth_above: float
    truth_below: float
    width: float
    none: float

    @classmethod
    def of(cls, inside: list[tuple[float, float, float, float]]) -> Share:
        """From (truth above, truth below, median width, share without an interval) of each call."""
        above, below, width, none = np.array(inside).T
        covered = 1 - above - below
        error = covered.std(ddof=1) / np.sqrt(len(covered))
        return cls(covered.mean(), error, above.mean(), below.mean(), np.nanmean(width), none.mean())


def _tally(low: np.ndarray, high: np.ndarray, truth: float, reported: np.ndarray) -> tuple[float, float, float, float]:
    """Misses of one call; where nothing can be said a width of zero at the estimate is counted, as others print it."""
    none = np.isnan(low)
    low, high = np.where(none, reported, low), np.where(none, reported, high)
    slack = 1e-12
    return ((high < truth - slack).mean(), (low > truth + slack).mean(), float(np.median(high - low)), none.mean())


def coverage_of_means(
    family: Family,
    n: int,
    method: str,
    *,
    calls: int = 100,
    n_resamples: int = 999,
    floor: bool = True,
    seed: int = 0,
    span: float | None = None,
) -> Share:
    """Coverage of nominal 95% intervals; "bonett-price" is given to every sample, whatever its flips.

    `span` is that of `mean_intervals`: 1 where the values are known to be differences of answers.
    """
    rng, tallies = np.random.default_rng(seed), []
    for call in range(calls):
        values = family.draw(rng, n, STUDIES)
        if method == "bonett-price":
            mean = values.mean(axis=0)
            centre, error = bonett_price(mean, n * values.var(axis=0), n)
            reach = normal_quantile(0.95) * error
            tallies.append(_tally(centre - reach, centre + reach, family.mean, mean))
            continue
        settings = Inference(method=method, n_resamples=n_resamples, seed=call, floor=floor)  # type: ignore[arg-type]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            found = mean_intervals(values, settings=settings, span=span)
        tallies.append(_tally(found.conf_low, found.conf_high, family.mean, found.estimate))
    return Share.of(tallies)


def coverage_of_clusters(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray | None]],
    method: str,
    *,
    calls: int = 100,
    n_resamples: int = 999,
    floor: bool = True,
    seed: int = 0,
) -> Share:
    """Coverage of a mean of 0 from values (n, studies) and cluster labels, or None to leave them out."""
    rng, tallies = np.random.default_rng(seed), []
    for call in range(calls):
        values, labels = draw(rng)
        settings = Inference(method=method, n_resamples=n_resamples, seed=call, floor=floor)  # type: ignore[arg-type]
        found = mean_intervals(values, clusters=labels, settings=settings)
        tallies.append(_tally(found.conf_low, found.conf_high, 0.0, found.estimate))
    return Share.of(tallies)


def coverage_of_ratios(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray | None]],
    ratio: float,
    *,
    method: str = "bootstrap-t",
    calls: int = 100,
    n_resamples: int = 999,
    seed: int = 0,
    answers: Any = None,
) -> tuple[Share, float]:
    """Coverage of Fieller's sets, by the bootstrap-t or by Student's test ("t"), and the share that is not bounded.

    `answers` is that of `ratio_intervals`. A sample without a set is a miss.
    """
    rng, tallies, unbounded = np.random.default_rng(seed), [], []
    for call in range(calls):
        top, bottom, labels = draw(rng)
        settings = Inference(method=method, n_resamples=n_resamples, seed=call)  # type: ignore[arg-type]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            found = ratio_intervals(top, bottom, clusters=labels, settings=settings, answers=answers)
        none = np.isnan(found.conf_low)
        outside = (ratio < found.conf_low) | (ratio > found.conf_high) | none
        for column, said in enumerate(found.method):
            gap = gap_in(said)
            if gap is not None:
                outside[column] = gap[0] < ratio < gap[1]
        unbounded.append(np.isinf(found.conf_low).mean())
        finite = np.isfinite(found.conf_low)
        width = float(np.median((found.conf_high - found.conf_low)[finite])) if finite.any() else np.nan
        tallies.append((outside.mean(), 0.0, width, none.mean()))
    return Share.of(tallies), float(np.mean(unbounded))


def ratio_draw(case: RatioCase, n: int) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, None]]:
    """A draw of `case` for `coverage_of_ratios`."""
    return lambda rng: (*case.draw(rng, n, STUDIES), None)


class Errors(NamedTuple):
    """Shares of studies with a false rejection: by bands, adjusted p, pointwise intervals; and power of adjusted p."""

    bands: float
    adjusted: float
    pointwise: float
    power: float
    error: float


def family_wise_error(
    n: int,
    *,
    skew: bool,
    effects: int = 0,
    sites: int = 200,
    studies: int = 1000,
    n_resamples: int = 999,
    seed: int = 0,
) -> Errors:
    """False rejections over many sites, `effects` of which are not null."""
    rng = np.random.default_rng(seed)
    false, power = np.zeros(3), 0.0
    for study in range(studies):
        values = correlated_sites(rng, n, sites, skew=skew, effects=effects)
        found = mean_intervals(values, settings=Inference(n_resamples=n_resamples, seed=study), bands=True)
        assert found.band_low is not None
        assert found.band_high is not None
        assert found.p_adjusted is not None
        rejected = [
            (found.band_low > 0) | (found.band_high < 0),
            found.p_adjusted <= 0.05,
            (found.conf_low > 0) | (found.conf_high < 0),
        ]
        false += [float(np.any(one[effects:])) for one in rejected]
        power += float(np.mean(rejected[1][:effects])) if effects else 0.0
    bands, adjusted, pointwise = false / studies
    return Errors(bands, adjusted, pointwise, power / studies, float(np.sqrt(max(adjusted, 0.01) * 0.99 / studies)))
