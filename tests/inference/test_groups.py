"""Two independent groups: Welch by scipy, bootstraps by loops on the same counts, and what they are dual to."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.inference import Inference, group_difference_intervals, ratio_difference_intervals
from mediation.inference.groups._group_ends import group_seeds
from mediation.inference.resampling._resample import resample_counts
from tests.inference.naive import bell_mccaffrey, cluster_sums, mean_and_error

B = 199


def groups(columns=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 1.0, (14, columns)), rng.exponential(2.0, (9, columns))


def counts_of(size, seed, n_resamples=B):
    return np.concatenate([counts for _, counts in resample_counts(size, n_resamples, seed)]).astype(int)


def slow_replicates(first, second, clusters=(None, None), weights=(None, None), seed=0):
    """d, se, d* and t* of one column, one resample at a time."""
    sides = []
    for values, labels, w, own in zip((first, second), clusters, weights, group_seeds(seed), strict=True):
        labels = np.arange(len(values)) if labels is None else labels
        w = np.ones(len(values)) if w is None else w
        sums, sizes = cluster_sums(values, labels, w)
        everyone = np.arange(len(sums))
        factors, _ = bell_mccaffrey(labels, w)
        drawn = [mean_and_error(sums, sizes, np.repeat(everyone, row), factors) for row in counts_of(len(sums), own)]
        sides.append((*mean_and_error(sums, sizes, everyone, factors), np.array(drawn)))
    (m1, e1, one), (m2, e2, two) = sides
    difference, error = m1 - m2, np.hypot(e1, e2)
    moved = one[:, 0] - two[:, 0]
    return difference, error, moved, (moved - difference) / np.hypot(one[:, 1], two[:, 1])


def test_t_is_welchs():
    first, second = groups()
    found = group_difference_intervals(first, second, settings=Inference(method="t", confidence_level=0.9), null=0.3)
    told = stats.ttest_ind(first - 0.3, second, equal_var=False)
    ends = told.confidence_interval(0.9)
    assert found.p_value == pytest.approx(told.pvalue, rel=1e-10)
    assert found.conf_low == pytest.approx(ends.low + 0.3, rel=1e-10)
    assert found.conf_high == pytest.approx(ends.high + 0.3, rel=1e-10)
    for side, name in (("less", "p_less"), ("greater", "p_greater")):
        one_sided = stats.ttest_ind(first - 0.3, second, equal_var=False, alternative=side).pvalue
        assert getattr(found, name) == pytest.approx(one_sided, rel=1e-9)


def test_normal_is_the_z_interval():
    first, second = groups()
    found = group_difference_intervals(first, second, settings=Inference(method="normal"))
    error = np.sqrt(first.var(axis=0, ddof=1) / 14 + second.var(axis=0, ddof=1) / 9)
    assert found.std_error == pytest.approx(error, rel=1e-12)
    assert found.conf_high - found.conf_low == pytest.approx(2 * stats.norm.ppf(0.975) * error, rel=1e-12)


CASES = {
    "iid": ((None, None), (None, None)),
    "clusters": ((np.arange(14) % 5, np.arange(9) // 2), (None, None)),
    "weights": ((None, None), (np.linspace(1, 2, 14), np.linspace(3, 1, 9))),
    "both": ((np.arange(14) % 5, None), (np.linspace(1, 2, 14), None)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_bootstraps_are_those_of_a_loop(case, method):
    clusters, weights = CASES[case]
    first, second = groups(columns=1)
    settings = Inference(method=method, n_resamples=B, floor=False, seed=5)
    found = group_difference_intervals(
        first, second, clusters_first=clusters[0], clusters_second=clusters[1], weights_first=weights[0],
        weights_second=weights[1], settings=settings,
    )  # fmt: skip
    difference, error, moved, t = slow_replicates(first[:, 0], second[:, 0], clusters, weights, seed=5)
    rank = settings.tail_rank
    if method == "percentile":
        low, high = np.sort(moved)[[rank - 1, B - rank]]
        greater, less = (1 + (moved <= 0).sum()) / (B + 1), (1 + (moved >= 0).sum()) / (B + 1)
    else:
        upper, lower = np.sort(t)[[B - rank, rank - 1]]
        low, high = difference - upper * error, difference - lower * error
        greater, less = (1 + (t >= difference / error).sum()) / (B + 1), (1 + (t <= difference / error).sum()) / (B + 1)
    assert found.estimate[0] == pytest.approx(difference, rel=1e-12)
    assert found.std_error[0] == pytest.approx(error, rel=1e-12)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((low, high), rel=1e-9)
    assert (found.p_less[0], found.p_greater[0]) == pytest.approx((less, greater), rel=1e-12)
    assert found.p_value[0] == pytest.approx(min(1, 2 * min(less, greater)), rel=1e-12)


def test_the_percentile_interval_is_scipys_up_to_its_own_draws():
    first, second = groups(columns=1, seed=2)
    found = group_difference_intervals(first, second, settings=Inference(method="percentile"))
    told = stats.bootstrap(
        (first[:, 0], second[:, 0]), lambda a, b, axis: a.mean(axis) - b.mean(axis), method="percentile",
        n_resamples=9999, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    width = told.high - told.low  # quantiles of 9999 draws have standard errors of about a hundredth of it
    assert found.conf_low[0] == pytest.approx(told.low, abs=0.04 * width)
    assert found.conf_high[0] == pytest.approx(told.high, abs=0.04 * width)


def test_critical_values_are_never_below_welchs_and_p_values_are_dual():
    rng = np.random.default_rng(4)
    first, second = rng.normal(0.5, 1.0, (12, 60)), rng.normal(0.0, 2.0, (15, 60))
    found = group_difference_intervals(first, second, settings=Inference(n_resamples=999))
    plain = group_difference_intervals(first, second, settings=Inference(method="t"))
    assert (found.conf_low <= plain.conf_low + 1e-12).all()
    assert (found.conf_high >= plain.conf_high - 1e-12).all()
    outside = (found.conf_low > 0) | (found.conf_high < 0)
    assert ((found.p_value <= 0.05 + 1e-12) == outside).all()
    assert 0 < outside.sum() < 60
    assert any("at least t" in name for name in found.method)


def test_exchanging_the_groups_flips_the_sign_of_the_estimate_and_welchs_interval():
    first, second = groups()
    one = group_difference_intervals(first, second, settings=Inference(method="t"))
    two = group_difference_intervals(second, first, settings=Inference(method="t"))
    assert one.conf_low == pytest.approx(-two.conf_high, rel=1e-12)
    assert one.p_less == pytest.approx(two.p_greater, rel=1e-12)


def test_the_groups_are_resampled_independently():
    assert len(set(group_seeds(0))) == 2
    values = np.random.default_rng(0).normal(size=(20, 1))
    found = group_difference_intervals(values, values, settings=Inference(method="percentile"))
    assert found.conf_high[0] - found.conf_low[0] > 3 * values.std() / np.sqrt(20)  # 0 if both had the same draws


def test_bands_hold_the_intervals_and_are_the_maximum_of_a_loop():
    first, second = groups(columns=4, seed=3)
    settings = Inference(n_resamples=B, seed=1)
    found = group_difference_intervals(first, second, settings=settings, bands=True)
    every = [slow_replicates(first[:, k], second[:, k], seed=1) for k in range(4)]
    t = np.array([one[3] for one in every])
    largest = np.sort(np.abs(t).max(axis=0))[B - settings.joint_rank]
    for k, (difference, error, _, _) in enumerate(every):
        assert found.band_low[k] == pytest.approx(min(difference - largest * error, found.conf_low[k]), rel=1e-9)
        assert found.band_high[k] == pytest.approx(max(difference + largest * error, found.conf_high[k]), rel=1e-9)
    observed = np.array([abs(one[0]) / one[1] for one in every])
    welch = stats.ttest_ind(first, second, equal_var=False).pvalue
    by_student = multipletests(welch, method="holm")[1]
    order, before = np.argsort(-observed), 0.0
    for place, k in enumerate(order):  # Westfall and Young's algorithm 2.8, from the largest down
        p = (1 + (np.abs(t[order[place:]]).max(axis=0) >= observed[k] - 1e-9).sum()) / (B + 1)
        before = max(before, p)
        # Holm's, where it is smaller: with Student's t it is a lower bound, as the tail of skewed values is larger
        least, most = (max(one, found.p_value[k]) for one in (min(before, by_student[k]), before))
        assert least - 1e-12 <= found.p_adjusted[k] <= most + 1e-12


def test_a_column_does_not_depend_on_the_others():
    first, second = groups(columns=5)
    settings = Inference(n_resamples=B)
    whole = group_difference_intervals(first, second, settings=settings)
    alone = group_difference_intervals(first[:, [3]], second[:, [3]], settings=settings)
    assert alone.conf_low[0] == pytest.approx(whole.conf_low[3], rel=1e-12)
    again = group_difference_intervals(first, second, settings=settings)
    assert (again.conf_low == whole.conf_low).all()


# ---------------------------------------------------------------------------------- right and wrong answers


def test_few_wrong_answers_have_agresti_and_caffos_interval():
    first, second = np.r_[np.ones(2), np.zeros(28)], np.r_[np.ones(9), np.zeros(31)]
    found = group_difference_intervals(first[:, None], second[:, None])
    p, q = 3 / 32, 10 / 42  # one success and one failure more in each
    error = np.sqrt(p * (1 - p) / 32 + q * (1 - q) / 42)
    assert found.method == ("agresti-caffo",)
    assert found.estimate[0] == pytest.approx(2 / 30 - 9 / 40)
    assert found.conf_low[0] == pytest.approx(p - q - stats.norm.ppf(0.975) * error, rel=1e-10)
    assert found.conf_high[0] == pytest.approx(p - q + stats.norm.ppf(0.975) * error, rel=1e-10)


def test_few_flips_are_bonett_and_prices_in_either_group():
    first, second = np.r_[1.0, 1.0, -1.0, np.zeros(27)], np.r_[1.0, np.zeros(39)]
    found = group_difference_intervals(first[:, None], second[:, None])
    parts = []
    for up, down, n in ((2, 1, 30), (1, 0, 40)):
        p, q = (up + 1) / (n + 2), (down + 1) / (n + 2)
        parts.append((p - q, (p + q - (p - q) ** 2) / (n + 2)))
    centre, error = parts[0][0] - parts[1][0], np.sqrt(parts[0][1] + parts[1][1])
    assert found.method == ("bonett-price (two groups)",)
    assert found.conf_low[0] == pytest.approx(centre - stats.norm.ppf(0.975) * error, rel=1e-10)


def test_many_wrong_answers_keep_the_bootstrap():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 2, size=(60, 1)).astype(float)
    assert "bootstrap-t" in group_difference_intervals(many, many[:40], settings=Inference(n_resamples=B)).method[0]


def test_few_wrong_answers_in_clusters_have_a_pseudo_cluster_of_either_kind():
    first, second = np.r_[np.ones(2), np.zeros(28)], np.r_[np.ones(9), np.zeros(31)]
    found = group_difference_intervals(first[:, None], second[:, None], clusters_first=np.arange(30) // 3)
    # first: 10 clusters of 3, and one of three 1s and one of three 0s more; second: 40 units and two more
    sums = np.append(first.reshape(10, 3).sum(axis=1), [3.0, 0.0])
    p, q = sums.sum() / 36, 10 / 42
    error = np.sqrt(((sums - 3 * p) ** 2).sum() / 36**2 + q * (1 - q) / 42)
    assert found.method == ("agresti-caffo",)
    assert found.conf_low[0] == pytest.approx(p - q - stats.norm.ppf(0.975) * error, rel=1e-10)
    assert found.conf_high[0] == pytest.approx(p - q + stats.norm.ppf(0.975) * error, rel=1e-10)


@pytest.mark.parametrize("span", [1.0, 2.0])
def test_groups_in_which_no_answer_changed_have_an_interval(span):
    found = group_difference_intervals(np.zeros((20, 1)), np.zeros((30, 1)), span=span)
    error = span * np.sqrt(2 / 22**2 + 2 / 32**2)
    assert found.method == ("bonett-price (two groups)",)
    assert found.conf_high[0] == pytest.approx(stats.norm.ppf(0.975) * error, rel=1e-10)
    assert found.conf_low[0] == -found.conf_high[0]


def test_bands_over_flips_and_amounts_together():
    rng = np.random.default_rng(1)
    first = np.c_[np.r_[np.ones(2), np.zeros(18)], rng.normal(size=20)]
    second = np.c_[np.r_[np.ones(6), np.zeros(14)], rng.normal(size=20)]
    found = group_difference_intervals(first, second, settings=Inference(n_resamples=999), bands=True)
    assert found.method[0] == "agresti-caffo"
    assert (found.band_low <= found.conf_low).all()
    assert (found.band_high >= found.conf_high).all()


# ------------------------------------------------------------------------------------------- no interval


@pytest.mark.parametrize(
    ("first", "second", "clusters", "reason"),
    [
        ([[1.0]], [[1.0], [2.0]], None, "the first group has 1 unit"),
        ([[1.0], [2.0]], [[1.0]], None, "the second group has 1 unit"),
        ([[1.0], [2.0]], [[1.0], [3.0]], [0, 0], "all units of the first group belong to one cluster"),
        ([[1.5], [1.5]], [[2.0], [2.0]], None, "the same value within either group"),
    ],
)
def test_what_has_no_interval_says_why(first, second, clusters, reason):
    with pytest.warns(DegenerateWarning, match=reason):
        found = group_difference_intervals(first, second, clusters_first=clusters, bands=True)
    assert np.isnan([found.conf_low[0], found.p_value[0], found.std_error[0], found.band_low[0]]).all()
    assert found.estimate[0] == pytest.approx(np.mean(first) - np.mean(second))
    assert found.method == ("degenerate",)


def test_one_group_without_spread_leaves_the_other_groups_variance():
    first, second = np.random.default_rng(0).normal(size=(12, 1)), np.full((5, 1), 0.7)
    found = group_difference_intervals(first, second, settings=Inference(method="t"))
    alone = stats.ttest_1samp(first[:, 0] - 0.7, 0.0).confidence_interval(0.95)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((alone.low, alone.high), rel=1e-9)


def test_wrong_questions():
    first, second = groups()
    with pytest.raises(DesignError, match=r"method \(two independent groups\) = 'bca'"):
        group_difference_intervals(first, second, settings=Inference(method="bca"))
    with pytest.raises(DataError, match="first has 2 columns and second 1"):
        group_difference_intervals(first, second[:, :1])
    with pytest.raises(DataError, match="holds nan at unit 0"):
        group_difference_intervals(first * np.nan, second)


# ------------------------------------------------------------------------------------- differences of ratios


def shares(n=40, seed=0, level=2.0):
    rng = np.random.default_rng(seed)
    total = rng.normal(level, 1.0, size=n)
    return [(share * total + 0.3 * rng.normal(size=n), total) for share in (0.7, 0.4)]


def slow_ratio_difference(one, two, picks):
    (a1, b1), (a2, b2) = ((a[pick], b[pick]) for (a, b), pick in zip((one, two), picks, strict=True))
    r1, r2 = a1.sum() / b1.sum(), a2.sum() / b2.sum()
    return r1 - r2, (a1 - r1 * b1) / b1.sum(), (a2 - r2 * b2) / b2.sum()


@pytest.mark.parametrize("paired", [True, False])
def test_a_difference_of_ratios_is_that_of_a_loop(paired):
    one, two = shares()
    settings = Inference(n_resamples=B, seed=2)
    columns = [tuple(array[:, None] for array in each) for each in (one, two)]
    found = ratio_difference_intervals(*columns, paired=paired, settings=settings)

    def variance(u1, u2):
        factor = len(u1) / (len(u1) - 1)
        return factor * ((u1 - u2) ** 2).sum() if paired else factor * ((u1**2).sum() + (u2**2).sum())

    everyone = np.arange(40)
    estimate, *u = slow_ratio_difference(one, two, (everyone, everyone))
    seeds = (2, 2) if paired else group_seeds(2)
    t = []
    for rows in zip(*(counts_of(40, seed) for seed in seeds), strict=True):
        moved, *own = slow_ratio_difference(one, two, [np.repeat(everyone, row) for row in rows])
        t.append((moved - estimate) / np.sqrt(variance(*own)))
    error = np.sqrt(variance(*u))
    df = 39 if paired else variance(*u) ** 2 / sum((40 / 39 * (each**2).sum()) ** 2 / 39 for each in u)
    usual = stats.t.ppf(0.975, df)
    upper, lower = np.sort(t)[[B - settings.tail_rank, settings.tail_rank - 1]]
    assert found.estimate[0] == pytest.approx(estimate, rel=1e-12)
    assert found.std_error[0] == pytest.approx(error, rel=1e-10)
    assert found.conf_low[0] == pytest.approx(estimate - max(upper, usual) * error, rel=1e-9)
    assert found.conf_high[0] == pytest.approx(estimate - min(lower, -usual) * error, rel=1e-9)


def test_a_difference_of_ratios_needs_denominators_away_from_0():
    one, two = shares(level=0.1)
    columns = [tuple(array[:, None] for array in each) for each in (one, two)]
    with pytest.warns(DegenerateWarning, match=r"the denominator of the first is [\d.]+ standard errors from 0"):
        found = ratio_difference_intervals(*columns, paired=True)
    assert np.isnan(found.conf_low[0])


def test_another_method_gives_the_delta_methods_t():
    one, two = shares()
    columns = [tuple(array[:, None] for array in each) for each in (one, two)]
    found = ratio_difference_intervals(*columns, paired=True, settings=Inference(method="percentile"))
    reach = stats.t.ppf(0.975, 39) * found.std_error[0]
    assert found.method == ("difference of ratios, delta-method t",)
    assert found.conf_high[0] == pytest.approx(found.estimate[0] + reach)


def test_the_same_ratio_twice_on_the_same_units_has_no_interval():
    one, _ = shares()
    columns = tuple(array[:, None] for array in one)
    with pytest.warns(DegenerateWarning, match="do not vary"):
        assert np.isnan(ratio_difference_intervals(columns, columns, paired=True).conf_low[0])
