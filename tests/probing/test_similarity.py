from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group

import mediation as med
from mediation.probing import centred_cosine, cosine_similarity_matrix, effective_rank, linear_cka

SEEDS = st.integers(0, 2**32 - 1)


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# ------------------------------------------------------------------------------------------------ cosine


def test_cosines_are_those_of_the_angles():
    angles = np.array([0.0, 0.3, 1.2, np.pi])
    rows = np.column_stack([np.cos(angles), np.sin(angles)]) * [[1.0], [7.0], [0.01], [3.0]]
    np.testing.assert_allclose(cosine_similarity_matrix(rows), np.cos(angles[:, None] - angles), atol=1e-12)


@given(SEEDS)
def test_cosines_are_those_of_scipy(seed):
    x = _normal(seed, 6, 4) + 2
    np.testing.assert_allclose(cosine_similarity_matrix(x), 1 - cdist(x, x, "cosine"), atol=1e-12)
    np.testing.assert_allclose(centred_cosine(x), 1 - cdist(*[x - x.mean(0)] * 2, "cosine"), atol=1e-12)


def test_centring_takes_the_common_direction_away():
    x = _normal(0, 50, 30) + 100
    off = ~np.eye(50, dtype=bool)
    assert cosine_similarity_matrix(x)[off].min() > 0.99
    assert abs(centred_cosine(x)[off].mean() + 1 / 49) < 0.01


def test_a_state_without_direction_is_nan_and_told():
    with pytest.warns(med.errors.DegenerateWarning, match=r"1 of 3 states .* row 1"):
        found = cosine_similarity_matrix([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(np.sqrt(0.5))
    with pytest.warns(med.errors.DegenerateWarning, match="3 of 3"):
        assert np.isnan(centred_cosine(np.full((3, 2), 0.1))).all()


# ------------------------------------------------------------------------------------------------ CKA


def test_cka_of_a_case_by_hand():
    # One centred column each: CKA is the squared correlation.
    x, y = np.array([[0.0], [1.0], [2.0], [5.0]]), np.array([[1.0], [0.0], [4.0], [4.0]])
    assert linear_cka(x, y) == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)
    # Orthogonal columns, of which the second representation has one: |Y'X|^2 = 1, |X'X| = sqrt 2, |Y'Y| = 1.
    x = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]) / 2
    assert linear_cka(x, x[:, :1]) == pytest.approx(1 / np.sqrt(2))


def _naive_cka(x: np.ndarray, y: np.ndarray) -> float:
    n = len(x)
    h = np.eye(n) - 1 / n
    k, m = x @ x.T, y @ y.T

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        return np.trace(a @ h @ b @ h)

    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def _naive_debiased(x: np.ndarray, y: np.ndarray) -> float:
    n = len(x)

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a - np.diag(np.diag(a)), b - np.diag(np.diag(b))
        one = np.ones(n)
        cross = one @ a @ one * (one @ b @ one) / ((n - 1) * (n - 2))
        return (np.trace(a @ b) + cross - 2 / (n - 2) * one @ a @ b @ one) / (n * (n - 3))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


@given(SEEDS, st.integers(4, 9), st.integers(1, 12), st.integers(1, 12))
def test_cka_is_that_of_the_definition(seed, n, d, e):
    x, y = _normal(seed, n, d) + 1, _normal(seed + 1, n, e)
    assert linear_cka(x, y) == pytest.approx(_naive_cka(x, y), abs=1e-9)
    assert linear_cka(x, y, debiased=True) == pytest.approx(_naive_debiased(x, y), abs=1e-9)
    assert -1e-12 <= linear_cka(x, y) <= 1 + 1e-12
    assert linear_cka(x, y) == pytest.approx(linear_cka(y, x))


@given(SEEDS, st.floats(0.01, 100), st.booleans())
def test_cka_does_not_see_rotation_scale_and_shift(seed, scale, debiased):
    x, y = _normal(seed, 12, 5), _normal(seed + 1, 12, 3)
    turn = ortho_group.rvs(5, random_state=seed % 2**31)
    moved = scale * x @ turn + _normal(seed + 2, 1, 5)
    assert linear_cka(moved, y, debiased=debiased) == pytest.approx(linear_cka(x, y, debiased=debiased), abs=1e-8)
    assert linear_cka(x, moved, debiased=debiased) == pytest.approx(1.0)


def test_cka_sees_a_map_that_is_not_orthogonal():
    x = _normal(0, 30, 4)
    assert linear_cka(x, x @ np.diag([1.0, 10.0, 1.0, 1.0])) < 0.8


def test_debiasing_matters_with_few_inputs():
    pairs = [(_normal(2 * seed, 20, 300), _normal(2 * seed + 1, 20, 300)) for seed in range(20)]
    assert np.mean([linear_cka(x, y) for x, y in pairs]) > 0.85
    assert abs(np.mean([linear_cka(x, y, debiased=True) for x, y in pairs])) < 0.03


def test_a_representation_that_does_not_vary_has_no_alignment():
    with pytest.warns(med.errors.DegenerateWarning, match="the same for all inputs"):
        assert np.isnan(linear_cka(np.full((5, 2), 0.1), _normal(0, 5, 2)))


# ------------------------------------------------------------------------------------------------ effective rank


@pytest.mark.parametrize("k", [1, 2, 5])
def test_k_equal_singular_values_have_rank_k(k):
    left, right = ortho_group.rvs(9, random_state=0)[:, :k], ortho_group.rvs(7, random_state=1)[:k]
    assert effective_rank(3.0 * left @ right, centred=False) == pytest.approx(k)


def test_the_rank_of_a_known_spectrum():
    values = np.array([4.0, 2.0, 1.0, 1.0])
    x = ortho_group.rvs(6, random_state=2)[:, :4] * values @ ortho_group.rvs(4, random_state=3)
    p = values / 8
    assert effective_rank(x, centred=False) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert effective_rank(x, centred=False) == pytest.approx(2**1.75)


@given(SEEDS, st.floats(0.01, 100))
def test_the_rank_does_not_see_rotation_scale_and_shift(seed, scale):
    x = _normal(seed, 8, 4)
    moved = scale * x @ ortho_group.rvs(4, random_state=seed % 2**31) + 5
    assert effective_rank(moved) == pytest.approx(effective_rank(x))
    assert 1 - 1e-9 <= effective_rank(x) <= 4 + 1e-9


def test_centring_matters_to_the_rank():
    x = _normal(0, 40, 6) + 1000
    assert effective_rank(x, centred=False) < 1.1
    assert effective_rank(x) > 5
    with pytest.warns(med.errors.DegenerateWarning, match="all states are the same"):
        assert np.isnan(effective_rank(np.full((5, 2), 0.1)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert effective_rank(np.full((5, 2), 0.1), centred=False) == pytest.approx(1)


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("measure", [cosine_similarity_matrix, centred_cosine, effective_rank])
@pytest.mark.parametrize(
    ("states", "says"),
    [
        (np.zeros((2, 3, 4)), "states[:, k]"),
        (np.zeros(3), "shape (3,)"),
        (np.zeros((3, 0)), "shape (3, 0)"),
        ([[1.0, 2.0], [np.nan, 1.0]], "first in row 1"),
        ([[1.0, 2.0], [3.0, np.inf]], "first in row 1"),
    ],
)
def test_wrong_states(measure, states, says):
    with pytest.raises(med.errors.DataError) as error:
        measure(states)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("first", "second", "options", "says"),
    [
        (np.ones((3, 2)), np.ones((4, 2)), {}, "3 rows and second 4"),
        (np.ones((1, 2)), np.ones((1, 2)), {}, "n of at least 2"),
        (np.ones((3, 2)), np.ones((3, 2)), {"debiased": True}, "n of at least 4"),
    ],
)
def test_wrong_pairs_of_representations(first, second, options, says):
    with pytest.raises(med.errors.DataError, match=says):
        linear_cka(first, second, **options)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    from mediation.probing._jackknife import jackknife_error

    x = np.random.default_rng(0).exponential(size=9)
    without = np.array([np.delete(x, at).mean() for at in range(9)])
    assert jackknife_error(without) == pytest.approx(x.std(ddof=1) / 3, rel=1e-12)
