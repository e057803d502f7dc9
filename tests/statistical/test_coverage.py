"""A fast part of the coverage study: do the defaults cover, and do the bands keep the family-wise error?

Limits are three to four Monte Carlo standard errors around what the whole study (`make coverage-study`) found.
"""

import numpy as np
import pytest

from tests.statistical.coverage import (
    STUDIES,
    coverage_of_clusters,
    coverage_of_means,
    coverage_of_ratios,
    family_wise_error,
    ratio_draw,
)
from tests.statistical.families import BY_NAME, FAMILIES, FEW_ANSWERS, RATIOS, clustered, clustered_ratio

pytestmark = pytest.mark.statistical

CALLS = 20
MARGIN = 3.5 * np.sqrt(0.95 * 0.05 / (CALLS * STUDIES))


@pytest.mark.parametrize("name", [family.name for family in FAMILIES if not family.rare])
def test_the_default_covers_means_of_fifty_units(name):
    found = coverage_of_means(BY_NAME[name], 50, "bootstrap-t", calls=CALLS)
    assert 0.93 - MARGIN / 2 < found.share < 0.97 + MARGIN / 2
    assert found.none == 0


def test_the_classical_bootstrap_t_is_the_reason_for_the_floor():
    heavy = BY_NAME["heavy_t3"]
    classical = coverage_of_means(heavy, 50, "bootstrap-t", calls=CALLS, floor=False)
    default = coverage_of_means(heavy, 50, "bootstrap-t", calls=CALLS)
    assert classical.share < 0.945 < default.share


@pytest.mark.parametrize("method", ["percentile", "basic"])
def test_percentile_and_basic_under_cover_skewed_means_of_few_units(method):
    # Hesterberg (2015), table 3: both are far too short for a skewed mean of 20.
    assert coverage_of_means(BY_NAME["lognormal"], 20, method, calls=CALLS).share < 0.88


@pytest.mark.parametrize("name", [family.name for family in FAMILIES if family.rare])
def test_the_default_covers_rare_flips(name):
    for n in (20, 50):
        found = coverage_of_means(BY_NAME[name], n, "bootstrap-t", calls=CALLS, span=1.0)  # as med.effects asks
        assert found.share >= 0.95
        assert found.none == 0


def test_cluster_bootstrap_t_covers_with_ten_clusters_and_with_five():
    assert coverage_of_clusters(lambda rng: clustered(rng, 10, 0.3, STUDIES), "bootstrap-t", calls=CALLS).share > 0.92
    assert coverage_of_clusters(lambda rng: clustered(rng, 5, 0.6, STUDIES), "bootstrap-t", calls=CALLS).share > 0.91


def test_leaving_clusters_out_would_not_cover():
    draw = lambda rng: (clustered(rng, 10, 0.3, STUDIES)[0], None)  # noqa: E731
    assert coverage_of_clusters(draw, "bootstrap-t", calls=CALLS).share < 0.75


@pytest.mark.parametrize("case", RATIOS, ids=lambda case: case.name)
def test_fieller_covers(case):
    found, unbounded = coverage_of_ratios(ratio_draw(case, 50), case.ratio, calls=CALLS)
    assert 0.93 - MARGIN / 2 < found.share < 0.97
    assert (0.2 < unbounded < 0.45) if case.name == "weakTE" else unbounded < 0.01


@pytest.mark.parametrize("n", [20, 50])
def test_the_proportion_of_few_answers_has_a_set_that_covers(n):
    draw = ratio_draw(FEW_ANSWERS, n)
    found, _ = coverage_of_ratios(draw, 0.5, calls=5, answers=FEW_ANSWERS.answers)
    assert found.none == 0
    assert found.share > 0.95
    assert coverage_of_ratios(draw, 0.5, method="t", calls=5)[0].none > 0.02


def test_fieller_covers_with_ten_clusters():
    found, _ = coverage_of_ratios(lambda rng: clustered_ratio(rng, 10, 1.5, STUDIES), 0.5, calls=CALLS)
    assert found.share == pytest.approx(0.945, abs=0.025)


@pytest.mark.parametrize("skew", [False, True], ids=["normal", "skewed"])
def test_bands_and_adjusted_p_keep_the_family_wise_error(skew):
    found = family_wise_error(50, skew=skew, sites=40, studies=400, n_resamples=499)
    assert found.bands <= found.adjusted <= 0.06 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert found.pointwise > 0.5


def test_step_down_finds_true_effects_and_keeps_the_family_wise_error():
    found = family_wise_error(50, skew=False, effects=8, sites=40, studies=150, n_resamples=499)
    assert found.bands <= found.adjusted <= 0.06 + 2 * np.sqrt(0.05 * 0.95 / 150)
    assert found.power > 0.6
