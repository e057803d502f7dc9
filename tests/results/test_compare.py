"""Two results: differences of the same units or of two groups, what is matched with what, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mediation import effects, read
from mediation.errors import DataError, DegenerateWarning, DesignError, SharedDrawsWarning, WeakTotalEffectWarning
from mediation.estimands import AbstractEstimand
from mediation.inference import Inference, crossed_intervals, group_difference_intervals, mean_intervals
from mediation.results import Effects
from tests.results.comparisons import arms, make_comparison, potential_outcomes, result, two_models

MEANS = ["te", "pnde", "tnde", "pnie", "tnie", "int_med"]


def row(comparison, estimand, site=None):
    table = comparison.tidy()
    picked = table[(table["estimand"] == estimand) & ((table["site"] == site) if site else True)]
    assert len(picked) == 1
    return picked.iloc[0]


# ------------------------------------------------------------------------------------------ the same units


def test_paired_is_the_interval_of_the_units_differences():
    one, two = two_models()
    found = one.compare(two)
    first, second = (r.units for r in (one, two))
    values = (first["y01"] - first["y00"]) - (second["y01"] - second["y00"])
    told = mean_intervals(
        values.to_numpy()[:, None], clusters=first["cluster"].tolist(), settings=Inference(n_resamples=999, seed=0)
    )
    pnie = row(found, "pnie")
    assert pnie["estimate"] == pytest.approx(told.estimate[0], rel=1e-12)
    assert (pnie["conf_low"], pnie["conf_high"]) == pytest.approx((told.conf_low[0], told.conf_high[0]), rel=1e-9)
    assert pnie["p_value"] == pytest.approx(told.p_value[0], rel=1e-9)
    assert (pnie["n"], pnie["n_clusters"]) == (60, 12)
    assert found.kind == "comparison"
    assert found.tidy()["estimand"].tolist() == MEANS


def test_first_and_second_are_the_two_tables():
    one, two = two_models()
    found = one.compare(two).tidy().set_index("estimand")
    for name, each in (("first", one), ("second", two)):
        table = each.tidy().set_index("estimand").loc[MEANS]
        assert found[name].to_numpy() == pytest.approx(table["estimate"].to_numpy(), rel=1e-12)
        for end in ("low", "high"):
            assert (found[f"{name}_{end}"] == table[f"conf_{end}"]).all()
    assert (found["first"] - found["second"]).to_numpy() == pytest.approx(found["estimate"].to_numpy(), abs=1e-12)


def test_intervals_of_another_level_are_not_put_beside():
    one, two = two_models()
    found = one.compare(two, confidence_level=0.9).tidy()
    assert found[["first_low", "first_high", "second_low", "second_high"]].isna().all(axis=None)
    assert (found["conf_high"] - found["conf_low"] < one.compare(two).tidy().eval("conf_high - conf_low")).all()


def test_the_order_of_the_units_does_not_matter():
    one, two = two_models()
    shuffled = Effects(two.tidy(), two.units.sample(frac=1, random_state=1), two.provenance)
    found, plain = one.compare(shuffled).tidy(), one.compare(two).tidy()
    pd.testing.assert_frame_equal(found, plain, rtol=1e-12)


def test_draws_are_averaged_within_the_unit_first():
    frame = potential_outcomes(n=20, seed=1)
    noisy = pd.concat([frame.assign(draw=draw, y01=frame["y01"] + shift) for draw, shift in enumerate((-1, 0, 4))])
    one, two = result(noisy), result(potential_outcomes(n=20, seed=2))
    plain = result(frame.assign(y01=frame["y01"] + 1.0)).compare(two).tidy()
    pd.testing.assert_frame_equal(one.compare(two).tidy()[plain.columns], plain, rtol=1e-9)
    assert set(one.compare(two).units["draw"]) == {0}


def test_exchanging_the_results_changes_the_sign():
    one, two = two_models()
    found, back = one.compare(two, method="t").tidy(), two.compare(one, method="t").tidy()
    assert (found["estimate"] + back["estimate"]).abs().max() < 1e-12
    assert found["conf_low"].to_numpy() == pytest.approx(-back["conf_high"].to_numpy(), rel=1e-9)
    assert found["p_value"].to_numpy() == pytest.approx(back["p_value"].to_numpy(), rel=1e-9)


def test_a_result_against_itself_has_no_interval():
    one, _ = two_models()
    with pytest.warns(DegenerateWarning, match="the same value"):
        found = one.compare(one)
    assert (found.tidy()["estimate"] == 0).all()
    assert found.tidy()["conf_low"].isna().all()


def test_differences_below_single_precision_are_none():
    one, _ = two_models()
    units = one.units
    rng = np.random.default_rng(0)
    for name in ("y00", "y01", "y10", "y11"):
        units[name] *= 1 + 1e-7 * rng.uniform(-1, 1, size=len(units))
    other = Effects(one.tidy(), units, one.provenance)
    with pytest.warns(DegenerateWarning):
        assert one.compare(other).tidy()["conf_low"].isna().all()


def test_units_are_the_differences_and_equivalence_works_on_them():
    one, two = two_models()
    found = one.compare(two)
    assert len(found.units) == 60
    gap = one.units["y11"] - two.units["y11"]
    assert found.units["y11"].to_numpy() == pytest.approx(gap.to_numpy(), abs=1e-12)
    tested = found.equivalence(10.0).tidy()
    assert (tested["verdict"].isin(["equivalent", "both: real but negligible"])).all()


def test_weights_are_used():
    one, two = (
        result(potential_outcomes(n=10, seed=seed).assign(weight=np.arange(1.0, 11.0), cluster=range(10)))
        for seed in (1, 2)
    )
    values = one.units["y11"] - one.units["y00"] - two.units["y11"] + two.units["y00"]
    assert row(one.compare(two), "te")["estimate"] == pytest.approx(np.average(values, weights=np.arange(1, 11)))


# ------------------------------------------------------------------------------------------- two groups


def test_two_groups_are_two_samples():
    one, two = two_models()
    found = one.compare(two, paired=False)
    values = [(r.units["y11"] - r.units["y00"]).to_numpy()[:, None] for r in (one, two)]
    clusters = [r.units["cluster"].tolist() for r in (one, two)]
    told = group_difference_intervals(
        *values, clusters_first=clusters[0], clusters_second=clusters[1], settings=Inference(n_resamples=999, seed=0)
    )
    te = row(found, "te")
    assert (te["conf_low"], te["conf_high"]) == pytest.approx((told.conf_low[0], told.conf_high[0]), rel=1e-9)
    assert (te["n"], te["n_clusters"]) == (120, 24)
    assert te["method"] == told.method[0]
    assert found.units["group"].value_counts().to_dict() == {0: 60, 1: 60}


def test_welch_is_scipys():
    one, two = (
        result(potential_outcomes(n=30, n_clusters=30, seed=1)),
        result(potential_outcomes(n=45, n_clusters=45, seed=2)),
    )
    found = row(one.compare(two, method="t", paired=False), "te")
    told = stats.ttest_ind(*(r.units["y11"] - r.units["y00"] for r in (one, two)), equal_var=False)
    assert found["p_value"] == pytest.approx(told.pvalue, rel=1e-9)
    assert found["method"] == "welch t"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f[f["unit"] != 7], "unit 7 is in 'first' and not in 'second' (1 such unit; 60 and 59 in all)"),
        (
            lambda f: f.assign(cluster=f["cluster"].replace({3: 2})),
            "the cluster of unit 3 is 3 in 'first' and 2 in 'second'",
        ),
        (lambda f: f.assign(weight=2.0 + (f["unit"] == 0)), "the weight of unit 0 is 1.0 in 'first' and 3.0 in"),
    ],
)
def test_units_in_part_the_same_are_refused_unless_two_groups_are_asked_for(change, said):
    frame = potential_outcomes(seed=2)
    one, changed = result(potential_outcomes(seed=1)), change(frame)
    units = changed.assign(draw=0).rename(columns=str)
    other = Effects(result(frame).tidy(), units, result(frame).provenance)
    for paired in (None, True):
        with pytest.raises(DataError, match="takes them as independent, which holds only if") as error:
            one.compare(other, paired=paired)
        assert said in str(error.value)
    found = one.compare(other, paired=False)
    assert found.provenance["comparison"]["paired"] is False
    assert "ids are in both: if these are the same units, the interval is not theirs" in " ".join(
        str(found.summary()).split()
    )


def test_numbers_of_rows_are_no_ids_so_frames_without_ids_are_two_groups_where_they_differ():
    one, two = (result(potential_outcomes(n=n, seed=n).drop(columns=["unit", "site"])) for n in (20, 25))
    found = one.compare(two)
    assert found.provenance["comparison"]["paired"] is False
    text = " ".join(str(found.summary()).split())
    assert "Not paired, because units 20, 21, 22, ... (2 more) are in 'second' and not in 'first'" in text


# ----------------------------------------------------------------------------------------------- matching


def test_sweeps_are_matched_by_site_whatever_their_order():
    sites = ("a", "b", "c")
    one = result(potential_outcomes(seed=1, sites=sites))
    frame = potential_outcomes(seed=2, sites=sites)
    two, moved = result(frame), result(pd.concat([frame[frame["site"] == site] for site in ("c", "a", "b")]))
    found = one.compare(two)
    pd.testing.assert_frame_equal(found.tidy(), one.compare(moved).tidy(), rtol=1e-12)
    assert found.tidy()["site"].tolist()[:3] == list(sites)
    assert (found.tidy()["band_low"] <= found.tidy()["conf_low"]).all()
    values = [
        sum(sign * (u[u["site"] == "b"]["y01"].to_numpy() - u[u["site"] == "b"]["y00"].to_numpy()))
        for sign, u in ((1, one.units), (-1, two.units))
    ]
    assert row(found, "pnie", "b")["estimate"] == pytest.approx(sum(values) / 60)
    grouped = one.compare(two, paired=False).tidy()
    assert (grouped["band_low"] <= grouped["conf_low"]).all()
    assert grouped["p_adjusted"].between(0, 1).all()


def test_a_sweep_keeps_layers_and_positions_of_the_first():
    one, two = (result(potential_outcomes(seed=seed, sites=("a", "b"))) for seed in (1, 2))
    table = one.tidy()
    table["layer"], table["position"] = table["site"].map({"a": 4, "b": 7}), "last"
    found = Effects(table, one.units, one.provenance).compare(two).tidy()
    assert found["layer"].tolist() == [4, 7] * 6
    assert (found["position"] == "last").all()


def test_two_mediators_are_compared_one_with_the_other():
    one, two = (result(potential_outcomes(seed=s, sites=(site,))) for s, site in ((1, "mlp[3]"), (2, "mlp[5]")))
    assert set(one.compare(two).tidy()["site"]) == {"mlp[3] - mlp[5]"}
    assert set(one.compare(two).units["site"]) == {"mlp[3] - mlp[5]"}
    same = result(potential_outcomes(seed=2, sites=("mlp[3]",)))
    assert set(one.compare(same).tidy()["site"]) == {"mlp[3]"}


def test_arms_are_matched_by_name_and_dose():
    one = result(arms(1))
    frame = arms(2)
    two = result(frame.iloc[::-1])
    found = one.compare(two).tidy()
    assert found["arm"].tolist() == ["Zero()", "noise", "noise"]
    assert found["dose"].tolist()[1:] == [0.5, 1.0]
    ours, theirs = (
        f[(f["arm"] == "noise") & (f["dose"] == 1.0)].sort_values("unit").eval("y - ym").to_numpy()
        for f in (arms(1), frame)
    )
    assert found["estimate"].tolist()[2] == pytest.approx((ours - theirs).mean())
    assert found["first"].tolist()[2] == pytest.approx(ours.mean())
    grouped = one.compare(two, paired=False).tidy()
    assert grouped["estimate"].tolist() == pytest.approx(found["estimate"].tolist())
    assert grouped["arm"].tolist() == found["arm"].tolist()


def test_arms_at_another_site_are_matched_by_name():
    one, two = result(arms(1)), result(arms(2).assign(site="mlp[4]"))
    assert set(one.compare(two).tidy()["site"]) == {"mlp[3] - mlp[4]"}


# ------------------------------------------------------------------------------------------------- ratios


def test_ratios_are_left_out_unless_asked_for():
    one, two = two_models()
    assert "pm" in set(one.tidy()["estimand"])
    assert "pm" not in set(one.compare(two).tidy()["estimand"])
    found = one.compare(two, estimands=["pm", "te"]).tidy()
    assert found["estimand"].tolist() == ["pm", "te"]
    pm = found.iloc[0]
    ratios = [r.tidy().set_index("estimand").loc["pm", "estimate"] for r in (one, two)]
    assert pm["estimate"] == pytest.approx(ratios[0] - ratios[1])
    assert pm["method"] == "difference of ratios, cluster bootstrap-t (B=999)"
    assert pm["conf_low"] < pm["estimate"] < pm["conf_high"]


def test_ratios_of_weak_total_effects_have_no_interval():
    one, two = result(potential_outcomes(te=0.05, seed=1)), result(potential_outcomes(te=2.0, seed=2))
    with pytest.warns(WeakTotalEffectWarning, match="near 0 may be anything: pm: the denominator of the first is"):
        found = one.compare(two, estimands=["te", "pm"])
    assert found.tidy()["conf_low"].isna().tolist() == [False, True]
    assert "3 standard errors or more" in " ".join(str(found.summary()).split())


# ----------------------------------------------------------------------------------------- shared draws


def shared(seed, n=20, n_draws=5):
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(9).normal(size=n)
    draws = 0.5 * rng.normal(size=n_draws)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), n_draws),
            "draw": np.tile(np.arange(n_draws), n),
            "y00": np.repeat(level, n_draws),
            "y01": np.repeat(level, n_draws) + 1 + np.tile(draws, n) + 0.3 * rng.normal(size=n * n_draws),
        }
    )


def test_shared_draws_stay_shared_in_the_difference():
    one, two = (result(shared(seed), draws="shared") for seed in (1, 2))
    with pytest.warns(SharedDrawsWarning, match="the 5 draws are the same for every unit"):
        found = one.compare(two)
    gap = [(f["y01"] - f["y00"]).to_numpy().reshape(20, 5, 1) for f in (shared(1), shared(2))]
    told = crossed_intervals(gap[0] - gap[1])
    assert found.tidy()["conf_low"][0] == pytest.approx(told.conf_low[0], rel=1e-9)
    assert found.tidy()["method"][0] == "two-way t (units x draws)"
    assert found.provenance["inference"]["draws"] == "shared"


def test_a_difference_of_ratios_over_shared_draws_is_refused():
    frames = (shared(seed).assign(y11=lambda f: 1.5 * f["y01"] + 0.5) for seed in (1, 2))
    one, two = (result(frame, draws="shared") for frame in frames)
    with pytest.raises(DesignError, match=r"difference of two ratios \('pm_pure'\) has no interval"):
        one.compare(two, estimands=["pm_pure"])


def test_shared_draws_against_none_are_kept():
    one, two = result(shared(1), draws="shared"), result(shared(2, n_draws=1))
    with pytest.warns(SharedDrawsWarning):
        found = one.compare(two)
    gap = (shared(1)["y01"] - shared(1)["y00"]).to_numpy().reshape(20, 5, 1)
    other = shared(2, n_draws=1)
    told = crossed_intervals(gap - (other["y01"] - other["y00"]).to_numpy()[:, None, None])
    assert found.tidy()["conf_high"][0] == pytest.approx(told.conf_high[0], rel=1e-9)


def test_shared_draws_are_refused_where_they_cannot_be_paired():
    one, two = result(shared(1), draws="shared"), result(shared(2, n_draws=3), draws="shared")
    with pytest.raises(DesignError, match="share the draws of both results, 3 and 5 of them"):
        one.compare(two)
    with pytest.raises(DesignError, match="two independent groups have no interval"):
        one.compare(result(shared(2, n=10), draws="shared"), paired=False)


# --------------------------------------------------------------------------- effects(draws="shared") itself


def test_effects_of_shared_draws_are_two_way():
    frame = shared(1)
    with pytest.warns(SharedDrawsWarning, match="seed the draws of each unit by itself"):
        found = effects(frame, draws="shared", rng=0)
    told = crossed_intervals((frame["y01"] - frame["y00"]).to_numpy().reshape(20, 5, 1))
    assert found.tidy()["conf_low"][0] == pytest.approx(told.conf_low[0], rel=1e-12)
    assert "Random draws are shared by all units" in str(found.summary())
    assert "resamples" not in str(found.summary())
    averaged = result(frame).tidy()
    assert averaged["conf_high"][0] - averaged["conf_low"][0] < 0.5 * (told.conf_high[0] - told.conf_low[0])


def test_contrasts_that_do_not_depend_on_the_draws_are_means_over_units():
    frame = shared(1).assign(y11=lambda f: f["y00"] + 2 + np.repeat(np.random.default_rng(3).normal(size=20), 5))
    found = result(frame, draws="shared").tidy().set_index("estimand")
    assert found.loc["te", "method"].startswith("bootstrap-t")
    assert found.loc["pnie", "method"] == "two-way t (units x draws)"
    once = result(frame[frame["draw"] == 0]).tidy().set_index("estimand")
    assert found.loc["te", "conf_low"] == pytest.approx(once.loc["te", "conf_low"], rel=1e-9)


def test_a_sweep_of_shared_draws_has_bonferronis_bands_and_holms_p_values():
    frame = pd.concat([shared(seed).assign(site=name) for seed, name in enumerate("abcd", start=1)])
    found = result(frame, draws="shared").tidy()
    error, df = found["std_error"], 4
    reach = stats.t.ppf(1 - 0.05 / 4 / 2, df) * error
    assert (found["band_high"] - found["estimate"]).to_numpy() == pytest.approx(reach.to_numpy(), rel=1e-9)
    order = found["p_value"].sort_values()
    assert found["p_adjusted"][order.index[0]] == pytest.approx(4 * order.iloc[0])
    alone = result(shared(2), draws="shared").tidy()
    assert alone["conf_low"][0] == pytest.approx(found["conf_low"][1], rel=1e-12)


def test_ratios_of_shared_draws_have_a_two_way_set():
    frame = shared(1).assign(y11=lambda f: f["y01"] + 1.0 + 0.1 * np.random.default_rng(4).normal(size=100))
    found = result(frame, draws="shared", estimands="pm_pure").tidy()
    assert found["method"][0] == "two-way fieller (units x draws)"
    assert found["conf_low"][0] < found["estimate"][0] < found["conf_high"][0]


def test_one_shared_draw_has_no_interval_and_gaps_are_errors():
    with pytest.warns(DegenerateWarning, match="there is 1 draw, shared by all units"):
        assert result(shared(1, n_draws=1), draws="shared").tidy()["conf_low"].isna().all()
    with pytest.raises(DataError, match="unit 2 has no draw 1 while another has"):
        result(shared(1).drop(index=11), draws="shared")
    with pytest.raises(DesignError, match=r"draws = 'common' is not known. Choose from"):
        result(shared(1), draws="common")


# ---------------------------------------------------------------------------------------------- refusals


class Twice(AbstractEstimand):
    """A contrast of one's own."""

    key = "twice"
    weights = {"y01": 2.0, "y00": -2.0}  # noqa: RUF012


def test_an_estimand_of_ones_own_is_given_as_the_object():
    one, two = two_models()
    found = one.compare(two, estimands=[Twice(), "te"])
    assert row(found, "twice")["estimate"] == pytest.approx(2 * row(one.compare(two), "pnie")["estimate"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: _sweep("ab").compare(_sweep("ac")), "the site 'b' is in 'first' (2 sites) and not in 'second'"),
        (lambda: _sweep("ab").compare(_sweep("a")), "the site 'b' is in 'first'"),
        (lambda: _sweep("a").compare(_sweep("ab")), "the site 'b' is in 'second'"),
        (
            lambda: result(arms(1)).compare(result(arms(2, names=[("noise", 0.5)]))),
            "the arm 'noise' at dose 1 of 'mlp[3]' is in 'first' and not in 'second'",
        ),
        (lambda: result(arms(1)).compare(two_models()[0]), "an ablation effect is no contrast of base and source"),
        (lambda: two_models()[0].compare(make_comparison()), "'second' is of kind 'comparison'"),
        (lambda: two_models()[0].compare(3), "compare: int was given"),
        (lambda: two_models()[0].compare(two_models()[1], labels="ab"), "labels = 'ab'; two names are needed"),
        (lambda: two_models()[0].compare(two_models()[1], labels=("a", "a")), "two different names"),
        (lambda: two_models()[0].compare(two_models()[1], paired=1), "paired = 1: True, False or None"),
        (lambda: two_models()[0].compare(two_models()[1], estimands="cde"), "needs the potential outcomes"),
        (
            lambda: _both(paired=False, method="bca"),
            "method (two independent groups)",
        ),
        (
            lambda: result(potential_outcomes()[["unit", "y00", "y11"]]).compare(
                result(potential_outcomes()[["unit", "y00", "y01"]])
            ),
            "no estimand in units of the outcome is in both",
        ),
    ],
)
def test_questions_without_an_answer(call, said):
    with pytest.raises((DesignError, DataError)) as error:
        call()
    assert said in str(error.value)


def _both(**options):
    one, two = two_models()
    return one.compare(two, **options)


def _sweep(sites):
    return result(potential_outcomes(n=12, seed=1, sites=tuple(sites)))


# -------------------------------------------------------------------------------- settings, words and files


def test_settings_are_those_of_the_first_result_unless_asked():
    one, two = two_models()
    found = one.compare(two).provenance["inference"]
    assert (found["n_resamples"], found["seed"], found["method"]) == (999, 0, "bootstrap-t")
    asked = one.compare(two, method="t", rng=7, n_resamples=499).provenance["inference"]
    assert (asked["n_resamples"], asked["seed"], asked["method"]) == (499, 7, "t")


def test_the_summary_says_who_was_compared_and_how():
    text = " ".join(str(make_comparison().summary()).split())
    assert text.startswith("Comparison: small minus large (mlp[3])")
    assert "Paired: n = 60 units in 12 clusters (template), the same in both results" in text
    assert "(ids of units, clusters and weights agree)" in text
    assert "cluster bootstrap-t, B = 999 resamples, seed 0" in text
    assert "Models: SmolLM2-135M (small), SmolLM2-360M (large)." in text
    groups = " ".join(str(make_comparison("groups").summary()).split())
    assert "Two independent groups of units: n = 60 (small, 12 clusters) and n = 40 (large, 10 clusters)" in groups
    assert "Not paired, because units 0, 1, 2, ... (57 more) are in 'small' and not in 'large'" in groups


def test_the_summary_of_a_sweep_counts_bands_and_names_the_estimand():
    text = str(make_comparison("sweep").summary())
    assert text.startswith("Comparison: small minus large, PNIE by site")
    assert "Simultaneous bands exclude 0 at" in text
    assert len(str(make_comparison("sweep").summary("te", most=2)).splitlines()) < len(text.splitlines())


def test_outcomes_that_differ_are_said():
    one, _ = two_models()
    other = result(potential_outcomes(seed=3, n_clusters=12, sites=("mlp[3]",)), provenance={"outcome": "KL()"})
    text = " ".join(str(one.compare(other).summary()).split())
    assert "Outcomes: LogitDiff('a', 'b') (first), KL() (second). The difference is between two scales" in text


@pytest.mark.parametrize("of", ["effects", "sweep", "arms", "groups"])
def test_every_comparison_is_told_saved_and_read(of, tmp_path):
    found = make_comparison(of)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(found.save(tmp_path / "x")) == found
        assert max(map(len, str(found.summary()).splitlines())) <= 100
        assert "difference in" in repr(found)
    assert found.provenance["comparison"]["labels"] == ["small", "large"]
