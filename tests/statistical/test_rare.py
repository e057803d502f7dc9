"""Rare flips: every sample has an interval, and none under-covers, whatever was averaged, weighted or clustered."""

import pytest

from tests.statistical.rare import BY_NAME, CASES, coverage

pytestmark = pytest.mark.statistical


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_rare_flips_have_an_interval_that_covers(name):
    found = coverage(BY_NAME[name], calls=5)["default"]
    assert found.given == 1
    assert found.share > 0.95


def test_neither_t_nor_the_bootstrap_covers_rare_flips_in_clusters():
    found = coverage(BY_NAME["10 clusters of 20, ICC 0.3"], calls=5)
    assert found["t"].share < 0.82
    assert found["bootstrap-t without it"].share < 0.82
