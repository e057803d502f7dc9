"""Similarity by step, against scikit-learn, explicit loops, and populations known from huge samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

import mediation as med
from mediation.inference import Inference, mean_intervals
from mediation.probing import States, compare, effective_rank, linear_cka, similarity

SEEDS = st.integers(0, 2**32 - 1)


def _states(seed: int = 0, n: int = 12, steps: int = 3, hidden: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, hidden)) + rng.normal(size=(n, steps, hidden)) + 1


def _row(found, measure: str, step: int, other: int | None = None) -> pd.Series:
    rows = found.rows(measure)
    rows = rows[(rows["step"] == step) & (rows["other"].isna() if other is None else rows["other"] == other)]
    assert len(rows) == 1
    return rows.iloc[0]


def _said(row: pd.Series) -> tuple[float, float, float]:
    return row["estimate"], row["conf_low"], row["conf_high"]


def _between(x: np.ndarray, groups: np.ndarray) -> float:
    """Mean cosine over pairs of units of different groups."""
    apart = groups[:, None] != groups[None, :]
    return cosine_similarity(x)[apart].mean()


def _leave_out(statistic, groups: np.ndarray, *, there, back, corrected: bool = False) -> tuple[float, float, float]:
    """The estimate and the jackknife's interval by an explicit loop."""
    raw = np.array([statistic(groups != one) for one in np.unique(groups)])
    without, size = there(raw), len(raw)
    error = np.sqrt((size - 1) / size * np.sum((without - without.mean()) ** 2))
    estimate = statistic(np.ones(len(groups), bool))
    if corrected:
        estimate = size * estimate - (size - 1) * raw.mean()
    reach = stats.t.ppf(0.975, size - 1) * error
    return estimate, back(there(estimate) - reach), back(there(estimate) + reach)


def _pseudo(statistic, groups: np.ndarray, scale, *, centre=None, widened: bool = False) -> tuple[float, float]:
    """Ends, on the scale, of the bootstrap-t of pseudo-values, which an explicit loop makes."""
    every = np.ones(len(groups), bool)
    size, whole = len(np.unique(groups)), scale(statistic(every), every)
    pseudo = []
    for one in np.unique(groups):
        keep = groups != one
        pseudo.append(size * whole - (size - 1) * scale(statistic(keep), keep))
    found = mean_intervals(np.array(pseudo)[:, None], settings=Inference(n_resamples=499))
    factor = 1.0
    if widened:
        df = min(size - 1, max(1.5, size / (stats.kurtosis(pseudo, fisher=False) - 1)))
        factor = stats.t.ppf(0.975, df) / stats.t.ppf(0.975, size - 1)
    middle = whole if centre is None else centre
    mean = np.mean(pseudo)
    return middle - factor * (mean - found.conf_low[0]), middle + factor * (found.conf_high[0] - mean)


# ------------------------------------------------------------------------------------------------ estimates


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.booleans())
def test_cosines_between_units_are_those_of_scikit_learn_with_the_jackknifes_interval(seed, grouped):
    x = _states(seed)
    groups = np.arange(12) // (2 if grouped else 1)
    found = similarity(x, groups=groups if grouped else None, measures=["inter cosine", "inter centred cosine"])
    for step in range(3):
        row = _row(found, "inter cosine", step)
        ends = _leave_out(
            lambda keep, step=step: _between(x[keep, step], groups[keep]), groups, there=np.arctanh, back=np.tanh
        )
        assert _said(row) == pytest.approx(ends)
        assert row["method"] == f"jackknife t ({len(set(groups))} {'groups' if grouped else 'units'})"

        def centred(keep: np.ndarray, step: int = step) -> float:
            return _between(x[keep, step] - x[keep].mean(axis=(0, 1)), groups[keep])

        row = _row(found, "inter centred cosine", step)
        ends = _leave_out(centred, groups, there=np.arctanh, back=np.tanh, corrected=True)
        assert _said(row) == pytest.approx(ends)


@pytest.mark.parametrize("hidden", [5, 40])  # fewer features than units, and more
@pytest.mark.parametrize("grouped", [False, True])
def test_the_rank_is_that_of_the_function_with_the_interval_of_pseudo_values(hidden, grouped):
    x = _states(1, n=15, hidden=hidden)
    groups = np.repeat(np.arange(8), 2)[:15] if grouped else np.arange(15)
    found = similarity(x, groups=groups if grouped else None, measures="effective rank", n_resamples=499)
    row = _row(found, "effective rank", 1)

    def rank(keep: np.ndarray) -> float:
        return effective_rank(x[keep, 1])

    low, high = _pseudo(
        rank, groups, lambda value, keep: -np.log(min(keep.sum() - 1, hidden) - value), widened=True
    )  # fmt: skip
    most = min(14, hidden)
    assert _said(row) == pytest.approx((rank(np.ones(15, bool)), max(1, most - np.exp(-low)), most - np.exp(-high)))
    size = len(set(groups))
    without = np.array([rank(groups != one) for one in range(size)])
    assert row["std_error"] == pytest.approx(np.sqrt((size - 1) * without.var()))
    assert row["method"].endswith(f"jackknife ({size} {'groups' if grouped else 'units'})")
    assert 1 <= row["conf_low"] < row["estimate"] < row["conf_high"] < most


def test_a_rank_that_is_always_the_highest_has_no_interval():
    x = np.stack([np.eye(9), 3 * np.eye(9) + 1], axis=1)  # whoever is left out, all singular values are equal
    with pytest.warns(med.errors.DegenerateWarning, match="2 of 2 numbers"):
        found = similarity(x, measures="effective rank")
    assert found.rows("effective rank")["estimate"].tolist() == pytest.approx([8, 8])


def test_a_unit_that_outweighs_all_others_is_named():
    x = _states(8, n=30)
    x[17, 1] *= 60
    x[17, 2] *= 80
    with pytest.warns(med.errors.DominantUnitWarning, match=r"of 'z' at step 1 \(and at 1 more\): unit 17 holds 9\d%"):
        similarity(x, measures="effective rank", name="z", n_resamples=99)


def test_alignment_is_that_of_the_function_with_the_jackknifes_interval():
    x, every = _states(1), np.arange(12)
    found = similarity(x, measures="cka")
    for step, other in ((1, 0), (2, 0), (2, 1)):
        row = _row(found, "cka", step, other)
        one, two = x[:, other], x[:, step]
        ends = _leave_out(
            lambda keep, one=one, two=two: linear_cka(one[keep], two[keep], debiased=True),
            every, there=np.arctanh, back=np.tanh,
        )  # fmt: skip
        assert _said(row) == pytest.approx(ends)
    assert len(found.rows("cka")) == 3


def test_cosines_within_units_are_means_over_units():
    x = _states(2)
    found = similarity(x, measures="intra cosine", rng=5, n_resamples=499)
    each = np.array([cosine_similarity(unit) for unit in x])
    wanted = mean_intervals(each[:, [0], [2]], settings=Inference(seed=5, n_resamples=499))
    row = _row(found, "intra cosine", 0, 2)
    assert (row["estimate"], row["conf_low"], row["conf_high"]) == pytest.approx(
        (each[:, 0, 2].mean(), wanted.conf_low[0], wanted.conf_high[0])
    )
    assert _row(found, "intra cosine by lag", 1)["estimate"] == pytest.approx(
        (each[:, 0, 1] + each[:, 1, 2]).mean() / 2
    )
    np.testing.assert_allclose(found.matrix(), each.mean(axis=0))


@pytest.mark.parametrize("grouped", [False, True])
def test_centred_cosines_within_units_move_with_their_centre(grouped):
    x = _states(3)
    groups = np.arange(12) // 2 if grouped else np.arange(12)
    found = similarity(x, groups=groups if grouped else None, measures="intra centred cosine", n_resamples=499)

    def centred(keep: np.ndarray) -> float:
        return np.mean([cosine_similarity(unit)[0, 1] for unit in x[keep] - x[keep].mean(axis=(0, 1))])

    row = _row(found, "intra centred cosine", 0, 1)
    size = len(set(groups))
    without = np.mean([np.arctanh(centred(groups != one)) for one in range(size)])
    middle = size * np.arctanh(centred(np.ones(12, bool))) - (size - 1) * without
    ends = _pseudo(centred, groups, lambda value, keep: np.arctanh(value), centre=middle)
    assert _said(row) == pytest.approx(tuple(np.tanh([middle, *ends])))
    assert row["method"].endswith(f"jackknife ({size} {'groups' if grouped else 'units'})")


def test_centred_cosines_of_steps_that_some_units_lack():
    """Columns of different units are not mixed up, and those of too few units have no interval."""
    x = _states(9, n=10, steps=4)
    lengths = np.array([3] * 7 + [4] * 2 + [1])
    with pytest.warns(med.errors.DegenerateWarning, match="no interval"):
        found = similarity(States(x, lengths), measures="intra centred cosine", n_resamples=499)
    few = _row(found, "intra centred cosine", 0, 3)
    assert few["n"] == 2
    assert np.isnan(few["conf_low"])
    there = np.arange(4) < lengths[:, None]

    def centred(keep: np.ndarray) -> float:
        centre = x[keep][there[keep]].mean(axis=0)
        return np.mean([cosine_similarity(unit - centre)[0, 2] for unit in x[keep & (lengths > 2)]])

    row = _row(found, "intra centred cosine", 0, 2)
    without = np.mean([np.arctanh(centred(np.arange(10) != one)) for one in range(10)])
    middle = 10 * np.arctanh(centred(np.ones(10, bool))) - 9 * without
    ends = _pseudo(centred, np.arange(10), lambda value, keep: np.arctanh(value), centre=middle)
    assert _said(row) == pytest.approx(tuple(np.tanh([middle, *ends])))


def test_centred_cosines_near_1_stay_below_it_and_have_an_interval():
    """Correcting the cosine itself for bias can lead beyond 1."""
    own = np.random.default_rng(10).standard_t(1, size=(15, 1, 4))
    x = 10 * own + np.random.default_rng(11).normal(size=(15, 2, 4))
    row = _row(similarity(x, measures="intra centred cosine", n_resamples=499), "intra centred cosine", 0, 1)
    assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < 1


def test_a_centre_of_other_states():
    x, other = _states(4), States(_states(5, n=7), lengths=[1, 3, 3, 3, 2, 3, 3])
    centre = other.values[other.has].mean(axis=0)
    wanted = similarity(x - centre, measures=["inter cosine", "intra cosine"], n_resamples=99).tidy()
    for given_centre in (other, centre):
        found = similarity(
            x, centre=given_centre, measures=["inter centred cosine", "intra centred cosine"], n_resamples=99
        ).tidy()
        columns = ["estimate", "conf_low", "conf_high"]
        np.testing.assert_allclose(found[columns], wanted[columns])


def test_units_without_a_step_do_not_count_there():
    x = _states(6, n=14)
    lengths = np.array([3] * 8 + [2] * 4 + [0] * 2)
    found = similarity(States(x, lengths, "z"), n_resamples=99)
    whole, some = (similarity(x[:n], n_resamples=99) for n in (8, 12))
    for measure in ("inter cosine", "effective rank"):
        assert _row(found, measure, 2)["estimate"] == pytest.approx(_row(whole, measure, 2)["estimate"])
        assert _row(found, measure, 1)["conf_low"] == pytest.approx(_row(some, measure, 1)["conf_low"])
    for pair, of in (((0, 1), some), ((0, 2), whole)):
        assert _row(found, "intra cosine", *pair)["estimate"] == pytest.approx(
            _row(of, "intra cosine", *pair)["estimate"]
        )
    assert found.rows("inter cosine")["n"].tolist() == [12, 12, 8]
    by_lag = [np.diagonal(cosine_similarity(x[i, : lengths[i]]), 1).mean() for i in range(12)]
    assert _row(found, "intra cosine by lag", 1)["estimate"] == pytest.approx(np.mean(by_lag))


def test_collapsed_states_are_one_and_have_no_interval():
    one = np.broadcast_to(np.random.default_rng(0).normal(size=(1, 1, 6)), (9, 3, 6))
    with pytest.warns(med.errors.DegenerateWarning, match="no interval"):
        found = similarity(one)
    assert _row(found, "inter cosine", 1)["estimate"] == pytest.approx(1)
    assert _row(found, "intra cosine", 0, 1)["estimate"] == pytest.approx(1)
    table = found.tidy()
    assert table["conf_low"].isna().all()
    assert table.loc[table["measure"].str.contains("centred|rank|cka"), "estimate"].isna().all()


def test_common_directions_are_told_from_collapse():
    """What anisotropy does to raw cosines, the centred ones undo; a collapse at one step stays."""
    rng = np.random.default_rng(0)
    x = 10 + rng.normal(size=(60, 3, 20))
    x[:, 2] = 10 + 3 * rng.normal(size=20) + 0.1 * rng.normal(size=(60, 20))
    found = similarity(x, measures=["inter cosine", "inter centred cosine"])
    assert (found.rows("inter cosine")["conf_low"] > 0.9).all()
    centred = found.rows("inter centred cosine")
    assert centred["estimate"][0] < 0.5 < 0.9 < centred["conf_low"][2]
    outside = similarity(x, measures="inter centred cosine", centre=np.full(20, 10.0)).rows("inter centred cosine")
    assert outside["conf_low"][0] < 0 < outside["conf_high"][0]


def test_many_units_are_left_out_in_blocks():
    x = _states(7, n=230, steps=2)
    found = similarity(x, measures=["inter cosine", "effective rank"])
    assert _row(found, "inter cosine", 0)["method"] == "jackknife t (230 units)"
    row = _row(found, "effective rank", 0)
    assert row["method"].endswith("jackknife (100 blocks of units)")
    draws = [effective_rank(_states(seed, n=230, steps=2)[:, 0]) for seed in range(200)]
    assert 0.5 < row["std_error"] / np.std(draws) < 2


# ------------------------------------------------------------------------------------------------ coverage


def _misses(draw, truth: dict[tuple[str, int, int | None], float], n: int, times: int) -> dict[str, float]:
    found: dict[str, float] = dict.fromkeys(map(str, truth), 0.0)
    for _ in range(times):
        measures = list(dict.fromkeys(measure for measure, _, _ in truth))
        got = similarity(draw(n), measures=measures, n_resamples=199)
        for key, value in truth.items():
            row = _row(got, *key)
            found[str(key)] += (not row["conf_low"] <= value <= row["conf_high"]) / times
    return found


@pytest.mark.statistical
@pytest.mark.parametrize("size", [0.5, 6.0])
def test_intervals_between_units_hold_the_populations_mean_cosine(size):
    """Units share a direction, weak or strong; the population's mean is |E u|^2, from a huge sample."""
    rng = np.random.default_rng(0)

    def draw(n: int) -> np.ndarray:
        return rng.normal(size=(n, 1, 6)) * [1, 1, 2, 1, 1, 0.5] + size * np.array([1, 0, 0, 1, 0, 0])

    many = draw(400_000)[:, 0]
    mean = (many / np.linalg.norm(many, axis=1, keepdims=True)).mean(axis=0)
    # 400 repetitions: 0.05 plus four binomial standard errors.
    missed = _misses(draw, {("inter cosine", 0, None): float(mean @ mean)}, 20, 400)
    assert max(missed.values()) < 0.095


@pytest.mark.statistical
def test_intervals_of_alignment_and_centred_cosines_hold_the_populations():
    rng = np.random.default_rng(1)
    shift = rng.normal(size=(2, 5))

    def draw(n: int) -> np.ndarray:
        own = rng.normal(size=(n, 1, 5)) * [2, 1, 1, 1, 0.5]
        return 2 + shift + own + 0.7 * rng.normal(size=(n, 2, 5))

    many = draw(300_000)
    many = many - many.mean(axis=(0, 1))
    unit = many / np.linalg.norm(many, axis=2, keepdims=True)
    x, y = (many[:, step] - many[:, step].mean(axis=0) for step in (0, 1))
    truth = {
        ("inter centred cosine", 1, None): float(np.sum(unit[:, 1].mean(axis=0) ** 2)),
        ("intra centred cosine", 0, 1): float((unit[:, 0] * unit[:, 1]).sum(axis=1).mean()),
        ("cka", 1, 0): float(np.sum((x.T @ y) ** 2) / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)),
    }
    missed = _misses(draw, truth, 20, 150)
    # 150 repetitions: 0.05 plus four binomial standard errors.
    assert max(missed.values()) < 0.122, missed


# ------------------------------------------------------------------------------------------------ tables, errors


def test_tables_and_comparison():
    latents, text = (
        similarity(_states(seed), name=name, n_resamples=99) for seed, name in ((0, "latents"), (1, "text"))
    )
    table = latents.compare(text)
    assert list(table.columns) == [
        *("states", "measure", "step", "other", "estimate", "std_error", "conf_low", "conf_high"),
        *("method", "n", "n_groups"),
    ]
    assert list(table["states"].unique()) == ["latents", "text"]
    pd.testing.assert_frame_equal(table, compare(latents, text))
    assert repr(latents) == "<Similarity of 'latents': 12 units, 3 steps>"
    with pytest.raises(med.errors.DesignError, match="two are called 'text'"):
        compare(text, text)
    with pytest.raises(med.errors.DesignError, match="are needed"):
        compare(text, None)
    with pytest.raises(med.errors.DesignError, match="one number a step"):
        latents.matrix("inter cosine")
    with pytest.raises(med.errors.DesignError, match="intra cosine"):
        latents.rows("intra cosin")


def test_one_step_has_no_centred_cosine_of_its_own():
    found = similarity(_states(steps=1))
    assert set(found.tidy()["measure"]) == {"inter cosine", "effective rank"}
    given = similarity(_states(steps=1), centre=np.zeros(5))
    assert "inter centred cosine" in set(given.tidy()["measure"])


def test_the_same_seed_gives_the_same_numbers():
    one, same, other = (similarity(_states(), rng=seed, n_resamples=99).tidy() for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("states", "options", "error", "says"),
    [
        (np.zeros((3, 65, 2)), {}, med.errors.DesignError, "64 are compared at most"),
        ("latents", {}, med.errors.DataError, "States or an array"),
        (np.zeros(3), {}, med.errors.DataError, r"shape \(3,\)"),
        (_states(), {"groups": [1]}, med.errors.DataError, "1 labels for 12 units"),
        (_states(), {"groups": [None] + [1] * 11}, med.errors.DataError, "group of unit 0 is missing"),
        (_states(), {"measures": "cosine"}, med.errors.DesignError, "measures"),
        (_states(), {"centre": np.zeros(4)}, med.errors.DataError, "5 finite numbers"),
        (States(_states(), [0] * 12), {}, med.errors.DataError, "no unit"),
    ],
)
def test_wrong_questions(states, options, error, says):
    with pytest.raises(error, match=says):
        similarity(states, **options)
