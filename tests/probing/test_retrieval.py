"""Retrieval and random states, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

import mediation as med
from mediation.probing import States, linear_cka, random_like, retrieval


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_ranks_are_those_of_a_loop(k, centred):
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(25, 6)) + 1
    queries = keys + 1.5 * rng.normal(size=keys.shape) + 4
    found = retrieval(queries, keys, k=k, centred=centred)
    q, key = (queries - queries.mean(0), keys - keys.mean(0)) if centred else (queries, keys)
    ranks = []
    for unit in range(25):
        near = [_cosine(q[unit], other) for other in key]
        ranks.append(1 + sum(one > near[unit] for one in near))
    assert found.ranks.tolist() == ranks
    hits = sum(rank <= k for rank in ranks)
    assert 0 < hits < 25
    assert (found.accuracy, found.chance, found.k, found.n) == (hits / 25, k / 25, k, 25)
    assert (found.conf_low, found.conf_high) == pytest.approx(proportion_confint(hits, 25, method="wilson"))
    assert found.mean_reciprocal_rank == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert found.median_rank == np.median(ranks)
    assert repr(found).startswith(f"<Retrieval top-{k} accuracy")


def test_centring_finds_what_a_common_direction_hides():
    rng = np.random.default_rng(1)
    keys = rng.normal(size=(40, 20))
    queries = 0.3 * keys + 50 * rng.normal(size=20)
    assert retrieval(queries, keys).accuracy < 0.2
    assert retrieval(queries, keys, centred=True).accuracy == 1


def test_queries_that_say_nothing_are_at_chance():
    rng = np.random.default_rng(2)
    found = retrieval(rng.normal(size=(200, 8)), rng.normal(size=(200, 8)), k=20)
    assert found.conf_low < found.chance < found.conf_high
    assert found.p_value > 0.05


def test_equal_keys_share_a_rank():
    keys = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert retrieval(keys, keys).ranks.tolist() == [1.5, 1.5, 1.0]


def test_states_of_one_step():
    x = np.random.default_rng(3).normal(size=(9, 1, 4))
    assert retrieval(States(x), x[:, 0]).accuracy == 1


@pytest.mark.parametrize(
    ("queries", "keys", "options", "error", "says"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), {}, med.errors.DataError, "3 x 2 and keys 3 x 4"),
        (np.ones((3, 2)), np.ones((3, 2)), {"k": 3}, med.errors.DesignError, "every key is found"),
        (np.ones((3, 2)), np.ones((3, 2)), {"k": 0}, med.errors.DesignError, "k"),
        (np.ones((3, 2)), np.zeros((3, 2)), {}, med.errors.DataError, "key of unit 0 has no direction: it is 0"),
        (np.ones((3, 2)), np.eye(3)[:, :2], {"centred": True}, med.errors.DataError, "it is the mean of all"),
        (States(np.ones((3, 2, 2))), np.ones((3, 2)), {}, med.errors.DataError, "states.mean"),
        (States(np.ones((3, 1, 2)), [1, 0, 1]), np.ones((3, 2)), {}, med.errors.DataError, "one state a unit"),
    ],
)
def test_wrong_questions(queries, keys, options, error, says):
    with pytest.raises(error, match=says):
        retrieval(queries, keys, **options)


def test_random_states_have_the_moments_and_nothing_of_the_units():
    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(6, 6))
    x = rng.normal(size=(1500, 2, 6)) @ mixing + rng.normal(size=(2, 6))
    x[:, 1] += x[:, 0]
    found = random_like(x, rng=0)
    both, drawn = x.reshape(1500, -1), found.values.reshape(1500, -1)
    np.testing.assert_allclose(drawn.mean(0), both.mean(0), atol=0.4)
    # Norms are put back afterwards, so directions keep their covariance, and lengths their distribution.
    cosine = np.sum(np.cov(both.T) * np.cov(drawn.T)) / np.linalg.norm(np.cov(both.T)) / np.linalg.norm(np.cov(drawn.T))
    assert cosine > 0.99
    for step in range(2):
        norms, of_drawn = (np.sort(np.linalg.norm(one[:, step], axis=1)) for one in (x, found))
        np.testing.assert_allclose(of_drawn, norms)
        assert abs(np.corrcoef(np.linalg.norm(x[:, step], axis=1), np.linalg.norm(found[:, step], axis=1))[0, 1]) < 0.1
    assert abs(linear_cka(both[:500], drawn[:500], debiased=True)) < 0.02
    np.testing.assert_array_equal(found.values, random_like(x, rng=0).values)
    assert not np.array_equal(found.values, random_like(x, rng=1).values)


def test_random_states_are_as_long_as_the_given_ones():
    given = States(np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32), [3, 2, 0, 1, 3, 3], "z")
    found = random_like(given, rng=0)
    assert found.lengths.tolist() == [3, 2, 0, 1, 3, 3]
    assert (found.name, found.dtype) == ("random", np.float32)


def test_a_key_that_shares_its_rank_is_not_among_the_k():
    keys = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.2]])
    found = retrieval(keys, keys, k=1)
    assert found.ranks.tolist() == [1.5, 1.5, 1.0, 1.0]
    assert found.accuracy == 0.5
