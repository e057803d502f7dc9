"""A fast part of the study of random donors. Limits are three Monte Carlo standard errors around .93 to .97; cells that
docs/inference/coverage.md shows above or below are named."""

import numpy as np
import pytest

from tests.statistical.donors import BY_NAME, CASES, coverage

pytestmark = pytest.mark.statistical

SIMS = 1000
ERROR = 3 * np.sqrt(0.95 * 0.05 / SIMS)
CONSERVATIVE = {case.name for case in CASES if case.share == 0 or case.together < 0}


@pytest.mark.parametrize("n_draws", [1, 2, 8])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_random_donors_are_covered_at_any_number_of_draws(case, n_draws):
    found = coverage(case, 40, n_draws, SIMS, n_resamples=499)
    least = 0.91 if case.skewed else 0.93
    assert found.share > least - ERROR
    assert found.share < 0.97 + ERROR or case.name in CONSERVATIVE
    assert found.width < (1.9 if case.name in CONSERVATIVE else 1.35 if case.cluster > 1 else 1.2)


def test_receivers_alone_are_not():
    for n_draws, most in ((1, 0.88), (8, 0.82)):
        assert coverage(BY_NAME["nine tenths"], 40, n_draws, SIMS, n_resamples=499).alone < most
