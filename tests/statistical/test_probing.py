"""Intervals of the effective rank and of centred cosines within units, in simulated states.

Few samples, to be quick; `coverage` of `tests.statistical.probing` is what the table in the documentation is made with.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.statistical.probing import coverage

pytestmark = pytest.mark.statistical

TIMES = 300
LOWEST = 0.95 - 4 * np.sqrt(0.05 * 0.95 / TIMES)


@pytest.mark.parametrize("tails", ["normal", "exponential", "t_3"])
def test_intervals_of_the_rank_hold_its_mean(tails):
    found = coverage("effective rank", 40, tails, "16, falling by 0.6", times=TIMES)
    assert found.share > LOWEST
    assert found.width < 2 * found.plain_width
    # Among the samples of Student's t more are missed.
    assert found.share >= found.plain


@pytest.mark.parametrize("per", [1, 2])
@pytest.mark.parametrize("tails", ["exponential", "multivariate t_3"])
def test_intervals_of_centred_cosines_hold_the_populations(tails, per):
    found = coverage("intra centred cosine", 20, tails, "own part 4", per, times=TIMES)
    assert found.share > LOWEST
