"""A fast part of the study of designs: shared draws, two groups, differences of ratios. Limits are three to four Monte
Carlo standard errors around what longer runs found (docs/inference/designs.md)."""

import numpy as np
import pytest

from tests.statistical.designs import (
    TWO_GROUPS,
    crossed_coverage,
    crossed_ratio_coverage,
    group_coverage,
    ratio_difference_coverage,
)

pytestmark = pytest.mark.statistical

SIMS = 1000
ERROR = np.sqrt(0.95 * 0.05 / SIMS)


@pytest.mark.parametrize(("n", "n_draws"), [(20, 3), (20, 10), (50, 3), (50, 10), (200, 3), (200, 10)])
def test_two_way_intervals_cover_where_averaging_collapses(n, n_draws):
    found = crossed_coverage(n, n_draws, SIMS, np.random.default_rng(n + n_draws))
    assert found["two-way t"] > 0.95 - 3 * ERROR
    assert found["averaged, units resampled"] < found["two-way t"] - 0.03


def test_more_units_make_averaging_worse():
    few, many = (crossed_coverage(n, 3, SIMS, np.random.default_rng(0))["averaged, units resampled"] for n in (20, 200))
    # sqrt((1 + 1/3)/n) against sqrt((1 + 1/3)/n + 1/12): .84 and .41 of normal intervals would cover
    assert few == pytest.approx(0.83, abs=0.05)
    assert many == pytest.approx(0.41, abs=0.05)


def test_two_way_intervals_cost_little_when_draws_have_no_main_effect():
    found = crossed_coverage(50, 10, SIMS, np.random.default_rng(1), draw=0.0)
    assert 0.95 - 3 * ERROR < found["two-way t"] < 0.995


@pytest.mark.parametrize("n_draws", [3, 10])
def test_two_way_fieller_sets_cover(n_draws):
    found = crossed_ratio_coverage(50, n_draws, SIMS, np.random.default_rng(2))
    assert found["two-way fieller"] > 0.95 - 3 * ERROR


@pytest.mark.parametrize("name", TWO_GROUPS)
def test_two_groups_are_covered(name):
    found = group_coverage(name, SIMS, np.random.default_rng(3), methods=("bootstrap-t",))["bootstrap-t"]
    assert found > (0.92 if "clusters" in name else 0.95) - 3 * ERROR
    assert found < 0.97 + 3 * ERROR or "flips" in name or "wrong" in name


@pytest.mark.parametrize("paired", [True, False])
def test_differences_of_ratios_are_covered_where_they_are_given(paired):
    found = ratio_difference_coverage("skewed", 20, 1.0, 300, np.random.default_rng(4), paired=paired, n_resamples=199)
    assert found["given"] > 0.9
    assert found["coverage"] > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
