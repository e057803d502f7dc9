"""Ratios: Fieller's set against the t test that it inverts, on a fine grid."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import mediation as med
from mediation.errors import DegenerateWarning
from mediation.inference import Inference, mean_intervals, ratio_intervals
from mediation.inference.ratios._fieller import gap_in
from tests.inference.naive import bell_mccaffrey, cluster_sums

STUDENT = Inference(method="t")


def student(*args, settings=STUDENT, **design):
    """Fieller's own set: Student's test inverted."""
    return ratio_intervals(*args, settings=settings, **design)


GRID = np.concatenate([np.linspace(-60, 60, 48_001), [-1e5, 1e5]])


def rejected(numerator, denominator, clusters, weights, level):
    """Whether the t test of mean(A - r B) = 0 rejects each r of the grid."""
    top, sizes = cluster_sums(numerator, clusters, weights)
    bottom, _ = cluster_sums(denominator, clusters, weights)
    factors, df = bell_mccaffrey(clusters, weights)
    totals = top - GRID[:, None] * bottom
    mean = totals.sum(axis=1) / sizes.sum()
    squares = (factors * (totals - mean[:, None] * sizes) ** 2).sum(axis=1)
    error = np.sqrt(squares) / sizes.sum()
    return np.abs(mean) > stats.t.ppf((1 + level) / 2, df) * error


def sample(seed, shift, n=14):
    rng = np.random.default_rng(seed)
    bottom = rng.normal(shift, 1.0, n)
    return 0.4 * bottom + rng.normal(0.1, 0.5, n), bottom


DESIGNS = {
    "units": (None, None),
    "weights": (None, np.linspace(1, 4, 14)),
    "clusters": (list("aabbbcdeeffghh"), None),
    "clusters and weights": (list("aabbbcdeeffghh"), np.linspace(1, 4, 14)),
}


@pytest.mark.parametrize(("clusters", "weights"), DESIGNS.values(), ids=DESIGNS.keys())
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shift", [2.0, 0.45, 0.0])
def test_set_is_what_the_t_test_does_not_reject(clusters, weights, seed, shift):
    top, bottom = sample(seed, shift)
    found = student(top[:, None], bottom[:, None], clusters=clusters, weights=weights)
    out = rejected(
        top, bottom, range(14) if clusters is None else clusters, np.ones(14) if weights is None else weights, 0.95
    )
    low, high, method = found.conf_low[0], found.conf_high[0], found.method[0]
    assert low < high
    inside = (low <= GRID) & (high >= GRID)
    if "complement" in method:
        assert (low, high) == (-np.inf, np.inf)
        gap_low, gap_high = map(float, re.search(r"<= (\S+) or >= (\S+)\)", method).groups())
        assert gap_low < gap_high
        inside = (gap_low >= GRID) | (gap_high <= GRID)
    step = GRID[1] - GRID[0]
    changes = np.flatnonzero(inside == out)
    assert len(changes) <= 2, (method, GRID[changes])
    assert "unbounded" not in method or not out.any()
    edges = [low, high] if np.isfinite(low) else ([gap_low, gap_high] if "complement" in method else [])
    assert all(np.abs(GRID[at] - edges).min() < 2 * step for at in changes)


def test_the_samples_above_show_all_three_shapes():
    shapes = set()
    for shift in (2.0, 0.45, 0.0):
        for seed in range(12):
            top, bottom = sample(seed, shift)
            shapes.add(student(top[:, None], bottom[:, None]).method[0].split(":")[0])
    assert shapes == {"fieller", "fieller (unbounded)", "fieller (complement"}


def test_ratio_of_means_is_not_the_mean_of_ratios():
    found = student([[1.0], [1.0], [4.0]], [[1.0], [2.0], [3.0]])
    assert found.estimate[0] == 1.0


def test_known_set_with_a_constant_denominator_is_the_t_interval_divided():
    top = np.array([1.0, 2.0, 4.0, 5.0])
    found = student(top[:, None], np.full((4, 1), 2.0))
    low, high = stats.t.interval(0.95, 3, top.mean(), stats.sem(top))
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((low / 2, high / 2))
    assert found.std_error[0] == pytest.approx(stats.sem(top) / 2)
    assert found.p_value[0] == pytest.approx(stats.ttest_1samp(top, 0).pvalue)
    negative = student(top[:, None], np.full((4, 1), -2.0))
    assert (negative.conf_low[0], negative.conf_high[0]) == pytest.approx((-high / 2, -low / 2))
    assert negative.std_error[0] == pytest.approx(stats.sem(top) / 2)


@pytest.mark.parametrize("clusters", [None, list("aabbccddeeffgg")])
def test_standard_error_is_the_delta_method_s_and_p_value_the_t_test_of_the_numerator(clusters):
    top, bottom = sample(0, 2.0)
    found = student(top[:, None], bottom[:, None], clusters=clusters)
    groups = np.arange(14) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    options = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": True}, "use_t": True}
    ratio = top.mean() / bottom.mean()
    residual = sm.OLS(top - ratio * bottom, np.ones(14)).fit(**options)
    assert found.std_error[0] == pytest.approx(residual.bse[0] / abs(bottom.mean()), rel=1e-10)
    numerator = sm.OLS(top, np.ones(14)).fit(**options)
    assert found.p_value[0] == pytest.approx(2 * stats.t.sf(abs(numerator.tvalues[0]), len(set(groups)) - 1), rel=1e-10)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_p_value_is_below_alpha_exactly_when_the_set_leaves_out_zero(level):
    rng = np.random.default_rng(3)
    top, bottom = rng.normal(0.4, 1.0, (12, 300)), rng.normal(0.6, 1.0, (12, 300))
    found = student(top, bottom, settings=Inference(confidence_level=level, method="t"))
    gaps = [re.search(r"<= (\S+) or >= (\S+)\)", method) for method in found.method]
    outside = [
        float(gap[1]) < 0 < float(gap[2]) if gap else not low <= 0 <= high
        for gap, low, high in zip(gaps, found.conf_low, found.conf_high, strict=True)
    ]
    assert (np.array(outside) == (found.p_value < 1 - level)).all()
    assert 0 < sum(outside) < 300


def test_p_value_is_never_zero():
    top = np.random.default_rng(0).normal(1e9, 1.0, size=(2000, 1))
    assert student(top, top + 1e9).p_value[0] > 0


def test_unbounded_when_the_denominator_could_be_zero_and_says_so():
    rng = np.random.default_rng(1)
    found = student(rng.normal(0, 1, (20, 1)), rng.normal(0, 1, (20, 1)), clusters=np.arange(20) // 2)
    assert found.method == ("cluster fieller (unbounded)",)
    assert (found.conf_low[0], found.conf_high[0]) == (-np.inf, np.inf)
    assert np.isfinite([found.estimate[0], found.std_error[0], found.p_value[0]]).all()


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 3.0, 1e150])
def test_scaling_the_numerator_scales_the_set(factor):
    top, bottom = sample(2, 2.0)
    plain, scaled = (student((top * f)[:, None], bottom[:, None]) for f in (1.0, factor))
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(getattr(scaled, name), factor * getattr(plain, name), rtol=1e-10)


def test_many_columns_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    top, bottom = rng.normal(0.5, 1, (15, 600)), rng.normal(1, 1, (15, 600))
    whole = student(top, bottom)
    for column in (0, 255, 256, 599):
        alone = student(top[:, [column]], bottom[:, [column]])
        assert alone.conf_low[0] == pytest.approx(whole.conf_low[column])
        assert alone.method[0] == whole.method[column]


def test_no_columns_are_no_rows():
    found = student(np.ones((3, 0)), np.ones((3, 0)))
    assert found.method == ()
    assert found.estimate.shape == (0,)


def test_a_constant_ratio_has_no_interval():
    bottom = np.random.default_rng(0).normal(1.0, 1.0, (20, 1))
    with pytest.warns(DegenerateWarning, match="the ratio is the same in every cluster"):
        found = student(np.hstack([0.3 * bottom, np.zeros((20, 1))]), np.hstack([bottom, bottom]))
    np.testing.assert_allclose(found.estimate, [0.3, 0.0])
    assert np.isnan([found.std_error, found.conf_low, found.conf_high, found.p_value]).all()
    assert found.method == ("degenerate", "degenerate")


def test_a_small_numerator_is_no_rounding_error():
    rng = np.random.default_rng(0)
    top, bottom = rng.normal(size=(20, 1)), rng.normal(1.0, 0.5, (20, 1))
    small, plain = student(1e-15 * top, bottom), student(top, bottom)
    assert (small.conf_low[0], small.conf_high[0]) == pytest.approx(
        (1e-15 * plain.conf_low[0], 1e-15 * plain.conf_high[0]), rel=1e-9
    )


def test_a_denominator_of_mean_zero_has_no_ratio():
    with pytest.warns(DegenerateWarning, match="mean of the denominator is 0") as caught:
        found = student([[1.0], [2.0], [3.0]], [[1.0], [0.0], [-1.0]])
    assert len(caught) == 1
    assert np.isnan([found.estimate[0], found.conf_low[0], found.p_value[0]]).all()


def test_a_denominator_of_rounding_errors_has_no_ratio():
    bottom = np.tile([[1.0], [-1.0]], (10, 1)) + 1e-15 * np.random.default_rng(0).normal(1.0, 1.0, (20, 1))
    with pytest.warns(DegenerateWarning, match="mean of the denominator is 0"):
        found = student(np.arange(20.0)[:, None], bottom)
    assert np.isnan(found.estimate[0])


@pytest.mark.parametrize("settings", [Inference(method="t"), Inference(n_resamples=999)])
def test_tiny_numbers_have_the_ratio_of_large_ones(settings):
    rng = np.random.default_rng(0)
    bottom = rng.normal(2.0, 1.0, (20, 1))
    top = 0.4 * bottom + rng.normal(0.0, 0.1, (20, 1))
    found = ratio_intervals(top, bottom, settings=settings)
    tiny = ratio_intervals(np.ldexp(top, -900), np.ldexp(bottom, -900), settings=settings)
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(tiny, name))


def test_a_numerator_without_spread_has_a_set_but_no_test():
    bottom = np.random.default_rng(0).normal(2.0, 0.1, (20, 1))
    found = student(np.ones((20, 1)), bottom)
    assert found.conf_low[0] < found.estimate[0] < found.conf_high[0]
    assert np.isnan(found.p_value[0])


# ---------------------------------------------------------------- the test of bootstrap-t inverted


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("floor", [False, True], ids=["classical", "at least t"])
def test_the_default_set_is_what_the_bootstrap_t_test_does_not_reject(design, shift, floor):
    clusters, weights = DESIGNS[design]
    settings = Inference(n_resamples=399, confidence_level=0.9, seed=4, floor=floor)
    rng = np.random.default_rng(int(10 * shift))
    bottom = rng.exponential(1.0, 14) - 1.0 + shift
    top = 0.4 * bottom + rng.exponential(0.5, 14) - 0.4
    found = ratio_intervals(top[:, None], bottom[:, None], clusters=clusters, weights=weights, settings=settings)
    grid = np.concatenate([np.linspace(-8, 8, 2001), [-1e3, 1e3]])
    tested = mean_intervals(
        top[:, None] - bottom[:, None] * grid, clusters=clusters, weights=weights, settings=settings
    )
    rejected = (tested.conf_low > 0) | (tested.conf_high < 0)
    gap = gap_in(found.method[0]) or (np.inf, np.inf)
    outside = (grid < found.conf_low[0]) | (grid > found.conf_high[0]) | ((gap[0] < grid) & (grid < gap[1]))
    edges = [found.conf_low[0], found.conf_high[0], *gap]
    near = np.min(np.abs(grid[:, None] - np.array([edge for edge in edges if np.isfinite(edge)] or [np.inf])), axis=1)
    # Runs of rejected ratios shorter than a step of the search are filled in, so the set may hold a few more.
    assert not (outside & ~rejected & (near > 1e-6)).any()
    assert (rejected & ~outside).mean() < 0.02
    assert found.method[0].split(" (")[0] == ("cluster " if clusters else "") + "fieller, bootstrap-t"


def test_the_default_set_holds_fiellers_and_is_it_where_students_test_decides():
    rng = np.random.default_rng(5)
    bottom = rng.normal(rng.uniform(-1.5, 1.5, 60), 1.0, (30, 60))
    top = 0.5 * bottom + rng.normal(0.0, 0.7, (30, 60))
    settings = Inference(n_resamples=999)
    wide, narrow = ratio_intervals(top, bottom, settings=settings), student(top, bottom)
    bounded = np.isfinite(wide.conf_low)
    assert (wide.conf_low <= narrow.conf_low + 1e-9)[bounded].all()
    assert (wide.conf_high >= narrow.conf_high - 1e-9)[bounded].all()
    assert np.isclose(wide.conf_low, narrow.conf_low, rtol=1e-9)[bounded].mean() > 0.2
    np.testing.assert_array_equal(wide.estimate, narrow.estimate)


def test_p_value_of_the_default_is_that_of_the_numerators_mean_and_dual_to_the_set():
    rng = np.random.default_rng(6)
    bottom = rng.exponential(1.0, (25, 80)) + 0.5
    top = rng.uniform(-0.4, 0.4, 80) + rng.exponential(0.8, (25, 80)) - 0.8
    settings = Inference(n_resamples=399, confidence_level=0.9)
    found = ratio_intervals(top, bottom, settings=settings)
    np.testing.assert_array_equal(found.p_value, mean_intervals(top, settings=settings).p_value)
    outside = (found.conf_low > 0) | (found.conf_high < 0)
    assert 10 < outside.sum() < 70
    np.testing.assert_array_equal(outside, found.p_value <= 0.1)


def test_a_ratio_does_not_depend_on_units_of_measurement_or_on_its_neighbours():
    rng = np.random.default_rng(7)
    bottom = rng.normal(1.0, 1.0, (20, 20))
    top = 0.3 * bottom + rng.normal(size=(20, 20))
    settings = Inference(n_resamples=199)
    plain = ratio_intervals(top, bottom, settings=settings)
    scaled = ratio_intervals(3e5 * top, -7e-4 * bottom, settings=settings)
    factor = 3e5 / -7e-4
    there = np.isfinite(plain.conf_low)
    np.testing.assert_allclose(scaled.conf_low[there], factor * plain.conf_high[there], rtol=1e-7)
    alone = ratio_intervals(top[:, 17:18], bottom[:, 17:18], settings=settings)
    np.testing.assert_allclose(alone.conf_low[0], plain.conf_low[17], rtol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_numerator_and_denominator_that_differ_by_rounding_have_a_set_around_1(seed):
    random = np.random.default_rng(seed)
    total = -0.2 + 0.1 * random.normal(size=4)
    part = total + 6e-8 * np.sign(random.normal(size=4))
    units = pd.DataFrame({"y00": 0.0, "y11": total, "y01": part, "y10": total - part})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = med.effects(units, n_resamples=99, rng=0).tidy().set_index("estimand").loc["pm"]
    assert row["estimate"] == pytest.approx(1, abs=1e-5)
    assert row["conf_low"] <= row["conf_high"]
    assert row["conf_low"] <= 1 + 1e-5
    assert row["conf_high"] >= 1 - 1e-5
