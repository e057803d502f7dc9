"""Hierarchical tests in simulated sweeps: no more false rejections than asked for, and layers that max-t does not see.

Few studies, to be quick; `rates` of `tests.statistical.hierarchy` is what the table in the documentation is made with.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.statistical.hierarchy import TRUTHS, rates

pytestmark = pytest.mark.statistical

N_STUDIES = 45
LIMIT = 0.05 + 3 * np.sqrt(0.05 * 0.95 / N_STUDIES)


@pytest.mark.parametrize("truth", TRUTHS)
def test_false_rejections_are_held_and_a_head_is_never_rejected_alone(truth):
    found = rates(truth, 50, skewed=True, n_studies=N_STUDIES, n_resamples=499)
    assert found.false_any <= LIMIT
    assert max(found.false_layer, found.false_head) <= found.false_any <= found.false_layer + found.false_head


def test_layers_of_weak_heads_are_found_and_little_power_for_heads_is_lost():
    weak = rates("all heads of 3 layers, weak", 100, skewed=False, n_studies=N_STUDIES, n_resamples=499)
    assert weak.layers_found > weak.flat_layers_found + 0.08
    mixed = rates("the same, half with the other sign", 100, skewed=False, n_studies=N_STUDIES, n_resamples=499)
    assert mixed.layers_found > mixed.flat_layers_found + 0.08
    strong = rates("2 heads in each of 3 layers", 100, skewed=False, n_studies=N_STUDIES, n_resamples=499)
    assert strong.heads_found > strong.flat_heads_found - 0.06 > 0.5
