"""Means: known answers, the slow formulas, every resample of tiny samples, and other packages."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import linalg, stats

from mediation.inference import Inference, mean_intervals
from mediation.inference.resampling._ends import Part
from mediation.inference.resampling._percentile import shifts
from mediation.inference.resampling._resample import resample_counts
from mediation.inference.resampling._studentized import Studentizer, bootstrap_t_ends
from mediation.inference.sample._sampling import sampling
from mediation.inference.sample._variance import linearise
from tests.inference import naive


def skewed(n, k, seed=0):
    rng = np.random.default_rng(seed)
    return rng.exponential(1.0, size=(n, k)) - 0.7 + rng.exponential(0.3, size=(n, 1))


def counts_of(n_clusters, settings):
    return np.concatenate([c for _, c in resample_counts(n_clusters, settings.n_resamples, settings.seed)])


DESIGNS = {
    "units": (None, None),
    "weights": (None, [1.0, 2.0, 0.5, 3.0, 1.0, 1.5, 2.5, 1.0, 1.0, 4.0, 0.1, 1.0]),
    "equal clusters": (list("abcdabcdabcd"), None),
    "unequal clusters": (list("aabbbcddeeee"), None),
    "clusters and weights": (list("aabbbcddeeee"), np.linspace(1, 2, 12)),
}


@pytest.fixture(params=DESIGNS.values(), ids=DESIGNS.keys())
def design(request):
    return request.param


def test_estimate_and_standard_error_of_three_numbers():
    found = mean_intervals([[1.0], [2.0], [6.0]], settings=Inference(n_resamples=99))
    assert found.estimate[0] == 3.0
    assert found.std_error[0] == pytest.approx(np.sqrt(7.0 / 3.0))
    assert (found.n, found.n_clusters) == (3, 3)


def test_cluster_standard_error_by_hand():
    # Cluster sums about the mean 3 are (1 - 3) + (2 - 3) = -3, 3 and 0; the shares of the units are .4, .2 and .4, and
    # the sums vary by 1 - share of what they would about the true mean: V = (9 / .6 + 9 / .8) / 5^2.
    found = mean_intervals([[1.0], [2.0], [6.0], [2.0], [4.0]], clusters=[0, 0, 1, 2, 2])
    assert found.estimate[0] == 3.0
    assert found.std_error[0] == pytest.approx(np.sqrt(9 / 0.6 + 9 / 0.8) / 5)
    assert (found.n, found.n_clusters) == (5, 3)


@pytest.mark.parametrize("design", [DESIGNS["units"], DESIGNS["equal clusters"]], ids=["units", "equal clusters"])
def test_standard_error_is_the_cluster_robust_one_of_least_squares(design):
    clusters, weights = design
    values = skewed(12, 3)
    found = mean_intervals(values, clusters=clusters, weights=weights)
    groups = np.arange(12) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    for column in range(3):
        model = sm.WLS(values[:, column], np.ones(12), weights=np.ones(12) if weights is None else weights)
        # Their small-sample factor is J / (J - 1) * (n - 1) / (n - k), and k = 1 here: ours.
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True})
        assert found.estimate[column] == pytest.approx(fit.params[0], rel=1e-12)
        assert found.std_error[column] == pytest.approx(fit.bse[0], rel=1e-12)


def test_unequal_clusters_have_the_cr2_standard_error_of_least_squares_and_its_degrees_of_freedom():
    # Bell and McCaffrey (2002), by their matrices: residuals of a cluster times (I - H_jj)^(-1/2), summed and squared.
    clusters, values = np.unique(list("aabbbcddeeee"), return_inverse=True)[1], skewed(12, 1)[:, 0]
    hat, total = np.full((12, 12), 1 / 12), 0.0
    for j in range(5):
        own = np.ix_(clusters == j, clusters == j)
        root = np.linalg.inv(linalg.sqrtm(np.eye(int((clusters == j).sum())) - hat[own]))
        total += float((root @ (values - values.mean())[clusters == j]).sum()) ** 2
    found = mean_intervals(values[:, None], clusters=clusters, settings=Inference(method="t"))
    assert found.std_error[0] == pytest.approx(np.sqrt(total) / 12, rel=1e-10)
    df = naive.bell_mccaffrey(clusters, np.ones(12))[1]
    assert found.conf_high[0] - found.estimate[0] == pytest.approx(stats.t.ppf(0.975, df) * found.std_error[0])
    assert 3 < df < 4


def test_factors_and_degrees_of_freedom_are_those_of_dense_matrices(design):
    clusters, weights = design
    labels, w = range(12) if clusters is None else clusters, np.ones(12) if weights is None else weights
    factors, df = naive.bell_mccaffrey(labels, w)
    chosen = sampling(12, clusters, weights)
    np.testing.assert_allclose(chosen.inflation, factors, rtol=1e-12)
    assert chosen.df == pytest.approx(df, rel=1e-12)


@pytest.mark.parametrize("floor", [False, True], ids=["classical", "at least t"])
def test_bootstrap_t_is_the_textbook_loop(design, floor):
    clusters, weights = design
    settings = Inference(n_resamples=399, confidence_level=0.8, seed=7, floor=floor)
    values = skewed(12, 2, seed=1)
    found = mean_intervals(values, clusters=clusters, weights=weights, settings=settings)
    labels = list(range(12)) if clusters is None else clusters
    counts = counts_of(len(set(labels)), settings)
    for column in range(2):
        mean, error, _, t, _ = naive.replicates(
            values[:, column], labels, np.ones(12) if weights is None else weights, counts
        )
        low, high = naive.order_ends(np.sort(t), settings.tail_rank)
        student = stats.t(naive.bell_mccaffrey(labels, np.ones(12) if weights is None else weights)[1])
        p_less, p_greater = (1 + (t <= mean / error).sum()) / 400, (1 + (t >= mean / error).sum()) / 400
        assert ("at least t" in found.method[column]) == (floor and max(low, -high) > -student.ppf(0.9))
        if floor:
            low, high = min(low, student.ppf(0.1)), max(high, student.ppf(0.9))
            p_less, p_greater = max(p_less, student.cdf(mean / error)), max(p_greater, student.sf(mean / error))
        assert found.conf_low[column] == pytest.approx(mean - high * error, rel=1e-9)
        assert found.conf_high[column] == pytest.approx(mean - low * error, rel=1e-9)
        assert (found.p_less[column], found.p_greater[column]) == pytest.approx((p_less, p_greater))
        assert found.p_value[column] == pytest.approx(min(1.0, 2 * min(p_less, p_greater)))


def test_percentile_is_the_textbook_loop(design):
    clusters, weights = design
    settings = Inference(method="percentile", n_resamples=399, confidence_level=0.8, seed=7)
    values = skewed(12, 2, seed=1)
    found = mean_intervals(values, clusters=clusters, weights=weights, settings=settings)
    labels = list(range(12)) if clusters is None else clusters
    counts = counts_of(len(set(labels)), settings)
    for column in range(2):
        _, _, means, _, _ = naive.replicates(
            values[:, column], labels, np.ones(12) if weights is None else weights, counts
        )
        low, high = naive.order_ends(np.sort(means), settings.tail_rank)
        assert (found.conf_low[column], found.conf_high[column]) == pytest.approx((low, high), rel=1e-9)
        tail = min((means >= 0).sum(), (means <= 0).sum())
        assert found.p_value[column] == pytest.approx(min(1.0, 2 * (1 + tail) / 400))


def test_an_end_that_is_zero_up_to_rounding_is_zero_and_counts_as_a_tie():
    # t0 = 0.3 / 0.1 = 2.9999999999999996 ties with the largest replicate, 3, so 0 is in the interval.
    t = np.array([[-2.0, -1.0, 0.5, 3.0]])
    settings = Inference(n_resamples=4, confidence_level=0.5, floor=False)
    chosen = sampling(3, None, None)

    def part(centre):
        block = linearise(np.array([[centre - 0.1], [centre], [centre + 0.1]]), chosen)
        return Part(block, np.array([centre]), np.array([0.1]), np.zeros(1), chosen, settings)

    found = bootstrap_t_ends(t.copy(), part(0.3))
    assert found.low[0] == 0.0
    assert found.p_greater[0] == 2 / 5
    turned = bootstrap_t_ends(-t, part(-0.3))
    assert turned.high[0] == 0.0
    assert turned.p_less[0] == 2 / 5


def test_method_names_say_what_was_done():
    values = skewed(12, 1)
    twelve = list("aabbbcddeeff")
    assert mean_intervals(values, settings=Inference(floor=False)).method == ("bootstrap-t (B=9999)",)
    assert mean_intervals(values).method == ("bootstrap-t (B=9999, at least t)",)
    assert mean_intervals(values, settings=Inference(method="t")).method == ("t",)
    assert mean_intervals(values, clusters=twelve, settings=Inference(n_resamples=999, floor=False)).method == (
        "cluster bootstrap-t (B=999)",
    )
    percentile = Inference(method="percentile", n_resamples=99)
    assert mean_intervals(values, settings=percentile).method == ("percentile (B=99)",)
    assert mean_intervals(values, clusters=twelve, settings=percentile).method == ("cluster percentile (B=99)",)


# ---------------------------------------------------------------- every resample of a tiny sample


def bounds(sample, probability, level, slack):
    """Smallest and largest quantile of a discrete distribution within `slack` of a level."""
    order = np.argsort(sample)
    cumulative = np.cumsum(probability[order])
    first = np.searchsorted(cumulative, level - slack)
    last = np.searchsorted(cumulative, level + slack)
    return sample[order][first], sample[order][min(last, len(order) - 1)]


TINY = np.array([0.3, -1.2, 2.5, 0.9, 4.0])


def test_replicates_are_those_of_every_resample_counted_by_hand():
    counts, probability = naive.every_resample(5)
    assert probability.sum() == pytest.approx(1.0)
    clusters, weights = list("aabbbcddeeee"), DESIGNS["weights"][1]
    values = skewed(12, 1, seed=3)
    chosen = sampling(12, clusters, weights)
    mean, _, means, t, bounded = naive.replicates(values[:, 0], clusters, weights, counts)
    part = linearise(values, chosen)
    found = np.empty((1, len(counts)))
    finite = Studentizer(part).fill(counts, out=found)
    np.testing.assert_allclose(found[0], t, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(finite[0], bounded, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(shifts(part, chosen, counts)[0] * part.scale[0] + mean, means, rtol=1e-10)
    assert np.isinf(t).sum() == 5


@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_intervals_converge_to_the_quantiles_of_every_resample(method):
    # sup |F_B - F| exceeds `slack` with probability below 1e-8 (Dvoretzky, Kiefer and Wolfowitz).
    settings = Inference(method=method, n_resamples=49_999, confidence_level=0.8, floor=False)
    slack = np.sqrt(np.log(2e8) / (2 * settings.n_resamples))
    counts, probability = naive.every_resample(5)
    mean, error, means, t, _ = naive.replicates(TINY, range(5), np.ones(5), counts)
    found = mean_intervals(TINY[:, None], settings=settings)
    tails = [bounds(t if method == "bootstrap-t" else means, probability, level, slack) for level in (0.1, 0.9)]
    if method == "bootstrap-t":
        tails = [(mean - upper * error, mean - lower * error) for lower, upper in reversed(tails)]
    for end, (least, most) in zip((found.conf_low[0], found.conf_high[0]), tails, strict=True):
        assert least - 1e-9 <= end <= most + 1e-9
        assert most - least < 0.5
    sample, observed = (t, mean / error) if method == "bootstrap-t" else (-means, 0.0)
    above, below = probability[sample >= observed].sum(), probability[sample <= observed].sum()
    assert found.p_value[0] == pytest.approx(min(1.0, 2 * min(above, below)), abs=2 * slack)


def test_distribution_function_of_studentised_replicates_converges():
    n_resamples = 40_000
    counts, probability = naive.every_resample(4)
    _, _, _, exact, _ = naive.replicates(TINY[:4], range(4), np.ones(4), counts)
    chosen = sampling(4, None, None)
    part = linearise(TINY[:4, None], chosen)
    drawn = np.empty((1, n_resamples))
    for rows, block in resample_counts(4, n_resamples, 5):
        Studentizer(part).fill(block, out=drawn[:, rows])
    finite = np.unique(exact[np.isfinite(exact)].round(6))
    points = (finite[1:] + finite[:-1]) / 2
    distance = [abs((drawn <= x).mean() - probability[exact <= x].sum()) for x in points]
    assert len(points) > 20
    assert max(distance) < np.sqrt(np.log(2e6) / (2 * n_resamples))


# ---------------------------------------------------------------- another package


def test_percentile_agrees_with_scipy():
    values = skewed(40, 3, seed=2)
    ours = mean_intervals(values, settings=Inference(method="percentile", n_resamples=19_999, confidence_level=0.9))
    theirs = stats.bootstrap(
        (values,), np.mean, axis=0, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=1, batch=2000
    )
    # Standard error of a 5% quantile from B draws is about 2.1 sd / sqrt(B); both have it: 5 of them.
    margin = 5 * 2.1 * np.sqrt(2 / 20_000) * ours.std_error
    assert (np.abs(ours.conf_low - theirs.confidence_interval.low) < margin).all()
    assert (np.abs(ours.conf_high - theirs.confidence_interval.high) < margin).all()
    np.testing.assert_allclose(theirs.standard_error, ours.std_error * np.sqrt(39 / 40), rtol=0.03)


def test_bootstrap_t_of_a_large_normal_sample_is_students_interval():
    values = np.random.default_rng(0).normal(2.0, 3.0, size=(400, 4))
    found = mean_intervals(values, settings=Inference(n_resamples=19_999))
    low, high = stats.t.interval(0.95, 399, found.estimate, found.std_error)
    np.testing.assert_allclose(found.conf_low, low, atol=0.15 * found.std_error.max())
    np.testing.assert_allclose(found.conf_high, high, atol=0.15 * found.std_error.max())


def test_p_value_is_uniform_enough_and_never_zero():
    strong = mean_intervals(
        np.random.default_rng(0).normal(100.0, 1.0, size=(30, 1)), settings=Inference(n_resamples=99)
    )
    assert strong.p_value[0] == 2 / 100
    null = mean_intervals(
        np.random.default_rng(1).normal(0.0, 1.0, size=(40, 400)), settings=Inference(n_resamples=999)
    )
    assert stats.kstest(null.p_value, "uniform").pvalue > 1e-3


def test_long_columns_of_many_blocks_are_the_same_as_one_by_one(monkeypatch):
    values = skewed(30, 21, seed=5)
    settings = Inference(n_resamples=1999)
    whole = mean_intervals(values, settings=settings, bands=True)
    monkeypatch.setattr("mediation.inference.intervals._means._CELLS", 8 * 1999)
    blocked = mean_intervals(values, settings=settings, bands=True)
    for name in ("conf_low", "conf_high", "band_low", "band_high"):
        np.testing.assert_allclose(getattr(blocked, name), getattr(whole, name), rtol=1e-11)
    assert (blocked.p_value == whole.p_value).all()
    assert (blocked.p_adjusted == whole.p_adjusted).all()
