"""A fast part of the study of clusters of two kinds. Limits are three Monte Carlo standard errors around what longer
runs found (docs/inference/coverage.md)."""

import warnings

import numpy as np
import pytest

from mediation.errors import DegenerateWarning
from tests.statistical.two_way import SIZES, Case, coverage_of_flips, coverage_of_means, coverage_of_ratios

pytestmark = pytest.mark.statistical

CALLS = 20  # of 100 studies
ERROR = np.sqrt(0.95 * 0.05 / (100 * CALLS))


@pytest.mark.parametrize("case", [Case(0.3, 0.1), Case(0.4, 0.4), Case(half=True)], ids=lambda case: case.name)
@pytest.mark.parametrize("size", SIZES, ids="{0[0]} x {0[1]}".format)
def test_normal_effects_are_covered_where_one_kind_alone_collapses(size, case):
    found = coverage_of_means(size, case, calls=CALLS)
    assert 0.945 - 3 * ERROR < found["two-way t"].share < 0.985
    assert found["items alone"].share < found["two-way t"].share - 0.03
    assert found["neither"].share < 0.80


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids="{0[0]} x {0[1]}".format)
def test_skewed_effects_weights_and_half_of_the_cells(size):
    for case in (Case(skewed=True), Case(weighted=True), Case(skewed=True, half=True, weighted=True)):
        found = coverage_of_means(size, case, calls=CALLS)["two-way t"].share
        assert found > (0.92 if case.skewed else 0.945) - 3 * ERROR


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids="{0[0]} x {0[1]}".format)
def test_ratios_are_covered(size):
    share, unbounded = coverage_of_ratios(size, Case(), calls=CALLS)
    assert share > 0.95 - 3 * ERROR
    assert unbounded < 0.5


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_rare_flips_are_covered_where_bare_t_collapses(share):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateWarning)
        found, bare, rare = coverage_of_flips((20, 8), share, Case(0.2, 0.2), calls=CALLS)
    assert found.share > 0.95
    assert rare > 0.3
    assert bare.share < 0.94
