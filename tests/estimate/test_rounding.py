"""What counts as rounding is judged unit by unit, from the outcomes of a contrast and their precision."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mediation as med

N = 40
pytestmark = pytest.mark.filterwarnings("ignore::mediation.errors.WeakTotalEffectWarning")


def frame(**columns):
    return pd.DataFrame({"unit": range(N), **columns})


def told(given, **options):
    return med.effects(given, rng=0, n_resamples=199, **options).tidy().set_index("estimand")


def additive(dtype):
    """Outcomes without an interaction, each rounded to `dtype`."""
    rng = np.random.default_rng(0)
    level, direct, indirect = rng.normal(3, 1, N), rng.normal(1, 0.3, N), rng.normal(0.5, 0.3, N)
    exact = {"y00": level, "y01": level + indirect, "y10": level + direct, "y11": level + direct + indirect}
    return frame(**{name: values.astype(dtype) for name, values in exact.items()})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_interaction_of_rounding_alone_has_no_interval(dtype):
    with pytest.warns(med.errors.DegenerateWarning, match="every unit has the same value"):
        found = told(additive(dtype))
    assert found.loc["int_med", "estimate"] == 0
    assert np.isnan(found.loc["int_med", "conf_low"])
    assert found.drop("int_med")["conf_low"].notna().all()


def test_an_interaction_that_float64_resolves_and_float32_does_not():
    given = additive("float64")
    given["y11"] += np.random.default_rng(1).normal(1e-8, 1e-8, N)
    assert told(given).loc["int_med", "conf_low"] > 0
    with pytest.warns(med.errors.DegenerateWarning):
        single = med.effects(given, rng=0, n_resamples=199, provenance={"model": {"dtype": "bfloat16"}})
    assert np.isnan(single.tidy().set_index("estimand").loc["int_med", "conf_low"])
    assert single.provenance["inference"]["precision"] == "float32"
    with pytest.warns(med.errors.DegenerateWarning):  # the units know what they are
        assert med.effects(single.units, rng=0, n_resamples=199).tidy().equals(single.tidy())


def test_large_outcomes_in_float64_keep_a_small_effect():
    rng = np.random.default_rng(0)
    level = rng.normal(1e6, 1e3, N)
    with pytest.warns(med.errors.DegenerateWarning, match="every unit has the same value"):
        found = told(frame(y00=level, y11=level + 0.3))
    assert found.loc["te", "estimate"] == pytest.approx(0.3, abs=1e-8)
    noisy = told(frame(y00=level, y11=level + 0.3 + rng.normal(0, 0.1, N)))
    assert 0 < noisy.loc["te", "conf_low"] < 0.3 < noisy.loc["te", "conf_high"]


@pytest.mark.parametrize("scale", [1e7, 1e30])
def test_one_unit_far_off_in_an_arm_of_no_part_changes_nothing(scale):
    given = additive("float32")
    given["y01"] = given["y00"] + np.random.default_rng(2).normal(4e-3, 2e-3, N).astype("float32")
    far = given.copy()
    far.loc[3, "y10"] = np.float32(scale)
    assert told(far, estimands="pnie").equals(told(given, estimands="pnie"))


@pytest.mark.parametrize("unit", [0, 7])
def test_one_unit_far_off_does_not_make_the_others_alike(unit):
    rng = np.random.default_rng(3)
    level = rng.normal(3, 1, N).astype("float32")
    given = frame(y00=level, y01=level + rng.normal(0.004, 0.002, N).astype("float32"))
    given.loc[unit, ["y00", "y01"]] = np.float32(1e7)
    found = told(given, estimands="pnie").loc["pnie"]
    effect = given["y01"].astype(float) - given["y00"].astype(float)
    assert found["estimate"] == pytest.approx(effect.mean(), rel=1e-9)
    assert found["conf_low"] < effect.mean() < found["conf_high"]


def test_a_difference_of_two_results_is_rounding_up_to_their_outcomes():
    """y11 of two runs at 1e4 that differ by float32 rounding alone: no difference, though it is 1e-3 in size."""
    rng = np.random.default_rng(4)
    one = additive("float32").drop(columns=["y01", "y10"])
    one["y11"] += np.float32(1e4)
    two = one.assign(y11=one["y11"] * np.float32(1 + rng.uniform(-1, 1) * 1e-7))
    first, second = (med.effects(given, rng=0, n_resamples=199) for given in (one, two))
    with pytest.warns(med.errors.DegenerateWarning):
        found = first.compare(second)
    assert found.tidy()["estimate"].tolist() == [0.0]
    with pytest.warns(med.errors.DegenerateWarning):
        assert found.equivalence(1.0).tidy()["verdict"].tolist() == ["no interval"]


@pytest.mark.parametrize("factor", [1e-13, 1e-300, 1e200])
@pytest.mark.parametrize("shared", [False, True])
def test_a_factor_changes_nothing_but_the_scale(factor, shared):
    rng = np.random.default_rng(5)
    draws = 4 if shared else 1
    level = np.repeat(rng.normal(3, 1, N), draws)
    steps = {"y00": 0.0, "y01": 0.4, "y10": 0.2, "y11": 1.0}
    outcomes = {name: level + rng.normal(shift, 0.5, N * draws) for name, shift in steps.items()}
    about = {"unit": np.repeat(np.arange(N), draws), "draw": np.tile(np.arange(draws), N)}
    how = {"draws": "shared"} if shared else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.SharedDrawsWarning)
        large, small = (
            told(pd.DataFrame({**about, **{name: values * by for name, values in outcomes.items()}}), **how)
            for by in (1.0, factor)
        )
    names = ["estimate", "std_error", "conf_low", "conf_high"]
    np.testing.assert_allclose(small["p_value"], large["p_value"], rtol=1e-9)
    np.testing.assert_allclose(small.loc["pm", names].astype(float), large.loc["pm", names].astype(float), rtol=1e-9)
    scaled = large.drop("pm")[names] * factor
    np.testing.assert_allclose(small.drop("pm")[names], scaled, rtol=1e-9)


@pytest.mark.parametrize("factor", [1e-13, 1e-250, 1e200])
def test_a_factor_changes_no_comparison_but_by_the_scale(factor):
    rng = np.random.default_rng(6)
    level = rng.normal(3, 1, N)
    names = ("y00", "y10", "y11")

    def compared(by, paired):
        results = []
        for seed in (1, 2):
            own = np.random.default_rng(seed)
            given = frame(**{name: by * (level + own.normal(2 * place, 0.5, N)) for place, name in enumerate(names)})
            results.append(med.effects(given, rng=0, n_resamples=199))
        return results[0].compare(results[1], paired=paired, estimands=["te", "pm"]).tidy().set_index("estimand")

    for paired in (True, False):
        large, small = compared(1.0, paired), compared(factor, paired)
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            assert small.loc["te", name] == pytest.approx(factor * large.loc["te", name], rel=1e-9, abs=0)
            assert small.loc["pm", name] == pytest.approx(large.loc["pm", name], rel=1e-9)


def test_a_weight_multiplies_what_rounding_can_do():
    from mediation.estimate.table._rounding import limits

    outcomes = {"y00": np.array([[1.0], [8.0]]), "y01": np.array([[1.0], [1.0]]), "y11": np.array([[1e9], [1e9]])}
    found = limits({"y01": 4.0, "y00": -0.25, "y11": 0.0}, outcomes, "float32") / np.finfo("float32").eps
    assert found.tolist() == [[8 * 4.0], [8 * 4.0]]
    assert (limits({"y00": -0.25}, outcomes, "float32") / np.finfo("float32").eps).tolist() == [[2.0], [16.0]]


def test_one_shared_draw_has_no_interval():
    y = np.random.default_rng(0).normal(size=N)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = told(frame(draw=0, y00=0.0, y01=y), draws="shared")
    assert found.loc["pnie", ["conf_low", "conf_high", "p_value"]].isna().all()
    assert any("there is 1 draw, shared by all units" in str(one.message) for one in caught)
