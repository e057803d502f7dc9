"""Long-run properties by simulation: do the intervals cover, and do the bands keep the family-wise error?

Samples are columns, so one call makes the intervals of many simulated studies; each call has its own resamples.
"""

import numpy as np
import pytest

from mediation.inference import Inference, mean_intervals, ratio_intervals

pytestmark = pytest.mark.statistical

CALLS = 10
STUDIES = 200  # per call
STANDARD_ERROR = np.sqrt(0.95 * 0.05 / (CALLS * STUDIES))  # of a coverage of 0.95


def covered(found, truth):
    return (found.conf_low <= truth) & (truth <= found.conf_high)


def coverage_of_means(draw, truth, method="bootstrap-t", seed=0):
    """Share of simulated studies whose interval holds the truth; `draw` returns values and clusters."""
    rng = np.random.default_rng(seed)
    inside = []
    for call in range(CALLS):
        values, clusters = draw(rng)
        settings = Inference(method=method, n_resamples=999, seed=call)
        found = mean_intervals(values, clusters=clusters, settings=settings)
        assert np.isfinite(found.conf_low).all()
        inside.append(covered(found, truth))
    return np.mean(inside)


def normal(rng):
    return rng.normal(0.3, 1.0, size=(50, STUDIES)), None


def expdiff(rng):
    return rng.exponential(1.0, size=(50, STUDIES)) - rng.exponential(0.5, size=(50, STUDIES)), None


def clustered(rng, n_clusters=10, icc=0.3):
    """Exponential effects of clusters of 5 to 15 units and of units; mean 0."""
    clusters = np.repeat(np.arange(n_clusters), rng.integers(5, 16, size=n_clusters))
    between = rng.exponential(np.sqrt(icc), size=(n_clusters, STUDIES)) - np.sqrt(icc)
    within = rng.exponential(np.sqrt(1 - icc), size=(len(clusters), STUDIES)) - np.sqrt(1 - icc)
    return between[clusters] + within, clusters


def few_flips(rng):
    return rng.choice([1.0, -1.0, 0.0], p=[0.12, 0.03, 0.85], size=(80, STUDIES)), None


def test_bootstrap_t_covers_a_normal_mean():
    assert coverage_of_means(normal, 0.3) == pytest.approx(0.95, abs=3 * STANDARD_ERROR)


def test_bootstrap_t_covers_a_skewed_mean():
    assert coverage_of_means(expdiff, 0.5) == pytest.approx(0.945, abs=3 * STANDARD_ERROR)


def test_percentile_covers_a_normal_mean_a_little_less():
    # With n = 50 its width lacks sqrt(50 / 49) and the t quantile: 0.94.
    assert coverage_of_means(normal, 0.3, method="percentile") == pytest.approx(0.94, abs=3 * STANDARD_ERROR)


def test_cluster_bootstrap_t_covers_with_ten_clusters():
    assert 0.91 < coverage_of_means(clustered, 0.0) < 0.97


def test_leaving_clusters_out_would_not_cover():
    assert coverage_of_means(lambda rng: (clustered(rng)[0], None), 0.0) < 0.75


def test_flips_are_covered_whether_few_or_many():
    assert coverage_of_means(few_flips, 0.09) > 0.95 - 3 * STANDARD_ERROR


def medium_skew(rng, n_studies):
    """Effects of skewed size: mean 1, standard deviation 0.7, half of it mediated."""
    bottom = rng.gamma(2.0, 0.5, size=(50, n_studies))
    return 0.5 * bottom + rng.exponential(0.25, size=(50, n_studies)) - 0.25, bottom, 0.5


def weak_te(rng, n_studies):
    """A total effect of 0.35 standard deviations, often not significant."""
    bottom = rng.normal(0.35, 1.0, size=(50, n_studies))
    return 0.5 * bottom + rng.normal(0.0, 0.5, size=(50, n_studies)), bottom, 0.5


def ratio_coverage(draw, n_studies=2000):
    """Coverage of Fieller's set, by inverting its own ends or gap, and the share of sets that are not bounded."""
    top, bottom, truth = draw(np.random.default_rng(0), n_studies)
    found = ratio_intervals(top, bottom)
    inside = covered(found, truth)
    for column, method in enumerate(found.method):
        if "complement" in method:
            low, high = (float(text.strip("<=> )")) for text in method.split(":")[1].split("or"))
            inside[column] = truth <= low or truth >= high
    return inside.mean(), np.isinf(found.conf_low).mean()


def test_fieller_covers_a_skewed_ratio():
    coverage, unbounded = ratio_coverage(medium_skew)
    assert coverage == pytest.approx(0.935, abs=4 * STANDARD_ERROR)
    assert unbounded < 0.01


def test_fieller_covers_when_the_total_effect_is_weak_and_then_is_often_unbounded():
    coverage, unbounded = ratio_coverage(weak_te)
    assert coverage == pytest.approx(0.95, abs=3 * STANDARD_ERROR)
    assert 0.2 < unbounded < 0.45


def family_wise_error(skew, effects=0, n_columns=40, n_studies=400):
    """Share of studies in which a true null is rejected: by a band, by an adjusted p, by a pointwise interval."""
    rng = np.random.default_rng(1)
    false, power = np.zeros(3), 0.0
    for study in range(n_studies):
        loadings = rng.normal(size=(5, n_columns))
        noise = rng.exponential(1.0, (50, n_columns)) - 1.0 if skew else rng.normal(size=(50, n_columns))
        values = rng.normal(size=(50, 5)) @ loadings / np.sqrt(5) + noise
        values[:, :effects] += 0.9
        found = mean_intervals(values, settings=Inference(n_resamples=499, seed=study), bands=True)
        rejected = [
            (found.band_low > 0) | (found.band_high < 0),
            found.p_adjusted <= 0.05,
            (found.conf_low > 0) | (found.conf_high < 0),
        ]
        false += [np.any(one[effects:]) for one in rejected]
        power += np.mean(rejected[1][:effects]) if effects else 0.0
    return false / n_studies, power / n_studies


@pytest.mark.parametrize("skew", [False, True], ids=["normal", "skewed"])
def test_bands_and_adjusted_p_keep_the_family_wise_error(skew):
    (band, adjusted, pointwise), _ = family_wise_error(skew)
    limit = 0.06 + 2 * np.sqrt(0.05 * 0.95 / 400)
    assert band <= adjusted <= limit
    assert pointwise > 0.5


def test_step_down_finds_true_effects_and_keeps_the_family_wise_error():
    (band, adjusted, _), power = family_wise_error(skew=False, effects=8, n_studies=150)
    assert band <= adjusted <= 0.06 + 2 * np.sqrt(0.05 * 0.95 / 150)
    assert power > 0.7
