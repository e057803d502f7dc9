"""Clusters of two kinds: the variance by hand, laws, rare flips, and what is refused."""

import warnings

import numpy as np
import pytest
from scipy import stats

from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.inference import (
    Inference,
    bonett_price_interval,
    mean_intervals,
    ratio_intervals,
    two_way_intervals,
    two_way_ratio_intervals,
)
from mediation.inference.crossed._two_way_ratio import joined_sets
from mediation.inference.ratios._fieller import FiellerSet, gap_in

FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
ITEM, TEMPLATE = np.repeat(np.arange(12), 5), np.tile(np.arange(5), 12)


def _values(seed=0, n_columns=3, item=ITEM, template=TEMPLATE):
    rng = np.random.default_rng(seed)
    by_item = rng.normal(size=(item.max() + 1, n_columns))[item]
    return (
        1
        + by_item
        + rng.normal(size=(template.max() + 1, n_columns))[template]
        + rng.normal(size=(len(item), n_columns))
    )


def _same(one, two):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert one.method == two.method


def test_a_balanced_crossing_by_hand():
    values = _values()
    found = two_way_intervals(values, clusters=(ITEM, TEMPLATE))
    cells = values.reshape(12, 5, -1)
    left = cells - cells.mean(axis=(0, 1))
    by_item = 12 / 11 * np.square(left.sum(axis=1)).sum(axis=0)
    by_template = 5 / 4 * np.square(left.sum(axis=0)).sum(axis=0)
    by_cell = 60 / 59 * np.square(left).sum(axis=(0, 1))
    variance = np.maximum(by_item + by_template - by_cell, np.maximum(by_item, by_template)) / 60**2
    np.testing.assert_allclose(found.std_error, np.sqrt(variance), rtol=1e-12)
    reach = stats.t.ppf(0.975, 4) * np.sqrt(variance)
    np.testing.assert_allclose(found.conf_low, values.mean(axis=0) - reach, rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 2 * stats.t.sf(np.abs(found.estimate / found.std_error), 4), rtol=1e-12)
    assert (found.n, found.n_clusters) == (60, 5)


def test_the_variance_is_never_below_that_of_either_kind():
    rng = np.random.default_rng(1)
    values, weights = rng.normal(size=(60, 200)), rng.lognormal(size=60)
    found = two_way_intervals(values, clusters=(ITEM, TEMPLATE), weights=weights)
    one_way = [mean_intervals(values, clusters=one, weights=weights, settings=Inference(method="t")).std_error
               for one in (ITEM, TEMPLATE)]  # fmt: skip
    floor = np.maximum(*one_way)
    assert (found.std_error >= floor * (1 - 1e-12)).all()
    assert (np.abs(found.std_error / floor - 1) < 1e-12).any()  # noise alone: the sum does fall below


@pytest.mark.parametrize("weights", [None, np.random.default_rng(2).lognormal(size=60)])
@pytest.mark.parametrize("nested", [np.arange(60), np.arange(60) // 2, ITEM], ids=["a unit", "in items", "the items"])
def test_a_second_kind_inside_the_first_is_one_way_clustering_bit_by_bit(weights, nested):
    nested = np.where(np.arange(60) // 2 * 2 // 5 == ITEM, nested, nested + 100) if nested is not ITEM else ITEM
    labels = list(zip(ITEM, nested, strict=True))
    found = two_way_intervals(_values(), clusters=(ITEM, labels), weights=weights)
    one_way = mean_intervals(_values(), clusters=ITEM, weights=weights, settings=Inference(method="t"))
    for name in FIELDS[:4]:
        np.testing.assert_array_equal(getattr(found, name), getattr(one_way, name), err_msg=name)
    np.testing.assert_allclose(found.p_value, one_way.p_value, rtol=1e-12)
    below = _values(1) + 5
    ratio = two_way_ratio_intervals(_values(), below, clusters=(ITEM, labels), weights=weights)
    one_way = ratio_intervals(_values(), below, clusters=ITEM, weights=weights, settings=Inference(method="t"))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(ratio, name), getattr(one_way, name), rtol=1e-12, err_msg=name)


def test_the_order_of_the_kinds_changes_no_bit():
    rng = np.random.default_rng(3)
    keep = rng.random(60) < 0.6
    item, template, values = ITEM[keep], TEMPLATE[keep], _values()[keep]
    weights = rng.lognormal(size=keep.sum())
    for one, two in ((item, template), (item[::-1], item)):  # the second: as many clusters of either kind
        _same(
            *(
                two_way_intervals(values, clusters=kinds, weights=weights, bands=True)
                for kinds in ((one, two), (two, one))
            )
        )
        below = values + 5
        _same(
            *(
                two_way_ratio_intervals(values, below, clusters=kinds, weights=weights)
                for kinds in ((one, two), (two, one))
            )
        )


def test_weights_of_one_are_no_weights_and_labels_are_names():
    values, named = _values(), [f"item {one}" for one in ITEM]
    plain = two_way_intervals(values, clusters=(ITEM, TEMPLATE))
    _same(plain, two_way_intervals(values, clusters=(named, 7 - TEMPLATE), weights=np.ones(60)))
    _same(plain, two_way_intervals(values, clusters=(ITEM, TEMPLATE), weights=np.full(60, 3.0)))


def test_a_unit_of_weight_two_is_two_units_of_one_cell():
    values, weights = _values(), np.where(np.arange(60) % 7 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(60), weights.astype(int))
    found = two_way_intervals(values, clusters=(ITEM, TEMPLATE), weights=weights)
    copies = two_way_intervals(values[twice], clusters=(ITEM[twice], TEMPLATE[twice]))
    np.testing.assert_allclose(found.estimate, copies.estimate, rtol=1e-12)
    np.testing.assert_allclose(found.std_error, copies.std_error, rtol=0.02)  # the factors differ by what is alike


def test_no_column_depends_on_the_others_but_in_bands():
    values = _values(n_columns=4)
    alone = two_way_intervals(values[:, :1], clusters=(ITEM, TEMPLATE), bands=True)
    among = two_way_intervals(values, clusters=(ITEM, TEMPLATE), bands=True)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(among, name)[:1], getattr(alone, name), rtol=1e-12)
    np.testing.assert_allclose(alone.band_low, alone.conf_low, rtol=1e-12)
    quantile = stats.t.ppf(1 - 0.05 / 8, 4)
    np.testing.assert_allclose(among.band_high, among.estimate + quantile * among.std_error, rtol=1e-12)
    ranked = np.sort(among.p_value) * [4, 3, 2, 1]
    np.testing.assert_allclose(np.sort(among.p_adjusted), np.minimum(1, np.maximum.accumulate(ranked)), rtol=1e-12)


def test_scale_and_shift():
    values = _values()
    plain = two_way_intervals(values, clusters=(ITEM, TEMPLATE))
    moved = two_way_intervals(3e8 * values, clusters=(ITEM, TEMPLATE))
    np.testing.assert_allclose(moved.conf_low, 3e8 * plain.conf_low, rtol=1e-12)
    tested = two_way_intervals(values, clusters=(ITEM, TEMPLATE), null=plain.conf_low)
    np.testing.assert_allclose(tested.p_value, 0.05, rtol=1e-9)


def test_the_ratio_is_what_the_test_does_not_reject():
    rng = np.random.default_rng(4)
    keep = rng.random(60) < 0.7
    item, template = ITEM[keep], TEMPLATE[keep]
    below = _values(5, 1)[keep] + 4
    above = 0.4 * below + 0.2 * _values(6, 1)[keep]
    found = two_way_ratio_intervals(above, below, clusters=(item, template))
    assert found.estimate[0] == pytest.approx(above.mean() / below.mean())

    def rejects(ratio):
        left = above - ratio * below
        sizes = [
            mean_intervals(left, clusters=one, settings=Inference(method="t")).std_error[0] for one in (item, template)
        ]
        ends = [mean_intervals(left, clusters=one, settings=Inference(method="t")) for one in (item, template)]
        quantile = max((one.conf_high[0] - one.estimate[0]) / one.std_error[0] for one in ends)
        return abs(left.mean()) / np.hypot(*sizes) > quantile

    low, high = found.conf_low[0], found.conf_high[0]
    assert np.isfinite([low, high]).all()
    inside, outside = np.linspace(low, high, 9)[1:-1], (low - 1e-6, high + 1e-6, low - 1, high + 1)
    assert not any(map(rejects, inside))
    assert all(map(rejects, outside))


def test_a_weak_denominator_has_an_unbounded_set():
    rng = np.random.default_rng(7)
    below, above = rng.normal(size=(60, 1)), _values(8, 1)
    found = two_way_ratio_intervals(above, below, clusters=(ITEM, TEMPLATE))
    assert np.isneginf(found.conf_low[0])
    assert np.isposinf(found.conf_high[0])
    assert found.method[0].startswith("two-way fieller (cluster x cluster) (")


def test_rare_flips_have_the_wider_of_both_kinds():
    flips = np.zeros((60, 4))
    flips[3, 1], flips[[0, 1], 2], flips[[0, 5], 3] = 1, 1, -1
    found = two_way_intervals(flips, clusters=(ITEM, TEMPLATE), span=1.0)
    assert set(found.method) == {"two-way bonett-price (cluster x cluster)"}
    sides = [mean_intervals(flips, clusters=one, span=1.0) for one in (ITEM, TEMPLATE)]
    assert {name for one in sides for name in one.method} == {"bonett-price"}
    np.testing.assert_allclose(found.conf_low, np.minimum(*(one.conf_low for one in sides)), rtol=1e-12)
    np.testing.assert_allclose(found.conf_high, np.maximum(*(one.conf_high for one in sides)), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, np.maximum(*(one.p_value for one in sides)), rtol=1e-12)
    assert (found.conf_high - found.conf_low > 0.2).all()


def test_flips_of_independent_units_are_bonett_and_prices():
    flips = np.zeros((30, 1))
    flips[[2, 9]] = 1
    found = two_way_intervals(flips, clusters=(np.arange(30), np.arange(30)), span=1.0)
    paired = bonett_price_interval(flips)
    np.testing.assert_allclose(
        [found.conf_low[0], found.conf_high[0]], [paired.conf_low[0], paired.conf_high[0]], rtol=1e-9
    )


def test_answers_always_have_an_interval():
    rng = np.random.default_rng(9)
    latin = (ITEM + TEMPLATE) % 2 == 0  # templates alike in answers; then every mean of items is alike
    square = np.add.outer(np.arange(10), np.arange(10)).ravel() % 2.0
    rows, columns = np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)
    assert square.sum() >= 10
    found = two_way_intervals(square[:, None], clusters=(rows, columns), span=1.0)
    assert found.conf_low[0] < 0.5 < found.conf_high[0]
    with pytest.warns(DegenerateWarning, match="every cluster of both kinds has the same mean"):
        none = two_way_intervals(square[:, None] * 0.3, clusters=(rows, columns))
    assert none.method == ("degenerate",)
    assert np.isnan(none.std_error[0])
    answers = ([1.0, -1.0], [1.0, -1.0])
    te = np.where(rng.random((60, 1)) < 0.5, 1.0, 0.0) * latin[:, None]
    for top in (np.zeros((60, 1)), te):
        ratio = two_way_ratio_intervals(top, te, clusters=(ITEM, TEMPLATE), answers=answers)
        assert not np.isnan(ratio.conf_low[0])
        assert ratio.conf_low[0] < ratio.conf_high[0]


def test_rare_flips_of_a_ratio_hold_both_one_way_sets():
    rng = np.random.default_rng(10)
    te = (rng.random((60, 40)) < 0.08).astype(float)
    part = te * (rng.random((60, 40)) < 0.5)
    answers = ([1.0, -1.0, 0.0], [0.0, -1.0, 1.0])
    some = te.sum(axis=0) > 0
    found = two_way_ratio_intervals(part[:, some], te[:, some], clusters=(ITEM, TEMPLATE), answers=answers)
    for labels in (ITEM, TEMPLATE):
        side = ratio_intervals(part[:, some], te[:, some], clusters=labels, answers=answers)
        assert all("bonett-price" in one for one in side.method)
        for column in range(int(some.sum())):
            if np.isfinite(found.conf_low[column]):
                assert found.conf_low[column] <= side.conf_low[column] + 1e-9
                assert found.conf_high[column] >= side.conf_high[column] - 1e-9
            gap, own = gap_in(found.method[column]), gap_in(side.method[column])
            assert gap is None or (own is not None and own[0] <= gap[0] < gap[1] <= own[1])


def test_joined_sets_hold_both():
    nan, inf = np.nan, np.inf
    kinds = [
        (0.0, 1.0, nan, nan, True), (-2.0, 0.5, nan, nan, True), (-inf, inf, -1.0, 2.0, False),
        (-inf, inf, 1.5, 3.0, False), (-inf, inf, 5.0, 6.0, False), (-inf, inf, nan, nan, False),
    ]  # fmt: skip
    grid = np.linspace(-9, 9, 1801)

    def holds(one):
        inside = (one.low[0] <= grid) & (grid <= one.high[0])
        return inside & ~((grid > one.gap_low[0]) & (grid < one.gap_high[0]))

    sets = [FiellerSet(*(np.array([value]) for value in kind)) for kind in kinds]
    for one in sets:
        for two in sets:
            joined = joined_sets(one, two)
            assert (holds(joined) >= (holds(one) | holds(two))).all()
    np.testing.assert_array_equal(holds(joined_sets(sets[2], sets[3])), holds(sets[2]) | holds(sets[3]))


def test_what_has_no_interval():
    values = _values()
    with pytest.warns(DegenerateWarning, match="one cluster of one of the two kinds"):
        found = two_way_intervals(values, clusters=(ITEM, np.zeros(60)))
    assert np.isnan(found.conf_low).all()
    assert np.isfinite(found.estimate).all()
    with pytest.warns(DegenerateWarning, match="every unit has the same value"):
        found = two_way_intervals(np.column_stack([values, np.full(60, 2.0)]), clusters=(ITEM, TEMPLATE))
    assert found.method[-1] == "degenerate"
    assert found.method[0] != "degenerate"
    with pytest.warns(DegenerateWarning, match="the ratio is the same"):
        two_way_ratio_intervals(values, 2 * values, clusters=(ITEM, TEMPLATE))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert two_way_intervals(np.empty((60, 0)), clusters=(ITEM, TEMPLATE), bands=True).method == ()


def test_what_is_refused():
    values = _values()
    with pytest.raises(DesignError, match="method = 'bca' resamples clusters of one kind"):
        two_way_intervals(values, clusters=(ITEM, TEMPLATE), settings=Inference(method="bca"))
    with pytest.raises(DesignError, match="clusters has 3 elements"):
        two_way_intervals(values, clusters=(ITEM, TEMPLATE, ITEM))
    with pytest.raises(DataError, match="59 labels"):
        two_way_intervals(values, clusters=(ITEM, TEMPLATE[1:]))
    with pytest.raises(DataError, match="same units and columns"):
        two_way_ratio_intervals(values, values[:, :1], clusters=(ITEM, TEMPLATE))
