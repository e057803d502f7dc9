"""The size of the equivalence tests at their default level, in small samples."""

from __future__ import annotations

import numpy as np
import pytest

from mediation.inference import Inference, mean_equivalence, relative_equivalence
from tests.statistical.equivalence import TOTALS, size_of_means, size_of_relative, size_with_clusters
from tests.statistical.families import FAMILIES

pytestmark = pytest.mark.statistical


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_an_effect_on_the_margin_is_seldom_claimed_to_be_inside(family):
    sides = (1,) if family.name.startswith("tern") else (1, -1)
    assert max(size_of_means(family, 50, side, calls=10)[0] for side in sides) <= 0.06


def test_the_size_holds_with_ten_clusters():
    assert max(size_with_clusters(side, calls=10)[0] for side in (1, -1)) <= 0.06


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("ratio", [False, True], ids=["relative", "ratio"])
def test_a_margin_relative_to_a_total_effect_holds_even_where_there_is_none(total, ratio):
    sizes = [size_of_relative(TOTALS[total], 50, noise=noise, ratio=ratio, calls=10)[0] for noise in (0.2, 0.01)]
    assert max(sizes) <= 0.06


def test_a_plugged_in_margin_would_not_hold():
    """Taking the estimated total effect for the true one: the effect itself is known, only the margin is not."""
    rng = np.random.default_rng(0)
    totals = rng.normal(0.5, 1.0, size=(50, 500))
    effects = 0.05 + rng.normal(0.0, 0.001, size=(50, 500))  # on the margin, a tenth of the total effect
    settings = Inference(n_resamples=499)
    plugged = mean_equivalence(effects, 0.1 * totals.mean(axis=0), settings=settings)
    proper = relative_equivalence(effects, totals, 0.1, settings=settings)
    assert plugged.inside.mean() > 0.4
    assert proper.inside.mean() < 0.06


def test_the_test_has_power_inside_the_margin():
    rng = np.random.default_rng(0)
    found = mean_equivalence(rng.normal(0.0, 1.0, size=(100, 300)), 0.5, settings=Inference(n_resamples=499))
    assert found.inside.mean() > 0.95
