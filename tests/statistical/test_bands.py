"""Bands of few units or clusters are no wider than Bonferroni's needs, and intervals of few hardly wider than t."""

import numpy as np
import pytest

from tests.statistical.bands import bands, widths

pytestmark = pytest.mark.statistical

STUDIES = 120
MOST = 0.05 + 3 * np.sqrt(0.05 * 0.95 / STUDIES)


@pytest.mark.parametrize("n", [5, 6, 12])
def test_bands_of_normal_effects_are_bonferronis(n):
    found = bands(n, 90, "normal", studies=STUDIES, n_resamples=499)
    assert found.error <= MOST
    assert found.over_bonferroni == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("tails", ["exponential", "lognormal"])
def test_bands_of_skewed_effects_keep_the_family_wise_error(tails):
    found = bands(8, 90, tails, studies=STUDIES, n_resamples=499)
    assert found.error <= MOST
    assert found.over_bonferroni > 1.2


@pytest.mark.parametrize(("design", "most"), [("n = 10", 1.15), ("n = 20", 1.06), ("n = 50", 1.04)])
def test_the_default_is_hardly_wider_than_students_t_for_normal_effects(design, most):
    found = widths(design, "normal", calls=20)
    assert found["default"].share > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert 1.0 <= found["default"].width <= most


def test_capped_critical_values_would_cover_less():
    found = widths("n = 8", "exponential", calls=20)
    assert found["at most 1.15 t"].share < 0.925 < found["default"].share
