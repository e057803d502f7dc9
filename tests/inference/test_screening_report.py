"""What a screen may have missed: ties, the bound on how many sites exceed, and how far bands reach."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mediation.inference.multiplicity._screening import most_exceeding, screening_report


@pytest.mark.parametrize(("drawn", "total"), [(6, 9), (5, 5), (0, 4)])
def test_the_bound_is_the_largest_number_that_is_not_refuted(drawn, total):
    for found in range(drawn + 1):
        possible = [
            many
            for many in range(found, total - (drawn - found) + 1)
            if stats.hypergeom.cdf(found, total, many, drawn) > 0.05
        ]
        assert most_exceeding(found, drawn, total, 0.95) == max(possible)


def test_all_that_were_drawn_exceed():
    assert most_exceeding(10, 10, 10, 0.95) == 10
    assert most_exceeding(5, 5, 9, 0.95) == 9


def test_an_effect_as_strong_as_the_weakest_is_not_stronger():
    effect = np.r_[np.full(5, 2.0), 2.5, np.zeros(24)]
    found = screening_report(np.array([3.0, 2.0]), np.arange(30.0), effect, rest=100, confidence_level=0.95, seed=0)
    assert found["weakest"] == 2.0
    assert found["stronger"] == 1
    assert found["at_most"] == most_exceeding(1, 30, 100, 0.95)
