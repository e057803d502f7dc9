"""Draws that all units share: the two-way variance by loops, its limits, and what it is for."""

import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.inference import Inference, crossed_intervals, crossed_ratio_intervals, mean_intervals


def cube(n=12, n_draws=5, columns=1, seed=0, draw=0.5):
    rng = np.random.default_rng(seed)
    units = rng.normal(1.0, 1.0, (n, 1, columns))
    return units + draw * rng.normal(size=(1, n_draws, columns)) + rng.normal(size=(n, n_draws, columns))


def slow_variances(values, clusters, weights):
    """V_units, V_draws and V_cells of one column by loops over groups."""
    n, n_draws = values.shape
    mean = sum(weights[i] * values[i].mean() for i in range(n)) / sum(weights)
    total = n_draws * sum(weights)
    u = [[weights[i] * (values[i, r] - mean) / total for r in range(n_draws)] for i in range(n)]

    def variance(groups):
        sums = [sum(u[i][r] for i, r in group) for group in groups]
        return len(sums) / (len(sums) - 1) * sum(s**2 for s in sums)

    labels = list(dict.fromkeys(clusters))
    of = {j: [i for i in range(n) if clusters[i] == j] for j in labels}
    by_unit = [[(i, r) for i in of[j] for r in range(n_draws)] for j in labels]
    by_draw = [[(i, r) for i in range(n)] for r in range(n_draws)]
    by_cell = [[(i, r) for i in of[j]] for j in labels for r in range(n_draws)]
    return mean, variance(by_unit), variance(by_draw), variance(by_cell)


@pytest.mark.parametrize("design", ["iid", "clusters", "weights", "both"])
def test_it_is_the_formula_of_cameron_gelbach_and_miller(design):
    values = cube(columns=3)
    n = len(values)
    clusters = np.arange(n) % 4 if design in ("clusters", "both") else np.arange(n)
    weights = np.linspace(1, 3, n) if design in ("weights", "both") else np.ones(n)
    found = crossed_intervals(values, clusters=clusters, weights=weights)
    groups = len(set(clusters))
    quantile = stats.t.ppf(0.975, min(groups, 5) - 1)
    for k in range(3):
        mean, of_units, of_draws, of_cells = slow_variances(values[:, :, k], clusters, weights)
        error = np.sqrt(max(of_units + of_draws - of_cells, of_units, of_draws))
        assert found.estimate[k] == pytest.approx(mean, rel=1e-12)
        assert found.std_error[k] == pytest.approx(error, rel=1e-12)
        assert found.conf_low[k] == pytest.approx(mean - quantile * error, rel=1e-12)
        assert found.conf_high[k] == pytest.approx(mean + quantile * error, rel=1e-12)
        p = 2 * stats.t.sf(abs(mean) / error, min(groups, 5) - 1)
        assert found.p_value[k] == pytest.approx(p, rel=1e-10)
    assert found.n == n
    assert found.n_clusters == groups


def test_it_agrees_with_statsmodels_two_way_covariance():
    values = cube(n=30, n_draws=8, draw=1.0)[:, :, 0]
    n, n_draws = values.shape
    fit = OLS(values.ravel(), np.ones((values.size, 1))).fit()
    units, draws = np.repeat(np.arange(n), n_draws), np.tile(np.arange(n_draws), n)
    _, by_unit, by_draw = cov_cluster_2groups(fit, units, draws, use_correction=False)
    cells = (fit.resid**2).sum() / values.size**2
    factor = lambda g: g / (g - 1)  # noqa: E731
    variance = factor(n) * by_unit[0, 0] + factor(n_draws) * by_draw[0, 0] - factor(n * n_draws) * cells
    found = crossed_intervals(values[:, :, None])
    assert found.std_error[0] ** 2 == pytest.approx(variance, rel=1e-12)


def test_draws_that_do_not_matter_leave_the_variance_of_units():
    values = np.repeat(cube(n_draws=1)[:, :, 0][:, None, :], 6, axis=1)
    found, plain = crossed_intervals(values), mean_intervals(values[:, 0, :])
    assert found.std_error == pytest.approx(plain.std_error, rel=1e-12)


def test_units_that_do_not_matter_leave_the_variance_of_draws():
    draws = np.array([0.3, -1.0, 0.4, 2.0])
    found = crossed_intervals(np.broadcast_to(draws[None, :, None], (40, 4, 1)))
    assert found.std_error[0] == pytest.approx(stats.sem(draws), rel=1e-12)


def test_the_variance_is_never_below_a_main_term():
    # Double-centred cells: both main terms are exactly 0, and CGM's sum would be negative.
    values = cube()[:, :, 0]
    values = values - values.mean(axis=0) - values.mean(axis=1)[:, None] + values.mean()
    tilted = values + 0.01 * np.arange(12)[:, None]
    _, of_units, of_draws, of_cells = slow_variances(tilted, np.arange(12), np.ones(12))
    assert of_units + of_draws - of_cells < 0
    found = crossed_intervals(tilted[:, :, None])
    assert found.std_error[0] == pytest.approx(np.sqrt(max(of_units, of_draws)), rel=1e-9)


def test_without_any_main_effect_there_is_no_interval():
    values = cube()[:, :, 0]
    values = values - values.mean(axis=0) - values.mean(axis=1)[:, None] + values.mean()
    with pytest.warns(DegenerateWarning, match="the same mean"):
        found = crossed_intervals(values[:, :, None])
    assert np.isnan(found.conf_low[0])
    assert found.method == ("degenerate",)


@pytest.mark.parametrize(
    ("values", "clusters", "reason"),
    [
        (np.ones((5, 1, 1)) * np.arange(5)[:, None, None], None, "there is 1 draw"),
        (np.ones((1, 5, 1)) * np.arange(5)[None, :, None], None, "there is 1 unit"),
        (cube(n=4), [0, 0, 0, 0], "one cluster"),
        (np.full((4, 3, 1), 2.0), None, "the same value in every draw"),
    ],
)
def test_what_has_no_interval_says_why(values, clusters, reason):
    with pytest.warns(DegenerateWarning, match=reason):
        found = crossed_intervals(values, clusters=clusters)
    assert np.isnan([found.conf_low[0], found.conf_high[0], found.p_value[0], found.std_error[0]]).all()
    assert found.estimate[0] == pytest.approx(np.mean(values))
    assert reason in found.reason[0]


def test_columns_do_not_depend_on_each_other_and_null_moves_only_p_values():
    values = cube(columns=4)
    whole = crossed_intervals(values, null=[0.0, 0.5, 1.0, 2.0])
    for k, null in enumerate([0.0, 0.5, 1.0, 2.0]):
        alone = crossed_intervals(values[:, :, [k]], null=null)
        assert (alone.conf_low[0], alone.p_value[0]) == pytest.approx((whole.conf_low[k], whole.p_value[k]), rel=1e-12)
        outside = not whole.conf_low[k] <= null <= whole.conf_high[k]
        assert (whole.p_value[k] < 0.05) == outside


def test_huge_and_small_numbers_scale():
    values = cube()
    for scale in (1e-8, 1e150):
        found, plain = crossed_intervals(values * scale), crossed_intervals(values)
        assert found.conf_low / scale == pytest.approx(plain.conf_low, rel=1e-9)


def test_wrong_shapes_are_errors():
    with pytest.raises(DataError, match=r"three axes, \(units, draws, columns\); found shape \(5, 3\). Use values"):
        crossed_intervals(np.ones((5, 3)))
    with pytest.raises(DataError, match="no draws"):
        crossed_intervals(np.ones((5, 0, 1)))
    with pytest.raises(DesignError, match="null must be one finite number"):
        crossed_intervals(cube(), null=[0.0, 1.0])
    with pytest.raises(DataError, match="draws and columns"):
        crossed_ratio_intervals(cube(), cube(n_draws=4))


# ---------------------------------------------------------------------------------------------- ratios


def ratio_cubes(seed=0, level=3.0):
    below = level + cube(seed=seed)
    return 0.5 * below + 0.3 * cube(seed=seed + 1), below


def test_the_fieller_set_inverts_the_two_way_test():
    above, below = ratio_cubes()
    found = crossed_ratio_intervals(above, below)
    quantile = stats.t.ppf(0.975, 4)
    for end in (found.conf_low[0], found.conf_high[0]):
        mean, of_units, of_draws, _ = slow_variances((above - end * below)[:, :, 0], np.arange(12), np.ones(12))
        assert abs(mean) == pytest.approx(quantile * np.sqrt(of_units + of_draws), rel=1e-8)
    assert found.method == ("two-way fieller (units x draws)",)
    assert found.estimate[0] == pytest.approx(above.mean() / below.mean())


def test_a_denominator_near_0_is_unbounded_and_a_denominator_of_0_has_no_ratio():
    above, below = ratio_cubes(level=-1.0)
    found = crossed_ratio_intervals(above, below)
    assert np.isinf(found.conf_low[0])
    assert "unbounded" in found.method[0] or "complement" in found.method[0]
    with pytest.warns(DegenerateWarning, match="denominator is 0"):
        assert np.isnan(crossed_ratio_intervals(above, below * 0.0).estimate[0])


def test_one_draw_has_no_ratio_interval():
    above, below = ratio_cubes()
    with pytest.warns(DegenerateWarning, match="1 draw"):
        found = crossed_ratio_intervals(above[:, :1], below[:, :1])
    assert np.isnan(found.conf_low[0])


def test_the_settings_are_used_for_the_level_alone():
    values = cube()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = crossed_intervals(values, settings=Inference(method="percentile", seed=3))
        two = crossed_intervals(values, settings=Inference(confidence_level=0.9))
    assert one.conf_low == crossed_intervals(values).conf_low
    assert two.conf_low > one.conf_low
