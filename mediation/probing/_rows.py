"""The numbers of a `Similarity`, step by step, each with its interval."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import DegenerateWarning
from ..inference import mean_intervals
from ._jackknife import Pseudo, Spread, corrected, jackknife_error
from ._similarity import aligned, rank_of, unbiased_gram, varies
from ._steps import Array, Found, Index, Steps

_LEAST = {"cosine": 3, "effective rank": 4, "cka": 6}
_ROUNDING = 1e-12
_CLOSEST = 1e-9  # to the highest rank, relative
_DOMINANT = 0.5  # share of one unit in the squared distances to the mean


def inter_cosine(steps: Steps) -> Iterator[Found]:
    """Mean cosine of two units of different groups, at each step."""
    for step in range(steps.values.shape[1]):
        units = steps.at(step)
        rows = _directions(steps.values[units, step])
        units, rows = units[np.isfinite(rows[:, 0])], rows[np.isfinite(rows[:, 0])]
        codes = steps.blocks(units, all_groups=True)
        spread = Spread(float("nan"))
        if codes.size and codes.max() + 1 >= _LEAST["cosine"]:
            estimate, without = _pairs(rows, codes)
            spread = steps.spread(estimate, without, units)
        yield steps.found("inter cosine", step, None, spread, units)


def inter_centred(steps: Steps) -> Iterator[Found]:
    """Mean centred cosine of two units of different groups, at each step."""
    if steps.centre is None and steps.values.shape[1] == 1:
        return  # it is near -1 / (n - 1) whatever the states are
    centre, others = steps.centres()
    for step in range(steps.values.shape[1]):
        units = steps.at(step)
        mine = steps.values[units, step]
        units = units[np.isfinite(_directions(mine - centre, mine)[:, 0])]
        mine, codes = steps.values[units, step], steps.blocks(units, all_groups=True)
        spread = Spread(float("nan"))
        if codes.size and codes.max() + 1 >= _LEAST["cosine"]:
            estimate, without = _pairs(_directions(mine - centre, mine), codes)
            if others:
                kept = [(keep[units], other) for keep, other in others]
                without = np.array([_mean(_directions(mine[k] - c, mine[k]), codes[k]) for k, c in kept])
                estimate = corrected(estimate, without)
            spread = steps.spread(estimate, without, units)
        yield steps.found("inter centred cosine", step, None, spread, units)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """Effective rank of the states at a step, from all units and without each block.

    `moved` has both on the scale -log(most - rank), where `most` is the highest rank that so many units can have: near
    it the rank is skewed, and its spread shrinks with the distance.
    """

    rank: float
    without: Array
    most: float
    moved: Array
    caveat: str

    def spread(self, ends: tuple[float, float], method: str) -> Spread:
        """Return the interval whose ends are given on the scale."""
        low = max(ends[0], -np.log(self.most - 1))  # of rank 1
        low, high = (float(self.most - np.exp(-end)) for end in (low, ends[1]))
        return Spread(self.rank, float(jackknife_error(self.without)), low, high, method)


def ranks(steps: Steps) -> Iterator[Found]:
    """Effective rank of the units' states, at each step; steps with as many blocks are resampled together."""
    at = [steps.at(step) for step in range(steps.values.shape[1])]
    each = [_ranks(steps, step, units) for step, units in enumerate(at)]
    spreads = [Spread(float("nan") if one is None else one.rank) for one in each]
    varied = {step: one for step, one in enumerate(each) if one is not None and np.ptp(one.moved[1:]) > _ROUNDING}
    for size in {len(one.without) for one in varied.values()}:
        mine = [step for step, one in varied.items() if len(one.without) == size]
        pseudo = np.column_stack([varied[step].moved for step in mine])
        low, high, method = Pseudo(pseudo[0], pseudo[1:]).intervals(pseudo[0], steps.settings, widened=True)
        for place, step in enumerate(mine):
            if np.isfinite(low[place]):
                how = f"{method[place]}, jackknife ({size} {steps.left_out(size, at[step])})"
                spreads[step] = varied[step].spread((float(low[place]), float(high[place])), how)
    for step, (units, one, spread) in enumerate(zip(at, each, spreads, strict=True)):
        yield steps.found("effective rank", step, None, spread, units, "" if one is None else one.caveat)


def _ranks(steps: Steps, step: int, units: Index) -> _Ranks | None:
    """Return the ranks at a step; None for too few units, or no spread."""
    x, block = steps.values[units, step], steps.blocks(units)
    if not block.size or block.max() + 1 < _LEAST["effective rank"] or not varies(x):
        return None
    x = x - x.mean(axis=0)
    gram = x @ x.T if len(x) <= x.shape[1] else None
    kept = [np.ones(len(x), bool), *(block != left_out for left_out in range(block.max() + 1))]
    found = np.array([_rank(x, gram, keep) for keep in kept])
    most = np.minimum([keep.sum() - 1 for keep in kept], x.shape[1]).astype(np.float64)
    if not np.isfinite(found).all():
        return _Ranks(float(found[0]), found[1:], float(most[0]), np.zeros(len(found)), "")
    moved = -np.log(np.maximum(most - found, _CLOSEST * np.maximum(most, 1)))
    return _Ranks(float(found[0]), found[1:], float(most[0]), moved, _dominated(x, units))


def _dominated(x: Array, units: Index) -> str:
    """Return which unit holds most of the spread of centred states, with its share; empty if none does."""
    squares = np.sum(x * x, axis=1)
    first = int(np.argmax(squares))
    share = squares[first] / squares.sum()
    return f"unit {units[first]} holds {share:.0%} of the squared distances to the mean" if share > _DOMINANT else ""


def alignment(steps: Steps) -> Iterator[Found]:
    """Debiased linear CKA of each step with the first, and with the one before it."""
    for step in range(1, steps.values.shape[1]):
        for other in dict.fromkeys((0, step - 1)):
            units = steps.at(step, other)
            x, y, block = steps.values[units, other], steps.values[units, step], steps.blocks(units)
            spread = Spread(float("nan"))
            if block.size and block.max() + 1 >= _LEAST["cka"] and varies(x) and varies(y):
                one, two = ((z - z.mean(axis=0)) @ (z - z.mean(axis=0)).T for z in (x, y))
                numbers = [_cka(one, two, block != left_out) for left_out in range(block.max() + 1)]
                spread = steps.spread(_cka(one, two, np.ones(len(x), bool)), np.array(numbers), units)
            yield steps.found("cka", step, other, spread, units)


def intra(steps: Steps) -> Iterator[Found]:
    """Mean over units of the cosine of two steps of one unit: by pair of steps, and by lag."""
    if steps.values.shape[1] > 1:
        cosines = _within(steps.values, np.zeros(steps.values.shape[2]))
        yield from _means(steps, _keys("intra cosine", len(cosines[0])), _columns(cosines))


def intra_centred(steps: Steps) -> Iterator[Found]:
    """Return `intra` of centred states; with a centre of their own, which moves with the units, by the jackknife."""
    if steps.values.shape[1] == 1:
        return
    centre, others = steps.centres()
    columns = _columns(_within(steps.values, centre))
    keys = _keys("intra centred cosine", steps.values.shape[1])
    if not others:
        yield from _means(steps, keys, columns)
        return
    without = []
    for keep, other in others:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no unit has both steps
            without.append(np.nanmean(_columns(_within(steps.values[keep], other)), axis=0))
    spreads = _moving_means(steps, columns, np.array(without))
    for key, column, spread in zip(keys, columns.T, spreads, strict=True):
        yield steps.found(*key, spread, np.flatnonzero(np.isfinite(column)))


def _moving_means(steps: Steps, columns: Array, without: Array) -> list[Spread]:
    """Return means over units whose centre moves with them, from those without each block.

    Estimates are corrected for bias by the jackknife, on Fisher's scale, which keeps them inside (-1, 1): means of
    pseudo-values, whose bootstrap-t gives the intervals. Columns of the same blocks go together.
    """
    spreads = [Spread(float("nan"))] * columns.shape[1]
    enough = [len(np.unique(steps.groups[np.isfinite(column)])) >= _LEAST["cosine"] for column in columns.T]
    there = np.isfinite(without)
    for mask in np.unique(there[:, enough], axis=1).T:
        mine = np.flatnonzero((there == mask[:, None]).all(axis=0) & enough)
        numbers, raw = without[np.ix_(mask, mine)], np.nanmean(columns[:, mine], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            whole, moved = np.arctanh(raw), np.arctanh(numbers)
        fine = np.isfinite(whole) & np.isfinite(moved).all(axis=0) & (np.ptp(numbers, axis=0) > _ROUNDING)
        for column, cosine in zip(mine, raw, strict=True):
            spreads[column] = Spread(float(cosine))
        if len(numbers) < _LEAST["cosine"] or not fine.any():
            continue
        pseudo = Pseudo(whole[fine], moved[:, fine])
        centre = pseudo.values.mean(axis=0)
        low, high, method = pseudo.intervals(centre, steps.settings, widened=False)
        rows = np.column_stack([np.tanh(centre), jackknife_error(numbers[:, fine]), np.tanh(low), np.tanh(high)])
        units = np.flatnonzero(np.isfinite(columns[:, mine]).any(axis=1))
        what = f"jackknife ({len(numbers)} {steps.left_out(len(numbers), units)})"
        for column, (estimate, error, *ends), how in zip(mine[fine], rows.tolist(), method, strict=True):
            fits = np.isfinite(ends).all()
            spreads[column] = Spread(estimate, error, ends[0], ends[1], f"{how}, {what}") if fits else Spread(estimate)
    return spreads


def _keys(name: str, count: int) -> list[tuple[str, int, int | None]]:
    pairs = [(name, first, second) for first in range(count) for second in range(first + 1, count)]
    return [*pairs, *((f"{name} by lag", lag, None) for lag in range(1, count))]


def _within(values: Array, centre: Array) -> Array:
    """Return the cosines of the steps of each unit, ``(n, steps, steps)``, from products: no vector is held twice."""
    across = values @ centre
    own = values @ values.transpose(0, 2, 1)
    products = own - across[:, :, None] - across[:, None, :] + centre @ centre
    squares = np.diagonal(products, axis1=1, axis2=2)
    norms = np.sqrt(np.where(squares > _ROUNDING * np.diagonal(own, axis1=1, axis2=2), squares, np.nan))
    found: Array = np.clip(products / (norms[:, :, None] * norms[:, None, :]), -1.0, 1.0)
    return found


def _columns(cosines: Array) -> Array:
    """Return the cosines of each unit by pair of steps, then by lag."""
    count = cosines.shape[1]
    first, second = np.triu_indices(count, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # units without two steps so far apart
        lags = [np.nanmean(np.diagonal(cosines, lag, 1, 2), axis=1) for lag in range(1, count)]
    return np.column_stack([cosines[:, first, second], *lags])


def _means(steps: Steps, keys: list[tuple[str, int, int | None]], columns: Array) -> Iterator[Found]:
    """Return means over units with the bootstrap's intervals; columns of the same units are resampled together."""
    there = np.isfinite(columns)
    found: dict[int, Found] = {}
    for mask in np.unique(there, axis=1).T:
        mine = np.flatnonzero((there == mask[:, None]).all(axis=0)).tolist()
        units = np.flatnonzero(mask)
        if len(units) == 0:
            found.update({column: steps.found(*keys[column], Spread(float("nan")), units) for column in mine})
            continue
        clusters = steps.groups[units] if steps.grouped else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateWarning)
            got = mean_intervals(columns[np.ix_(units, np.array(mine))], clusters=clusters, settings=steps.settings)
        for place, column in enumerate(mine):
            low, high = (float(np.clip(end[place], -1, 1)) for end in (got.conf_low, got.conf_high))
            spread = Spread(float(got.estimate[place]), float(got.std_error[place]), low, high, got.method[place])
            found[column] = steps.found(*keys[column], spread, units)
    yield from (found[column] for column in range(len(keys)))


MEASURES: dict[str, Callable[[Steps], Iterator[Found]]] = {
    "inter cosine": inter_cosine,
    "inter centred cosine": inter_centred,
    "effective rank": ranks,
    "cka": alignment,
    "intra cosine": intra,
    "intra centred cosine": intra_centred,
}


def _directions(x: Array, whole: Array | None = None) -> Array:
    """Return rows of length 1; NaN for those that are nothing but rounding beside `whole`."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    least = 0.0 if whole is None else _ROUNDING * np.linalg.norm(whole, axis=1, keepdims=True)
    found: Array = x / np.where(norms <= least, np.nan, norms)
    return found


def _mean(rows: Array, codes: Index) -> float:
    """Mean cosine of two rows of different groups: (|sum|^2 - sum_g |sum of g|^2) / (n^2 - sum_g n_g^2)."""
    sums, sizes = _sums(rows, codes)
    total = sums.sum(axis=0)
    return float((total @ total - np.sum(sums * sums)) / (len(rows) ** 2 - np.sum(sizes**2)))


def _pairs(rows: Array, codes: Index) -> tuple[float, Array]:
    """Return `_mean`, and what it is without each group."""
    sums, sizes = _sums(rows, codes)
    total, own = sums.sum(axis=0), np.sum(sums * sums, axis=1)
    n, squares = len(rows), sizes**2
    above = total @ total - 2 * sums @ total + own - (own.sum() - own)
    return _mean(rows, codes), above / ((n - sizes) ** 2 - (squares.sum() - squares))


def _sums(rows: Array, codes: Index) -> tuple[Array, Array]:
    sums = np.zeros((int(codes.max()) + 1, rows.shape[1]))
    np.add.at(sums, codes, rows)
    return sums, np.bincount(codes, minlength=len(sums)).astype(np.float64)


def _rank(x: Array, gram: Array | None, keep: NDArray[np.bool_]) -> float:
    if gram is not None:
        some = gram[np.ix_(keep, keep)]
        product = some - some.mean(axis=0) - some.mean(axis=1)[:, None] + some.mean()
    else:
        centred = x[keep] - x[keep].mean(axis=0)
        product = centred.T @ centred
    values = np.clip(np.linalg.eigvalsh(product), 0, None)
    return rank_of(np.sqrt(values)) if values.sum() > 0 else float("nan")


def _cka(one: Array, two: Array, keep: NDArray[np.bool_]) -> float:
    a, b = (unbiased_gram(gram[np.ix_(keep, keep)].copy()) for gram in (one, two))
    with np.errstate(invalid="ignore", divide="ignore"):
        return aligned(a, b)
