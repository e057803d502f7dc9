"""Units in clusters of two kinds, from a frame or from pairs to tables, comparisons and refusals."""

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.errors import DataError, DesignError
from mediation.inference import Inference, mean_intervals, two_way_intervals, two_way_ratio_intervals
from mediation.testing import LinearInteraction, first_output

BOTH = ["item", "template"]


def crossed_frame(seed=0, items=12, templates=5, keep=0.8):
    rng = np.random.default_rng(seed)
    item, template = np.repeat(np.arange(items), templates), np.tile(np.arange(templates), items)
    some = rng.random(len(item)) < keep
    item, template = item[some], template[some]
    n = len(item)
    effect = 3 + 0.7 * rng.normal(size=items)[item] + 0.5 * rng.normal(size=templates)[template] + rng.normal(size=n)
    base = rng.normal(size=n)
    columns = {"y00": base, "y01": base + 0.5 * effect, "y11": base + effect}
    columns["y10"] = base + 0.4 * effect + 0.3 * rng.normal(size=n)
    names = {"item": [f"i{one}" for one in item], "template": [f"t{one}" for one in template]}
    return pd.DataFrame(
        {"unit": [f"u{one}" for one in range(n)], **names, "weight": rng.lognormal(sigma=0.3, size=n), **columns}
    )


def test_effects_have_the_two_way_intervals_of_their_contrasts():
    frame = crossed_frame()
    table = med.effects(frame, cluster=BOTH, rng=0).tidy().set_index("estimand")
    design = {"clusters": (frame["item"], frame["template"]), "weights": frame["weight"]}
    total = (frame["y11"] - frame["y00"]).to_numpy()[:, None]
    mean = two_way_intervals(total, **design)
    ratio = two_way_ratio_intervals((frame["y11"] - frame["y10"]).to_numpy()[:, None], total, **design)
    for key, found in (("te", mean), ("pm", ratio)):
        for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value"):
            assert table.loc[key, name] == pytest.approx(getattr(found, name)[0], rel=1e-12)
        assert table.loc[key, "method"] == found.method[0]
    assert set(table["n_clusters"]) == {5}


def test_the_order_of_names_and_of_rows_changes_no_bit():
    frame = crossed_frame()
    table = med.effects(frame, cluster=BOTH, rng=0).tidy()
    for other in (frame.sample(frac=1, random_state=1), frame):
        for names in (BOTH, BOTH[::-1], tuple(BOTH)):
            pd.testing.assert_frame_equal(med.effects(other, cluster=names, rng=0).tidy(), table, check_exact=True)


def test_one_name_is_the_column_cluster():
    frame = crossed_frame()
    table = med.effects(frame.assign(cluster=frame["item"]), rng=0).tidy()
    for name in ("item", ["item"]):
        found = med.effects(
            frame.assign(cluster=0, Clusters=1, cluster_2=2).drop(columns="Clusters"), cluster=name, rng=0
        )
        pd.testing.assert_frame_equal(found.tidy(), table, check_exact=True)
        assert "cluster_2" not in found.units
    assert "(item); whole clusters are resampled" in str(found.summary())
    renamed = frame.rename(columns={"item": "Cluster"})
    pd.testing.assert_frame_equal(med.effects(renamed, cluster="Cluster", rng=0).tidy(), table, check_exact=True)


def test_units_keep_both_labels_through_saving_and_redoing(tmp_path):
    frame = crossed_frame()
    found = med.effects(frame, cluster=BOTH, rng=0)
    again = med.read(found.save(tmp_path / "crossed.parquet"))
    once = again.units.set_index("unit").loc[frame["unit"]]
    assert once["cluster"].tolist() == frame["item"].tolist()
    assert once["cluster_2"].tolist() == frame["template"].tolist()
    assert again.provenance["pairs"]["cluster"] == BOTH
    assert again.provenance["pairs"]["crossed"] == [12, 5]
    pd.testing.assert_frame_equal(med.effects(again.units, rng=0).tidy(), found.tidy(), check_exact=True)
    note = "units in 12 x 5 clusters (item x template); units that share either count as dependent."
    assert note in " ".join(str(again.summary()).split())
    assert "clusters (of two kinds)" in " ".join(str(med.effects(again.units).summary()).split())
    one = med.effects(again.units.drop(columns="cluster_2"), provenance=again.provenance)
    assert "crossed" not in one.provenance["pairs"]


def test_a_sweep_has_bonferroni_bands_and_holm():
    frame = pd.concat([crossed_frame(0).assign(site=f"s{one}") for one in range(3)], ignore_index=True)
    rng = np.random.default_rng(1)
    frame["y01"] += rng.normal(size=len(frame)) - 1.5
    sweep = med.effects(frame, cluster=BOTH, estimands=["pnie"], rng=0)
    table = sweep.tidy()
    values = (frame["y01"] - frame["y00"]).to_numpy().reshape(3, -1).T
    once = frame[frame["site"] == "s0"]
    bands = two_way_intervals(values, clusters=(once["item"], once["template"]), weights=once["weight"], bands=True)
    np.testing.assert_allclose(table["band_low"], bands.band_low, rtol=1e-12)
    np.testing.assert_allclose(table["p_adjusted"], bands.p_adjusted, rtol=1e-12)
    text = " ".join(str(sweep.summary()).split())
    assert "Holm (family-wise error) over the 3 sites" in text
    assert "bands are Bonferroni" in text
    assert sweep.adjust("bh").tidy()["p_adjusted"].le(table["p_adjusted"] + 1e-15).all()
    for refused in (lambda: sweep.adjust("max-t"), lambda: sweep.hierarchy(estimand="pnie")):
        with pytest.raises(DesignError, match="clusters of two"):
            refused()


def test_a_comparison_of_the_same_units_is_two_way():
    one, two = crossed_frame(0), crossed_frame(0)
    two["y11"] += np.random.default_rng(5).normal(size=len(two))
    results = [med.effects(frame, cluster=names, rng=0) for frame, names in ((one, BOTH), (two, BOTH[::-1]))]
    found = results[0].compare(results[1], estimands=["te"])
    alone = two_way_intervals(
        (one["y11"] - one["y00"] - two["y11"] + two["y00"]).to_numpy()[:, None],
        clusters=(one["item"], one["template"]), weights=one["weight"],
    )  # fmt: skip
    row = found.tidy().iloc[0]
    assert row["conf_low"] == pytest.approx(alone.conf_low[0], rel=1e-9)
    assert row["method"] == "two-way t (cluster x cluster)"
    assert "in 12 x 5 clusters (item x template), the same in both" in " ".join(str(found.summary()).split())
    with pytest.raises(DesignError, match="clusters of two"):
        found.equivalence(0.5)
    with pytest.raises(DesignError, match="difference of two ratios takes clusters of one kind"):
        results[0].compare(results[1], estimands=["pm"])
    with pytest.raises(DesignError, match="two independent groups takes clusters of one kind"):
        results[0].compare(results[1], paired=False)
    with pytest.raises(DataError, match="two kinds in 'first' and of one in 'second'"):
        results[0].compare(med.effects(two, cluster="item", rng=0), paired=True)
    moved = two.assign(template=two["template"].where(two.index > 3, "t0"))
    with pytest.raises(DataError, match="the cluster of unit 'u1' is"):
        results[0].compare(med.effects(moved, cluster=BOTH, rng=0), paired=True)


@pytest.mark.parametrize(
    "refused",
    [
        lambda found: found.test(),
        lambda found: found.test(method="mcnemar"),
        lambda found: found.equivalence(0.5),
        lambda found: med.power(found, estimand="te"),
    ],
)
def test_what_takes_one_kind_refuses_two(refused):
    with pytest.raises(DesignError, match=r"takes clusters of one kind, and here .* clusters of two \(12 x 5\)"):
        refused(med.effects(crossed_frame(), cluster=BOTH, rng=0))


def test_what_cannot_be_asked():
    frame = crossed_frame()
    with pytest.raises(DataError, match=r"no such column\. Closest: 'item'"):
        med.effects(frame, cluster=["itme", "template"])
    with pytest.raises(DesignError, match="names 3 kinds of clusters; at most two can cross"):
        med.effects(frame, cluster=[*BOTH, "unit"])
    with pytest.raises(DataError, match="names one column twice"):
        med.effects(frame, cluster=["item", "item"])
    for odd in (3, [1, 2], [], frame["item"]):
        with pytest.raises(DesignError, match="the name of a column, or two names"):
            med.effects(frame, cluster=odd)
    with pytest.raises(DataError, match="a second kind of cluster needs a first"):
        med.effects(frame.assign(cluster_2=frame["item"]))
    with pytest.raises(DataError, match="cluster_2 of row 2 is missing"):
        med.effects(frame.assign(template=frame["template"].where(frame.index != 2)), cluster=BOTH)
    twice = pd.concat([frame.assign(draw=0), frame.assign(draw=1, template="t0")])
    with pytest.raises(DataError, match="several values of cluster_2"):
        med.effects(twice, cluster=BOTH)
    with pytest.raises(DesignError, match="method = 'percentile' resamples clusters of one kind"):
        med.effects(frame, cluster=BOTH, method="percentile")
    draws = pd.concat([frame.assign(draw=0), frame.assign(draw=1)])
    with pytest.raises(DesignError, match="draws='shared' takes clusters of one kind"):
        med.effects(draws, cluster=BOTH, draws="shared")
    given = pd.concat([frame.assign(draw=draw, donor=np.roll(frame["unit"], 1 + draw)) for draw in (0, 1)])
    with pytest.raises(DesignError, match="A random donor makes units dependent"):
        med.effects(given, cluster=BOTH)


def test_answers_without_a_flip_have_an_interval():
    frame = crossed_frame().drop(columns=["y01", "y10", "weight"])
    frame["y00"], frame["y11"] = np.arange(len(frame)) % 2, np.arange(len(frame)) % 2
    row = med.effects(frame, cluster=BOTH).tidy().iloc[0]
    assert row["method"] == "two-way bonett-price (cluster x cluster)"
    one_way = [
        mean_intervals(np.zeros((len(frame), 1)), clusters=frame[name], span=1.0, settings=Inference()) for name in BOTH
    ]
    assert row["conf_high"] == pytest.approx(max(one.conf_high[0] for one in one_way))
    assert row["conf_low"] == pytest.approx(-row["conf_high"])


def _pairs(**more):
    x = torch.linspace(-1, 1, 24)[:, None]
    frame = pd.DataFrame({"item": np.repeat(np.arange(6), 4), "template": np.tile(list("abcd"), 6)})
    return med.Pairs(base=x, source=x + 1 + 0.3 * torch.sin(9 * x), frame=frame, **more)


def test_pairs_with_two_names():
    pairs = _pairs(cluster=BOTH)
    assert pairs.crossed == [6, 4]
    assert "6 x 4 clusters" in repr(pairs)
    assert pairs.subset([0, 1, 5]).crossed == [2, 2]
    assert {name: labels[5] for name, labels in pairs.cluster_columns.items()} == {"cluster": 1, "cluster_2": "b"}
    texts = pd.DataFrame({"base": ["a", "b"], "source": ["c", "d"], "item": [0, 1], "template": [0, 0]})
    assert med.Pairs.from_frame(texts, cluster=BOTH).crossed == [2, 1]
    assert _pairs(cluster=pairs.cluster).crossed == [6, 4]


def test_pairs_with_labels_stay_one_way():
    labels = ["x", "y"] * 12
    pairs = _pairs(cluster=labels)
    assert pairs.crossed == []
    assert pairs.cluster.tolist() == labels
    tuples = [("x", one) for one in range(24)]
    assert _pairs(cluster=tuples).cluster.tolist() == tuples
    assert _pairs(cluster=["item"]).cluster.tolist() == np.repeat(np.arange(6), 4).tolist()
    few = med.Pairs(base=["a", "b"], frame=pd.DataFrame({"x": [1, 1]}), cluster=["x", "y"])
    assert few.cluster.tolist() == ["x", "y"]


def test_pairs_refuse_what_names_no_two_columns():
    with pytest.raises(DataError, match="Closest: 'template'"):
        _pairs(cluster=["item", "tempalte"])
    with pytest.raises(DesignError, match="3 kinds of clusters"):
        _pairs(cluster=["item", "template", "item"])
    with pytest.raises(DataError, match="named twice"):
        _pairs(cluster=["item", "item"])
    with pytest.raises(DataError, match="23 given for 24 units"):
        _pairs(cluster=[str(one) for one in range(23)])


def test_a_run_keeps_both_labels_and_is_the_effects_of_its_units():
    pairs = _pairs(cluster=BOTH)
    found = med.mediate(LinearInteraction(), pairs, med.Site("mediator"), first_output, rng=0)
    assert found.units["cluster_2"].tolist() == list("abcd") * 6
    assert found.provenance["pairs"]["crossed"] == [6, 4]
    pd.testing.assert_frame_equal(
        med.effects(found.units, rng=0, provenance=found.provenance).tidy(), found.tidy(), check_exact=True
    )
    noise = med.GaussianNoise(0.5).at(med.Site("mediator"))
    ablated = med.ablate(LinearInteraction(), pairs, noise, first_output, rng=0, n_draws=3)
    assert set(ablated.tidy()["method"]) == {"two-way t (cluster x cluster)"}
    table = med.specification(
        LinearInteraction(), pairs, med.Site("mediator"), first_output,
        corruptions={"farther": _pairs(cluster=BOTH)}, arms={"zero": med.Zero()}, rng=0,
    )  # fmt: skip
    assert table.tidy()["method"].str.startswith("two-way").all()
    assert "6 x 4 clusters (item x template)" in " ".join(str(table.summary()).split())


def test_runs_that_take_one_kind_are_refused_before_anything_runs():
    class Idle(LinearInteraction):
        def forward(self, *args):
            raise AssertionError("a pass was made")

    pairs, site = _pairs(cluster=BOTH), med.Site("mediator")
    refused = [
        lambda: med.mediate(Idle(), pairs, site, first_output, method="bca"),
        lambda: med.mediate(Idle(), pairs, site, first_output, donor=med.Swap()),
        lambda: med.ablate(Idle(), pairs, med.Swap().at(site), first_output),
        lambda: med.interactions(Idle(), pairs, [site, med.Site("direct")], first_output),
        lambda: med.controls(Idle(), pairs, site, first_output),
        lambda: med.attribution(Idle(), pairs, site, first_output),
    ]
    for run in refused:
        with pytest.raises(DesignError, match="kind"):
            run()
