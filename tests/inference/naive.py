"""The same statistics, slowly: loops that follow the formulas of the text, one resample and one column at a time."""

import itertools
from collections import Counter

import numpy as np


def cluster_sums(values, clusters, weights):
    labels = list(dict.fromkeys(clusters))
    sums = np.array([sum(w * v for v, c, w in zip(values, clusters, weights, strict=True) if c == j) for j in labels])
    sizes = np.array([sum(w for c, w in zip(clusters, weights, strict=True) if c == j) for j in labels])
    return sums, sizes


def bell_mccaffrey(clusters, weights):
    """Factors of the squared residual totals, and degrees of freedom, by dense matrices over units.

    The totals of the residuals are G D with G = L (I - 1 w' / sum w), L the weights of each cluster's units; for units
    that are independent with one variance, their covariance is G G'.
    """
    w = np.asarray(weights, dtype=float)
    labels = list(dict.fromkeys(clusters))
    select = np.array([[wi if c == j else 0.0 for c, wi in zip(clusters, w, strict=True)] for j in labels])
    covariance = (g := select @ (np.eye(len(w)) - np.outer(np.ones(len(w)), w) / w.sum())) @ g.T
    factors = np.square(select).sum(axis=1) / np.diag(covariance)
    weighed = np.diag(factors) @ covariance
    return factors, np.trace(weighed) ** 2 / np.trace(weighed @ weighed)


def mean_and_error(sums, sizes, picks, factors=None):
    """The mean of the picked clusters and its linearised standard error, with the sample's factors or J / (J - 1)."""
    s, m = sums[picks], sizes[picks]
    n_clusters = len(picks)
    a = np.full(n_clusters, n_clusters / (n_clusters - 1)) if factors is None else factors[picks]
    mean = s.sum() / m.sum()
    squares = np.array([f * (x - mean * b) ** 2 for f, x, b in zip(a, s, m, strict=True)])
    return mean, np.sqrt(squares.sum()) / m.sum()


def replicates(values, clusters, weights, counts, no_spread=1e-6):
    """Resampled means and studentised means of one column for the rows of a count matrix."""
    sums, sizes = cluster_sums(values, clusters, weights)
    everyone, (factors, _) = np.arange(len(sums)), bell_mccaffrey(clusters, weights)
    mean, error = mean_and_error(sums, sizes, everyone, factors)
    floor = no_spread * (error * sizes.sum()) ** 2
    means, t, bounded = [], [], []
    for row in counts.astype(int):
        picks = np.repeat(everyone, row)
        resampled, own = mean_and_error(sums, sizes, picks, factors)
        means.append(resampled)
        flat = (own * sizes[picks].sum()) ** 2 <= floor
        shift = resampled - mean
        total = shift * sizes[picks].sum() / sizes.sum()
        t.append((0.0 if abs(total) <= 1e-9 * error else np.copysign(np.inf, shift)) if flat else shift / own)
        bounded.append(total / error if flat else shift / own)
    return mean, error, np.array(means), np.array(t), np.array(bounded)


def every_resample(n):
    """All n^n resamples as counts with their probabilities."""
    found = Counter(tuple(np.bincount(picks, minlength=n)) for picks in itertools.product(range(n), repeat=n))
    counts = np.array(list(found), dtype=float)
    return counts, np.array(list(found.values())) / n**n


def order_ends(sorted_values, rank):
    return sorted_values[rank - 1], sorted_values[len(sorted_values) - rank]
