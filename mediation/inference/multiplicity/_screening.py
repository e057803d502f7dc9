"""Screens: how far the bands of the chosen sites must reach, and what was missed among the others.

Sites are chosen by scores of the very units that report them, so their bands must hold for all N sites of the sweep.
How far max|t| of all N reaches depends on the skewness of their effects and on how they depend on each other. The
effects of the sites that were not run are not known; their scores are, unit by unit, and stand for them here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..._checks import elements, in_unit_interval, positive_int, reals, seed_number
from ...errors import DataError
from .._settings import Inference
from ..intervals import bootstrap_means, checked_settings
from ..resampling import critical_at, student_critical
from ..sample import Array, Reason, checked_columns, linearise, sampling, squared_skewness, tail_of

_RESAMPLES = 1999
_LEAST = 5  # sites in a sample below which a rank correlation has no interval


def family_reach(
    values: Array,
    levels: Sequence[float],
    *,
    exact: Array | None = None,
    clusters: Any = None,
    weights: Any = None,
    settings: Inference,
) -> list[float]:
    """Return how many standard errors bands over all columns of `values` (n, N) reach, for each joint level.

    Parameters
    ----------
    values
        Effects, or what stands for them, of all sites. Columns without spread do not count.
    levels
        Chances that some band leaves out its value, decreasing.
    exact
        Effects of those sites that were run, (n, m), which may be more skewed than what stands for the others: bands
        reach at least as far as Bonferroni's for N sites, with the t of values as skewed as these. None: not asked.
    clusters, weights, settings
        As in `mean_intervals`; the method is bootstrap-t whatever it says.

    Returns
    -------
    list of float
        Infinite where there is no interval at all.
    """
    checked_settings(settings)
    levels = [
        in_unit_interval(one, what="a level") for one in elements(levels, what="levels", needed="a list of numbers")
    ]
    array = checked_columns(values, "values")
    design, how = sampling(len(array), clusters, weights), replace(settings, method="bootstrap-t")
    found = bootstrap_means(array, design, how, families=np.zeros(array.shape[1], dtype=np.intp), flips=False)
    if not found.families:
        return [float("inf")] * len(levels)
    (maxima, squared, _), freedom = found.families[0], (design.n_clusters, design.df)
    size = int(np.count_nonzero(found.reason == Reason.NONE))
    far = [critical_at(level, maxima.critical_value(how.rank_of(level)), squared, size, freedom) for level in levels]
    if exact is None:
        return far
    run = checked_columns(exact, "exact")
    if len(run) != len(array):
        raise DataError(f"exact has {len(run)} rows for {len(array)} units; one a unit is needed.")
    part = linearise(run, design)
    tail = tail_of(squared_skewness(part.columns(np.asarray(part.spread.all(axis=0)))), design.n_clusters)
    least = [float(student_critical(tail.level(level / size), design.df)) for level in levels]
    return [max(one, other) for one, other in zip(far, least, strict=True)]


def screening_report(
    chosen: Array, score: Array, effect: Array, *, rest: int, confidence_level: float, seed: int
) -> dict[str, Any]:
    """Return how well scores rank the sites that were left out, and how many of these may be as strong as the chosen.

    Parameters
    ----------
    chosen
        Absolute exact effects of the K chosen sites, (K,).
    score, effect
        Absolute scores and exact effects of a random sample of the other sites, (m,).
    rest
        Number of the other sites, R.
    confidence_level
        Of the interval, and of the bound.
    seed
        Of the resamples.

    Returns
    -------
    dict
        ``rest``; ``weakest``, the smallest effect of the chosen; ``stronger``, how many of the sample exceed it;
        ``at_most``, the upper confidence bound of how many of the R do; ``spearman, spearman_low, spearman_high``, the
        rank correlation over the sample with its BCa interval (None where there is none).

    Notes
    -----
    The sample is drawn without replacement, so that the number in it that exceed is hypergeometric. The bound is the
    largest M with P(X <= stronger | M of R exceed, m drawn) > 1 - level: Clopper and Pearson's, for a finite number of
    sites. Effects are means over the units at hand; nothing is said of other units.

    Examples
    --------
    >>> found = screening_report(
    ...     np.array([3.0, 2.0]), np.zeros(30), np.zeros(30), rest=1000, confidence_level=0.95, seed=0
    ... )
    >>> found["stronger"], found["at_most"], found["spearman"]
    (0, 93, None)
    """
    given = {"chosen": chosen, "score": score, "effect": effect}
    chosen, score, effect = (_one_axis(array, what) for what, array in given.items())
    if len(score) != len(effect):
        raise DataError(f"score has {len(score)} sites and effect {len(effect)}; both are of the same sites.")
    positive_int(rest, what="rest", least=len(effect))
    in_unit_interval(confidence_level, what="confidence_level")
    seed_number(seed, what="seed")
    weakest = float(chosen.min())
    stronger = int((effect > weakest).sum())
    correlation, low, high = _spearman(score, effect, whole=len(effect) == rest, level=confidence_level, seed=seed)
    return {
        "rest": rest,
        "weakest": weakest,
        "stronger": stronger,
        "at_most": most_exceeding(stronger, len(effect), rest, confidence_level),
        "spearman": correlation,
        "spearman_low": low,
        "spearman_high": high,
    }


def _one_axis(given: object, what: str) -> Array:
    found = reals(given, what=what, needed="one number a site", error=DataError)
    if found.ndim != 1 or not np.isfinite(found).all() or (what == "chosen" and not found.size):
        raise DataError(f"{what} has shape {found.shape}; one finite number a site is needed.")
    return found


def most_exceeding(found: int, drawn: int, total: int, confidence_level: float) -> int:
    """Return the upper confidence bound of how many of `total` exceed, when `found` of `drawn` do.

    Examples
    --------
    >>> most_exceeding(0, 10, 10, 0.95), most_exceeding(0, 0, 10, 0.95), most_exceeding(1, 20, 100, 0.95)
    (0, 10, 19)
    """
    candidates = np.arange(found, total - (drawn - found) + 1)
    possible = stats.hypergeom.cdf(found, total, candidates, drawn) > 1 - confidence_level
    return int(candidates[possible].max())


def _spearman(
    score: Array, effect: Array, *, whole: bool, level: float, seed: int
) -> tuple[float | None, float | None, float | None]:
    """Return the rank correlation and its interval; None where ranks are all tied or there are too few."""
    if len(score) < 2 or np.ptp(score) == 0 or np.ptp(effect) == 0:
        return None, None, None
    found = float(_rank_correlation(score, effect))
    if whole:
        return found, found, found  # nothing was left to chance
    if len(score) < _LEAST:
        return found, None, None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # resamples of one site over and over have no correlation
        ends = stats.bootstrap(
            (score, effect),
            _rank_correlation,
            paired=True,
            vectorized=True,
            confidence_level=level,
            n_resamples=_RESAMPLES,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    known = bool(np.isfinite(ends.low) and np.isfinite(ends.high))
    return (found, float(ends.low), float(ends.high)) if known else (found, None, None)


def _rank_correlation(one: Array, other: Array, axis: int = -1) -> NDArray[np.float64]:
    """Return Spearman's correlation along an axis; ties share their mean rank."""
    a, b = (stats.rankdata(values, axis=axis) for values in (one, other))
    a, b = (ranks - ranks.mean(axis=axis, keepdims=True) for ranks in (a, b))
    size = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    found: NDArray[np.float64] = np.divide((a * b).sum(axis=axis), size, out=np.zeros_like(size), where=size > 0)
    return found
