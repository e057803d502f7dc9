"""What must not change a number, and what must change it in a known way."""

import numpy as np
import pytest
from hypothesis import assume, given, settings as hypothesis_settings, strategies as st
from hypothesis.extra import numpy as arrays

from mediation.inference import Inference, Intervals, mean_intervals, ratio_intervals

NAMES = ("estimate", "std_error", "conf_low", "conf_high", "p_value", "band_low", "band_high", "p_adjusted")
METHODS = st.sampled_from(["bootstrap-t", "percentile"])
LABELS = st.lists(st.integers(0, 4), min_size=9, max_size=9)
FEW = hypothesis_settings(max_examples=40)


def options(method="bootstrap-t", seed=0):
    return Inference(method=method, n_resamples=199, confidence_level=0.9, seed=seed)


@st.composite
def samples(draw, k=3):
    """Nine units: continuous, or on a grid so that ties are common; no degenerate columns."""
    whole = draw(st.booleans())
    elements = st.integers(-4, 4).map(float) if whole else st.floats(-50, 50, allow_nan=False, width=32)
    values = draw(arrays.arrays(np.float64, (9, k), elements=elements))
    assume((np.ptp(values, axis=0) > 1e-3).all())
    return values


def assert_same(one: Intervals, other: Intervals, *, exactly=True, columns=None):
    for name in NAMES:
        a, b = getattr(one, name), getattr(other, name)
        if columns is not None:
            b = None if b is None else b[columns]
        if exactly:
            np.testing.assert_array_equal(a, b, err_msg=name)
        elif a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)
    assert one.method == (other.method if columns is None else tuple(np.array(other.method)[columns]))


@FEW
@given(samples(), METHODS)
def test_weights_of_one_are_no_weights(values, method):
    plain = mean_intervals(values, settings=options(method), bands=True)
    assert_same(mean_intervals(values, weights=np.ones(9), settings=options(method), bands=True), plain)
    assert_same(mean_intervals(values, weights=np.full(9, 3.7), settings=options(method), bands=True), plain)


@FEW
@given(samples(), METHODS, st.permutations(list("ABCDEFGHI")))
def test_a_cluster_per_unit_is_no_clusters(values, method, labels):
    plain = mean_intervals(values, settings=options(method), bands=True)
    clustered = mean_intervals(values, clusters=labels, settings=options(method), bands=True)
    assert_same(clustered, plain)
    assert (clustered.n, clustered.n_clusters) == (plain.n, plain.n_clusters)


@FEW
@given(samples(), METHODS, arrays.arrays(np.float64, 9, elements=st.floats(0.5, 4)), st.floats(1e-6, 1e6))
def test_rescaling_all_weights_changes_nothing(values, method, weights, factor):
    one, other = (
        mean_intervals(values, weights=w, settings=options(method), bands=True) for w in (weights, weights * factor)
    )
    assert_same(one, other, exactly=False)


@FEW
@given(samples(), METHODS, LABELS)
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_names_of_clusters_do_not_matter(values, method, labels):
    named = [("cluster", f"{label}") for label in labels]
    one, other = (mean_intervals(values, clusters=c, settings=options(method), bands=True) for c in (labels, named))
    assert_same(one, other)
    assert_same(one, mean_intervals(values, clusters=np.array(labels), settings=options(method), bands=True))


@FEW
@given(samples(), METHODS, st.lists(st.integers(1, 3), min_size=9, max_size=9))
def test_whole_weights_are_copies_in_one_cluster_up_to_what_is_assumed_within_clusters(values, method, copies):
    weighted = mean_intervals(values, weights=copies, settings=options(method), bands=True)
    repeated = mean_intervals(
        np.repeat(values, copies, axis=0), clusters=np.repeat(range(9), copies), settings=options(method), bands=True
    )
    same = ("estimate", "conf_low", "conf_high", "p_value") if method == "percentile" else ("estimate",)
    for name in same:
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-8, atol=1e-8)


@FEW
@given(samples(), METHODS, st.integers(-8, 8))
def test_powers_of_two_scale_every_end_exactly(values, method, exponent):
    assume(not np.isin(values, (-1, 0, 1)).all(axis=0).any())
    factor = 2.0**exponent
    assume(not np.isin(values * factor, (-1, 0, 1)).all(axis=0).any())
    plain, scaled = (mean_intervals(values * f, settings=options(method), bands=True) for f in (1.0, factor))
    for name in ("estimate", "std_error", "conf_low", "conf_high", "band_low", "band_high"):
        np.testing.assert_array_equal(getattr(scaled, name), factor * getattr(plain, name), err_msg=name)
    np.testing.assert_array_equal(scaled.p_value, plain.p_value)
    np.testing.assert_array_equal(scaled.p_adjusted, plain.p_adjusted)


@FEW
@given(samples(), METHODS)
def test_changing_the_sign_turns_the_interval_round(values, method):
    plain, turned = (mean_intervals(values * sign, settings=options(method), bands=True) for sign in (1, -1))
    np.testing.assert_allclose(turned.conf_low, -plain.conf_high, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(turned.band_high, -plain.band_low, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(turned.p_value, plain.p_value)
    np.testing.assert_array_equal(turned.p_adjusted, plain.p_adjusted)


@FEW
@given(samples(), METHODS, st.integers(-20, 20))
def test_adding_a_number_moves_the_interval(values, method, shift):
    moved_values = values + shift
    assume(not any(np.isin(v, (-1, 0, 1)).all(axis=0).any() for v in (values, moved_values)))
    plain, moved = (mean_intervals(v, settings=options(method)) for v in (values, moved_values))
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(getattr(moved, name), getattr(plain, name) + shift, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved.std_error, plain.std_error, rtol=1e-6)


@FEW
@given(samples(k=5), METHODS, st.permutations(range(5)), st.integers(1, 5))
def test_an_interval_does_not_depend_on_the_columns_beside_it(values, method, order, n_kept):
    whole = mean_intervals(values, settings=options(method))
    kept = list(order[:n_kept])
    assert_same(mean_intervals(values[:, kept], settings=options(method)), whole, exactly=False, columns=kept)


@FEW
@given(samples(k=5), METHODS, st.permutations(range(5)))
def test_bands_do_not_depend_on_the_order_of_columns(values, method, order):
    whole = mean_intervals(values, settings=options(method), bands=True)
    turned = mean_intervals(values[:, order], settings=options(method), bands=True)
    assert_same(turned, whole, exactly=False, columns=list(order))


@FEW
@given(samples(k=4), METHODS, st.sampled_from([0.5, 0.8, 0.9, 0.95]), LABELS)
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_p_values_are_dual_to_intervals_even_with_ties(values, method, level, labels):
    chosen = Inference(method=method, n_resamples=199, confidence_level=level)
    for clusters in (None, labels):
        found = mean_intervals(values, clusters=clusters, settings=chosen, bands=True)
        some = ~np.isnan(found.p_value)
        left_out = (found.conf_low > 0) | (found.conf_high < 0)
        np.testing.assert_array_equal(left_out[some], found.p_value[some] <= 1 - level + 1e-9)
        beyond = (found.band_low > 0) | (found.band_high < 0)
        assert (found.p_adjusted[some & beyond] <= 1 - level + 1e-9).all()


@FEW
@given(samples(), METHODS, LABELS)
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_intervals_have_width_and_p_values_are_not_zero(values, method, labels):
    for clusters in (None, labels):
        found = mean_intervals(values, clusters=clusters, settings=options(method), bands=True)
        none = np.array([name == "degenerate" for name in found.method])
        assert (np.isnan(found.conf_low) == none).all()
        assert (np.isnan(found.p_value) == none).all()
        assert (found.conf_low < found.conf_high)[~none].all()
        assert np.isfinite([found.conf_low, found.conf_high, found.band_low, found.band_high])[:, ~none].all()
        assert ((found.p_value > 0) & (found.p_value <= 1) & (found.p_adjusted <= 1))[~none].all()
        assert np.isfinite(found.estimate).all()


@FEW
@given(samples(k=2), LABELS, arrays.arrays(np.float64, 9, elements=st.floats(0.5, 4)))
@pytest.mark.filterwarnings("ignore::mediation.errors.DegenerateWarning")
def test_laws_of_weights_and_clusters_hold_for_ratios(values, labels, weights):
    top, bottom = values[:, :1], values[:, 1:]
    plain = ratio_intervals(top, bottom, settings=options())
    assert_same(ratio_intervals(top, bottom, weights=np.full(9, 2.3), clusters=range(9), settings=options()), plain)
    one = ratio_intervals(top, bottom, clusters=labels, weights=weights, settings=options())
    doubled = ratio_intervals(
        np.tile(top, (2, 1)), np.tile(bottom, (2, 1)), clusters=labels * 2, weights=[*weights] * 2, settings=options()
    )
    if "complement" not in one.method[0]:
        assert_same(one, doubled, exactly=False)


def test_same_seed_same_bits_other_seed_other_interval():
    values = np.random.default_rng(0).normal(size=(20, 3))
    assert_same(*(mean_intervals(values, settings=options(seed=1), bands=True) for _ in range(2)))
    other = mean_intervals(values, settings=options(seed=2))
    assert (other.conf_low != mean_intervals(values, settings=options(seed=1)).conf_low).all()


def test_inputs_and_global_random_state_are_left_alone():
    values = np.random.default_rng(0).normal(size=(20, 3))
    before, state = values.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    weights = np.linspace(1, 2, 20)
    mean_intervals(values, weights=weights, bands=True)
    assert (values == before).all()
    assert (weights == np.linspace(1, 2, 20)).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
