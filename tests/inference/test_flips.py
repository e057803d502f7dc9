"""Differences of right and wrong answers when few of them differ."""

import numpy as np
import pytest
from scipy import stats

from mediation.errors import DegenerateWarning
from mediation.inference import Inference, mean_intervals
from mediation.inference.resampling._studentized import Studentizer
from mediation.inference.sample._flips import bonett_price
from mediation.inference.sample._sampling import sampling
from mediation.inference.sample._variance import linearise
from tests.inference.naive import every_resample

SETTINGS = Inference(n_resamples=999)


def flips(plus, minus, n):
    return np.repeat([1.0, -1.0, 0.0], [plus, minus, n - plus - minus])[:, None]


def test_published_example():
    # Bonett and Price's interval as the R package statpsych prints it, ci.prop.ps(.05, 12, 26, 4, 6):
    # 0.44, 0.09448809, [0.2548067, 0.6251933]. 30 of 48 differ, so it is asked for by hand here.
    column = flips(26, 4, 48)[:, 0]
    centre, error = bonett_price(column.mean(keepdims=True), np.array([48 * column.var()]), 48)
    assert centre[0] == pytest.approx(0.44)
    assert error[0] == pytest.approx(0.09448809, abs=1e-8)
    low, high = stats.norm.interval(0.95, centre[0], error[0])
    assert (low, high) == pytest.approx((0.2548067, 0.6251933), abs=1e-7)


def test_interval_of_few_flips():
    found = mean_intervals(flips(3, 1, 30), settings=SETTINGS)
    p, q = 4 / 32, 2 / 32
    error = np.sqrt((p + q - (p - q) ** 2) / 32)
    assert found.method == ("bonett-price",)
    assert found.estimate[0] == pytest.approx(2 / 30)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx(stats.norm.interval(0.95, p - q, error))
    assert found.p_value[0] == pytest.approx(2 * stats.norm.sf((p - q) / error))


def test_p_value_of_almost_all_flips_is_not_zero():
    found = mean_intervals(flips(4999, 0, 5000), settings=Inference(n_resamples=99))
    assert found.method == ("bonett-price",)
    assert 0 < found.p_value[0] < 1e-300


@pytest.mark.parametrize(
    ("values", "clusters", "weights", "method"),
    [
        (flips(6, 3, 40), None, None, "bonett-price"),
        (flips(6, 4, 40), None, None, "bootstrap-t (B=999)"),
        (flips(38, 0, 40), None, None, "bonett-price"),
        (flips(6, 3, 40) * 2, None, None, "bootstrap-t (B=999)"),
        (flips(6, 3, 40), np.arange(40) % 20, None, "bonett-price"),
        (flips(6, 6, 40), np.arange(40) // 4, None, "bonett-price"),  # 12 flips in 3 of 10 clusters
        (flips(6, 6, 40), np.arange(40) % 10, None, "cluster bootstrap-t (B=999)"),  # 12 flips in all 10
        (flips(6, 3, 40), np.arange(40), np.ones(40), "bonett-price"),
        (flips(6, 3, 40), None, np.linspace(1, 2, 40), "bonett-price"),
        (flips(6, 4, 40), None, np.linspace(1, 2, 40), "bootstrap-t (B=999)"),
    ],
)
def test_only_few_flips_are_given_it(values, clusters, weights, method):
    found = mean_intervals(values, clusters=clusters, weights=weights, settings=SETTINGS)
    assert found.method[0].replace(", at least t", "") == method


def test_percentile_by_name_is_percentile():
    found = mean_intervals(flips(3, 1, 30), settings=Inference(method="percentile", n_resamples=999))
    assert found.method == ("percentile (B=999)",)


def test_bands_of_percentile_intervals_are_centred_on_the_mean():
    values = np.hstack([flips(4, 1, 30), np.random.default_rng(0).normal(size=(30, 3))])
    found = mean_intervals(values, settings=Inference(method="percentile", n_resamples=999), bands=True)
    reach = [found.band_high - found.estimate, found.estimate - found.band_low] / found.std_error
    assert reach == pytest.approx(reach[0, 0])


def test_replicates_are_bonett_and_prices_of_the_resample():
    column = np.array([1.0, 0.0, -1.0, 0.0, 1.0])
    counts, _ = every_resample(5)
    chosen = sampling(5, None, None)
    part = linearise(column[:, None], chosen)
    found = np.empty((1, len(counts)))
    Studentizer(part, np.ones(1)).fill(counts, out=found)
    centre, _ = bonett_price(part.mean, part.sum_squares, 5)
    for row, t in zip(counts, found[0], strict=True):
        resample = np.repeat(column, row.astype(int))
        own, error = bonett_price(resample.mean(keepdims=True), np.array([5 * resample.var()]), 5)
        assert t == pytest.approx((own[0] - centre[0]) / error[0])


def test_other_columns_are_untouched_by_flips_beside_them():
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(30, 2)) - 0.8
    alone = mean_intervals(values, settings=SETTINGS)
    beside = mean_intervals(np.hstack([flips(2, 1, 30), values]), settings=SETTINGS)
    np.testing.assert_allclose(beside.conf_low[1:], alone.conf_low, rtol=1e-9)
    np.testing.assert_allclose(beside.conf_high[1:], alone.conf_high, rtol=1e-9)
    assert (beside.p_value[1:] == alone.p_value).all()


def test_bands_over_flips_are_finite_and_hold_the_intervals():
    rng = np.random.default_rng(0)
    values = rng.choice([-1.0, 0.0, 1.0], p=[0.05, 0.9, 0.05], size=(30, 20))
    found = mean_intervals(values, settings=SETTINGS, bands=True)
    assert set(found.method) == {"bonett-price"}
    assert np.isfinite([found.band_low, found.band_high]).all()
    assert (found.band_low < found.conf_low).all()
    assert (found.band_high > found.conf_high).all()
    assert (found.p_adjusted >= found.p_value).all()


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_answers_of_which_none_changed_have_an_interval_and_other_numbers_have_none(value):
    values = np.full((48, 1), value)
    found = mean_intervals(values, settings=SETTINGS, bands=True, span=1.0)
    p, q = ((value == 1) * 48 + 1) / 50, ((value == -1) * 48 + 1) / 50
    error = np.sqrt((p + q - (p - q) ** 2) / 50)
    assert found.method == ("bonett-price",)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx(stats.norm.interval(0.95, p - q, error))
    assert found.band_low[0] <= found.conf_low[0] < found.conf_high[0] <= found.band_high[0]
    assert 0 < found.p_value[0] <= 1
    assert np.isnan(found.std_error[0])
    with pytest.warns(DegenerateWarning, match="same value"):
        assert np.isnan(mean_intervals(values, settings=SETTINGS).conf_low[0])


@pytest.mark.parametrize("span", [1.0, 2.0])
@pytest.mark.parametrize(
    ("clusters", "weights"),
    [
        (None, None),
        (np.arange(30) // 3, None),
        (None, np.linspace(1, 2, 30)),
        (np.arange(30) ** 2 // 90, np.linspace(1, 2, 30)),
    ],
)
def test_two_pseudo_clusters_of_typical_weight_are_joined(span, clusters, weights):
    values = span * flips(3, 1, 30)[:, 0] * np.linspace(0.5, 1.0, 30)
    labels, w = (
        np.arange(30) if clusters is None else clusters,
        np.ones(30) if weights is None else weights / weights.max(),
    )
    found = mean_intervals(values[:, None], clusters=clusters, weights=weights, settings=SETTINGS, span=span)
    m = np.array([w[labels == label].sum() for label in np.unique(labels)])
    typical = (m**2).sum() / m.sum()
    # the same data with two clusters more, of that weight, one at either end: mean, and squares about it
    everyone = np.append(m, [typical, typical])
    total = np.append(
        [(w * values)[labels == label].sum() for label in np.unique(labels)], [typical * span, -typical * span]
    )
    centre = total.sum() / everyone.sum()
    error = np.sqrt(((total - centre * everyone) ** 2).sum()) / everyone.sum()
    assert found.method == ("bonett-price",)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx(stats.norm.interval(0.95, centre, error))
    assert found.estimate[0] == pytest.approx(np.average(values, weights=w))


@pytest.mark.parametrize("span", [1.0, 2.0])
def test_seeing_a_flip_makes_no_interval_narrower(span):
    clusters, widths = np.arange(250) // 5, []
    for many in range(6):
        values = np.zeros((250, 1))
        values[np.arange(many) * 45] = span
        found = mean_intervals(values, clusters=clusters, settings=SETTINGS, span=span)
        widths.append(found.conf_high[0] - found.conf_low[0])
    assert (np.diff(widths) > 0).all()
    assert widths[0] == pytest.approx(2 * 1.959964 * span * np.sqrt(2) / 52)  # as of 50 units: +- .0533 at span 1


@pytest.mark.parametrize(("clusters", "weights"), [(None, np.linspace(1, 2, 12)), (np.arange(12) ** 2 // 20, None)])
def test_replicates_of_unequal_clusters_are_those_of_a_loop(clusters, weights):
    values = np.zeros(12)
    values[[2, 7]] = 1.0, -1.0
    chosen = sampling(12, clusters, weights)
    part = linearise(values[:, None], chosen)
    counts = np.random.default_rng(0).multinomial(chosen.n_clusters, np.ones(chosen.n_clusters) / chosen.n_clusters, 50)
    found = np.empty((1, 50))
    Studentizer(part, np.full(1, 2.0)).fill(counts.astype(float), out=found)
    labels, w = np.arange(12) if clusters is None else clusters, chosen.weights
    names = list(dict.fromkeys(labels.tolist()))
    totals = np.array([(w * values)[labels == one].sum() for one in names])
    m = np.array([w[labels == one].sum() for one in names])
    typical = (m**2).sum() / m.sum()

    def joined(row):
        t, s = (
            np.append(np.repeat(totals, row), [2 * typical, -2 * typical]),
            np.append(np.repeat(m, row), [typical] * 2),
        )
        centre = t.sum() / s.sum()
        return centre, np.sqrt(((t - centre * s) ** 2).sum()) / s.sum()

    own, _ = joined(np.ones(len(m), dtype=int))
    for row, t in zip(counts, found[0], strict=True):
        centre, error = joined(row)
        assert t == pytest.approx((centre - own) / error, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("touched", "rare"), [(4, True), (5, False)])
def test_flips_in_half_of_the_clusters_are_rare_and_in_more_are_not(touched, rare):
    from mediation.inference.sample._flips import rare_flips

    column = np.zeros((32, 1))
    column[: 4 * touched] = 1.0  # every unit of the first of 8 clusters
    column[4 * touched - 1] = 0.0
    column = column if touched == 4 else np.where(np.arange(32)[:, None] < 20, np.arange(32)[:, None] % 4 < 3, 0.0)
    design = sampling(32, np.repeat(np.arange(8), 4), None)
    assert rare_flips(column.astype(float), np.ones(1), design).tolist() == [rare]
