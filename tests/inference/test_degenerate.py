"""Data without spread, and questions that cannot be asked."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from mediation.errors import DataError, DegenerateWarning, DesignError
from mediation.inference import Inference, Intervals, mean_intervals, ratio_intervals

NORMAL = np.random.default_rng(0).normal(size=(8, 3))


def warned(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = function(*args, **kwargs)
    assert [one.category for one in caught] == [DegenerateWarning]
    assert caught[0].filename == __file__
    return found, str(caught[0].message)


def assert_nothing_but_estimates(found: Intervals, columns=slice(None)):
    for name in ("std_error", "conf_low", "conf_high", "p_value"):
        assert np.isnan(getattr(found, name)[columns]).all(), name
    assert set(np.array(found.method)[columns]) == {"degenerate"}


@pytest.mark.parametrize("method", ["bootstrap-t", "percentile"])
def test_columns_of_one_value(method):
    values = np.column_stack([NORMAL, np.full(8, 0.1), np.zeros(8)])
    found, message = warned(mean_intervals, values, settings=Inference(method=method, n_resamples=99))
    assert_nothing_but_estimates(found, [3, 4])
    assert found.estimate[3:].tolist() == [0.1, 0.0]
    assert np.isfinite(found.conf_low[:3]).all()
    assert message == (
        "2 of 5 columns have no interval, standard error or p-value (NaN): "
        "every unit has the same value (columns 3, 4). Estimates are kept."
    )


@pytest.mark.parametrize("value", [0.1, 1.0, -3e5])
def test_spread_that_is_only_rounding_is_none(value):
    values = value + np.spacing(value) * np.arange(8.0)[:, None]
    found, _ = warned(mean_intervals, values)
    assert_nothing_but_estimates(found)
    assert found.estimate[0] == pytest.approx(value)


@pytest.mark.parametrize("exponent", [-45, -990, 300])
def test_a_power_of_two_changes_nothing_but_the_scale(exponent):
    found, small = mean_intervals(NORMAL), mean_intervals(np.ldexp(NORMAL, exponent))
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_array_equal(np.ldexp(getattr(found, name), exponent), getattr(small, name))
    np.testing.assert_array_equal(found.p_value, small.p_value)


def test_small_spread_that_is_not_rounding_is_spread():
    found = mean_intervals(1.0 + 1e-9 * NORMAL)
    assert (found.conf_high - found.conf_low > 1e-11).all()


def test_one_unit():
    for function, args in ((mean_intervals, ([[1.0, 2.0]],)), (ratio_intervals, ([[1.0, 2.0]], [[2.0, 2.0]]))):
        found, message = warned(function, *args)
        assert_nothing_but_estimates(found)
        assert found.estimate.tolist() in ([1.0, 2.0], [0.5, 1.0])
        assert "2 of 2 columns" in message
        assert "there is 1 unit and an interval needs 2 (columns 0, 1)" in message


def test_one_cluster():
    found, message = warned(mean_intervals, NORMAL, clusters=["a"] * 8, bands=True)
    assert_nothing_but_estimates(found)
    assert np.isnan([found.band_low, found.band_high, found.p_adjusted]).all()
    np.testing.assert_allclose(found.estimate, NORMAL.mean(axis=0))
    assert (found.n, found.n_clusters) == (8, 1)
    assert "all units belong to one cluster and an interval needs 2" in message
    ratio, message = warned(ratio_intervals, NORMAL, NORMAL + 1, clusters=["a"] * 8)
    assert_nothing_but_estimates(ratio)
    assert "all units belong to one cluster" in message


def test_clusters_that_agree():
    values = np.column_stack([np.tile([0.1, 0.7], 4), NORMAL[:, 0]])
    found, message = warned(mean_intervals, values, clusters=np.repeat(range(4), 2))
    assert_nothing_but_estimates(found, [0])
    assert np.isfinite(found.conf_low[1])
    assert "every cluster has the same mean (column 0)" in message


def test_percentile_interval_without_width():
    values = np.zeros((40, 1))
    values[0] = 0.5
    settings = Inference(method="percentile", confidence_level=0.1, n_resamples=999)
    found, message = warned(mean_intervals, values, settings=settings)
    assert_nothing_but_estimates(found)
    assert "the two ends of the interval are the same number" in message


def test_a_long_list_of_columns_is_cut():
    _, message = warned(mean_intervals, np.ones((5, 30)))
    assert "(columns 0, 1, 2, 3, 4, 5, 6, 7 and 22 more)" in message


def test_two_units_have_students_interval():
    found = mean_intervals([[1.0], [3.0]], settings=Inference(n_resamples=999))
    assert found.method == ("t (bootstrap-t unbounded)",)
    assert (found.conf_low[0], found.conf_high[0]) == pytest.approx((2 - 12.7062047, 2 + 12.7062047))
    assert found.p_value[0] == pytest.approx(0.2951672)


def test_hardly_varying_columns_have_students_interval_and_no_infinity():
    values = np.zeros((30, 1))
    values[:2, 0] = [0.2, 0.4]
    found = mean_intervals(values, clusters=np.repeat(range(15), 2))
    assert found.method == ("cluster t (bootstrap-t unbounded)",)
    assert np.isfinite([found.conf_low[0], found.conf_high[0]]).all()


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e200, 1e307])
def test_very_large_and_small_numbers(factor):
    plain, scaled = (mean_intervals(NORMAL / 4 * f, settings=Inference(n_resamples=99)) for f in (1.0, factor))
    np.testing.assert_allclose(scaled.conf_low / factor, plain.conf_low, rtol=1e-9)
    np.testing.assert_allclose(scaled.std_error / factor, plain.std_error, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_very_large_and_small_weights(factor):
    weights = np.linspace(1, 2, 8)
    plain, scaled = (
        mean_intervals(NORMAL, weights=weights * f, settings=Inference(n_resamples=99)) for f in (1.0, factor)
    )
    np.testing.assert_allclose(scaled.conf_low, plain.conf_low, rtol=1e-9)
    np.testing.assert_allclose(scaled.std_error, plain.std_error, rtol=1e-9)


# ---------------------------------------------------------------- wrong questions


def with_value(value):
    values = NORMAL.copy()
    values[5, 1] = values[6, 0] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            NORMAL[:, 0],
            "values must have two axes, (units, columns); found shape (8,). Use values[:, None] for one column.",
        ),
        (NORMAL[None], "values must have two axes, (units, columns); found shape (1, 8, 3)."),
        (
            np.ones((0, 3)),
            "values has shape (0, 3): there are no units. Give at least one; two for an interval.",
        ),
        (
            with_value(np.nan),
            "values holds nan at unit 5, column 1 (the first of 2). "
            "Every unit needs a finite number: drop the unit everywhere, or correct its outcome.",
        ),
        (
            with_value(-np.inf),
            "values holds -inf at unit 5, column 1 (the first of 2). "
            "Every unit needs a finite number: drop the unit everywhere, or correct its outcome.",
        ),
        (NORMAL + 1j, "values holds complex numbers; real numbers are needed."),
    ],
)
def test_wrong_values(values, message):
    with pytest.raises(DataError) as error:
        mean_intervals(values)
    assert str(error.value) == message


def test_values_that_are_not_numbers():
    with pytest.raises(DataError, match=r"^values cannot be read as numbers \(.*yes.*\)\. Give an array"):
        mean_intervals([["yes"], ["no"]])


def test_ratio_names_which_of_the_two_is_wrong():
    with pytest.raises(DataError, match=r"^denominator holds nan at unit 5, column 1"):
        ratio_intervals(NORMAL, with_value(np.nan))
    with pytest.raises(DataError, match=r"^numerator must have two axes"):
        ratio_intervals(NORMAL[0], NORMAL)
    expected = "numerator has shape (8, 3) and denominator (8, 2); give both for the same units and columns."
    with pytest.raises(DataError, match=re.escape(expected)):
        ratio_intervals(NORMAL, NORMAL[:, :2])


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        (range(7), "clusters has 7 labels for 8 units; give one label per unit."),
        ("template", "clusters = 'template': one label per unit (8 of them) is needed."),
        (np.ones((8, 1)), "clusters must have one axis with a label per unit, (8,); found shape (8, 1)."),
        (["a"] * 3 + [None] * 5, "clusters holds None at unit 3; every unit needs a cluster."),
        (["a", pd.NA] * 4, "clusters holds <NA> at unit 1; every unit needs a cluster."),
        (np.array([1.0, np.nan] * 4), "clusters holds nan at unit 1; every unit needs a cluster."),
        ([[]] * 8, "clusters holds [] at unit 0; a label must be hashable, such as text."),
    ],
)
def test_wrong_clusters(clusters, message):
    with pytest.raises(DataError) as error:
        mean_intervals(NORMAL, clusters=clusters)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(7), "weights must have one number per unit, shape (8,); found shape (7,)."),
        (np.ones((8, 1)), "weights must have one number per unit, shape (8,); found shape (8, 1)."),
        (
            np.arange(8.0),
            "weights holds 0.0 at unit 0; weights must be positive and finite. Drop a unit that should not count.",
        ),
        (
            [1, 1, np.nan, 1, 1, 1, 1, -1],
            "weights holds nan at unit 2; weights must be positive and finite. Drop a unit that should not count.",
        ),
        (
            ["heavy"] * 8,
            "weights (list) cannot be read as real numbers; one positive number per unit is needed.",
        ),
    ],
)
def test_wrong_weights(weights, message):
    with pytest.raises(DataError) as error:
        mean_intervals(NORMAL, weights=weights)
    assert str(error.value) == message


def test_wrong_settings():
    with pytest.raises(DesignError, match=r"^settings = 'percentile' is a str; give an Inference\(\.\.\.\)\.$"):
        mean_intervals(NORMAL, settings="percentile")
    with pytest.raises(DesignError, match=r"^settings = 0 is a int; give an Inference"):
        ratio_intervals(NORMAL, NORMAL, settings=0)
    with pytest.raises(DesignError, match=r"^bands = 'max-t': True or False is needed\.$"):
        mean_intervals(NORMAL, bands="max-t")


def test_results_cannot_be_changed():
    found = mean_intervals(NORMAL, settings=Inference(n_resamples=99))
    with pytest.raises(ValueError, match="read-only"):
        found.estimate[0] = 0.0
    with pytest.raises(AttributeError):
        found.n = 3


def test_arrays_of_a_result_have_one_length():
    with pytest.raises(DataError, match=re.escape("conf_low has shape (2,); 1 columns were given.")):
        Intervals(
            estimate=np.zeros(1),
            std_error=np.zeros(1),
            conf_low=np.zeros(2),
            conf_high=np.zeros(1),
            p_value=np.zeros(1),
            method=("t",),
            n=2,
            n_clusters=2,
        )
