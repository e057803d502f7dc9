"""Quick simulation of sampled Shapley effects: intervals over units and orders cover, over units alone they do not."""

from __future__ import annotations

import numpy as np
import pytest

from mediation.estimands._coalitions import all_coalitions, apply_contrasts, contrasts
from tests.statistical.interactions import coverage, family

pytestmark = pytest.mark.statistical

STUDIES = 60
# The 12 intervals of a study are dependent; between studies the share of them that cover has a spread below 0.10.
STANDARD_ERROR = 0.10 / np.sqrt(STUDIES)


def test_the_truth_of_the_simulation_is_that_of_the_exact_contrasts():
    games = family(7, spread=1.0, largest=5)
    coalitions = all_coalitions(7)
    worths = np.array(
        [[sum(c for T, c in zip(games.sets, games.mean, strict=True) if set(T) <= set(S)) for S in coalitions]]
    )
    exact = [one for one in contrasts(7, exact=True, pairwise=False) if one.key == "shapley"]
    np.testing.assert_allclose(apply_contrasts(exact, worths, coalitions)[0], games.shapley, atol=1e-12)


@pytest.mark.parametrize(("n_orders", "spread"), [(64, 0.3), (16, 1.0)])
def test_sampled_shapley_effects_are_covered(n_orders, spread):
    found = coverage(family(12, spread=spread, largest=6), n=50, n_orders=n_orders, studies=STUDIES)
    assert found.crossed > 0.93 - 3 * STANDARD_ERROR
    assert found.units < 0.85
