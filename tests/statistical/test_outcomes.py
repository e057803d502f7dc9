"""Bands over all outcomes together hold the family-wise error over them; those of each outcome hold it within one."""

import numpy as np
import pytest

from tests.statistical.outcomes import errors

pytestmark = pytest.mark.statistical

STUDIES = 200


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_family_wise_error_over_two_outcomes(correlation):
    found = errors(n=20, sites=6, correlation=correlation, studies=STUDIES)
    assert found.together <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)
    assert found.outcome <= 0.10 + 3 * np.sqrt(0.1 * 0.9 / STUDIES)  # each holds at 5%, two of them at 10%
    assert found.outcome > found.together
