"""Tests of layers and heads of a sweep: the table, its summary, its file and its picture."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.inference import Inference, hierarchical_max_t
from mediation.results import Effects, read
from tests.results.results_factory import make_ablation, make_sweep
from tests.results.sweep_of_heads import frame_of_heads, make_heads


@pytest.fixture(scope="module")
def sweep():
    return make_heads()


@pytest.fixture(scope="module")
def found(sweep):
    return sweep.hierarchy()


def test_rows_are_layers_each_before_its_sites(sweep, found):
    table = found.tidy()
    assert found.kind == "hierarchy"
    assert table["level"].tolist() == (["layer"] + ["site"] * 6) * 4
    assert table["layer"].tolist() == np.repeat(range(4), 7).tolist()
    assert table.loc[table["level"] == "layer", "site"].tolist() == [f"layer {layer}" for layer in range(4)]
    sites = table[table["level"] == "site"].reset_index(drop=True)
    whole = sweep.tidy().query("estimand == 'pnie'").reset_index(drop=True)
    same = ["site", "estimate", "std_error", "conf_low", "conf_high", "p_value", "layer", "position", "head", "feature"]
    pd.testing.assert_frame_equal(sites[same], whole[same])
    assert repr(found) == (
        "<Effects: pnie of 4 layers and their 24 sites, n = 60, outcome LogitDiff('answer', 'foil')>"
    )


def test_p_values_are_those_of_the_function(found):
    values = frame_of_heads().assign(d=lambda f: f["y01"] - f["y00"]).pivot(index="unit", columns="site", values="d")
    settings = Inference(n_resamples=999, seed=5)
    tests = hierarchical_max_t(values.to_numpy(), np.repeat(range(4), 6).tolist(), settings=settings)
    table = found.tidy()
    layers, sites = (table[table["level"] == level] for level in ("layer", "site"))
    assert layers["p_adjusted"].to_numpy() == pytest.approx(tests.group_p_adjusted)
    assert sites["p_adjusted"].to_numpy() == pytest.approx(tests.column_p_adjusted)
    means = values.to_numpy().reshape(60, 4, 6).mean(axis=(0, 2))
    assert layers["estimate"].to_numpy() == pytest.approx(means)


def test_what_is_rejected_and_what_is_not_tested(found):
    table = found.tidy()
    layers = table[table["level"] == "layer"].set_index("layer")["rejected"]
    assert layers.tolist() == ["no", "yes", "yes", "no"]
    for row in table[table["level"] == "site"].to_dict("records"):
        if layers[row["layer"]] == "no":
            assert row["rejected"] == "not tested"
        else:
            assert row["rejected"] == ("yes" if row["p_adjusted"] <= 0.05 else "no")


def test_a_smaller_alpha_rejects_less(sweep, found):
    strict = sweep.hierarchy(alpha=0.002)
    table, fewer = found.tidy(), strict.tidy()
    assert (fewer["p_adjusted"] == table["p_adjusted"]).all()
    assert (fewer["rejected"] == "yes").sum() < (table["rejected"] == "yes").sum()
    assert "Rejected at alpha = 0.002" in str(strict.summary())


def test_the_summary_lists_layers_and_the_sites_rejected_in_them(found):
    text = str(found.summary())
    assert text.startswith("PNIE, pure indirect effect: layers, then their sites")
    assert "\nlayer 2 (6 sites)" in text
    assert "\n  attention[2].head[3]@last" in text
    assert "attention[0].head[0]" not in text
    flat = " ".join(text.split())
    assert "Rejected at alpha = 0.05: 2 of 4 layers" in flat
    assert "Sites that were not rejected are not listed." in flat
    assert "p (adj.)" in text
    assert max(map(len, text.split("\n"))) <= 100
    short = " ".join(str(found.summary(most=1)).split())
    assert "Listed are the 1 layers of the smallest p" not in short
    assert "Listed is the layer of the smallest p" in short


def test_a_layer_that_no_site_explains_is_said_to_be_one(sweep):
    table = sweep.hierarchy().tidy()
    table.loc[table["level"] == "site", "rejected"] = "not tested"
    inside = (table["level"] == "site") & (table["layer"] == 1)
    table.loc[inside, "rejected"] = "no"
    table.loc[(table["level"] == "layer") & (table["layer"] == 2), "rejected"] = "no"
    text = " ".join(str(Effects(table, sweep.units, {}).summary()).split())
    assert "Rejected: 1 of 4 layers, and 0 of the 6 sites in it." in text
    assert "Layer 1: some site has an effect, and which cannot be said." in text


def test_nothing_rejected_is_said_plainly(sweep):
    table = sweep.hierarchy().tidy()
    table["rejected"] = np.where(table["level"] == "layer", "no", "not tested")
    text = " ".join(str(Effects(table, sweep.units, {}).summary()).split())
    assert "Rejected: 0 of 4 layers; no site was tested." in text


def test_sites_without_an_interval_are_not_tested():
    frame = frame_of_heads()
    dead = frame["site"] == "attention[1].head[0]@last"
    frame.loc[dead, "y01"] = frame.loc[dead, "y00"]
    with pytest.warns(med.errors.DegenerateWarning):
        effects = med.effects(frame, estimands="pnie", n_resamples=999, rng=0)
    found = effects.hierarchy(layers={site: int(site[10]) for site in frame["site"].unique()})
    row = found.tidy().set_index("site").loc["attention[1].head[0]@last"]
    assert (row["rejected"], row["method"]) == ("not tested", "degenerate")
    assert np.isnan(row["p_adjusted"])
    alive = found.tidy().query("layer == 1 and level == 'site'")["estimate"].iloc[1:]
    assert found.tidy().set_index("site").loc["layer 1", "estimate"] == pytest.approx(alive.mean())


def test_a_hierarchy_is_saved_and_read(found, tmp_path):
    assert read(found.save(tmp_path / "tree")) == found


def test_the_forest_draws_layers_as_diamonds_and_marks_what_is_rejected(found):
    ax = med.plot.forest(found)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    rows = found.tidy()
    assert labels[0] == "layer 0: mean"
    assert "attention[2].head[3]@last  *" in labels
    assert len(labels) == 4 + ((rows["level"] == "site") & (rows["rejected"] == "yes")).sum()
    markers = [line.get_marker() for line in ax.lines if line.get_gid() == "estimate"]
    assert [marker == "D" for marker in markers] == [label.startswith("layer") for label in labels]
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (make_ablation, {}, "hierarchy was asked of a result of kind 'ablation'"),
        (make_heads, {"estimand": "pnei"}, "hierarchy: estimand = 'pnei' is not known. Closest: 'pnie'."),
        (make_heads, {"alpha": 5}, "hierarchy: alpha = 5"),
        (lambda: make_heads(n_heads=1), {}, "each of the 4 layers has one site"),
        (lambda: make_heads(estimands=("pm",)), {"estimand": "pm"}, "'pm' is a ratio"),
    ],
)
def test_wrong_calls(make, options, says):
    with pytest.raises(med.errors.DesignError, match=says.replace("(", r"\(")):
        make().hierarchy(**options)


def test_sites_without_a_layer_are_refused(sweep):
    table = sweep.tidy()
    table.loc[table["head"] == 2, "layer"] = pd.NA
    with pytest.raises(med.errors.DesignError, match=r"site 'attention\[0\].head\[2\]@last' belongs to no layer"):
        Effects(table, sweep.units, sweep.provenance).hierarchy()


def test_units_of_another_sweep_are_refused():
    with pytest.raises(med.errors.DataError, match="has no units"):
        make_sweep(layers=(0, 1), positions=(0, 8)).hierarchy()
