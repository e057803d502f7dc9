"""Two independent samples: means, variances and their replicates, each sample resampled by itself.

Column by column, with the cluster-robust variance of either mean (`_variance`), d = mean_1 - mean_2 has variance
V_1 + V_2, and a resample t* = (d* - d) / sqrt(V_1* + V_2*) (Efron & Tibshirani 1993, section 16.2; Davison & Hinkley
1997, section 5.2.3).

Answers that are right or wrong hardly vary when few are wrong. Then each sample is joined by two pseudo-units: 1 and 0
for proportions (Agresti & Caffo 2000, Am. Stat. 54), 1 and -1 for differences in {-1, 0, 1} (Bonett & Price 2012, eq.
6, for each sample).
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ._flips import FEW
from ._resample import resample_counts
from ._sampling import Array, Sampling
from ._variance import SAME, Linearised, linearise

Mask = NDArray[np.bool_]


class Pseudo(NamedTuple):
    """Which columns are joined by two pseudo-units, and the sum and the sum of squares of those, (k,) each."""

    flips: Mask
    total: Array
    squares: Array

    def columns(self, some: slice | NDArray[np.intp]) -> Pseudo:
        """Return those of `some` of the columns."""
        return Pseudo(self.flips[some], self.total[some], self.squares[some])


def pseudo_units(first: Array, second: Array, designs: tuple[Sampling, Sampling]) -> Pseudo:
    """Return the pseudo-units of columns (n1, k) and (n2, k) that are right and wrong answers with few of one kind.

    Examples
    --------
    >>> from mediation.inference._sampling import sampling
    >>> some = np.array([[0.0, 0.5, -1.0], [1.0, 0.0, 0.0]])
    >>> pseudo_units(some, some, (sampling(2, None, None), sampling(2, None, None)))
    Pseudo(flips=array([ True, False,  True]), total=array([1., 0., 0.]), squares=array([1., 0., 2.]))
    """
    size = first.shape[1]
    if any(design.clustered or not design.equal_weights for design in designs):
        return Pseudo(np.zeros(size, dtype=bool), np.zeros(size), np.zeros(size))
    counts = [np.stack([(values == one).sum(axis=0) for one in (-1.0, 0.0, 1.0)]) for values in (first, second)]
    lengths = (len(first), len(second))
    ternary = np.logical_and.reduce([c.sum(axis=0) == n for c, n in zip(counts, lengths, strict=True)])
    few = np.logical_or.reduce([n - c.max(axis=0) < FEW for c, n in zip(counts, lengths, strict=True)])
    flips = ternary & few
    negative = (counts[0][0] + counts[1][0]) > 0
    total = np.where(flips & ~negative, 1.0, 0.0)
    squares = np.where(flips, np.where(negative, 2.0, 1.0), 0.0)
    return Pseudo(flips, total, squares)


@final
class Sample:
    """One of the two samples, k columns in units of a scale that both share.

    Parameters
    ----------
    part
        Means and residual totals, in units of `part.scale`.
    scale
        The common scale, (k,).
    design
        The sampling design of the sample.
    pseudo
        Which columns are joined by pseudo-units.
    """

    __slots__ = ("_design", "_left", "_mean", "_pseudo", "_residuals", "centre", "variance", "varies")

    def __init__(self, part: Linearised, scale: Array, design: Sampling, pseudo: Pseudo) -> None:
        ratio = part.scale / scale
        self._residuals, self._mean = part.residuals * ratio[:, None], part.mean * ratio
        self._design, self._pseudo = design, pseudo
        left = [self._residuals, np.square(self._residuals)]
        if not design.balanced:
            left.append(self._residuals * design.cluster_weights)
        self._left = np.concatenate(left)
        self.varies = part.spread
        self.centre, self.variance = self._adjusted(
            self._mean,
            np.zeros_like(self._mean),
            self._spread(np.einsum("kj,kj->k", self._residuals, self._residuals)),
            np.einsum("kj,kj->k", self._residuals, self._residuals),
        )

    def _spread(self, squares: Array) -> Array:
        n_clusters = self._design.n_clusters
        if n_clusters < 2:
            return np.full(len(squares), np.nan)
        return np.asarray(n_clusters / (n_clusters - 1) * squares / self._design.weights.sum() ** 2)

    def _adjusted(self, mean: Array, total: Array, variance: Array, squares: Array) -> tuple[Array, Array]:
        """Return centres and variances with the pseudo-units joined, where there are any.

        `total` and `squares` are the sums of residuals about the sample's mean, and of their squares.
        """
        flips = self._pseudo.flips
        if not flips.any():
            return mean, variance
        n, shape = self._design.n, (-1,) + (1,) * (mean.ndim - 1)
        own, added, more = (a.reshape(shape) for a in (self._mean, self._pseudo.total, self._pseudo.squares))
        centre = (n * mean + added) / (n + 2)
        raw = squares + 2.0 * own * total + n * np.square(own)
        joined = ((raw + more) / (n + 2) - np.square(centre)) / (n + 2)
        mask = flips.reshape(shape)
        return np.where(mask, centre, mean), np.where(mask, joined, variance)

    def replicates(self, n_resamples: int, seed: int) -> tuple[Array, Array]:
        """Return centre* - centre and variance*, (k, B) each."""
        size, design = len(self._mean), self._design
        shift, variance = np.empty((size, n_resamples)), np.empty((size, n_resamples))
        n_clusters, m = design.n_clusters, design.cluster_weights
        factor = n_clusters / (n_clusters - 1)
        for rows, counts in resample_counts(n_clusters, n_resamples, seed):
            sums = self._left @ counts.T
            first, squares = sums[:size], sums[size : 2 * size]
            weight = counts @ m
            moved = first / weight
            if design.balanced:
                own = squares - m[0] * moved * first
            else:
                own = squares + moved * (moved * (counts @ np.square(m)) - 2.0 * sums[2 * size :])
            own = factor * np.maximum(own, 0.0) / np.square(weight)
            centre, own = self._adjusted(self._mean[:, None] + moved, first, own, squares)
            shift[:, rows], variance[:, rows] = centre - self.centre[:, None], own
        return shift, variance


def samples_of(
    first: Array, second: Array, designs: tuple[Sampling, Sampling], pseudo: Pseudo
) -> tuple[Sample, Sample, Array]:
    """Return both samples of some columns and the scale (k,) that they share."""
    parts = [linearise(values, design) for values, design in zip((first, second), designs, strict=True)]
    scale = np.maximum(parts[0].scale, parts[1].scale)
    one, two = (Sample(part, scale, design, pseudo) for part, design in zip(parts, designs, strict=True))
    return one, two, scale


def alike(first: Sample, second: Sample) -> tuple[Mask, Mask]:
    """Return where no unit, and where no cluster, differs from its sample's mean in either sample, (k,) each."""
    units, clusters = first.varies[0] | second.varies[0], first.varies.all(axis=0) | second.varies.all(axis=0)
    return np.logical_not(units), np.logical_not(clusters)


def welch_df(first: Sample, second: Sample, n_clusters: tuple[int, int]) -> Array:
    """Return Welch and Satterthwaite's degrees of freedom, (k,), from variances over n_clusters groups each."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = first.variance**2 / (n_clusters[0] - 1) + second.variance**2 / (n_clusters[1] - 1)
        return np.asarray((first.variance + second.variance) ** 2 / below)


def close_to(value: Array, target: Array, scale: Array) -> Mask:
    """Return whether values are equal to `target` up to rounding at `scale`."""
    return np.asarray(np.abs(value - target) <= SAME * np.maximum(1.0, np.abs(scale)))
