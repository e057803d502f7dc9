"""Hierarchical tests against the sequential procedure written out for one alpha, and their laws."""

from __future__ import annotations

import numpy as np
import pytest

import mediation as med
from mediation.inference import Inference, hierarchical_max_t, mean_intervals
from mediation.inference.resampling._resample import resample_counts
from tests.inference.naive import bell_mccaffrey

B = 499
SETTINGS = Inference(n_resamples=B, seed=3)


def studentised(values, clusters, weights):
    """|t| of the columns and of their resamples, one at a time, by the textbook formula of a ratio of sums."""
    labels = list(dict.fromkeys(clusters))
    member = np.array([[c == label for c in clusters] for label in labels]) * weights  # (J, n)
    totals, sizes = member @ values, member.sum(axis=1)
    factors, _ = bell_mccaffrey(clusters, weights)

    def t_of(counts, centre):
        mean = counts @ totals / (counts @ sizes)
        error = totals - np.outer(sizes, mean)
        variance = (counts @ (factors[:, None] * error**2)) / (counts @ sizes) ** 2
        return (mean - centre) / np.sqrt(variance), mean

    observed, mean = t_of(np.ones(len(labels)), 0.0)
    stars = [t_of(row, mean)[0] for _, block in resample_counts(len(labels), B, SETTINGS.seed) for row in block]
    return np.abs(observed), np.abs(stars)


def sequentially(size, stars, groups, alpha):
    """Reject, find the new critical value, reject, until nothing more is rejected (Goeman & Solari 2010)."""
    names = list(dict.fromkeys(groups))
    of = np.array([names.index(g) for g in groups])
    rms = np.array([np.sqrt(np.mean(size[of == g] ** 2)) for g in range(len(names))])
    rms_star = np.array([np.sqrt(np.mean(stars[:, of == g] ** 2, axis=1)) for g in range(len(names))]).T
    several = np.bincount(of) > 1
    whole = np.sort(stars.max(axis=1))[B - int(0.75 * 0.05 * (B + 1))]
    rank = max(1, int(0.25 * 0.05 / several.sum() * (B + 1)))
    scale = np.where(several, whole / np.sort(rms_star, axis=0)[B - rank], 1.0)
    top = np.array([max(scale[g] * rms[g], size[of == g].max()) for g in range(len(names))])
    group_out, column_out = np.zeros(len(names), bool), np.zeros(len(of), bool)
    while True:
        left = np.concatenate([stars[:, ~column_out], (scale * rms_star)[:, ~group_out]], axis=1)
        largest = np.sort(left.max(axis=1)) if left.shape[1] else np.zeros(B)
        critical = largest[B - int(alpha * (B + 1) + 1e-9)]
        groups_now = group_out | (top > critical)
        columns_now = column_out | ((size > critical) & groups_now[of])
        if (groups_now == group_out).all() and (columns_now == column_out).all():
            return group_out, column_out
        group_out, column_out = groups_now, columns_now


@pytest.mark.parametrize("design", ["iid", "clusters", "weights"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_adjusted_p_values_reject_what_the_procedure_rejects(design, seed):
    rng = np.random.default_rng(seed)
    groups = list("aaabbbbbccd")
    shared = rng.normal(size=(24, 1))
    values = 0.5 * shared + rng.normal(size=(24, 11)) + rng.choice([0.0, 0.4, -0.5, 0.9], size=11)
    clusters = [unit // 2 for unit in range(24)] if design == "clusters" else list(range(24))
    weights = rng.uniform(1, 2, size=24) if design == "weights" else np.ones(24)
    found = hierarchical_max_t(values, groups, clusters=clusters, weights=weights, settings=SETTINGS)
    size, stars = studentised(values, clusters, weights)
    pointwise = mean_intervals(values, clusters=clusters, weights=weights, settings=SETTINGS).p_value
    seen = 0
    for alpha in (0.01, 0.05, 0.1, 0.2, 0.4):
        by_group, by_column = sequentially(size, stars, groups, alpha)
        assert (found.group_p_adjusted <= alpha + 1e-9).tolist() == by_group.tolist()
        assert (found.column_p_adjusted <= alpha + 1e-9).tolist() == (by_column & (pointwise <= alpha)).tolist()
        seen += by_group.sum() + by_column.sum()
    assert seen > 5
    assert found.groups == ("a", "b", "c", "d")


def sample(n=40, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, 12))
    values[:, 4:8] += 0.35
    values[:, 9] += 1.0
    return values, np.repeat([0, 1, 2], 4).tolist()


def test_p_values_grow_down_the_tree():
    for seed in range(5):
        values, groups = sample(seed=seed)
        found = hierarchical_max_t(values, groups, settings=SETTINGS)
        assert (found.column_p_adjusted >= found.group_p_adjusted[groups]).all()
        assert (found.column_p_adjusted >= found.columns.p_value).all()
        assert found.group_p_adjusted.min() >= 1 / (B + 1)


def test_means_of_groups_are_intervals_of_the_mean_over_columns():
    values, groups = sample()
    found = hierarchical_max_t(values, groups, settings=SETTINGS)
    expected = mean_intervals(values.reshape(-1, 3, 4).mean(axis=2), settings=SETTINGS)
    assert found.means.estimate == pytest.approx(expected.estimate)
    assert found.means.conf_low == pytest.approx(expected.conf_low)
    assert found.columns.conf_low == pytest.approx(mean_intervals(values, settings=SETTINGS).conf_low)


def test_signs_of_columns_and_the_order_and_size_of_numbers_do_not_matter():
    values, groups = sample()
    found = hierarchical_max_t(values, groups, settings=SETTINGS)
    flipped = hierarchical_max_t(values * np.resize([1.0, -1.0], 12), groups, settings=SETTINGS)
    assert found.group_p_adjusted == pytest.approx(flipped.group_p_adjusted)
    back = hierarchical_max_t(values[:, ::-1] * 1e6, groups[::-1], settings=SETTINGS)
    assert found.column_p_adjusted == pytest.approx(back.column_p_adjusted[::-1])
    assert found.group_p_adjusted == pytest.approx(back.group_p_adjusted[::-1])


def test_groups_of_one_column_are_step_down_max_t():
    values, _ = sample()
    found = hierarchical_max_t(values, range(12), settings=SETTINGS)
    flat = mean_intervals(values, settings=SETTINGS, bands=True)
    assert found.column_p_adjusted == pytest.approx(flat.p_adjusted)


def test_many_columns_are_worked_through_in_blocks():
    values = np.random.default_rng(0).normal(0.1, 1.0, size=(30, 150))
    groups = np.repeat(np.arange(10), 15).tolist()
    found = hierarchical_max_t(values, groups, settings=SETTINGS)
    size, stars = studentised(values, range(30), np.ones(30))
    for alpha in (0.05, 0.5):
        assert (found.group_p_adjusted <= alpha).tolist() == sequentially(size, stars, groups, alpha)[0].tolist()


def test_columns_without_an_interval_are_nan_and_count_nowhere():
    values, groups = sample()
    plain = hierarchical_max_t(values, groups, settings=SETTINGS)
    more = np.column_stack([np.zeros(40), values, np.full((40, 2), 2.0)])
    with pytest.warns(med.errors.DegenerateWarning, match="3 of 15 columns have no interval") as caught:
        found = hierarchical_max_t(more, [0, *groups, "dead", "dead"], settings=SETTINGS)
    assert len(caught) == 1
    assert np.isnan(found.column_p_adjusted[[0, 13, 14]]).all()
    assert np.isnan(found.group_p_adjusted[3])
    assert found.means.estimate[[0, 3]] == pytest.approx([values[:, :4].mean(), 2.0])
    assert found.column_p_adjusted[1:13] == pytest.approx(plain.column_p_adjusted)
    assert found.group_p_adjusted[:3] == pytest.approx(plain.group_p_adjusted)


def test_nothing_to_test_is_all_nan():
    with pytest.warns(med.errors.DegenerateWarning):
        found = hierarchical_max_t(np.ones((5, 2)), [0, 0], settings=SETTINGS)
    assert np.isnan([*found.group_p_adjusted, *found.column_p_adjusted]).all()


def test_columns_that_cancel_in_their_mean_are_found():
    rng = np.random.default_rng(0)
    one = rng.normal(1.0, 1.0, size=(40, 1))
    values = np.column_stack([one, -one, rng.normal(size=(40, 2))])
    found = hierarchical_max_t(values, [0, 0, 1, 1], settings=SETTINGS)
    assert found.means.reason[0]
    assert found.group_p_adjusted[0] <= 0.01


def test_few_flips_have_bonett_and_prices_statistic():
    values = np.zeros((60, 4))
    values[:7, 0] = 1.0
    values[[3, 9], 1] = [1.0, -1.0]
    values[5:8, 2] = -1.0
    values[::2, 3], values[1, 3] = 1.0, -1.0
    found = hierarchical_max_t(values, [0, 0, 1, 1], settings=SETTINGS)
    assert found.columns.method[:3] == ("bonett-price",) * 3
    flat = mean_intervals(values, settings=SETTINGS, bands=True).p_adjusted
    assert (found.column_p_adjusted <= 0.05).tolist() == (flat <= 0.05).tolist() == [True, False, False, True]


def test_a_label_per_column_is_needed():
    with pytest.raises(med.errors.DesignError, match="groups has 3 labels for 12 columns"):
        hierarchical_max_t(sample()[0], [0, 1, 2])
