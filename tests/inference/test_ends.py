"""Ends of intervals that are the tested value up to rounding lie on it, whatever that value is."""

from __future__ import annotations

import numpy as np
import pytest

from mediation.inference import Inference
from mediation.inference.resampling._ends import Part, ends_of, two_sided
from mediation.inference.sample._sampling import sampling
from mediation.inference.sample._variance import linearise


@pytest.mark.parametrize("null", [0.0, 1.5, -2.0])
def test_ends_at_the_tested_value_are_on_it(null):
    design = sampling(4, None, None)
    block = linearise(np.array([[0.5, 0.5, 0.5], [1.0, 1.0, 1.0], [1.5, 1.5, 1.5], [2.0, 2.0, 2.0]]), design)
    part = Part(block, block.mean, block.std_error, np.full(3, null), design, Inference())
    hair = 3e-13
    low = np.array([null + hair, null - 1.0, null - hair])
    high = np.array([null + 1.0, null - hair, null + hair])
    found = ends_of(part, low, high, np.full(3, 0.3), np.full(3, 0.7))
    assert found.low.tolist() == [null, null - 1.0, null]
    assert found.high.tolist() == [null + 1.0, null, null]
    assert found.lacking.tolist() == [False, False, True]
    assert two_sided(found.p_less, found.p_greater).tolist() == [0.6] * 3
