"""The same statistics, slowly: loops that follow the formulas of the text, one resample and one column at a time."""

import itertools
from collections import Counter

import numpy as np


def cluster_sums(values, clusters, weights):
    labels = list(dict.fromkeys(clusters))
    sums = np.array([sum(w * v for v, c, w in zip(values, clusters, weights, strict=True) if c == j) for j in labels])
    sizes = np.array([sum(w for c, w in zip(clusters, weights, strict=True) if c == j) for j in labels])
    return sums, sizes


def mean_and_error(sums, sizes, picks):
    """The mean of the picked clusters and its linearised standard error with the factor J / (J - 1)."""
    s, m = sums[picks], sizes[picks]
    n_clusters = len(picks)
    mean = s.sum() / m.sum()
    squares = np.array([(a - mean * b) ** 2 for a, b in zip(s, m, strict=True)])
    return mean, np.sqrt(n_clusters / (n_clusters - 1) * squares.sum()) / m.sum()


def replicates(values, clusters, weights, counts, no_spread=1e-6):
    """Resampled means and studentised means of one column for the rows of a count matrix."""
    sums, sizes = cluster_sums(values, clusters, weights)
    everyone = np.arange(len(sums))
    mean, error = mean_and_error(sums, sizes, everyone)
    floor = no_spread * (error * sizes.sum()) ** 2
    means, t, bounded = [], [], []
    for row in counts.astype(int):
        picks = np.repeat(everyone, row)
        resampled, own = mean_and_error(sums, sizes, picks)
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
