import numpy as np
import pytest
from hypothesis import given, strategies as st

from mediation.inference.resampling._order import outer


@given(
    seed=st.integers(0, 10_000),
    length=st.sampled_from([5, 100, 2047, 2048, 3001, 9999]),
    share=st.floats(0.0, 0.5),
    kind=st.sampled_from(["normal", "discrete", "sorted", "reversed", "constant", "infinite"]),
)
def test_outer_is_what_sorting_gives(seed, length, share, kind):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(3, length))
    if kind == "discrete":
        rows = np.round(rows)
    elif kind == "sorted":
        rows = np.sort(rows, axis=1)
    elif kind == "reversed":
        rows = -np.sort(rows, axis=1)
    elif kind == "constant":
        rows[:] = 2.0
    elif kind == "infinite":
        rows[rng.random(rows.shape) < 0.1] = np.inf
        rows[rng.random(rows.shape) < 0.1] = -np.inf
    rank = max(1, int(share * length))
    before, ordered = rows.copy(), np.sort(rows, axis=1)
    low, high = outer(rows, rank)
    np.testing.assert_array_equal(low, ordered[:, rank - 1])
    np.testing.assert_array_equal(high, ordered[:, -rank])
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("rank", [1, 25, 250])
def test_a_row_whose_ends_are_all_at_its_far_side_is_still_exact(rank):
    # The share that is looked at first holds none of the small values.
    rows = np.concatenate([np.full((2, 5000), 5.0), np.arange(2 * 4999.0).reshape(2, 4999) % 97], axis=1)
    low, high = outer(rows, rank)
    np.testing.assert_array_equal(low, np.sort(rows, axis=1)[:, rank - 1])
    np.testing.assert_array_equal(high, np.sort(rows, axis=1)[:, -rank])
