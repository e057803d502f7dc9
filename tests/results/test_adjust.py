"""Adjusted p-values against statsmodels and against bands made anew, and tests from units against their functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

import mediation as med
from mediation.inference import Inference, mcnemar, mean_intervals, sign_flip
from mediation.results import Effects, read
from tests.results.results_factory import change, make_ablation, make_effects
from tests.results.sweep_of_heads import frame_of_heads, make_heads, make_hierarchy

NAMES = {"bh": "fdr_bh", "holm": "holm"}


@pytest.fixture(scope="module")
def sweep():
    return make_heads()


def of(effects, estimand):
    table = effects.tidy()
    return table[table["estimand"] == estimand].reset_index(drop=True)


def said(effects):
    """Return the summary in one line, since footnotes are wrapped."""
    return " ".join(str(effects.summary()).split())


@pytest.mark.parametrize("method", NAMES)
def test_p_values_of_each_estimand_are_adjusted_as_statsmodels_does(sweep, method):
    new = sweep.adjust(method)
    for key in ("pnie", "tnie"):
        rows = of(new, key)
        assert rows["p_adjusted"].to_numpy() == pytest.approx(multipletests(rows["p_value"], method=NAMES[method])[1])
    assert of(new, "te")["p_adjusted"].tolist() == of(sweep, "te")["p_value"].tolist()  # one test, whatever the sites
    same = [name for name in sweep.tidy() if name != "p_adjusted"]
    pd.testing.assert_frame_equal(new.tidy()[same], sweep.tidy()[same])
    assert new.units.equals(sweep.units)
    assert new.provenance["adjustment"] == {"method": method, "family": "estimand", "bands": "estimand"}


@pytest.mark.filterwarnings("ignore::mediation.errors.FewResamplesWarning")
@pytest.mark.parametrize("method", NAMES)
def test_all_estimands_are_one_family_when_asked(sweep, method):
    new = sweep.adjust(method, family="all").tidy()
    once = pd.concat([new[new["estimand"] == "te"].head(1), new[new["estimand"] != "te"]])
    assert once["p_adjusted"].to_numpy() == pytest.approx(multipletests(once["p_value"], method=NAMES[method])[1])
    assert new.loc[new["estimand"] == "te", "p_adjusted"].nunique() == 1


def test_max_t_is_what_a_sweep_has_already(sweep):
    pd.testing.assert_frame_equal(sweep.adjust("max-t").tidy(), sweep.tidy())
    pd.testing.assert_frame_equal(sweep.adjust("holm").adjust("max-t").tidy(), sweep.tidy())


def test_max_t_over_all_estimands_uses_one_maximum(sweep):
    new = sweep.adjust("max-t", family="all").tidy()
    frame = frame_of_heads().pivot(index="unit", columns="site", values=["y00", "y01", "y10", "y11"])
    sites = new["site"].unique()
    parts = [frame["y11"][sites] - frame["y00"][sites], frame["y01"][sites] - frame["y00"][sites]]
    parts.append(frame["y11"][sites] - frame["y10"][sites])
    found = mean_intervals(np.hstack(parts), settings=Inference(n_resamples=999, seed=5), bands=True)
    assert new["p_adjusted"].to_numpy() == pytest.approx(found.p_adjusted)
    assert new["band_low"].to_numpy() == pytest.approx(found.band_low)
    assert (new["band_high"] - new["band_low"] >= sweep.tidy()["band_high"] - sweep.tidy()["band_low"] - 1e-12).all()
    told = said(sweep.adjust("max-t", family="all"))
    assert "over the 49 tests of the table together (TE, the same at every site, counts once)" in told


def test_the_order_of_rows_and_rows_left_out_do_not_matter(sweep):
    some = sweep.tidy().iloc[::-1].iloc[::2]
    part = Effects(some, sweep.units, sweep.provenance).adjust("max-t").tidy()
    sites = part[part["estimand"] == "pnie"]
    assert (
        sites["p_adjusted"] <= of(sweep, "pnie").set_index("site").loc[sites["site"], "p_adjusted"].to_numpy()
    ).all()
    whole = Effects(sweep.tidy().iloc[::-1], sweep.units, sweep.provenance).adjust("max-t").tidy()
    assert whole["p_adjusted"].to_numpy()[::-1] == pytest.approx(sweep.tidy()["p_adjusted"])


def test_rows_without_a_p_value_keep_none_and_do_not_count(sweep):
    row = of(sweep, "te").shape[0]  # the first of pnie
    without = change(sweep, row, p_value=np.nan, p_adjusted=np.nan, method="degenerate")
    new = of(without.adjust("holm"), "pnie")
    assert np.isnan(new["p_adjusted"].iloc[0])
    assert new["p_adjusted"].iloc[1:].to_numpy() == pytest.approx(
        multipletests(new["p_value"].iloc[1:], method="holm")[1]
    )
    assert "rows without a p-value are not counted" in said(without.adjust("holm"))


def test_few_resamples_are_warned_of_with_how_many_would_do():
    few = make_heads(n_resamples=399)
    with pytest.warns(
        med.errors.FewResamplesWarning, match=r"399 resamples .* = 0.005.* among 24 tests .*n_resamples = 959"
    ):
        few.adjust("bh")
    enough = make_heads(n_resamples=959)
    assert 2 / 960 <= 0.05 / 24
    assert of(enough.adjust("bh"), "pnie")["p_adjusted"].min() <= 0.05
    few.adjust("max-t")  # its p-values are 1/(B + 1) at least, whatever the number of sites


def test_p_values_that_resamples_do_not_limit_are_not_warned_of():
    table = make_heads(n_resamples=399).tidy().assign(method="t")
    Effects(table, make_heads().units, {}).adjust("bh")


def test_ablations_get_a_column_for_it(tmp_path):
    ablation = make_ablation()
    new = ablation.adjust("holm")
    assert list(new.tidy().columns) == [*ablation.tidy().columns, "p_adjusted"]
    assert new.kind == "ablation"
    assert new.tidy()["p_adjusted"].to_numpy() == pytest.approx(multipletests(new.tidy()["p_value"], method="holm")[1])
    assert read(new.save(tmp_path / "x")) == new
    text = str(new.summary())
    assert "p (adj.)" in text
    assert "p (adj.): Holm (family-wise error) over the 12 arms." in text
    assert "p (adj.)" not in str(ablation.summary())


def test_max_t_over_ablations():
    rng = np.random.default_rng(0)
    effects = np.array([0.2, 0.5, 0.8])
    y = rng.normal(size=40)
    frame = pd.concat(
        [
            pd.DataFrame(
                {"unit": range(40), "arm": "noise", "dose": dose, "y": y, "ym": y - dose - rng.normal(size=40)}
            )
            for dose in effects
        ]
    )
    new = med.effects(frame, rng=1, n_resamples=999).adjust("max-t").tidy()
    values = (frame["y"] - frame["ym"]).to_numpy().reshape(3, 40).T
    found = mean_intervals(values, settings=Inference(n_resamples=999, seed=1), bands=True)
    assert new["p_adjusted"].to_numpy() == pytest.approx(found.p_adjusted)


def test_the_heat_map_still_marks_by_the_band(sweep):
    import matplotlib.pyplot as plt

    ax = med.plot.heatmap(sweep.adjust("bh"))
    (marks,) = [one for one in ax.collections if one.get_gid() == "above"]
    rows = of(sweep, "pnie")
    assert len(marks.get_offsets()) == (rows["band_low"] > 0).sum()
    assert (of(sweep.adjust("bh"), "pnie")["p_adjusted"] <= 0.05).sum() > (rows["band_low"] > 0).sum()
    assert "band above 0" in [text.get_text() for text in ax.figure.findobj(plt.Text)]
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (make_heads, {"method": "bonferroni"}, "adjust: method = 'bonferroni'"),
        (make_heads, {"family": "site"}, "adjust: family = 'site'"),
        (make_effects, {}, "several questions about one site"),
        (make_hierarchy, {}, "adjusted down the tree already"),
    ],
)
def test_what_cannot_be_adjusted(make, options, says):
    with pytest.raises(med.errors.DesignError, match=says):
        make().adjust(**options)


def test_shared_draws_cannot_be_resampled_by_unit(sweep):
    known = {**sweep.provenance, "inference": {**sweep.provenance["inference"], "draws": "shared"}}
    shared = Effects(sweep.tidy(), sweep.units, known)
    for ask in (lambda: shared.adjust("max-t"), shared.hierarchy, shared.test):
        with pytest.raises(med.errors.DesignError, match="all units share their random draws"):
            ask()
    assert "bands are Bonferroni" in said(shared.adjust("holm"))


def test_sign_flips_of_every_row(sweep):
    found = sweep.test(n_flips=999)
    assert list(found) == ["estimand", "site", "statistic", "p_value", "method", "n", "n_clusters"]
    values = frame_of_heads().assign(d=lambda f: f["y01"] - f["y00"]).pivot(index="unit", columns="site", values="d")
    rows = found[found["estimand"] == "pnie"]
    expected = sign_flip(values[rows["site"]].to_numpy(), n_flips=999, seed=5)
    assert rows["p_value"].to_numpy() == pytest.approx(expected.p_value)
    assert rows["statistic"].to_numpy() == pytest.approx(of(sweep, "pnie")["estimate"])
    one = sweep.test("tnie", alternative="greater", n_flips=999)
    assert one["estimand"].unique().tolist() == ["tnie"]
    assert one["p_value"].min() < found["p_value"].max()


def test_sign_flips_flip_whole_clusters():
    effects = make_effects(n=40, n_clusters=8)
    found = effects.test("pnie")
    assert found["method"].tolist() == ["cluster sign-flip (exact, 256 flips)"]
    with pytest.raises(med.errors.DesignError, match=r"clusters or weights\. Use method='sign-flip'"):
        effects.test("pnie", method="mcnemar")
    with pytest.raises(med.errors.DesignError, match="'pm' is a ratio"):
        effects.test("pm")
    assert "pm" not in set(effects.test()["estimand"])


def answers():
    right = np.random.default_rng(0).integers(2, size=(30, 4)).astype(float)
    return pd.DataFrame(right, columns=["y00", "y01", "y10", "y11"])


def test_mcnemar_of_right_and_wrong_answers():
    frame = answers()
    effects = med.effects(frame, rng=0, estimands=["te", "pnie", "int_med"], n_resamples=199)
    found = effects.test(method="mcnemar")
    assert found["estimand"].tolist() == ["te", "pnie"]  # an interaction is no difference of two answers
    expected = mcnemar(np.column_stack([frame["y11"] - frame["y00"], frame["y01"] - frame["y00"]]))
    assert found["p_value"].tolist() == expected.p_value.tolist()
    with pytest.raises(med.errors.DataError, match=r"int_med of unit \d+ is -?2"):
        effects.test("int_med", method="mcnemar")
    with pytest.raises(med.errors.DesignError, match="McNemar's test is two-sided"):
        effects.test(method="mcnemar", alternative="less")


def test_a_test_without_a_change_is_nan_and_says_where():
    frame = answers().assign(y01=lambda f: f["y00"])
    effects = med.effects(frame, rng=0, estimands=["te", "pnie"], n_resamples=199)
    with pytest.warns(med.errors.DegenerateWarning, match=r"1 of 2 tests .* no unit changed.* \(pnie\)"):
        found = effects.test(method="mcnemar")
    assert np.isnan(found["p_value"].iloc[1])
    with pytest.warns(med.errors.DegenerateWarning, match="every unit is 0"):
        assert np.isnan(effects.test("pnie")["p_value"].iloc[0])


def test_differences_below_single_precision_are_none():
    """Else 30 differences of 1e-9 of one sign would be significant."""
    frame = pd.DataFrame({"y00": np.linspace(1, 2, 12), "y01": np.linspace(1, 2, 12) + 1e-9})
    with pytest.warns(med.errors.DegenerateWarning):
        effects = med.effects(frame, rng=0, n_resamples=199, provenance={"model": {"dtype": "float32"}})
    with pytest.warns(med.errors.DegenerateWarning, match="every unit is 0"):
        assert np.isnan(effects.test()["p_value"].iloc[0])


@pytest.mark.parametrize(
    ("options", "says"), [({"method": "wilcoxon"}, "test: method"), ({"estimand": "pnei"}, "Closest: 'pnie'")]
)
def test_wrong_tests(sweep, options, says):
    with pytest.raises(med.errors.DesignError, match=says):
        sweep.test(**options)
    with pytest.raises(med.errors.DesignError, match="kind 'hierarchy'"):
        sweep.hierarchy().test()


def test_max_t_of_answers_keeps_the_bands_of_sites_where_none_changed():
    rng = np.random.default_rng(0)
    right = (rng.random((4, 40)) < 0.6).astype(float)
    sites = [
        pd.DataFrame({"site": f"s{i}", "unit": range(40), "y00": right[0], "y01": right[i]}) for i in range(4)
    ]  # at s0 no answer changes
    sweep = med.effects(pd.concat(sites), rng=0, n_resamples=199)
    again = sweep.adjust("max-t").tidy()
    assert np.isfinite(again[["band_low", "band_high", "p_adjusted"]].to_numpy()).all()
    pd.testing.assert_frame_equal(again, sweep.tidy())
