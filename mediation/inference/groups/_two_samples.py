"""Two independent samples: means, variances and their replicates, each sample resampled by itself.

Column by column, with the cluster-robust variance of either mean (`_variance`), d = mean_1 - mean_2 has variance
V_1 + V_2, and a resample t* = (d* - d) / sqrt(V_1* + V_2*) (Efron & Tibshirani 1993, section 16.2; Davison & Hinkley
1997, section 5.2.3).

Answers that are right or wrong hardly vary when few are wrong. Then each sample is joined by two pseudo-units, or
pseudo-clusters (`_flips`): 1 and 0 for proportions (Agresti & Caffo 2000, Am. Stat. 54), the two ends of their range
for contrasts of answers (Bonett & Price 2012, eq. 6, for each sample).
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from ..resampling import resample_counts
from ..sample import SAME, Array, Joined, Linearised, Sampling, adjusted, linearise, rare_flips, spans

Mask = NDArray[np.bool_]


class Pseudo(NamedTuple):
    """Values of the two pseudo-units of each column, (k,) each; NaN for columns that have none."""

    low: Array
    high: Array

    @property
    def flips(self) -> Mask:
        """Which columns are joined by pseudo-units."""
        return ~np.isnan(self.low)

    def columns(self, some: slice | NDArray[np.intp]) -> Pseudo:
        """Return those of `some` of the columns."""
        return Pseudo(self.low[some], self.high[some])


def pseudo_units(first: Array, second: Array, designs: tuple[Sampling, Sampling], span: Array | None = None) -> Pseudo:
    """Return the pseudo-units of columns (n1, k) and (n2, k) that are contrasts of answers with few flips in a sample.

    Examples
    --------
    >>> from mediation.inference.sample._sampling import sampling
    >>> some = np.array([[0.0, 0.5, -1.0], [1.0, 0.0, 0.0]])
    >>> pseudo_units(some, some, (sampling(2, None, None), sampling(2, None, None)))
    Pseudo(low=array([ 0., nan, -1.]), high=array([ 1., nan,  1.]))
    """
    both = np.concatenate([first, second])
    known = spans(both, span)
    few = rare_flips(first, known, designs[0]) | rare_flips(second, known, designs[1])
    proportion = (known == 1.0) & ((both == 0.0) | (both == 1.0)).all(axis=0) & (both == 1.0).any(axis=0)
    low = np.where(few, np.where(proportion, 0.0, -known), np.nan)
    return Pseudo(low, np.where(few, known, np.nan))


@final
class Sample:
    """One of the two samples, k columns in units of a scale that both share.

    Parameters
    ----------
    part
        Means and residual totals, in units of `part.scale`.
    scale
        The common scale, (k,).
    pseudo
        The pseudo-units of the columns that have some.
    """

    __slots__ = ("_flips", "_joined", "_left", "_mean", "_part", "centre", "df", "variance", "varies")

    def __init__(self, part: Linearised, scale: Array, pseudo: Pseudo) -> None:
        ratio, design = part.scale / scale, part.design
        part = Linearised(scale, part.mean * ratio, part.residuals * ratio[:, None], part.spread, design)
        self._part, self.varies, self.df = part, part.spread, design.df
        left = [part.residuals, np.square(part.residuals) * design.inflation]
        if not design.balanced:
            left.append(part.residuals * (design.inflation * design.cluster_weights))
        self.centre = part.mean.copy()
        self.variance = part.sum_squares / part.total**2 if design.n_clusters > 1 else np.full(len(scale), np.nan)
        self._flips = np.flatnonzero(pseudo.flips)
        if len(self._flips):
            mine = part.columns(self._flips)
            ends = pseudo.low[self._flips] / mine.scale, pseudo.high[self._flips] / mine.scale
            own = adjusted(mine, ends)
            self.centre[self._flips], self.variance[self._flips] = own.centre, np.square(own.std_error)
            self._joined = Joined(mine, ends)
            left.append(self._joined.rows)
        self._left = np.concatenate(left)

    def replicates(self, n_resamples: int, seed: int) -> tuple[Array, Array]:
        """Return centre* - centre and variance*, (k, B) each."""
        size, design = len(self.centre), self._part.design
        shift, variance = np.empty((size, n_resamples)), np.empty((size, n_resamples))
        n_clusters, m, a = design.n_clusters, design.cluster_weights, design.inflation
        for rows, counts in resample_counts(n_clusters, n_resamples, seed):
            sums = self._left @ counts.T
            first, squares = sums[:size], sums[size : 2 * size]
            weight = counts @ m
            moved = first / weight
            if design.balanced:
                own = squares - np.square(first) / (n_clusters - 1)
            else:
                cross = sums[2 * size : 3 * size]
                own = squares + moved * (moved * (counts @ (a * np.square(m))) - 2.0 * cross)
            shift[:, rows] = moved
            variance[:, rows] = np.maximum(own, 0.0) / np.square(weight)
            if len(self._flips):
                joint = self._joined.of(counts, first[self._flips], sums[-2 * len(self._flips) :])
                shift[self._flips, rows] = joint.centre - self.centre[self._flips, None]
                variance[self._flips, rows] = np.square(joint.std_error)
        return shift, variance


def samples_of(
    first: Array, second: Array, designs: tuple[Sampling, Sampling], pseudo: Pseudo
) -> tuple[Sample, Sample, Array]:
    """Return both samples of some columns and the scale (k,) that they share."""
    parts = [linearise(values, design) for values, design in zip((first, second), designs, strict=True)]
    scale = np.maximum(parts[0].scale, parts[1].scale)
    one, two = (Sample(part, scale, pseudo) for part in parts)
    return one, two, scale


def alike(first: Sample, second: Sample) -> tuple[Mask, Mask]:
    """Return where no unit, and where no cluster, differs from its sample's mean in either sample, (k,) each."""
    units, clusters = first.varies[0] | second.varies[0], first.varies.all(axis=0) | second.varies.all(axis=0)
    return np.logical_not(units), np.logical_not(clusters)


def welch_df(first: Sample, second: Sample) -> Array:
    """Return Welch and Satterthwaite's degrees of freedom, (k,), from those of either variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = first.variance**2 / first.df + second.variance**2 / second.df
        return np.asarray((first.variance + second.variance) ** 2 / below)


def close_to(value: Array, target: Array, scale: Array) -> Mask:
    """Return whether values are equal to `target` up to rounding at `scale`."""
    return np.asarray(np.abs(value - target) <= SAME * np.maximum(1.0, np.abs(scale)))
