from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.inference import Inference, homogeneity

WIDE = ["estimand", "estimate", "std_error", "conf_low", "conf_high", "p_value", "method", "n", "n_clusters"]


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = 60
    covariates = pd.DataFrame(
        {
            "unit": range(n),
            "template": np.repeat(list("abcdef"), 10),
            "language": np.repeat(["en", "de", "fr"], 20),
            "half": np.tile([0, 1], 30),
            "length": rng.uniform(4, 40, n),
        }
    )
    effect = np.where(covariates["language"] == "en", 1.0, 0.3) + rng.normal(size=n) * 0.5
    y00 = rng.normal(size=n)
    outcomes = pd.DataFrame({"y00": y00, "y01": y00 + 0.5 * effect + 0.1 * rng.normal(size=n)})
    outcomes["y10"] = y00 + 0.4 * effect + 0.1 * rng.normal(size=n)
    outcomes["y11"] = y00 + effect + 0.1 * rng.normal(size=n)
    return pd.concat([covariates, outcomes], axis=1)


@pytest.fixture
def effects(frame):
    return med.effects(frame[["unit", "y00", "y01", "y10", "y11"]], rng=0, n_resamples=999)


def test_each_subgroup_is_what_its_units_alone_give(frame, effects):
    found = effects.by("language", frame=frame).tidy()
    assert list(dict.fromkeys(found["subgroup"])) == ["de", "en", "fr"]
    for name, rows in found.groupby("subgroup"):
        alone = med.effects(frame.loc[frame["language"] == name, ["y00", "y01", "y10", "y11"]], rng=0, n_resamples=999)
        pd.testing.assert_frame_equal(rows[WIDE].reset_index(drop=True), alone.tidy()[WIDE])


def test_bands_are_at_the_level_that_holds_for_all_subgroups_and_the_test_is_that_of_homogeneity(frame, effects):
    found = effects.by("language", frame=frame, estimands=["te", "pm"]).tidy()
    te = found[found["estimand"] == "te"]
    assert (te["band_low"] <= te["conf_low"]).all()
    assert (te["band_high"] >= te["conf_high"]).all()
    assert ((te["p_adjusted"] <= 0.05) == ((te["band_low"] > 0) | (te["band_high"] < 0))).all()
    part = frame.loc[frame["language"] == "en", ["y00", "y01", "y10", "y11"]].assign(site="x", unit=range(20))
    two = pd.concat([part, part.assign(site="y")])  # two equal sites: the band of a sweep at the joint level
    wide = med.effects(two, estimands="te", rng=0, n_resamples=999, confidence_level=0.95 ** (1 / 3)).tidy()
    assert te.loc[te["subgroup"] == "en", "band_low"].item() == pytest.approx(wide["band_low"][0])
    values = (frame["y11"] - frame["y00"]).to_numpy()[:, None]
    test = homogeneity(values, frame["language"], settings=Inference(n_resamples=999, seed=0))
    assert te["p_moderation"].to_numpy() == pytest.approx(np.repeat(test.p_value, 3))
    assert found.loc[found["estimand"] == "pm", ["band_low", "p_adjusted", "p_moderation"]].isna().all(axis=None)
    assert (found.loc[found["estimand"] == "pm", "method"] == "fieller, bootstrap-t").all()


def test_covariates_come_by_unit_whatever_the_order_and_from_the_units_themselves(frame, effects):
    shuffled = frame.sample(frac=1, random_state=1)
    wanted = effects.by("half", frame=frame)
    assert effects.by("half", frame=shuffled) == wanted
    assert effects.by("half", frame=frame.set_index("unit")["half"].iloc[::-1]) == wanted
    own = med.results.Effects(effects.table, effects.units.assign(half=frame["half"]), effects.provenance)
    pd.testing.assert_frame_equal(own.by("half").tidy(), wanted.tidy())


def test_clusters_that_lie_within_subgroups_and_that_cross_them_are_resampled_whole(frame):
    effects = med.effects(frame.assign(cluster=frame["template"])[["unit", "cluster", "y00", "y11"]], rng=0)
    within = effects.by("language", frame=frame)
    assert (within.tidy()["n_clusters"] == 2).all()
    across = effects.by("half", frame=frame)
    assert (across.tidy()["n_clusters"] == 6).all()
    assert "Wald" in across.provenance["subgroups"]["test"]
    values = (frame["y11"] - frame["y00"]).to_numpy()[:, None]
    test = homogeneity(values, frame["half"], clusters=frame["template"], settings=Inference(seed=0))
    assert across.tidy()["p_moderation"][0] == test.p_value[0]


def test_a_subgroup_of_one_cluster_has_no_interval_and_is_named(frame):
    effects = med.effects(frame.assign(cluster=frame["template"])[["unit", "cluster", "y00", "y11"]], rng=0)
    with pytest.warns(med.errors.DegenerateWarning, match="by: 6 of 6 .*one cluster.*'a', 'b'"):
        found = effects.by("cluster").tidy()
    assert found[["conf_low", "band_low", "p_moderation", "p_adjusted"]].isna().all(axis=None)
    assert found["estimate"].notna().all()
    named = med.results.Effects(
        effects.table, effects.units, {**effects.provenance, "pairs": {"cluster": "template", "n": 60}}
    )
    with pytest.warns(med.errors.DegenerateWarning):
        assert named.by("template").tidy().equals(found)


def test_a_subgroup_of_one_unit_is_left_out_of_the_test(frame, effects):
    odd = frame.assign(language=frame["language"].where(frame["unit"] > 0, "eo"))
    with pytest.warns(med.errors.DegenerateWarning, match="'eo'"):
        found = effects.by("language", frame=odd, estimands="te")
    rows = found.tidy().set_index("subgroup")
    assert np.isnan(rows.loc["eo", "conf_low"])
    assert rows["p_moderation"].notna().all()
    assert "Left out of that test, without an interval: eo." in str(found.summary())


def test_sweeps_and_ablations_keep_their_sites_and_arms(frame, tmp_path):
    y = frame[["unit", "y00", "y01"]]
    sweep = med.effects(
        pd.concat([y.assign(site="a"), y.assign(site="b", y01=y["y01"] + np.arange(60) / 60)]), rng=0, n_resamples=199
    )
    found = sweep.by("language", frame=frame)
    table = found.tidy()
    assert table[["site", "subgroup"]].values.tolist() == [[s, g] for s in "ab" for g in ("de", "en", "fr")]
    assert list(found.summary().fields[1].cells) == ["a", "", "", "b", "", ""]
    arms = pd.concat(
        [pd.DataFrame({"unit": range(60), "arm": "noise", "dose": dose, "y": 1.0, "ym": 1 - dose * frame["y11"]})
         for dose in (0.5, 1.0)]
    )  # fmt: skip
    doses = med.effects(arms, rng=0, n_resamples=199).by("language", frame=frame)
    assert doses.tidy()["dose"].tolist() == [0.5] * 3 + [1.0] * 3
    for one in (found, doses):
        one.save(tmp_path / "x")
        assert med.read(tmp_path / "x.parquet") == one
        assert one.summary("pnie" if one is found else "ablation").as_html()


def test_holm_over_the_sites_of_a_sweep(frame):
    y = frame[["unit", "y00", "y01"]]
    one = med.effects(y, rng=0, n_resamples=999).by("language", frame=frame).tidy()["p_moderation"][0]
    rng = np.random.default_rng(3)
    sites = [y.assign(site="a"), *(y.assign(site=f"b{i}", y01=y["y00"] + rng.normal(size=60)) for i in range(3))]
    found = med.effects(pd.concat(sites), rng=0, n_resamples=999).by("language", frame=frame).tidy()
    assert found["p_moderation"][0] == pytest.approx(4 * one)


@pytest.mark.parametrize(
    ("column", "change", "error", "message"),
    [
        ("languag", {}, med.errors.DesignError, "language"),
        ("length", {}, med.errors.DesignError, r"regress\('~ length'.*qcut"),
        ("language", {"language": "en"}, med.errors.DesignError, "two subgroups"),
        ("language", {"language": [None, *["en", "de"] * 29, "en"]}, med.errors.DataError, "unit 0 is missing"),
        ("template", {"template": [f"t{i}" for i in range(60)]}, med.errors.DesignError, "60 different values"),
    ],
)
def test_columns_that_make_no_subgroups_are_refused(frame, effects, column, change, error, message):
    with pytest.raises(error, match=message):
        effects.by(column, frame=frame.assign(**change))


def test_frames_that_do_not_fit_are_refused(frame, effects):
    with pytest.raises(med.errors.DataError, match="no row of unit 59"):
        effects.by("half", frame=frame[:-1])
    with pytest.raises(med.errors.DataError, match="several rows of unit 0, which differ in 'half'"):
        effects.by("half", frame=pd.concat([frame, frame.assign(half=1 - frame["half"])]))
    with pytest.raises(med.errors.DataError, match="a DataFrame or Series"):
        effects.by("half", frame={"half": 1})
    unnamed = frame.drop(columns="unit")
    for other in (unnamed.sample(frac=1, random_state=2), pd.concat([unnamed, unnamed.set_axis(range(60, 120))])):
        with pytest.raises(med.errors.DataError, match="may be those of other units"):
            effects.by("half", frame=other)
        assert effects.by("half", frame=other.rename_axis("unit")) == effects.by("half", frame=frame)
    assert effects.by("half", frame=unnamed) == effects.by("half", frame=frame)
    with pytest.raises(med.errors.DesignError, match="kind 'subgroups'"):
        effects.by("half", frame=frame).by("half", frame=frame)
    assert effects.by("half", frame=pd.concat([frame, frame])).tidy()["n"].tolist()[:2] == [30, 30]


def test_units_that_gave_to_another_subgroup_are_refused(frame):
    given = frame[["unit", "y00"]].assign(g00=frame["y00"], g10=frame["y10"], g11=frame["y11"])
    across = med.effects(given.assign(donor=np.roll(frame["unit"], 1)), estimands="oe", rng=0)
    with pytest.raises(med.errors.DesignError, match="gave its mediator to unit"):
        across.by("half", frame=frame)
    within = med.effects(given.assign(donor=frame["unit"] // 20 * 20 + (frame["unit"] + 1) % 20), estimands="oe", rng=0)
    assert len(within.by("language", frame=frame).tidy()) == 3


def test_weak_totals_are_told_by_subgroup(frame, effects):
    weak = frame.assign(unit=range(60), y11=frame["y00"] + np.where(frame["half"], 1.0, 0.0) + 0.3 * frame["y01"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = med.effects(weak[["unit", "y00", "y01", "y10", "y11"]], rng=0, n_resamples=999)
    with pytest.warns(med.errors.WeakTotalEffectWarning, match="TE at 0"):
        found.by("half", frame=frame)


def test_bands_of_each_subgroup_have_the_same_share_of_the_error(frame, effects, monkeypatch):
    from mediation.estimate import _subgroups

    seen, whole = [], _subgroups.tabulate
    monkeypatch.setattr(
        _subgroups, "tabulate", lambda *given, **how: seen.append(given[2].confidence_level) or whole(*given, **how)
    )
    effects.by("language", frame=frame, estimands="te")
    assert seen == pytest.approx([0.95, 0.95 ** (1 / 3)] * 3, rel=1e-12)
