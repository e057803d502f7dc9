import numpy as np
import pytest
from scipy import stats

from mediation.inference.resampling._resample import counts_of, resample_counts, rows_per_block
from tests.inference.naive import every_resample


def matrix(n_clusters, n_resamples, seed=0):
    return np.concatenate([counts for _, counts in resample_counts(n_clusters, n_resamples, seed)])


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 5000])
def test_rows_are_whole_counts_that_sum_to_the_number_of_clusters(n_clusters):
    counts = matrix(n_clusters, 600)
    assert counts.shape == (600, n_clusters)
    assert (counts.sum(axis=1) == n_clusters).all()
    assert (counts == np.round(counts)).all()
    assert counts.min() >= 0


def test_the_slices_tile_the_resamples():
    rows = [rows for rows, _ in resample_counts(2000, 700, 0)]
    assert [row.start for row in rows[1:]] == [row.stop for row in rows[:-1]]
    assert (rows[0].start, rows[-1].stop) == (0, 700)
    assert len(rows) > 3


def test_same_seed_same_counts_other_seed_other_counts():
    assert (matrix(20, 50, seed=4) == matrix(20, 50, seed=4)).all()
    assert (matrix(20, 50, seed=4) != matrix(20, 50, seed=5)).any()


@pytest.mark.parametrize("fewer", [1, 512, 513, 1000])
def test_more_resamples_only_add_rows(fewer):
    assert (matrix(30, 1500)[:fewer] == matrix(30, fewer)).all()


def test_blocks_are_not_copies_of_each_other():
    counts = matrix(30, 2 * rows_per_block(30))
    half = len(counts) // 2
    assert (counts[:half] != counts[half:]).any(axis=1).mean() > 0.99


def test_blocks_stay_small_for_many_clusters():
    assert rows_per_block(10**6) * 10**6 <= 2 * 10**7
    assert rows_per_block(10) == rows_per_block(20)


def test_every_resample_of_three_has_its_multinomial_probability():
    n_resamples = 27_000
    cells, probability = every_resample(3)
    found = matrix(3, n_resamples, seed=1)
    observed = [(found == cell).all(axis=1).sum() for cell in cells]
    assert sum(observed) == n_resamples
    assert stats.chisquare(observed, probability * n_resamples).pvalue > 1e-3


def test_blocks_that_are_joined_are_those_of_the_matrix():
    size = rows_per_block(600)
    whole = matrix(600, 3 * size, seed=5)
    assert np.array_equal(counts_of(600, slice(size, 3 * size), 5), whole[size:])
    counts_of(600, slice(0, size), 5)[:] = -1.0  # what is handed out is the caller's own
    assert np.array_equal(counts_of(600, slice(0, size), 5), whole[:size])
