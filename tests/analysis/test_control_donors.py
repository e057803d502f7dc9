"""Who gives to whom in null controls: within a group, never oneself, and anew in every draw."""

from __future__ import annotations

import numpy as np

from mediation.analysis._control_runs import donors_of, unmatched

GROUPS = ["a", "b", "a", "a", "b", "c", "a"]


def test_donors_are_of_the_same_group_and_give_once():
    found = donors_of(GROUPS, 12, seed=3)
    assert found.shape == (12, 7)
    for row in found:
        assert sorted(row) == list(range(7))
        assert all(GROUPS[donor] == GROUPS[unit] for unit, donor in enumerate(row))
        assert [unit for unit, donor in enumerate(row) if donor == unit] == [5]
    assert unmatched(found) == [5]


def test_draws_and_seeds_differ_and_come_again():
    found = donors_of(GROUPS, 12, seed=3)
    assert len({tuple(row) for row in found.tolist()}) > 3  # of the six cycles of four units
    assert np.array_equal(found, donors_of(GROUPS, 12, seed=3))
    assert np.array_equal(found[:5], donors_of(GROUPS, 5, seed=3))
    assert not np.array_equal(found, donors_of(GROUPS, 12, seed=4))
