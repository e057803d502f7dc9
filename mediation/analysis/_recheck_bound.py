"""Cells that are recomputed, at random, and what their errors say of the error of an effect."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

STREAM = 0xB16
_UNITS = 4  # units of each site, where there are more sites than cells allow
_LEVEL = 0.95


class Cell(NamedTuple):
    """A mediator or arm, one unit and one draw: all worlds of an effect, recomputed together."""

    key: Hashable
    unit: int
    draw: int


@final
@dataclass(frozen=True, slots=True)
class Bound:
    """What the errors of sampled cells say of the error of an effect, a mean over units.

    Attributes
    ----------
    mean, rms, largest
        Of the errors of cells: mean, root mean square, and the largest in size.
    bound
        Size that the error of an effect does not exceed, with 95% confidence; None from a single cell.
    """

    mean: float
    rms: float
    largest: float
    bound: float | None


def sample_cells(
    keys: Sequence[Hashable], weights: Array, draws: Mapping[Hashable, int], cells: int, seed: int
) -> list[Cell]:
    """Return cells at random: some mediators, and for each the same number of units, one draw a unit.

    Parameters
    ----------
    keys
        Mediators or arms to choose from.
    weights
        Of each unit ``(n,)``: a unit is drawn in proportion to what it adds to an effect.
    draws
        How many draws there are of each key.
    cells
        How many to draw. All of them where there are no more; at least two.
    seed
        Of the study.

    Examples
    --------
    >>> len(sample_cells(range(100), np.ones(50), dict.fromkeys(range(100), 1), 32, 0))
    32
    """
    rng = np.random.default_rng((seed, STREAM))
    n = int(np.count_nonzero(weights))
    several = len(keys) > max(2, cells // _UNITS)
    units = min(n, max(1, min(_UNITS, cells // 2) if several else cells // len(keys)))
    if not several and len(keys) * units < 2:
        units = min(n, 2)
    chosen = keys if not several else [keys[i] for i in rng.permutation(len(keys))[: max(2, cells // units)]]
    share = weights / weights.sum()
    found = []
    for key in chosen:
        for unit in rng.choice(len(weights), size=units, replace=False, p=share):
            found.append(Cell(key, int(unit), int(rng.integers(draws[key]))))
    return found


def bound_of(errors: Array, *, sites: int, cells_of_a_site: float) -> Bound:
    """Return what the errors of sampled cells ``(sites sampled, units sampled)`` say of the error of an effect.

    Parameters
    ----------
    errors
        Of single cells, half precision minus float32.
    sites
        How many effects there are to speak of.
    cells_of_a_site
        Cells in each: units times draws.

    Notes
    -----
    An effect is a mean over units, and so is its error. Rounding the weights moves all units of a site alike, so cells
    of one site are not independent, and dividing their spread by the root of the number of units would be too
    hopeful. With K of several sites sampled and m units each, the bound is that of a prediction for one more site from
    the K means e_k: ``|mean(e)| + t(K - 1) sd(e) sqrt(1 + 1/K)``. A mean of m units varies at least as much as one of
    all units, so the bound holds where units differ, and is the wider the fewer of them were sampled. Where all sites
    were sampled, it is the largest of ``|e_k| + t(K(m - 1)) s sqrt((1 - m/M)/m)``, with s the spread within sites and M
    the cells of a site (Cochran 1977, Sampling Techniques, equation 2.20): exact once all cells are in the sample.

    Examples
    --------
    >>> round(bound_of(np.array([[0.1, -0.1, 0.3]]), sites=1, cells_of_a_site=3).bound, 9)
    0.1
    """
    k, m = errors.shape
    means = errors.mean(axis=1)
    summary = (float(errors.mean()), float(np.sqrt((errors**2).mean())), float(np.abs(errors).max()))
    tail = (1 + _LEVEL) / 2
    if k < sites:
        reach = stats.t.ppf(tail, k - 1) * means.std(ddof=1) * np.sqrt(1 + 1 / k) if k > 1 else None
        return Bound(*summary, None if reach is None else float(abs(means.mean()) + reach))
    missing = max(0.0, 1 - m / cells_of_a_site)
    if missing and m < 2:
        return Bound(*summary, None)
    spread = np.sqrt(errors.var(axis=1, ddof=1).mean()) if missing else 0.0
    reach = stats.t.ppf(tail, k * (m - 1)) * spread * np.sqrt(missing / m) if missing else 0.0
    return Bound(*summary, float(np.abs(means).max() + reach))
