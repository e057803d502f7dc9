"""Simulated units in clusters of two kinds (items and templates): what their intervals cover, and how wide they are.

Every call draws a design (which cells have a unit, and the weights) and a number of studies of it, one a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from mediation.inference import Inference, mean_intervals, two_way_intervals, two_way_ratio_intervals
from mediation.inference.ratios._fieller import gap_in
from tests.statistical.designs import covers

SIZES = ((10, 5), (20, 8), (40, 6), (30, 30))
STUDIES = 100  # in a call
_T = Inference(method="t")


class Case(NamedTuple):
    """Shares of the variance that items and templates have, and what else is so."""

    item: float = 0.3
    template: float = 0.3
    skewed: bool = False
    half: bool = False
    weighted: bool = False

    @property
    def name(self) -> str:
        """How a table calls it."""
        more = [
            word
            for word, there in (
                ("exponential", self.skewed),
                ("half of the cells", self.half),
                ("weights", self.weighted),
            )
            if there
        ]
        return ", ".join([f"ICC {self.item:g}, {self.template:g}", *more])


CASES = (
    Case(0.0, 0.0),
    Case(0.1, 0.1),
    Case(0.3, 0.1),
    Case(0.1, 0.3),
    Case(0.4, 0.4),
    Case(skewed=True),
    Case(half=True),
    Case(weighted=True),
    Case(skewed=True, half=True, weighted=True),
)


class Found(NamedTuple):
    """Share of intervals that hold the truth, and their median width."""

    share: float
    width: float


def _design(size: tuple[int, int], case: Case, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return item, template and weight of the units; every item and every template has one."""
    there = np.ones(size, dtype=bool)
    while case.half:
        there = rng.random(size) < 0.5
        if there.any(axis=0).all() and there.any(axis=1).all():
            break
    item, template = np.nonzero(there)
    weights = rng.lognormal(0.0, 0.5, size=len(item)) if case.weighted else np.ones(len(item))
    return item, template, weights


def _values(item: np.ndarray, template: np.ndarray, case: Case, rng: np.random.Generator) -> np.ndarray:
    """Return effects with mean 0 and variance 1, (units, studies)."""

    def drawn(n: int) -> np.ndarray:
        size = (n, STUDIES)
        return rng.exponential(size=size) - 1.0 if case.skewed else rng.normal(size=size)

    rest = np.sqrt(1.0 - case.item - case.template) * drawn(len(item))
    by_item = np.sqrt(case.item) * drawn(item.max() + 1)[item]
    return rest + by_item + np.sqrt(case.template) * drawn(template.max() + 1)[template]


def _calls(size: tuple[int, int], case: Case, calls: int, seed: int) -> Iterator[tuple[np.random.Generator, tuple]]:
    for call in range(calls):
        rng = np.random.default_rng([seed, call])
        yield rng, _design(size, case, rng)


def coverage_of_means(size: tuple[int, int], case: Case, *, calls: int, seed: int = 0) -> dict[str, Found]:
    """Coverage of the two-way interval, and of clustering by items, by templates, and by neither."""
    held: dict[str, list[np.ndarray]] = {}
    wide: dict[str, list[np.ndarray]] = {}
    for rng, (item, template, weights) in _calls(size, case, calls, seed):
        values = _values(item, template, case, rng)
        intervals = {
            "two-way t": two_way_intervals(values, clusters=(item, template), weights=weights),
            "items alone": mean_intervals(values, clusters=item, weights=weights, settings=_T),
            "templates alone": mean_intervals(values, clusters=template, weights=weights, settings=_T),
            "neither": mean_intervals(values, weights=weights, settings=_T),
        }
        for name, found in intervals.items():
            held.setdefault(name, []).append(covers(found, 0.0))
            wide.setdefault(name, []).append(found.conf_high - found.conf_low)
    return {name: Found(np.mean(held[name]), np.median(wide[name])) for name in held}


def coverage_of_ratios(
    size: tuple[int, int], case: Case, *, calls: int, total: float = 2.0, seed: int = 0
) -> tuple[float, float]:
    """Coverage of the two-way Fieller set of a ratio of .5, and the share of sets that are not bounded."""
    held, unbounded = [], []
    for rng, (item, template, weights) in _calls(size, case, calls, seed):
        below = total + _values(item, template, case, rng)
        above = 0.5 * below + 0.3 * _values(item, template, case, rng)
        found = two_way_ratio_intervals(above, below, clusters=(item, template), weights=weights)
        gaps = [gap_in(method) for method in found.method]
        outside = np.array([gap is not None and gap[0] < 0.5 < gap[1] for gap in gaps])
        held.append(covers(found, 0.5) & ~outside)
        unbounded.append(np.isinf(found.conf_high))
    return float(np.mean(held)), float(np.mean(unbounded))


def coverage_of_flips(
    size: tuple[int, int], share: float, case: Case, *, calls: int, seed: int = 0
) -> tuple[Found, Found, float]:
    """Coverage of the share of answers that flip, of bare two-way t, and how often Bonett and Price's was given.

    A unit flips where a normal value, dependent within items and within templates, is in its lower tail.
    """
    held, wide, bare, rare = [], [], [], []
    for rng, (item, template, weights) in _calls(size, case, calls, seed):
        flips = (_values(item, template, case, rng) < stats.norm.ppf(share)).astype(float)
        found = two_way_intervals(flips, clusters=(item, template), weights=weights, span=1.0)
        assert not np.isnan(found.conf_low).any()
        held.append(covers(found, share))
        wide.append(found.conf_high - found.conf_low)
        rare.append(["bonett" in method for method in found.method])
        scaled = two_way_intervals(
            0.5 * flips, clusters=(item, template), weights=weights
        )  # no answers by their values
        bare.append(covers(scaled, 0.5 * share))
    return Found(np.mean(held), np.median(wide)), Found(np.mean(bare), np.nan), float(np.mean(rare))
